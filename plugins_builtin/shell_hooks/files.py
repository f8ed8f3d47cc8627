"""The files that hooks stand in: the user's, and the project's, which are used only where the user trusts them."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agentic.folders import config_folder
from agentic.lib.expressions import matches
from agentic.lib.files import project_top, read_regular
from agentic.lib.record import record
from agentic.trust import Runnable, Trust, digest_of

PROJECT = (
    ".agents/hooks.json",
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".codex/hooks.json",
    ".qwen/settings.json",
    ".crush.json",
    "crush.json",
)
USER = ("~/.claude/settings.json", "~/.codex/hooks.json", "~/.qwen/settings.json", "~/.config/crush/crush.json")
EVENTS = (
    "PreToolUse",
    "PostToolUse",
    "UserPromptSubmit",
    "SessionStart",
    "Stop",
    "SubagentStop",
    "Notification",
)
MAX_BYTES = 1_000_000
MAX_SECONDS = 600.0
SECONDS = 60.0  # where a hook does not say


@record(frozen=True, slots=True)
class ShellHook:
    """`matcher` is an expression for the tool's name, "" for all. `fault` says why it is not used, "" where it is."""

    event: str
    matcher: str
    command: str
    seconds: float
    file: Path
    is_projects: bool
    fault: str = ""

    def matches(self, subjects: Sequence[str]) -> bool:
        if self.matcher in ("", "*") or not subjects:
            return True
        return self.matcher in subjects or any(matches(self.matcher, subject, whole=True) for subject in subjects)

    def runnable(self, root: Path, top: Path) -> Runnable:
        """Returns the hook as it is shown before it is trusted."""
        digest = digest_of(root, ["hook", self.event, self.matcher, self.command, self.seconds], [self.command])
        return Runnable("hook", f"{self.event} {self.matcher}".strip(), str(self.file.relative_to(top)), self.command, digest)


def hooks_for(root: Path, event: str, subjects: Sequence[str]) -> list[ShellHook]:
    """Returns the hooks for an event that may run now."""
    why_not = _hindrances(root)
    return [hook for hook in _all(root) if hook.event == event and not why_not(hook) and hook.matches(subjects)]


def runnables(root: Path) -> list[Runnable]:
    """The project's, as far as they can be used at all."""
    top = project_top(root.resolve())
    return [hook.runnable(root, top) for hook in _all(root) if hook.is_projects and not hook.fault]


def hooks_in_words(root: Path) -> str:
    """For the user."""
    why_not, top = _hindrances(root), project_top(root.resolve())
    lines = []
    for hook in _all(root):
        why = why_not(hook)
        file = hook.file.relative_to(top) if hook.is_projects else hook.file
        line = f"{hook.event} {hook.matcher}".strip() + f": {hook.command} ({file})"
        lines.append(f"{line}: not used: {why}" if why else line)
    return "\n".join(lines) or f"no hooks: they stand in {', '.join((*PROJECT[:2], str(_own())))}"


def _hindrances(root: Path) -> Callable[[ShellHook], str]:
    """Says why a hook is not used, "" where it is."""
    trust, top = Trust(root), project_top(root.resolve())

    def why_not(hook: ShellHook) -> str:
        if hook.fault or not hook.is_projects:
            return hook.fault
        return "" if trust.has(hook.runnable(root, top)) else "not trusted: `agentic trust`"

    return why_not


def _own() -> Path:
    return config_folder() / "hooks.json"


def _places(root: Path) -> Iterator[tuple[Path, bool]]:
    """(file, whether it is the project's)"""
    top = project_top(root.resolve())
    users = [_own(), *(Path(name).expanduser() for name in USER)]
    yield from ((path, False) for path in users)
    yield from ((top / name, True) for name in PROJECT if top / name not in users)


def _all(root: Path) -> Iterator[ShellHook]:
    for path, is_projects in _places(root):
        if not path.is_file():
            continue
        try:
            content = json.loads(read_regular(path, MAX_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            yield ShellHook("", "", "", SECONDS, path, is_projects, f"it cannot be read: {error}")
            continue
        events = content.get("hooks") if isinstance(content, dict) else None
        for event, entries in events.items() if isinstance(events, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                yield from _of_entry(str(event), entry, path, is_projects)


def _of_entry(event: str, entry: Any, path: Path, is_projects: bool) -> Iterator[ShellHook]:
    """A matcher with its hooks, or, as crush has it, one hook that has its matcher itself."""
    if not isinstance(entry, dict):
        return
    hooks = entry.get("hooks", [entry])
    for each in hooks if isinstance(hooks, list) else ():
        if isinstance(each, dict):
            yield _hook(event, str(entry.get("matcher") or ""), each, path, is_projects)


def _hook(event: str, matcher: str, given: dict[str, Any], path: Path, is_projects: bool) -> ShellHook:
    command, kind, seconds = given.get("command"), given.get("type", "command"), given.get("timeout", SECONDS)
    usable = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    fault = "" if event in EVENTS else f"agentic has no {event}"
    if kind != "command" or not isinstance(command, str) or not command:
        fault = fault or f"a hook of type {kind!r} is not supported: only commands are"
    shown = command if isinstance(command, str) else str(given.get("prompt") or given.get("url") or "")
    return ShellHook(event, matcher, shown, min(float(seconds), MAX_SECONDS) if usable else SECONDS, path, is_projects, fault)
