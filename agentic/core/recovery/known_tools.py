"""Tools that models know from their training (gpt-oss: arXiv 2604.00362, table of in-distribution tools), as ours."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic.core.recovery.json_text import lenient_object
from agentic.types import ToolCall, ToolSpec

_NAMES = {
    "run": "container.exec exec exec_command run_command execute_command execute_bash bash sh shell local_shell terminal cmd",
    "read_file": "repo_browser.open_file open_file open read cat view view_file file_read",
    "list_files": "repo_browser.print_tree repo_browser.list_dir print_tree list_dir list_directory ls tree glob",
    "search": "repo_browser.search repo_browser.grep grep rg search_files find_in_files",
    "write_file": "repo_browser.write_file create_file write file_write save_file",
    "edit_file": "str_replace str_replace_editor edit replace replace_in_file",
    "apply_patch": "repo_browser.apply_patch applypatch apply-patch patch",
}
_OURS = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()} | {"apply_patch": "apply_patch"}
_ARGUMENTS = {
    "command": ("cmd", "commands", "script", "code"),
    "path": ("file_path", "filePath", "filename", "file", "dir", "directory", "target_file"),
    "query": ("pattern", "regex", "q"),
    "content": ("contents", "text", "file_text"),
    "old": ("old_string", "oldString", "old_str", "search"),
    "new": ("new_string", "newString", "new_str", "replace"),
    "line_start": ("start_line", "start", "offset"),
    "line_end": ("end_line", "end"),
    "patch": ("input", "patchText", "patch_text", "diff", "command"),
}
_NO_NAMES = {"", "assistant", "analysis", "commentary", "final", "functions", "json", "code"}
_HUNK_START = re.compile(r"^@@.*$", re.MULTILINE)


def clean_name(name: str) -> str:
    """A tool's name without the channel words and namespaces that leak into it."""
    name = name.split("<|")[0].split()[0] if name.split("<|")[0].split() else ""
    name = name.strip("\"'`(){}:")
    for prefix in ("functions.", "function.", "tools.", "assistant."):
        name = name.removeprefix(prefix)
    return name


def is_known(name: str, tools: Sequence[ToolSpec]) -> bool:
    """Whether a call of that name is one of ours, or one that stands for it."""
    cleaned = clean_name(name)
    names = {tool.name for tool in tools}
    return cleaned in names or _OURS.get(cleaned) in names or (_OURS.get(cleaned) == "apply_patch" and "edit_file" in names)


def translated(call: ToolCall, tools: Sequence[ToolSpec]) -> Iterator[ToolCall]:
    """The call under our names, its arguments valid JSON wherever they could be read. A patch becomes one call for each change."""
    by_name = {tool.name: tool for tool in tools}
    arguments = lenient_object(call.arguments) if call.arguments.strip() else {}
    name = clean_name(call.name)
    if name not in by_name:
        name = _OURS.get(name, name)
        if name in _NO_NAMES or "<|" in call.name:
            name = _named_by(arguments or {}, tools) or name
    if arguments is None:
        yield replace(call, name=name)
    elif name == "apply_patch" and name not in by_name and "edit_file" in by_name:
        yield from _patched(call, arguments)
    elif name not in by_name:
        yield replace(call, name=name, arguments=_same_or(call.arguments, arguments))
    else:
        fitted = _fitted(arguments, by_name[name].parameters.get("properties", {}))
        yield replace(call, name=name, arguments=_same_or(call.arguments, fitted))


def _same_or(text: str, value: Mapping[str, Any]) -> str:
    """The text byte for byte where it says just that: the server's cache holds those bytes."""
    try:
        if json.loads(text) == value:
            return text
    except (ValueError, RecursionError):
        pass
    return json.dumps(value, ensure_ascii=False)


def _named_by(arguments: Mapping[str, Any], tools: Sequence[ToolSpec]) -> str:
    """The one tool that takes just these arguments."""
    fits = []
    for tool in tools:
        required = set(tool.parameters.get("required", ()))
        if required and required <= set(arguments) <= set(tool.parameters.get("properties", {})):
            fits.append(tool.name)
    return fits[0] if len(fits) == 1 else ""


def _fitted(arguments: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments under the names that the tool declares, commands as text; what else came is left out where a name fitted."""
    fitted = {name: value for name, value in arguments.items() if name in properties}
    renamed = False
    for name in properties:
        given = next((alias for alias in _ARGUMENTS.get(name, ()) if alias in arguments), None)
        if name not in fitted and given is not None:
            fitted[name] = arguments[given]
            renamed = True
    if not renamed:
        fitted = dict(arguments)
    if isinstance(fitted.get("command"), list):
        fitted["command"] = _shell_line(fitted["command"])
        fitted = {name: value for name, value in fitted.items() if name in properties}
    return fitted


def _shell_line(words: Sequence[Any]) -> str:
    """["bash", "-lc", X] is X; other lists are one command's words."""
    texts = [str(word) for word in words]
    if len(texts) == 3 and texts[0].rpartition("/")[2] in ("bash", "sh", "zsh") and texts[1].startswith("-"):
        return texts[2]
    return shlex.join(texts) if len(texts) != 1 else texts[0]


def _patched(call: ToolCall, arguments: Mapping[str, Any]) -> Iterator[ToolCall]:
    """`*** Begin Patch` in our edits. One that cannot be read stays a call of apply_patch, answered with our tools' names."""
    given = next((arguments[name] for name in ("patch", *_ARGUMENTS["patch"]) if name in arguments), "")
    text = str(given[-1]) if isinstance(given, list) and given else str(given)
    changes = list(_changes(text))
    for number, (name, values) in enumerate(changes):
        yield ToolCall(call.id if not number else f"{call.id}_{number}", name, json.dumps(values, ensure_ascii=False))
    if not changes:
        yield replace(call, name="apply_patch", arguments=_same_or(call.arguments, arguments))


def _changes(patch: str) -> Iterator[tuple[str, dict[str, str]]]:
    for part in re.split(r"^\*\*\* (?=(?:Add|Update|Delete) File: )", patch, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        body = re.split(r"^\*\*\* (?:End Patch|End of File)", body, flags=re.MULTILINE)[0]
        kind, path = head.split(" ", 1)[0], head.partition(": ")[2].strip()
        if kind == "Add":
            lines = [line.removeprefix("+") for line in body.splitlines()]
            yield "write_file", {"path": path, "content": "\n".join(lines) + "\n"}
        elif kind == "Delete":
            yield "run", {"command": shlex.join(["rm", path])}
        else:
            for hunk in _HUNK_START.split(body):
                lines = [line for line in hunk.removeprefix("\n").splitlines() if not line.startswith("***")]
                old = "\n".join(line[1:] for line in lines if line[:1] in (" ", "-", ""))
                new = "\n".join(line[1:] for line in lines if line[:1] in (" ", "+", ""))
                if old != new:
                    yield "edit_file", {"path": path, "old": old, "new": new}
