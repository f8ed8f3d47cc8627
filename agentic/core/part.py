"""An agent for one part of a plan that another process carries out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from agentic.core.agent import Agent
from agentic.core.approval import ApprovalMode
from agentic.core.opened import OpenedAgent, refuse
from agentic.core.runtime import Runtime
from agentic.core.session import open_services
from agentic.errors import ConfigError
from agentic.hooks.batching import Lane
from agentic.hooks.fan_out import CallBudget
from agentic.hooks.runner import Part
from agentic.sessions import ConversationHistory, Session
from agentic.types import ToolOutput


@asynccontextmanager
async def open_part(runtime: Runtime, part: Part, session: Session) -> AsyncIterator[OpenedAgent]:
    """Opens the part's agent, whose history begins with the other process's system text. Raises AgenticError."""

    async def run_command(command: str, check: str = "") -> ToolOutput:
        return await agent.tools.run_command(command, check)

    async with open_services(runtime, session, ApprovalMode(part.approval), refuse, run_command, part.late) as (services, board):
        history = ConversationHistory(session, board, part.agent)
        history.add(part.messages[0])
        services = replace(services, calls=CallBudget(part.calls))
        agent = Agent(services, history, part.calls, Lane(part.lane))
        _require_alike(part, services.llm.budget.tier, [spec.name for spec in agent.specs])
        agent.tools.kind = part.kind
        yield OpenedAgent(agent, services)


def _require_alike(part: Part, tier: str, tools: list[str]) -> None:
    """The prompt has to be the other process's, byte for byte. Raises ConfigError."""
    if other := sorted(set(part.tools) ^ set(tools)):
        raise ConfigError(f"the tools here differ from the host's: {', '.join(other)}", "install the same plugins")
    if tier != part.tier:
        raise ConfigError(f"the window here is of tier {tier}, the host's of tier {part.tier}", "use the same endpoints")
