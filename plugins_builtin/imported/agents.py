"""Agents in Markdown: who a sub-agent, or the main one, is to be, and which tools it has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import AgentKind
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from plugins_builtin.imported.texts import MAX_FILES, TEXTS, FoundText, folders, read

PROJECT = (".agents/agents", ".claude/agents", ".opencode/agents", ".opencode/agent")
USER = ("~/.config/agentic/agents", "~/.agents/agents", "~/.claude/agents", "~/.config/opencode/agents", "~/.config/opencode/agent")
ROLES = ("small", "vision")  # of models, which a definition may name in place of one
MAX_DESCRIPTION = 200  # characters in the catalogue
_NAME = late_pattern(r"[a-z][a-z0-9-]*")
# Our tools by what other agents call them; what is forbidden is forbidden in every way that there is here.
_WRITING, _RUNNING = ("edit_file", "apply_patch", "write_file"), ("run", "job")
_TOOLS = {
    **dict.fromkeys(["read", "read_file", "view", "cat", "open", "read_many_files", "notebookread"], ("read_file",)),
    **dict.fromkeys(["write", "write_file", "create_file", "save_file"], ("write_file",)),
    **dict.fromkeys(
        ["edit", "multiedit", "edit_file", "replace", "str_replace", "str_replace_editor", "notebookedit"], _WRITING[:2]
    ),
    **dict.fromkeys(["patch", "apply_patch", "applypatch"], ("apply_patch",)),
    **dict.fromkeys(["glob", "ls", "list", "list_files", "list_directory", "list_dir"], ("list_files",)),
    **dict.fromkeys(["grep", "search", "search_file_content", "codesearch", "search_files"], ("search",)),
    **dict.fromkeys(
        ["bash", "shell", "run", "exec", "exec_command", "run_shell_command", "run_command", "execute_command", "local_shell",
         "terminal", "bashoutput", "killbash", "killshell", "kill_shell", "job", "container.exec", "unified_exec"],
        _RUNNING,
    ),
    **dict.fromkeys(["task", "agent", "delegate", "spawn_agent", "subagent"], ("delegate",)),
    **dict.fromkeys(["todowrite", "todoread", "todo", "write_todos", "todo_write", "update_plan"], ("todo",)),
    **dict.fromkeys(["webfetch", "web_fetch", "fetch"], ("web_fetch",)),
    **dict.fromkeys(["websearch", "web_search", "google_web_search"], ("web_search",)),
    "skill": ("skill",), "question": ("ask_user",), "askuserquestion": ("ask_user",), "ask_user": ("ask_user",),
    "recall": ("recall",), "share": ("share",), "find_tools": ("find_tools",), "call_tool": ("call_tool",),
        "finish": ("finish",),
}  # fmt: skip
_ALWAYS = ("recall", "share", "find_tools", "call_tool")  # that read, tell, and find
_ALLOWED = ("allowedTools", "allowed_tools", "allowed-tools", "includeTools", "enabledTools")
_DENIED = ("disallowedTools", "disallowed_tools", "disallowed-tools", "excludeTools", "disabledTools", "deniedTools")
_MODES = {
    None: False, "default": False, "acceptEdits": False, "bypassPermissions": False, "plan": True, "dontAsk": True,
    "auto-edit": False, "auto_edit": False, "autoEdit": False, "yolo": False, "auto": False,
}  # fmt: skip
_BY_MODE = ("permissionMode", "approvalMode", "approval_mode")
_READ = ("name", "description", "tools", "model", "permission", "disabled", "disable", "enabled", *_BY_MODE, *_ALLOWED, *_DENIED)
# Of no consequence here, and none of them a limit.
_HARMLESS = {
    *TEXTS, "mode", "color", "hidden", "temperature", "top_p", "topP", "tags", "license", "metadata", "icon", "category",
    "keywords", "examples", "example", "whenToUse", "reasoningEffort", "reasoning_effort", "effort", "variant",
        "emoji", "display_name",
    "displayName", "language", "created", "updated", "date", "homepage", "url", "source", "id", "slug", "type", "kind",
        "proactive",
    "role", "background", "memory", "priority", "status", "labels", "skills", "options", "prompt",
}  # fmt: skip
_ELSEWHERE = ("external_directory", "doom_loop")  # asked about here whoever the agent is


@record(frozen=True, slots=True)
class FoundAgent:
    """A definition: the kind that it makes, or the `fault` that keeps it from being used; `unsupported` does nothing here."""

    path: Path
    name: str
    kind: AgentKind | None = None
    fault: str = ""
    unsupported: Sequence[str] = ()


def kinds(root: Path) -> list[AgentKind]:
    """Returns the kinds of agents that are defined; of several with one name, the nearest."""
    found: dict[str, AgentKind] = {}
    faulty: set[str] = set()  # which no other of that name takes the place of: it might have fewer limits
    for each in definitions(root):
        if each.kind is None:
            faulty.add(each.name)
        elif each.kind.name not in faulty:
            found.setdefault(each.kind.name, each.kind)
    return list(found.values())


def definitions(root: Path) -> Iterator[FoundAgent]:
    """All files, also those that cannot be used."""
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.glob("*.md"), MAX_FILES)):
            yield _definition_of(read(path, top))


def catalogue(root: Path) -> str:
    """For the model: whom it may have do a part."""
    found = kinds(root)
    if not found:
        return ""
    lines = [f"- {kind.name}: {kind.summary}" for kind in found]
    return "\n".join(['Agents (a task of `delegate` may name one: {"title": …, "objective": …, "agent": NAME}):', *lines])


def unsupported(root: Path) -> Iterator[str]:
    """Yields a line for the user about each definition that cannot be used, or only in part."""
    for each in definitions(root):
        if each.fault:
            yield f"{each.path}: cannot be used: {each.fault}"
        elif each.unsupported:
            yield f"{each.path}: not supported: {', '.join(each.unsupported)}"


def _definition_of(text: FoundText) -> FoundAgent:
    name = re.sub(r"[\s_]+", "-", (text.field("name") or text.path.stem).strip().lower())
    fault = text.fault or ("" if text.body else "it has no text") or ("" if _NAME.fullmatch(name) else "its name is no name")
    summary = text.field("description") or " ".join(text.body.split())
    model = text.field("model").lower()
    role = model if model in ROLES else ""
    try:
        limits, unknown = _limits(text.fields)
    except ValueError as error:
        fault = fault or str(error)
    if fault:
        return FoundAgent(text.path, name, fault=fault)
    more = [f"the tool {each}" for each in unknown]
    more += [f"the model {model}"] if model and not role and model != "inherit" else []
    more += [f"the field {each}" for each in text.fields if each not in (*_READ, *TEXTS, "mode", "color", "hidden")]
    return FoundAgent(text.path, name, AgentKind(name, summary[:MAX_DESCRIPTION], text.body, role=role, **limits), unsupported=more)


def _limits(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(what an agent may do, which of its tools are none here). Raises ValueError for a limit that is not understood."""
    strange = sorted(name for name in fields if name not in _READ and name not in _HARMLESS)
    if strange:
        raise ValueError(f"what the field {strange[0]} limits is not known here")
    if fields.get("disabled") not in (None, False) or fields.get("disable") not in (None, False) or fields.get("enabled") is False:
        raise ValueError("it is switched off in the file")
    only: list[tuple[str, ...]] = []
    without: list[str] = []
    unknown: list[str] = []
    for name in ("tools", *_ALLOWED):
        if name in fields:
            allowed, denied, others = _tools(name, fields[name])
            only += [allowed] if allowed is not None else []
            without += denied
            unknown += others
    for name in _DENIED:
        if name in fields:
            without += _denied(name, fields[name])
    by_permission, reads_only = _permission(fields.get("permission"))
    for name in _BY_MODE:
        if not isinstance(mode := fields.get(name), str | None) or mode not in _MODES:
            raise ValueError(f"what the {name} {mode!r} allows is not known here")
        reads_only = reads_only or _MODES[mode]
    tools = tuple(each for each in only[0] if all(each in other for other in only)) if only else ()
    limits = {"tools": tools, "without": tuple(dict.fromkeys((*without, *by_permission)))}
    return limits | {"reads_only": reads_only}, unknown


def _permission(given: Any) -> tuple[list[str], bool]:
    """(the tools that it may not use, whether it only reads) by opencode's permissions; what would be
    asked about is not done."""
    if given is None or given == "allow":
        return [], False
    if given in ("deny", "ask"):
        return ["*"], True
    if not isinstance(given, dict):
        raise ValueError("what the field permission limits is not known here")
    denied: list[str] = []
    for name, value in given.items():
        values = list(value.values()) if isinstance(value, dict) else [value]
        if not values or not all(each in ("allow", "ask", "deny") for each in values):
            raise ValueError(f"what the permission of {name} limits is not known here")
        if all(each == "allow" for each in values) or name in _ELSEWHERE:
            continue
        denied += ["*"] if name == "*" else _denied("permission", [name])
    return denied, given.get("edit") == "deny" and given.get("bash") == "deny"


def _denied(field: str, given: Any) -> list[str]:
    """The names of tools; one of which only some uses are forbidden is not used at all."""
    names = [re.sub(r"\(.*\)$", "", name, flags=re.DOTALL) for name in _names(field, given)]
    if "*" in names:
        return ["*"]
    known, unknown = _tools_named(names, ())
    if unknown:
        raise ValueError(f"{field} names {unknown[0]!r}, which is no tool that is known here")
    return [*known, *(_WRITING if set(known) & set(_WRITING) else ())]


def _names(field: str, given: Any) -> list[str]:
    if isinstance(given, str):
        given = re.split(r",(?![^(]*\))", given)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(f"the field {field} has to be a list of tools")
    return [each.strip() for each in given if each.strip()]


def _tools(field: str, given: Any) -> tuple[tuple[str, ...] | None, list[str], list[str]]:
    """(the tools that it may use, None for all; those that it may not; what is no tool here)"""
    if not isinstance(given, dict):
        names = _names(field, given)
        if "*" in names:
            return None, [], []
        known, unknown = _tools_named(names)
        return known, [], unknown
    if not all(isinstance(on, bool) for on in given.values()):
        raise ValueError(f"the field {field} has to say true or false of each tool")
    off, on = ([name for name, value in given.items() if value is wanted] for wanted in (False, True))
    if "*" in off:
        known, unknown = _tools_named([name for name in on if name != "*"])
        return known, _denied(field, [name for name in off if name != "*"]), unknown
    return None, _denied(field, off), []


def _tools_named(names: Sequence[str], always: Sequence[str] = _ALWAYS) -> tuple[tuple[str, ...], list[str]]:
    """(our names of the tools, those that `always` may be used among them; what is no tool)"""
    known: list[str] = []
    unknown = []
    for name in names:
        if name.startswith("mcp__"):
            server, _, tool = name.removeprefix("mcp__").partition("__")
            known.append(f"{server}/{tool or '*'}")
        elif name.lower() in _TOOLS:
            known += _TOOLS[name.lower()]
        else:
            unknown.append(name)
    return tuple(dict.fromkeys((*known, *always))), unknown
