"""The hook for renderers, which show the user what happens."""

from collections.abc import Iterable
from typing import Protocol, TextIO

from agentic.events import Event
from agentic.hooks import Provider, Setup, hookspec
from agentic.lib.palette import PLAIN, Palette
from agentic.lib.record import record


@record(frozen=True, slots=True, kw_only=True)
class RendererSetup(Setup):
    """`stdout` is the real one: `sys.stdout` is redirected while plugins run. `palette` are the colours that it is to have."""

    stdout: TextIO
    palette: Palette = PLAIN


class Renderer(Protocol):
    def handle(self, event: Event) -> None:
        """Shows an event. Called for every event, each streamed token among them, so it must be quick."""
        ...

    def close(self) -> None:
        """Leaves the terminal as it was; called on every way out, and harmless twice."""
        ...


@hookspec
def agentic_renderers() -> Iterable[Provider[Renderer]]:
    """Offers renderers, selected by `ui.renderer` and `--output`. Their factories get a `RendererSetup`."""
    raise NotImplementedError
