"""The agents that a fan-out opens."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from agentic.hooks.agents import AgentKind
from agentic.hooks.checks import JudgeVerdict
from agentic.types import Change, Message, ToolOutput, Usage

if TYPE_CHECKING:
    from agentic.lib.workspace import Workspace
    from agentic.sessions import ConversationHistory


class SubAgent(Protocol):
    """An agent of its own that does a part. It has the lead's system text and tools byte for byte, and begins in its cache.

    `is_brief`: its model bears few words. `tools` are their names.
    """

    name: str
    history: "ConversationHistory"
    workspace: "Workspace"
    is_brief: bool
    tools: list[str]

    @property
    def kind(self) -> AgentKind | None:
        """The agent definition that it follows, within what the lead may do."""
        ...

    @property
    def task(self) -> str: ...

    @property
    def messages(self) -> Sequence[Message]:
        """Its conversation as the model will read it."""
        ...

    @property
    def last_words(self) -> str: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def changes(self) -> Mapping[str, Change]:
        """The files that it changed, by path."""
        ...

    @property
    def ran(self) -> Mapping[str, ToolOutput]:
        """The commands that it ran since its last change."""
        ...

    @property
    def did(self) -> str:
        """Its work in one line, "" for none."""
        ...

    @property
    def could_not_write(self) -> bool:
        """True if a change was not possible."""
        ...

    def start(self, task: str, opened: Message | None = None) -> None:
        """Gives it its task; `opened` is the message, if made."""
        ...

    def tell(self, text: str, files: Sequence[str] = ()) -> None:
        """Adds a word to the model; one that bears few begins anew with it, and the `files` to correct."""
        ...

    def used(self, usage: Usage) -> None:
        """Counts tokens that were used for it elsewhere."""
        ...

    def took(self, changes: Mapping[str, Change]) -> None:
        """Counts what another agent changed in its workspace as its own, from its start on."""
        ...

    def within(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Gives it that time, without a user's thinking; its turn after 0.8 of it is its last. Raises TimeoutError."""
        ...

    async def run(self) -> tuple[str, str]:
        """(status, its last words) once it is done or at a limit. Raises AgenticError when the model cannot be asked."""
        ...

    async def run_unasked(self, command: str) -> ToolOutput | None:
        """Runs a shell command in its workspace, as if its model had called for it; None where that needs a question."""
        ...

    async def judged(self) -> JudgeVerdict:
        """Looks at what it did in its workspace, by the checks that need no question."""
        ...
