"""The policy of a session: the judgements of all guards as one. The strictest counts, and a guard that fails denies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from agentic.errors import ConfigError, PluginError
from agentic.hooks.command_readers import UNREAD, CommandReading
from agentic.hooks.permissions import (
    STRICTNESS,
    CommandWatch,
    Judgement,
    KeepsRules,
    KeepsSafe,
    Permissions,
    ReadsCommands,
    Scope,
    WatchesCommands,
)
from agentic.lib.safeguards import Safeguards
from agentic.lib.workspace import Workspace
from agentic.types import Change

Watches = Sequence[CommandWatch]
_UNGUARDED = Judgement("ask", "no plugin here judges it")


class Policy:
    """The guards of a session. Without any, every change and every command is asked about."""

    def __init__(self, guards: Sequence[Permissions]) -> None:
        self._guards = guards
        self._rules = [guard for guard in guards if isinstance(guard, KeepsRules)]
        self._safe = [guard for guard in guards if isinstance(guard, KeepsSafe)]
        self._reading = [guard for guard in guards if isinstance(guard, ReadsCommands)]
        self._watching = [guard for guard in guards if isinstance(guard, WatchesCommands)]
        self._bare = Safeguards(())

    def of_command(self, command: str, tool: str = "", check: str = "") -> Judgement:
        """Judges a shell command, and the tool that runs it."""
        return self._strictest(lambda guard: guard.of_command(command, tool, check))

    def reading(self, command: str) -> CommandReading:
        """Returns what is known of a shell command. Raises PluginError where its reader fails."""
        return self._reading[0].reading(command) if self._reading else UNREAD

    def of_path(self, kind: str, path: str, tool: str = "") -> Judgement:
        """Judges reading ("read") or changing ("edit") a file, and the tool that does it."""
        without = Judgement() if kind == "read" else _UNGUARDED
        return self._strictest(lambda guard: guard.of_path(kind, path, tool), without)

    def of_host(self, host: str, tool: str = "") -> Judgement:
        """Judges reading what a host has, and the tool that does it."""
        return self._strictest(lambda guard: guard.of_host(host, tool))

    def of_tool(self, name: str) -> Judgement:
        """Judges the use of a tool that runs no command and writes no file that can be seen."""
        return self._strictest(lambda guard: guard.of_tool(name))

    def _strictest(self, ask: Callable[[Permissions], Judgement], without: Judgement = _UNGUARDED) -> Judgement:
        return merged([_judgement_of(ask, guard) for guard in self._guards]) if self._guards else without

    def rules(self) -> list[tuple[str, str, str]]:
        """(decision, rule, where it stands) of each."""
        return [each for guard in self._rules for each in guard.rules()]

    def check_rule(self, text: str) -> None:
        """Raises ConfigError for what is no rule."""
        for guard in self._rules:
            guard.check_rule(text)

    def remember(self, rules: Sequence[str], scope: Scope) -> None:
        """From now on these are allowed. Raises ConfigError, OSError where that cannot be kept."""
        if not self._rules:
            raise ConfigError("no plugin here keeps rules")
        self._rules[0].remember(rules, scope)

    def denied_programs(self) -> Iterable[str]:
        """Returns the programs that are denied with any words."""
        return [program for guard in self._rules for program in guard.denied_programs()]

    def safeguards(self) -> Safeguards:
        """Returns the things to keep safe."""
        return self._safe[0].safeguards() if self._safe else self._bare

    def protected(self, path: str) -> str:
        """Returns the reason to protect the file of that name, "" for any other."""
        return next(filter(None, (guard.protected(path) for guard in self._safe)), "")

    def needs_word(self, path: str, access: str) -> str:
        """Returns why a file of the folder is not touched without the user's word, "" where it may be."""
        return next(filter(None, (guard.needs_word(path, access) for guard in self._safe)), "")

    def watch(self, workspace: Workspace, keeps: bool) -> list[CommandWatch]:
        """Returns what looks at commands in that folder."""
        return [guard.watch(workspace, keeps) for guard in self._watching]

    def take_up(self) -> str:
        """Has the session know what its command did that a kill cut off; a line for the user, "" for nothing."""
        return "; ".join(filter(None, (guard.take_up() for guard in self._watching)))


def _judgement_of(ask: Callable[[Permissions], Judgement], guard: Permissions) -> Judgement:
    try:
        return ask(guard)
    except PluginError as error:
        return Judgement("deny", f"its guard failed: {error}")


def merged(found: Sequence[Judgement]) -> Judgement:
    """All of them in one: the strictest decision, every danger. "allow" needs one that says so, and none that asks or denies."""
    if len(found) == 1:
        return found[0]
    saying = [each for each in found if each.decision]
    strictest = max(saying, key=lambda each: STRICTNESS[each.decision], default=Judgement())

    def every(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value for each in found for value in getattr(each, name)))

    return Judgement(
        strictest.decision,
        strictest.why or next((each.why for each in found if each.why), ""),
        every("dangers"),
        every("proposals"),
        frozenset(every("needs")),
        frozenset(every("granted")),
        every("doubts"),
    )


class WatchedFolder:
    """All watches of the folders that one agent's commands may change, as one: those of its own folder, and of further roots.

    `roots()` gives the further ones, whose files have full paths; the user may add some between two commands.
    """

    def __init__(self, watches: Watches, roots: Callable[[], Mapping[Path, Watches]] = dict) -> None:
        self._own = watches
        self._roots = roots
        self._known: Mapping[Path, Watches] = {}

    def _every(self) -> list[tuple[Path | None, CommandWatch]]:
        further = [(root, each) for root, watches in self._known.items() for each in watches]
        return [*((None, each) for each in self._own), *further]

    @property
    def private(self) -> tuple[Path, ...]:
        return tuple(path for _, each in self._every() for path in each.private)

    async def prepare(self) -> None:
        for each in self._own:
            await each.prepare()

    async def before(self) -> None:
        self._known = dict(self._roots())
        for _, each in self._every():
            await each.before()

    async def after(self, may_change_protected: bool) -> tuple[list[Change], str]:
        changes, notes = [], []
        for root, each in self._every():
            found, note = await each.after(may_change_protected)
            changes += [change if root is None else replace(change, path=str(root / change.path)) for change in found]
            notes += [note if root is None else f"in {root}: {note}"] if note else []
        return changes, "; ".join(notes)


class SessionWatches:
    """The watches of all folders that a session's commands may change. Agents share those of the further roots.

    A sub-agent's worktree has its own, whose changes are journaled when they are merged.
    """

    def __init__(self, policy: Policy, roots: Sequence[Path]) -> None:
        self._policy = policy
        self._wanted = roots
        self._folders: dict[Path, tuple[WatchedFolder, Watches]] = {}
        self._roots: dict[Path, Watches] = {}

    def of(self, space: Workspace) -> WatchedFolder:
        """Returns the watches of an agent's folder and of the further roots."""
        if space.root not in self._folders:
            own = self._policy.watch(space, keeps=not self._folders)
            self._folders[space.root] = WatchedFolder(own, partial(self._of_roots, space)), own
        return self._folders[space.root][0]

    def _of_roots(self, space: Workspace) -> Mapping[Path, Watches]:
        for root in self._wanted:
            if root not in self._roots:
                self._roots[root] = self._policy.watch(space.view(root), keeps=True)
        return self._roots

    def _every(self) -> Iterable[CommandWatch]:
        return (each for watches in (*(own for _, own in self._folders.values()), *self._roots.values()) for each in watches)

    @property
    def private(self) -> tuple[Path, ...]:
        """The files that no command may read without a word about it."""
        return tuple(path for each in self._every() for path in each.private)

    async def aclose(self) -> None:
        """Nothing that commands started runs any more."""
        for each in self._every():
            await each.settle()
            each.close()
