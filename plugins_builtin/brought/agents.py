"""Agents in Markdown: who a sub-agent, or the main one, is to be, and which tools it has."""

import re
from collections.abc import Iterator, Sequence
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
_READ = ("name", "description", "tools", "model", "mode", "color", "permission", "permissionMode")
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
    name = (text.field("name") or text.path.stem).lower().replace("_", "-").replace(" ", "-")
    fault = text.fault or ("" if text.body else "it has no text") or ("" if _NAME.fullmatch(name) else "its name is no name")
    if fault:
        return Found(text.path, fault=fault)
    summary = text.field("description") or " ".join(text.body.split())
    tools, unknown = _tools(text.fields.get("tools"))
    model = text.field("model").lower()
    role = model if model in ROLES else ""
    more = [f"the tool {each}" for each in unknown]
    more += [f"the model {model}"] if model and not role and model != "inherit" else []
    more += [f"the field {each}" for each in text.fields if each not in _READ]
    kind = AgentKind(name, summary[:MAX_DESCRIPTION], text.body, tools, _reads_only(text), role)
    return Found(text.path, kind, unsupported=more)


def _reads_only(text: Text) -> bool:
    """Where it may neither edit nor run anything: Claude Code's plan mode, or opencode's permissions."""
    permission = text.fields.get("permission")
    denied = isinstance(permission, dict) and permission.get("edit") == "deny" and permission.get("bash") == "deny"
    return denied or text.field("permissionMode") == "plan"


def _tools(given: Any) -> tuple[tuple[str, ...], list[str]]:
    """(the tools that it may call, () for all; what is no tool here)"""
    if given is None:
        return (), []
    if isinstance(given, dict):  # opencode's: {write: false}
        off = [name for name, on in given.items() if on is False]
        on = [name for name in _TOOLS if name not in off and not (name in ("multiedit", "patch") and "edit" in off)]
        return (_named(on)[0], []) if off else ((), [])
    names = given if isinstance(given, list) else str(given).split(",")
    names = [str(each).strip() for each in names if str(each).strip()]
    return ((), []) if names in ([], ["*"]) else _named(names)


def _named(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    known: list[str] = []
    unknown = []
    for name in names:
        if name.startswith("mcp__"):
            server, _, tool = name.removeprefix("mcp__").partition("__")
            known.append(f"{server}/{tool or '*'}")
        elif name.lower() in _TOOLS:
            known += _TOOLS[name.lower()]
        elif re.fullmatch(r"[a-z][a-z_]*", name):  # one of ours, or of another plugin
            known.append(name)
        else:
            unknown.append(name)
    return tuple(dict.fromkeys((*known, *_ALWAYS))), unknown
