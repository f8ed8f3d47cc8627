"""All doors in one table: what each hook takes, what it has to be like, and which setting selects it."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from agentic.hooks import Provider
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Batcher, Closes, Routes, Warms, Watches
from agentic.hooks.chat import ChatCommand
from agentic.hooks.checks import Checker
from agentic.hooks.command_readers import CommandReader
from agentic.hooks.commands import Command
from agentic.hooks.complexity import ComplexityEstimator
from agentic.hooks.context import Condenses, ContextStrategy
from agentic.hooks.decomposition import Decomposer
from agentic.hooks.fan_out import FanOut
from agentic.hooks.launcher import CommandLauncher
from agentic.hooks.prompt import PromptSection, PromptTemplate
from agentic.hooks.protocol import OutputRepair, ToolProtocol, Vocabulary
from agentic.hooks.runner import Runner
from agentic.hooks.safeguards import Safeguard
from agentic.hooks.screen import Renderer
from agentic.hooks.tools import Announces, Tool, ToolSource
from agentic.hooks.transport import CachesPrefixes, CountsTokens, FollowsEndpoints, ReportsLoad, Resumes, SendsBatches, Transport
from agentic.hooks.trust import RunnableFinder
from agentic.lib.record import record

TOOL_NAME = r"[A-Za-z0-9_-]{1,64}"  # what OpenAI-compatible servers take for a function's name
COMMAND_NAME = r"[a-z][a-z0-9-]*"


@record(frozen=True, slots=True)
class Door:
    """`protocol` is what a provider's factory has to make, `optional` what the product may be able to do besides.

    `selected_by` is the setting that names one provider, or "" where all are used; `names` a pattern for the records' names.
    """

    record: type
    protocol: type | None = None
    optional: tuple[type, ...] = ()
    selected_by: str = ""
    names: str = r"\S+"


DOORS: Mapping[str, Door] = MappingProxyType(
    {
        "agentic_transports": Door(
            Provider,
            Transport,
            (CachesPrefixes, CountsTokens, FollowsEndpoints, ReportsLoad, Resumes, SendsBatches),
            "llm.transport",
        ),
        "agentic_batchers": Door(Provider, Batcher, (Closes, FollowsEndpoints, Routes, Warms, Watches), "batching.strategy"),
        "agentic_context_strategies": Door(Provider, ContextStrategy, (Condenses,), "context.strategy"),
        "agentic_complexity_estimators": Door(Provider, ComplexityEstimator, (), "complexity.estimator"),
        "agentic_decomposers": Door(Provider, Decomposer, (), "decomposition.strategy"),
        "agentic_fan_outs": Door(Provider, FanOut, (), "sub_agents.fan_out"),
        "agentic_runners": Door(Provider, Runner, (Closes,), "sub_agents.runner"),
        "agentic_tools": Door(Provider, Tool, (), "tools.enabled", TOOL_NAME),
        "agentic_tool_sources": Door(Provider, ToolSource, (Announces,)),
        "agentic_renderers": Door(Provider, Renderer, (), "ui.renderer"),
        "agentic_command_launchers": Door(Provider, CommandLauncher, (), "sandbox.launcher"),
        "agentic_tool_protocols": Door(Provider, ToolProtocol, (), "tools.protocol"),
        "agentic_output_repairs": Door(Provider, OutputRepair),
        "agentic_checkers": Door(Provider, Checker),
        "agentic_safeguards": Door(Safeguard),
        "agentic_command_readers": Door(Provider, CommandReader),
        "agentic_vocabularies": Door(Vocabulary),
        "agentic_prompts": Door(PromptTemplate),
        "agentic_prompt_sections": Door(PromptSection),
        "agentic_agents": Door(AgentKind, names=COMMAND_NAME),
        "agentic_runnables": Door(RunnableFinder),
        "agentic_chat_commands": Door(ChatCommand, names=COMMAND_NAME),
        "agentic_commands": Door(Command, names=COMMAND_NAME),
    }
)
# What has one of these, no project may switch off.
GUARDING = (
    "agentic_before_tool",
    "agentic_before_request",
    "agentic_on_event",
    "agentic_command_launchers",
    "agentic_safeguards",
    "agentic_command_readers",
)


def specifications() -> list[Any]:
    """The modules that hold the hook specifications."""
    homes = [import_module("agentic.hooks"), import_module("agentic.hooks.events")]
    for door in DOORS.values():
        home = import_module((door.protocol or door.record).__module__)
        if home not in homes:
            homes.append(home)
    return homes
