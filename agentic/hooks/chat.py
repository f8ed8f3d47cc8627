"""The conversation that front-ends hold (chats, editors, programs), and the slash commands that are typed in it."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from agentic.config import Settings
from agentic.events import ContextReport, EndpointSeen, Event
from agentic.hooks.agents import AgentKind
from agentic.lib.palette import Palette
from agentic.lib.questions import Answered, Question
from agentic.lib.record import record
from agentic.types import EndpointInfo, ImagePart, ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.lib.children.jobs import Jobs
    from agentic.lib.workspace import Workspace
    from agentic.sessions import Session

T = TypeVar("T")


@record(frozen=True, slots=True)
class ConversationOpening:
    """The beginning that all requests of a conversation share: the system text, the tools, their tokens."""

    system: str
    tools: Sequence[ToolSpec]
    tokens: int
    system_tokens: int


class Conversation(Protocol):
    """An open session for one task after the other: what chats, editors and programs hold (`agentic.api.open_conversation`)."""

    @property
    def root(self) -> Path: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def session(self) -> "Session": ...

    @property
    def workspace(self) -> "Workspace": ...

    @property
    def jobs(self) -> "Jobs":
        """The commands that run in the background."""
        ...

    @property
    def model(self) -> EndpointInfo: ...

    @property
    def models(self) -> Sequence[str]:
        """The names of models that were seen at the endpoints so far, sorted."""
        ...

    @property
    def kinds(self) -> Mapping[str, AgentKind]:
        """The agent definitions that it can follow, by name."""
        ...

    @property
    def kind(self) -> AgentKind | None:
        """The agent definition that it follows."""
        ...

    @property
    def length(self) -> int:
        """The number of messages; a new conversation has one at most, the system's."""
        ...

    @property
    def last_words(self) -> str:
        """The text of the model's last message, "" before the first."""
        ...

    @property
    def mode(self) -> str:
        """The approval mode: ask, edits, all or none."""
        ...

    @property
    def rules(self) -> Sequence[tuple[str, str, str]]:
        """(decision, rule, where it stands) of each rule that holds here."""
        ...

    def become(self, name: str) -> None:
        """Follows an agent definition from now on, "" for none. Raises ConfigError."""
        ...

    async def turn(self, task: str, command: str = "chat", may_ask: bool = True) -> None:
        """Does one task; the last event is its `RunFinished`. Cancelling stops it and keeps what came. Raises AgenticError.

        `may_ask`: checks may be run that need a question.
        """
        ...

    async def approve(self, mode: str) -> None:
        """Sets the approval mode. Raises TrustError for "all" where no sandbox holds commands."""
        ...

    def reading_only(self) -> AbstractContextManager[None]:
        """Meanwhile nothing is changed and no command runs."""
        ...

    def prompt(self, name: str, **values: str) -> str:
        """Returns one of the texts that models read. `agentic prompts` lists them."""
        ...

    def add_root(self, folder: str) -> Path:
        """Has agents work in that folder, too, from now on. Raises ConfigError for what cannot be one."""
        ...

    def tell(self, text: str) -> None:
        """Adds a word to the model, without the secrets in it."""
        ...

    def steer(self, take: Callable[[], str]) -> None:
        """Asks `take` before each step of the model what the user has typed since, "" for nothing."""
        ...

    def attach(self, picture: ImagePart) -> None:
        """Sends a picture along with the next task."""
        ...

    async def compact(self, focus: str = "") -> tuple[int, int]:
        """Goes on with a summary of what was said; (tokens before, tokens now). Raises AgenticError."""
        ...

    def rewind(self, since: int) -> None:
        """Forgets what was said since that record of the session."""
        ...

    def context(self) -> ContextReport:
        """Reports where the tokens of the next prompt are."""
        ...

    async def opening(self) -> ConversationOpening:
        """Returns the beginning that all its requests share. Raises AgenticError."""
        ...

    async def announce(self, command: str) -> None:
        """Emits which model at which endpoint this is, and which session."""
        ...

    async def warm(self) -> None:
        """Has the servers compute what every request of the session begins with, where they cache prefixes."""
        ...

    async def emit(self, event: Event) -> None:
        """Shows and keeps an event."""
        ...

    def note(self, event: Event) -> None:
        """Keeps an event and shows it, without telling observers."""
        ...

    def show(self, event: Event) -> None:
        """Shows an event that is not kept."""
        ...

    async def run_command(self, command: str) -> ToolOutput:
        """Runs a shell command under the usual approval, as if the model had called for it."""
        ...

    async def endpoints(self) -> list[EndpointSeen]:
        """Looks how busy each endpoint is that answers and tells."""
        ...

    async def served(self) -> list[tuple[str, EndpointInfo | str]]:
        """Asks each endpoint what it serves: (its address, what it says or why it says nothing)."""
        ...

    def slash_commands(self) -> "dict[str, ChatCommand]":
        """The slash commands of plugins, and those of the folder, by name."""
        ...

    async def run_slash(self, name: str, argument: str, chat: "Chat") -> None:
        """Runs a slash command. Raises AgenticError, PluginError where it fails."""
        ...

    def complete_slash(self, name: str, argument: str, chat: "Chat") -> list[str]:
        """Returns what a slash command's argument may go on as; one that fails completes nothing."""
        ...


class Chat(Protocol):
    """The front-end that a slash command is typed in, with its conversation."""

    @property
    def root(self) -> Path: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def session_id(self) -> str:
        """By which `agentic.api.session_store` reads the session."""
        ...

    @property
    def conversation(self) -> Conversation:
        """The session that the chat is about."""
        ...

    @property
    def palette(self) -> Palette:
        """The colours of what `write` shows."""
        ...

    def say(self, text: str) -> None:
        """Shows a text to the user; control characters are spelled out."""
        ...

    def write(self, text: str) -> None:
        """Shows a text that is safe for the screen already, with colours."""
        ...

    async def emit(self, event: Event) -> None:
        """Shows an event."""
        ...

    async def ask(self, text: str) -> bool:
        """Does a turn of the model, as if the user had typed `text`; True if it was done, and not stopped."""
        ...

    async def answer(self, question: Question) -> Answered:
        """Puts a question to the user."""
        ...

    async def follow(self, work: Coroutine[Any, Any, T]) -> T:
        """Waits for work that takes its time, and that the user can stop; returns its result."""
        ...

    async def run(self, command: str) -> str:
        """Runs a shell command under the usual approval, as if the model had called for it; what it gave out, or why not."""
        ...

    async def endpoints(self) -> list[EndpointSeen]:
        """How busy each endpoint is that answers and tells."""
        ...

    async def reopen(self, settings: Settings, session: str) -> None:
        """Goes on with other settings, or in another session, "" for a new one. Raises AgenticError."""
        ...

    def leave(self) -> None:
        """Ends the chat when the command is done."""
        ...


@record(frozen=True, slots=True)
class ChatCommand:
    """`/NAME ARGUMENT`. `complete(argument)`, or `complete(argument, chat)`, gives what the argument may go on as.

    `more(root)` gives a folder's commands besides.

    `group` is its heading in a list of commands. `only_in` is the front-end without which it makes no sense ("terminal").
    """

    name: str
    summary: str
    run: Callable[[str, Chat], Awaitable[None]]
    complete: Callable[..., Sequence[str]] | None = None
    more: "Callable[[Path], Sequence[ChatCommand]] | None" = None
    group: str = "Of plugins"
    only_in: str = ""
