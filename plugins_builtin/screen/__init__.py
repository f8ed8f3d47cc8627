"""The renderers of what the user sees: rich in a terminal, plain in a pipe, jsonl for programs."""

from collections.abc import Iterable

from agentic import Provider, Renderer, RendererSetup, hookimpl


def _rich(setup: RendererSetup) -> Renderer:
    from plugins_builtin.screen.rich_screen import RichScreen

    ui = setup.settings.ui
    return RichScreen(setup.stdout, setup.palette, ui.status, ui.reasoning == "fold", ui.debug)


def _plain(setup: RendererSetup) -> Renderer:
    from plugins_builtin.screen.plain import Plain

    return Plain(setup.stdout, setup.settings.ui.debug)


def _jsonl(setup: RendererSetup) -> Renderer:
    from plugins_builtin.screen.jsonl import Jsonl

    return Jsonl(setup.stdout)


@hookimpl
def agentic_renderers() -> Iterable[Provider[Renderer]]:
    yield Provider("rich", "colours, a status line, append-only", _rich, default=True)
    yield Provider("plain", "the answer on stdout, the rest on stderr", _plain, stands_in=True)
    yield Provider("jsonl", "one JSON object a line", _jsonl)
