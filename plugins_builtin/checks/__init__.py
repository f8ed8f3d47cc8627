"""The checks that show if the work is right: the project's own tests and compilers, and what can be read off its files.

What `[checks]` in the configuration names always wins over what is found here.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib import import_module

from agentic import Checker, Options, PluginInfo, Provider, Section, Setup, ToolOutput, Workspace, hookimpl, setting

MARGIN = 5.0  # seconds beside what tests may take

_CHECKERS = {
    "configured": ("configured", "Configured", "the commands of [checks]"),
    "python_tests": ("python_tests", "PythonTests", "pytest or unittest, in the project's environment"),
    "python_doctests": ("examples", "Doctests", "the doctests of functions that were changed"),
    "python_examples": ("examples", "CallExamples", "what their docstrings say of calls, such as f(1) == 2"),
    "python_static": ("python_static", "PythonStatic", "names and imports of Python files"),
    "python_definitions": ("python_static", "PythonDefinitions", "what a Python file no longer defines"),
    "data_files": ("data_files", "DataFiles", "whether data files are still what they were"),
    "javascript": ("runners", "JavaScript", "the test script of package.json, and node's and TypeScript's own checks"),
    "rust": ("runners", "Rust", "cargo test"),
    "go": ("runners", "Go", "go test and go build"),
    "make": ("runners", "Make", "the test target of a Makefile or justfile"),
}


def _make(module: str, kind: str, setup: Setup) -> Checker:
    made: Checker = getattr(import_module(f"{__name__}.{module}"), kind)(setup)
    return made


class ChecksOptions(Section):
    """`[plugin.checks]`"""

    after_edit: float = setting(10.0, "seconds that the tests near an edited file may take after each edit; 0: none are run")


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options(f"{__name__}:ChecksOptions"), seconds=60.0 + MARGIN)


@hookimpl
async def agentic_after_tool(
    output: ToolOutput, workspace: Workspace, run: Callable[[str], Awaitable[ToolOutput | None]], setup: Setup
) -> ToolOutput | None:
    if not output.changes or not setup.options.after_edit or output.exit_code is not None:
        return None
    from plugins_builtin.checks.near import files_in, note_on

    note = await note_on(files_in(output), workspace, run, min(setup.options.after_edit, 60.0))
    return replace(output, text=f"{output.text}\n{note}") if note else None


@hookimpl
def agentic_checkers() -> Iterable[Provider[Checker]]:
    for name, (module, kind, summary) in _CHECKERS.items():
        yield Provider(name, summary, partial(_make, module, kind))
