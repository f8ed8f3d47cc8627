"""Slash commands of the chat."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from agentic.config import Settings
from agentic.events import EndpointSeen, Event
from agentic.hooks import hookspec
from agentic.lib.record import record


class Chat(Protocol):
    """The conversation that a slash command is typed in."""

    @property
    def root(self) -> Path: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def session_id(self) -> str:
        """By which `agentic.api.session_store` reads the session."""
        ...

    def say(self, text: str) -> None:
        """Shows a text to the user; control characters are spelled out."""
        ...

    async def emit(self, event: Event) -> None:
        """Shows an event."""
        ...

    async def ask(self, text: str) -> None:
        """A turn of the model, as if the user had typed `text`."""
        ...

    async def run(self, command: str) -> str:
        """Runs a shell command under the usual approval, as if the model had called for it; what it gave out, or why not."""
        ...

    async def endpoints(self) -> list[EndpointSeen]:
        """How busy each endpoint is that answers and tells."""
        ...


@record(frozen=True, slots=True)
class ChatCommand:
    """`/NAME ARGUMENT`. `complete(argument)` gives what the argument may go on as, `more(root)` a folder's commands besides."""

    name: str
    summary: str
    run: Callable[[str, Chat], Awaitable[None]]
    complete: Callable[[str], Sequence[str]] | None = None
    more: "Callable[[Path], Sequence[ChatCommand]] | None" = None


@hookspec
def agentic_chat_commands() -> Iterable[ChatCommand]:
    """Offers slash commands; a name of the chat's own cannot be taken."""
    raise NotImplementedError
