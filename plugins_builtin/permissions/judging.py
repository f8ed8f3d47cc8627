"""The judgement of rules, safeguards and the floor on a call; and the rules that the user's "always" adds to them."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Literal

from agentic import AgenticError, CommandReader, CommandReading, ConfigError, SimpleCommand
from agentic.hooks.permissions import STRICTNESS, Judgement, Scope
from agentic.lib.files import read_regular, replace_file
from agentic.lib.record import record
from agentic.lib.safeguards import ENVIRONMENT, Safeguards
from plugins_builtin.permissions.lines import exact_line, judgement_of, line_of, unclear_of, with_any_words
from plugins_builtin.permissions.rules import Rule, Rules, exact, parse_rule

MAX_BYTES = 1_000_000  # of what was remembered


@record(frozen=True, slots=True)
class Where:
    """The folders of a run: its `root`, further ones, and the user's `store`, where what is always allowed in a project is kept."""

    root: Path
    store: Path
    more: Sequence[Path] = ()


class RulesGuard:
    """The rules of one run.

    Where the user wants no `floor`, no danger asks in a mode that would not.
    """

    def __init__(
        self,
        rules: Rules,
        readers: Mapping[str, CommandReader],
        safeguards: Safeguards,
        where: Where,
        floor: bool = True,
    ) -> None:
        self._rules = rules
        self._readers = readers
        self._safeguards = safeguards
        self._root, self._roots = where.root, where.more
        self._store = where.store / "permissions.json"
        self._floor = floor
        self._rules.rules += self._remembered()

    def of_command(self, command: str, tool: str = "", check: str = "") -> Judgement:
        """The strictest that is said of any command in the line, and of the tool; allowed only where each of them is."""
        judgement = self._with_tool(self._of_line(command), tool)
        return (
            replace(judgement, proposals=tuple(with_any_words(each, check) for each in judgement.proposals)) if check else judgement
        )

    def reading(self, command: str) -> CommandReading:
        """Returns what all readers know of a line, as one."""
        readings = self._read(command)
        return CommandReading(
            tuple(each for reading in readings for each in reading.commands),
            tuple(path for reading in readings for path in reading.writes),
            unclear_of(readings),
            tuple(danger for reading in readings for danger in reading.dangers),
            frozenset().union(*(reading.needs for reading in readings)),
            any(reading.sets for reading in readings),
        )

    def _of_line(self, command: str) -> Judgement:
        readings = self._read(command)
        judged = [self._of_simple(each) for reading in readings for each in reading.commands]
        judged += [self.of_path("edit", self._inside(path)) for reading in readings for path in reading.writes]
        private = [said for reading in readings for said in self._private(reading)]
        found = [danger for reading in readings for danger in (*reading.dangers, *self._holding_keys(reading))]
        dangers = tuple(filter(None, (*found, *private))) if self._floor else ()
        needs = frozenset().union(*(reading.needs for reading in readings))
        needs |= {"protected"} if any(each.dangers for each in judged) else frozenset()
        needs |= {"secrets"} if private else frozenset()
        granted = frozenset(need for need in needs if self._allows_need(need, readings))
        unclear = unclear_of(readings)
        strangers = [each for reading in readings for each in reading.commands if each.unknown]
        hiding = next((each.words[0] for each in strangers if not self._is_allowed_as("exact", each)), "")
        if hiding and not unclear and self._rules.has("run", ("ask", "deny")):
            unclear = f"what {hiding} starts is not known, and a rule may be about it"
        strictest = max(judged, key=lambda each: STRICTNESS[each.decision], default=Judgement())
        if strictest.decision == "deny":
            return Judgement("deny", strictest.why)
        if strictest.decision == "ask":
            return Judgement("ask", strictest.why, dangers, needs=needs, granted=granted)
        if unclear:
            cautious = self._rules.has("run", ("ask", "deny"))  # it may hide what they are about
            return Judgement(
                "ask" if cautious else "", f"what it does is not all known: {unclear}", dangers, needs=needs, granted=granted
            )
        proposals = tuple(exact("run", exact_line(each)) for reading in readings for each in reading.commands if self._is_new(each))
        allowed = bool(judged) and all(each.decision == "allow" for each in judged)
        if allowed:
            proposals = tuple(exact(need, exact_line(each)) for need in sorted(needs - granted) for each in self._plain(readings))
        allowed = allowed and not any(reading.sets for reading in readings)
        allowed = allowed and all(self._is_allowed_as("named", each) for each in strangers)
        return Judgement("allow" if allowed else "", "", dangers, proposals, needs, granted)

    def _read(self, command: str) -> list[CommandReading]:
        readings = []
        for reader in self._readers.values():
            try:
                readings.append(reader.read(command, self._root))
            except AgenticError as error:
                readings.append(CommandReading(unclear=str(error)))
        return readings

    def _of_simple(self, command: SimpleCommand) -> Judgement:
        rule = self._about("run", command)
        if command.made_up and (rule is None or rule.decision == "allow") and self._rules.may_forbid(command.words[0]):
            return Judgement("ask", f"some words of {command.words[0]} are known only when it runs, and a rule is about them")
        if rule is not None and (rule.decision != "allow" or not command.wrapper):
            return judgement_of(rule)
        return Judgement("allow") if command.wrapper else Judgement()

    def _about(self, kind: str, command: SimpleCommand) -> Rule | None:
        """Returns the rule about a command, None without one.

        A rule that forbids `ls` forbids any program of that name; one that allows it, the system's: `./ls` is named by its path.
        """
        by_name = self._rules.about(kind, line_of(command))
        if not command.path:
            return by_name
        found = [by_name if by_name and by_name.decision != "allow" else None, self._rules.about(kind, exact_line(command))]
        return max((rule for rule in found if rule), key=lambda rule: STRICTNESS[rule.decision], default=None)

    def _plain(self, readings: Sequence[CommandReading]) -> Iterable[SimpleCommand]:
        return (each for reading in readings for each in reading.commands if not each.wrapper)

    def _is_allowed_as(self, how: Literal["exact", "named"], command: SimpleCommand) -> bool:
        """True if a rule allows just this, word by word ("exact"), or this program and not whatever begins so ("named")."""
        rule = self._about("run", command)
        if rule is None or rule.decision != "allow":
            return False
        wild = re.search(r"(?<!\\)[*?]", rule.pattern)
        return wild is None and bool(rule.pattern) if how == "exact" else wild is None or " " in rule.pattern[: wild.start()]

    def _is_new(self, command: SimpleCommand) -> bool:
        return self._of_simple(command).decision == ""

    def _allows_need(self, need: str, readings: Sequence[CommandReading]) -> bool:
        """By a rule of its own, or by one that is about just this command: a name alone gives no network."""
        rules = [(each, self._about(need, each)) for each in self._plain(readings)]
        return bool(rules) and all(
            (rule is not None and rule.decision == "allow") or self._is_allowed_as("exact", each) for each, rule in rules
        )

    def _holding_keys(self, reading: CommandReading) -> Iterable[str]:
        """Words that name what holds keys: a command that gets them may send them anywhere."""
        return (f"{word} holds keys or passwords" for word, path in self._paths(reading) if self._safeguards.is_hidden(path))

    def _private(self, reading: CommandReading) -> Iterable[str]:
        """Words that name files of secrets: a command sees them only after a question."""
        named = ((word, self._safeguards.private(self._inside(str(path)))) for word, path in self._paths(reading))
        return (f"{word}: {what}" for word, what in named if what)

    def _paths(self, reading: CommandReading) -> Iterable[tuple[str, Path]]:
        for command in reading.commands:
            for word in command.words[1:]:
                path = os.path.join(self._root, os.path.expanduser(word.partition("=")[2] or word))
                yield word, Path(os.path.normpath(path))

    def of_path(self, kind: str, path: str, tool: str = "") -> Judgement:
        """Judges reading ("read") or changing ("edit") a file, by its path from the root, or from the system's."""
        return self._with_tool(self._of_file(kind, path), tool)

    def _of_file(self, kind: str, path: str) -> Judgement:
        """In a further root names count from there, as they do in the first one."""
        judged = self._of_path(kind, path)
        root = next((each for each in self._roots if os.path.isabs(path) and Path(path).is_relative_to(each)), None)
        if root is None or judged.decision == "deny":
            return judged
        inside = self._of_path(kind, os.path.relpath(path, root))
        if STRICTNESS[inside.decision] <= STRICTNESS[judged.decision] and not inside.dangers:
            return replace(judged, doubts=(*judged.doubts, *inside.doubts))
        return replace(inside, why=f"in {root}: {inside.why}", proposals=judged.proposals)

    def _of_path(self, kind: str, path: str) -> Judgement:
        rule = self._rules.about(kind, path)
        if rule is not None and rule.decision == "deny":
            return judgement_of(rule)
        if kind == "edit" and not os.path.isabs(path) and (what := self.protected(path)):
            return Judgement("ask", f"{path} is protected: {what}", (f"{path}: {what}",))
        allowed = rule is not None and rule.decision == "allow"
        if os.path.isabs(path) and not allowed and self._safeguards.is_hidden(Path(path)):
            return Judgement("ask", f"{path} holds keys or passwords", proposals=(exact(kind, path),))
        if kind == "read" and not allowed and (what := self._safeguards.private(path)):
            return Judgement("ask", f"{path}: {what}", proposals=(exact("read", path),))
        if rule is not None:
            return judgement_of(rule)
        what = self._safeguards.reason_to_ask(path) if kind == "edit" and not os.path.isabs(path) else ""
        return Judgement(proposals=(exact(kind, path),), doubts=(f"{path}: {what}",) if what else ())

    def of_host(self, host: str, tool: str = "") -> Judgement:
        """Judges reading what a host has."""
        rule = self._rules.about("fetch", host)
        return self._with_tool(judgement_of(rule) if rule is not None else Judgement(proposals=(exact("fetch", host),)), tool)

    def of_tool(self, name: str) -> Judgement:
        """Judges the use of a tool that runs no command and writes no file that can be seen."""
        return self._with_tool(self._of_tool(name), name)

    def _of_tool(self, name: str) -> Judgement:
        for kind, subject in (("mcp", name), (name, "")):
            if (rule := self._rules.about(kind, subject)) is not None:
                return judgement_of(rule)
        return Judgement(proposals=(exact("mcp", name) if "/" in name else name,))

    def _with_tool(self, judgement: Judgement, name: str) -> Judgement:
        """The judgement of what a tool would run or change, and what is said of the tool itself where that is stricter."""
        rule = self._rules.about(name, "") if name else None
        if rule is None or STRICTNESS[rule.decision] <= STRICTNESS[judgement.decision]:
            return judgement
        return replace(judgement, decision=rule.decision, why=judgement_of(rule).why)

    def protected(self, path: str) -> str:
        """Returns the reason to protect the file of that name, such as what would run or obey it; "" for any other.

        All of an environment is run, wherever it lies.
        """
        around = (os.path.join(self._root, folder, ENVIRONMENT) for folder in [*PurePath(path).parents][:-1])
        return self._safeguards.protected(path) or ("it is run from there" if any(map(os.path.exists, around)) else "")

    def needs_word(self, path: str, access: str) -> str:
        """Why a file of the folder is not touched without the user's word: a workspace's `grants.needs_word`."""
        judgement = self._of_file("read" if access == "read" else "edit", path)
        if access == "read":
            return judgement.why if judgement.decision in ("ask", "deny") else ""
        return judgement.why if judgement.decision == "deny" or judgement.dangers else ""

    def _inside(self, path: str) -> str:
        return os.path.relpath(path, self._root) if Path(path).is_relative_to(self._root) else path

    def rules(self) -> list[tuple[str, str, str]]:
        """(decision, rule, where it stands) of each."""
        return [(rule.decision, str(rule), rule.origin) for rule in self._rules]

    def check_rule(self, text: str) -> None:
        """Raises ConfigError for what is no rule."""
        parse_rule("allow", text, "this")

    def denied_programs(self) -> tuple[str, ...]:
        """Returns the programs that are denied with any words."""
        return self._rules.denied_programs()

    def safeguards(self) -> Safeguards:
        """Returns the things to keep safe, as all plugins have them."""
        return self._safeguards

    def remember(self, rules: Sequence[str], scope: Scope) -> None:
        """From now on these are allowed. Raises ConfigError, OSError where that cannot be kept."""
        new = [parse_rule("allow", text, f"always ({scope})") for text in rules]
        self._rules.rules += new
        if scope == "user":
            self._rules.write([str(rule) for rule in new])
        elif scope == "project":
            kept = self._read_store()
            mine = kept.setdefault(str(self._root), [])
            mine += [str(rule) for rule in new if str(rule) not in mine]
            replace_file(self._store, json.dumps(kept, indent=1).encode())

    def _read_store(self) -> dict[str, list[str]]:
        try:
            kept = json.loads(read_regular(self._store, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return {str(root): [str(rule) for rule in rules] for root, rules in kept.items()} if isinstance(kept, dict) else {}

    def _remembered(self) -> list[Rule]:
        found = []
        for text in self._read_store().get(str(self._root), []):
            try:
                found.append(parse_rule("allow", text, "always (project)"))
            except ConfigError:  # of another version: the user is asked again
                continue
        return found
