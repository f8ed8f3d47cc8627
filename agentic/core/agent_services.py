"""The services that the agents of a session share."""

from collections.abc import Callable, Mapping
from dataclasses import field

from agentic.core.approval import Approver
from agentic.core.policy import WatchedFolder
from agentic.core.proofs import Proofs
from agentic.core.service import LlmService
from agentic.core.toolbox import Toolbox
from agentic.hooks.agents import AgentKind
from agentic.hooks.context import ContextStrategy
from agentic.hooks.fan_out import CallBudget
from agentic.hooks.protocol import ToolProtocol
from agentic.lib.children.jobs import Jobs
from agentic.lib.record import record
from agentic.lib.safeguards import Safeguards
from agentic.lib.workspace import Workspace
from agentic.plugins.dispatcher import Dispatcher
from agentic.plugins.prompts import Prompts
from agentic.types import Sampling


@record(frozen=True, slots=True)
class AgentServices:
    """The services that an agent works with; sub-agents share all of them. Each agent makes a `protocol` of its own.

    `safeguards` mask secrets; None where the user wants them shown.
    """

    llm: LlmService
    events: Dispatcher
    protocol: str
    make_protocol: Callable[[], ToolProtocol]
    toolbox: Toolbox
    strategy: ContextStrategy
    approver: Approver
    workspace: Workspace
    calls: CallBudget
    prompts: Prompts
    proofs: Proofs
    watches: Callable[[Workspace], WatchedFolder]
    jobs: Jobs
    instructions: str = ""
    covered: frozenset[str] = frozenset()
    effort: str = ""
    debug: bool = False
    safeguards: Safeguards | None = None
    kinds: Mapping[str, AgentKind] = field(default_factory=dict)
    sampling: Sampling = Sampling()

    def masked(self, text: str) -> str:
        """The text without secrets."""
        return self.safeguards.masked(text)[0] if self.safeguards is not None else text
