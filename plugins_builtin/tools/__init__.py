"""Files, edits, search and the shell."""

from collections.abc import Iterable

from agentic import Provider, Setup, Tool, hookimpl
from plugins_builtin.tools.edit import EditFile
from plugins_builtin.tools.files import ListFiles, ReadFile, WriteFile
from plugins_builtin.tools.search import Search


def _make_run(setup: Setup) -> Tool:
    from plugins_builtin.tools.shell import Run

    return Run(setup.settings["tools.command_timeout"])


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    for tool in (ReadFile, WriteFile, EditFile, ListFiles, Search):
        yield Provider(tool.spec.name, tool.spec.description, lambda setup, tool=tool: tool())
    yield Provider("run", "runs a command", _make_run)
