"""Names and arguments of tools as models know them from elsewhere, as the tools here have them."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from agentic import ToolCall, ToolSpec
from agentic.lib.wire import lenient_object, loads

_NAMES = {
    "run": "exec exec_command run_command execute_command execute_bash bash sh shell local_shell terminal cmd",
    "read_file": "open_file open read cat view view_file file_read",
    "list_files": "print_tree list_dir list_directory ls tree glob",
    "search": "grep rg search_files find_in_files",
    "write_file": "create_file write file_write save_file",
    "edit_file": "str_replace str_replace_editor edit replace replace_in_file",
    "apply_patch": "applypatch apply-patch patch",
    "web_search": "browser.search search_web",
    "web_fetch": "browser.open open_url fetch_url",
}
_OURS = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
_ARGUMENTS = {
    "command": ("cmd", "commands", "script", "code"),
    "path": ("file_path", "filePath", "filename", "file", "dir", "directory", "target_file"),
    "query": ("pattern", "regex", "q"),
    "url": ("id", "link", "uri"),
    "content": ("contents", "text", "file_text"),
    "old": ("old_string", "oldString", "old_str", "search"),
    "new": ("new_string", "newString", "new_str", "replace"),
    "line_start": ("start_line", "start", "offset"),
    "line_end": ("end_line", "end"),
    "patch": ("input", "patchText", "patch_text", "diff", "command"),
}
_INTERPRETERS = {"python", "python3", "ipython", "code_interpreter"}
_NO_NAMES = {"", "assistant", "analysis", "commentary", "final", "functions", "json", "code"}


def clean_name(name: str) -> str:
    """A tool's name without the channel words and namespaces that leak into it."""
    name = name.split("<|")[0].split()[0] if name.split("<|")[0].split() else ""
    name = name.strip("\"'`(){}:")
    for prefix in ("functions.", "function.", "tools.", "assistant."):
        name = name.removeprefix(prefix)
    return name


def is_known(name: str, tools: Sequence[ToolSpec]) -> bool:
    """True if a call of that name is one of ours, or one that stands for it."""
    cleaned, names = clean_name(name), {tool.name for tool in tools}
    return cleaned in names or _OURS.get(cleaned) in names


def translated(call: ToolCall, tools: Sequence[ToolSpec]) -> ToolCall:
    """The call under our names. Arguments that are no JSON stay as they are: the model has to hear what is wrong with them."""
    by_name = {tool.name: tool for tool in tools}
    try:
        arguments = loads(call.arguments) if call.arguments.strip() else {}
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = lenient_object(call.arguments)
    name = clean_name(call.name)
    foreign = name not in by_name
    if foreign and name in _INTERPRETERS and (runs := next((tool for tool in tools if tool.runs), None)) is not None:
        code = arguments.get("code") if isinstance(arguments, dict) else None
        script = _script(code if isinstance(code, str) else call.arguments)
        return replace(call, name=runs.name, arguments=json.dumps({runs.runs: script}, ensure_ascii=False))
    if foreign:
        name = _OURS.get(name, name)
        if name in _NO_NAMES or "<|" in call.name:
            name = named_by(arguments if isinstance(arguments, dict) else {}, tools) or name
    if not isinstance(arguments, dict) and name == "apply_patch" and "*** Begin Patch" in call.arguments:
        arguments = {"patch": _text(call.arguments)}
    if not isinstance(arguments, dict):
        return replace(call, name=name)
    if name in by_name:
        arguments = _fitted(arguments, by_name[name].parameters.get("properties", {}), foreign)
        if by_name[name].runs and "apply_patch" in by_name and (patch := _patch_in(str(arguments.get(by_name[name].runs, "")))):
            return replace(call, name="apply_patch", arguments=json.dumps({"patch": patch}, ensure_ascii=False))
    return replace(call, name=name, arguments=_same_or(call.arguments, arguments))


def _same_or(text: str, value: Mapping[str, Any]) -> str:
    """The text byte for byte where it says just that: the server's cache holds those bytes."""
    try:
        if loads(text) == value:
            return text
    except ValueError:
        pass
    return json.dumps(value, ensure_ascii=False)


def named_by(arguments: Mapping[str, Any], tools: Sequence[ToolSpec]) -> str:
    """The one tool that takes just these arguments."""
    fits = []
    for tool in tools:
        required = set(tool.parameters.get("required", ()))
        if required and required <= set(arguments) <= set(tool.parameters.get("properties", {})):
            fits.append(tool.name)
    return fits[0] if len(fits) == 1 else ""


def _fitted(arguments: Mapping[str, Any], properties: Mapping[str, Any], foreign: bool) -> dict[str, Any]:
    """The arguments under the names that the tool declares, commands as text. What else came is left out of a `foreign` call."""
    fitted = {name: value for name, value in arguments.items() if name in properties}
    for name in properties:
        given = next((alias for alias in _ARGUMENTS.get(name, ()) if alias in arguments), None)
        if name not in fitted and given is not None:
            fitted[name] = arguments[given]
            foreign = True
    if isinstance(patch := fitted.get("patch"), str | list) and patch:
        fitted["patch"] = _patch(patch)
    if isinstance(fitted.get("command"), list):
        fitted["command"], foreign = _shell_line(fitted["command"]), True
    if foreign and isinstance(fitted.get("command"), str) and isinstance(arguments.get("workdir"), str):
        fitted["command"] = f"cd {shlex.quote(arguments['workdir'])} && {fitted['command']}"
    return fitted if foreign else {**arguments, **fitted}


def _script(code: str) -> str:
    """A line that has Python run it."""
    mark = next(mark for number in count() if (mark := f"PYTHON{number or ''}") not in code)
    return f"python3 - <<'{mark}'\n{code.rstrip()}\n{mark}"


def _text(written: str) -> str:
    """A text that should have been an object: as JSON, or as it is."""
    try:
        value = loads(written)
    except ValueError:
        return written
    return value if isinstance(value, str) else written


def _patch_in(command: str) -> str:
    from plugins_builtin.protocols.patches import patch_in  # which has many patterns, and few runs need it

    return patch_in(command)


def _patch(given: str | list[Any]) -> str:
    """A patch that came as lines, as words of a command line, as a command, or on one line."""
    from plugins_builtin.protocols.patches import BEGIN, patch_in, with_line_ends

    if isinstance(given, list):
        given = "\n".join(map(str, given)) if str(given[0]).startswith(BEGIN) else str(given[-1])
    if given.startswith(BEGIN):
        return given if "\n" in given else with_line_ends(given)
    return patch_in(given) or given


def _shell_line(words: Sequence[Any]) -> str:
    """["bash", "-lc", X] is X; other lists are one command's words."""
    texts = [str(word) for word in words]
    if len(texts) == 3 and texts[0].rpartition("/")[2] in ("bash", "sh", "zsh") and texts[1].startswith("-"):
        return texts[2]
    return shlex.join(texts) if len(texts) != 1 else texts[0]
