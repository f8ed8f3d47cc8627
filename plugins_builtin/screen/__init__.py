"""What the user sees: rich in a terminal, plain in a pipe, jsonl for programs."""

from collections.abc import Iterable

from agentic import Provider, Renderer, Setup, hookimpl


def _rich(setup: Setup) -> Renderer:
    from plugins_builtin.screen.rich_screen import RichScreen

    return RichScreen(setup.stdout)


def _plain(setup: Setup) -> Renderer:
    from plugins_builtin.screen.plain import Plain

    return Plain(setup.stdout)


def _jsonl(setup: Setup) -> Renderer:
    from plugins_builtin.screen.jsonl import Jsonl

    return Jsonl(setup.stdout)


@hookimpl
def agentic_renderers() -> Iterable[Provider[Renderer]]:
    yield Provider("rich", "colours, a status line, append-only", _rich)
    yield Provider("plain", "the answer on stdout, the rest on stderr", _plain)
    yield Provider("jsonl", "one JSON object a line", _jsonl)
