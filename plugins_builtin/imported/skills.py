"""Skills: a folder with a SKILL.md, of which the model reads the name and description first, and the rest when it needs it."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import ChatCommand, ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace, files_below
from agentic.hooks.chat import Chat
from agentic.lib.record import record
from agentic.trust import Runnable, Trust, digest_of
from plugins_builtin.imported.texts import MAX_FILES, TEXTS, FoundText, folders, read

PROJECT, USER = (".agents/skills", ".claude/skills"), ("~/.agents/skills", "~/.claude/skills")
FILE = "SKILL.md"
SCRIPTS = {".sh", ".bash", ".zsh", ".fish", ".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php", ".ps1", ".lua"}
MAX_DESCRIPTION = 300  # characters of one in the catalogue
MAX_IN_SKILL = 2_000  # files and folders of one: what is trusted is looked at as a whole
MAX_LISTED = 40  # files of a skill that are named
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
MODEL, USER_ALONE = "user-invocable", "disable-model-invocation"  # false: for the model alone; true: for the user alone
# Those that are kept; and of no consequence here, none of them a limit: "allowed-tools" only saves questions elsewhere.
_KNOWN = {
    MODEL, USER_ALONE, "disabled", "enabled", "allowed-tools", "allowed_tools", *TEXTS, "license", "metadata", "compatibility",
    "model", "tags", "category", "keywords", "icon", "color", "examples", "trigger", "triggers", "effort", "language",
        "created", "updated",
    "date", "homepage", "url", "source", "id", "slug", "type", "dependencies", "requirements", "display_name", "displayName",
}  # fmt: skip


@record(frozen=True, slots=True)
class Skill:
    """`fault` says why it cannot be used, "" where it can."""

    name: str
    description: str
    text: FoundText
    fault: str = ""

    @property
    def folder(self) -> Path:
        return self.text.path.parent

    def instructions(self) -> str:
        """All of it, and which files lie beside it."""
        others = [name for name in islice(files_below(self.folder), MAX_LISTED) if name != FILE]
        beside = f"\n\nFiles in {self.folder}:\n" + "\n".join(others) if others else ""
        return f"{self.text.body}{beside}"


def skills(root: Path) -> list[Skill]:
    """The usable ones by name, of several with one name the nearest; then those that cannot be used."""
    found: dict[str, Skill] = {}
    faulty = []
    for skill in _all(root):
        if skill.fault:
            faulty.append(skill)
        else:
            found.setdefault(skill.name, skill)
    return [*(found[name] for name in sorted(found)), *faulty]


def _all(root: Path) -> Iterator[Skill]:
    trust = Trust(root)
    for skill, top in _read(root):
        runnable = _runnable(root, skill, top)
        untrusted = runnable is not None and not trust.has(runnable)
        yield replace(skill, fault="it has scripts, and is not trusted yet: `agentic trust`") if untrusted else skill


def _read(root: Path) -> Iterator[tuple[Skill, Path | None]]:
    for folder, top in folders(root, PROJECT, USER):
        for each in sorted(islice(folder.iterdir(), MAX_FILES)):
            if each.is_dir() and (each / FILE).is_file():
                skill = _skill(read(each / FILE, top))
                too_many = next(islice(each.rglob("*"), MAX_IN_SKILL, None), None) is not None
                yield replace(skill, fault=f"it has more than {MAX_IN_SKILL:,} files") if too_many else skill, top


def found_runnables(root: Path) -> Sequence[Runnable]:
    """The project's skills that have scripts."""
    return [found for skill, top in _read(root) if (found := _runnable(root, skill, top))]


def _runnable(root: Path, skill: Skill, top: Path | None) -> Runnable | None:
    """Returns what has to be trusted of the skill.

    None for a skill of the user's own, one that has nothing but texts, or one that is of no use.
    """
    if top is None or skill.fault:
        return None
    files = sorted(path for path in islice(skill.folder.rglob("*"), MAX_IN_SKILL) if path.is_file())  # also what is ignored
    scripts = [str(path.relative_to(skill.folder)) for path in files if _is_script(path)]
    if not scripts:
        return None
    digest = digest_of(root, skill.name, files=files)
    return Runnable("skill", skill.name, str(skill.text.path.relative_to(top)), ", ".join(scripts), digest)


def _is_script(path: Path) -> bool:
    return path.suffix.lower() in SCRIPTS or os.access(path, os.X_OK)


def _skill(text: FoundText) -> Skill:
    name = re.sub(r"\s+", "-", (text.field("name") or text.path.parent.name).strip())
    description = text.field("description")
    fault = text.fault or ("" if description else "it has no description")
    fault = fault or ("" if _NAME.fullmatch(name) else "its name is no name") or _limits_fault(text)
    return Skill(name, description, text, fault)


def _limits_fault(text: FoundText) -> str:
    """Returns the skill's fault where something limits it in a way that is not known here, "" for nothing of the kind."""
    for name, value in text.fields.items():
        if name in (MODEL, USER_ALONE) and not isinstance(value, bool):
            return f"the field {name} has to be true or false"
        if (name == "disabled" and value is not False) or (name == "enabled" and value is not True):
            return "it is switched off in the file"
        if name not in _KNOWN:
            return f"what the field {name} limits is not known here"
    return ""


def usable(root: Path) -> Mapping[str, Skill]:
    """By name."""
    return {skill.name: skill for skill in skills(root) if not skill.fault}


def for_the_model(root: Path) -> Mapping[str, Skill]:
    """Returns the skills that the model may use by itself."""
    return {name: skill for name, skill in usable(root).items() if skill.text.fields.get(USER_ALONE) is not True}


def catalogue(root: Path) -> str:
    """For the model: what there is, and how to read it."""
    found = for_the_model(root)
    if not found:
        return ""
    lines = [f"- {name}: {_short(skill.description)}" for name, skill in found.items()]
    return "\n".join(["Skills (the `skill` tool shows one; read it before you do what it is for):", *lines])


def _short(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else f"{text[:MAX_DESCRIPTION]}…"


def unsupported(root: Path) -> Iterator[str]:
    """Tells the user which skills cannot be used."""
    return (f"{skill.text.path}: cannot be used: {skill.fault}" for skill in skills(root) if skill.fault)


def skills_in_words(root: Path) -> str:
    """For the user."""
    lines = [f"{skill.name}: {_short(skill.description)}" for skill in usable(root).values()]
    lines += unsupported(root)
    return "\n".join(lines) or f"no skills: NAME/{FILE} in {', '.join((*PROJECT, *USER))}"


def chat_commands(root: Path) -> Sequence[ChatCommand]:
    """`/NAME` for each, which begins with the skill's text."""
    mine = {name: skill for name, skill in usable(root).items() if skill.text.fields.get(MODEL) is not False}
    return [ChatCommand(name, _short(skill.description)[:80], _with(skill)) for name, skill in mine.items()]


def _with(skill: Skill) -> Callable[[str, Chat], Any]:
    async def run(argument: str, chat: Chat) -> None:
        await chat.ask(f"Use the skill {skill.name}:\n\n{skill.instructions()}\n\n{argument}".strip())

    return run


class SkillTool:
    """Stands in the prompt only where there are skills."""

    spec = ToolSpec(
        "skill",
        "Shows a skill.",
        {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False},
        "read",
        opt_in=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._root = setup.root
        if for_the_model(setup.root):
            self.spec = replace(SkillTool.spec, opt_in=False)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        found = for_the_model(self._root)
        if arguments["name"] not in found:
            raise ToolError(f"there is no skill {arguments['name']!r}; the skills are {', '.join(found) or 'none'}")
        return ToolOutput(found[arguments["name"]].instructions())
