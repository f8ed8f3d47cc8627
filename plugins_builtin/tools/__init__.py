"""Files, edits, search and the shell. A tool's module is imported when the tool is built: `agentic ask` needs none."""

from collections.abc import Iterable
from functools import partial
from importlib import import_module

from agentic import Provider, Tool, ToolSetup, hookimpl

_TOOLS = {
    "read_file": ("files", "ReadFile", "reads a text file, or some of its lines"),
    "write_file": ("files", "WriteFile", "creates a file, or replaces its whole content"),
    "edit_file": ("edit", "EditFile", "replaces one piece of a file"),
    "apply_patch": ("apply_patch", "ApplyPatch", "changes files by a patch in the V4A format"),
    "list_files": ("files", "ListFiles", "lists the files in a folder and below it"),
    "search": ("search", "Search", "finds the lines that match a regular expression"),
    "recall": ("memory", "Recall", "shows a tool output that was left out of the prompt"),
    "share": ("memory", "Share", "tells all agents of the session a value"),
    "delegate": ("delegate", "Delegate", "gives parts of the work to sub-agents"),
    "run": ("shell", "Run", "runs a command"),
    "job": ("job", "JobTool", "shows what a background command gave out, or stops it"),
    "todo": ("talk", "Todo", "keeps a list of what is to be done"),
    "ask_user": ("talk", "AskUser", "asks the user"),
    "view_picture": ("picture", "ViewPicture", "answers a question about a picture"),
    "find_tools": ("late", "FindTools", "finds tools that stand in no prompt"),
    "call_tool": ("late", "CallTool", "calls a tool that was found"),
}


def _make(module: str, kind: str, setup: ToolSetup) -> Tool:
    tool: Tool = getattr(import_module(f"{__name__}.{module}"), kind)(setup)
    return tool


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    for name, (module, kind, summary) in _TOOLS.items():
        yield Provider(name, summary, partial(_make, module, kind))
