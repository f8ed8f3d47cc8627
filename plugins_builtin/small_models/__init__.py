"""The best ways for models of a few billion parameters: whole files in fenced blocks, a task begun anew where it went wrong."""

from collections.abc import Iterable

from agentic import Provider, Setup, ToolProtocol, hookimpl


def _fenced(setup: Setup) -> ToolProtocol:
    from plugins_builtin.small_models.fenced import Fenced

    return Fenced(setup)


@hookimpl
def agentic_models() -> Iterable[Provider[ToolProtocol]]:
    yield Provider("fenced", "a path on its own line and the whole file in a fenced block", _fenced, automatic=30)
