"""Agents in Markdown: who a sub-agent, or the main one, is to be, and which tools it has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import AgentKind
from plugins_builtin.brought.texts import MAX_FILES, Text, folders, read

PROJECT = (".agents/agents", ".claude/agents", ".opencode/agents", ".opencode/agent")
USER = ("~/.config/agentic/agents", "~/.agents/agents", "~/.claude/agents", "~/.config/opencode/agents", "~/.config/opencode/agent")
ROLES = ("small", "vision")  # of models, which a definition may name in place of one
MAX_DESCRIPTION = 200  # characters in the catalogue
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_TOOLS = {  # as other agents call them
    "read": ("read_file",),
    "write": ("write_file",),
    "edit": ("edit_file", "apply_patch"),
    "multiedit": ("edit_file", "apply_patch"),
    "patch": ("apply_patch",),
    "glob": ("list_files",),
    "ls": ("list_files",),
    "list": ("list_files",),
    "grep": ("search",),
    "bash": ("run", "job"),
    "task": ("delegate",),
    "agent": ("delegate",),
    "todowrite": ("todo",),
    "webfetch": ("web_fetch",),
    "websearch": ("web_search",),
    "skill": ("skill",),
}
_ALWAYS = ("recall", "share", "find_tools", "call_tool")  # that read, tell, and find
_ALLOWED = ("allowedTools", "allowed_tools", "allowed-tools", "includeTools", "enabledTools")
_DENIED = ("disallowedTools", "disallowed_tools", "disallowed-tools", "excludeTools", "disabledTools", "deniedTools")
_READ = (
    "name", "description", "tools", "model", "mode", "color", "permission", "permissionMode", "disabled", "disable", "hidden",
    *_ALLOWED, *_DENIED,
)  # fmt: skip
_MODES = {None: False, "default": False, "acceptEdits": False, "bypassPermissions": False, "plan": True, "dontAsk": True}
_ELSEWHERE = ("external_directory", "doom_loop")  # asked about here whoever the agent is
_LIMITING = re.compile(r"allow|den(y|ied)|disab|exclu|inclu|only|permission|restrict|sandbox|block|scope|tools?$", re.IGNORECASE)
PLAN = AgentKind(
    "plan",
    "reads, changes nothing, and ends in a plan that you approve, edit or reject",
    "Plan this first; change nothing and run nothing yet. Read what you need to know. Then answer with the plan: the steps in"
    " order, the files that each one changes, and how the outcome is checked. Say what is unclear.",
    reads_only=True,
    plans=True,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A definition: the kind that it makes, or the `fault` that keeps it from being used; `unsupported` does nothing here."""

    path: Path
    kind: AgentKind | None = None
    fault: str = ""
    unsupported: Sequence[str] = ()


def kinds(root: Path) -> list[AgentKind]:
    """Of several with one name the nearest."""
    found: dict[str, AgentKind] = {}
    for each in definitions(root):
        if each.kind is not None:
            found.setdefault(each.kind.name, each.kind)
    return list(found.values())


def definitions(root: Path) -> Iterator[Found]:
    """All files, also those that cannot be used."""
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.glob("*.md"), MAX_FILES)):
            yield _made(read(path, top))


def catalogue(root: Path) -> str:
    """For the model: whom it may have do a part."""
    found = kinds(root)
    if not found:
        return ""
    lines = [f"- {kind.name}: {kind.summary}" for kind in found]
    return "\n".join(['Agents (a task of `delegate` may name one: {"title": …, "objective": …, "agent": NAME}):', *lines])


def unsupported(root: Path) -> Iterator[str]:
    """What cannot be used, or only in part, for the user."""
    for each in definitions(root):
        if each.fault:
            yield f"{each.path}: cannot be used: {each.fault}"
        elif each.unsupported:
            yield f"{each.path}: not supported: {', '.join(each.unsupported)}"


def _made(text: Text) -> Found:
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
        return Found(text.path, fault=fault)
    more = [f"the tool {each}" for each in unknown]
    more += [f"the model {model}"] if model and not role and model != "inherit" else []
    more += [f"the field {each}" for each in text.fields if each not in _READ]
    return Found(text.path, AgentKind(name, summary[:MAX_DESCRIPTION], text.body, role=role, **limits), unsupported=more)


def _limits(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(what an agent may do, which of its tools are none here). Raises ValueError for a limit that is not understood."""
    strange = sorted(name for name in fields if name not in _READ and _LIMITING.search(name))
    if strange:
        raise ValueError(f"what the field {strange[0]} limits is not known here")
    if fields.get("disabled") not in (None, False) or fields.get("disable") not in (None, False):
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
    mode = fields.get("permissionMode")
    if mode is not None and mode not in _MODES:
        raise ValueError(f"what the permissionMode {mode!r} allows is not known here")
    tools = tuple(each for each in only[0] if all(each in other for other in only)) if only else ()
    limits = {"tools": tools, "without": tuple(dict.fromkeys((*without, *by_permission)))}
    return limits | {"reads_only": reads_only or _MODES.get(mode, False)}, unknown


def _permission(given: Any) -> tuple[list[str], bool]:
    """(the tools that it may not use, whether it only reads) by opencode's permissions; what would be asked about is not done."""
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
    known, unknown = _named(names, ())
    if unknown:
        raise ValueError(f"{field} names {unknown[0]!r}, which is no tool that is known here")
    return list(known)


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
        known, unknown = _named(names)
        return known, [], unknown
    if not all(isinstance(on, bool) for on in given.values()):
        raise ValueError(f"the field {field} has to say true or false of each tool")
    off, on = ([name for name, value in given.items() if value is wanted] for wanted in (False, True))
    if "*" in off:
        known, unknown = _named([name for name in on if name != "*"])
        return known, _denied(field, [name for name in off if name != "*"]), unknown
    return None, _denied(field, off), []


def _named(names: Sequence[str], always: Sequence[str] = _ALWAYS) -> tuple[tuple[str, ...], list[str]]:
    """(our names of the tools, those that `always` may be used among them; what is no tool)"""
    known: list[str] = []
    unknown = []
    for name in names:
        if name.startswith("mcp__"):
            server, _, tool = name.removeprefix("mcp__").partition("__")
            known.append(f"{server}/{tool or '*'}")
        elif name.lower() in _TOOLS:
            known += _TOOLS[name.lower()]
        elif re.fullmatch(r"[a-z][a-z_*]*", name):  # one of ours, or of another plugin
            known.append(name)
        else:
            unknown.append(name)
    return tuple(dict.fromkeys((*known, *always))), unknown
