"""Rules: what a user allows, wants to be asked about, or denies, by tool and pattern.

    run(git status *)    edit(src/**)    read(~/notes/**)    fetch(docs.python.org)    mcp(server/tool)    network(pip install *)

A rule without a pattern is about all of its kind. Rules as other agents have them are understood: `Bash(git:*)`, a table of
patterns with what to do. Over all rules: deny > ask > allow.
"""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from agentic import ConfigError
from agentic.hooks.permissions import STRICTNESS, Decision
from agentic.lib.record import record
from agentic.lib.safeguards import fits

COMMANDS = ("run", "network", "protected", "secrets")  # kinds whose pattern is one of a command
PATHS = ("read", "edit")
_KINDS = (*COMMANDS, *PATHS, "fetch", "mcp")
_RULE = re.compile(r"\s*([A-Za-z_][\w-]*)\s*(?:\((.*)\)\s*)?", re.DOTALL)
_OTHERS = {
    "bash": "run",
    "write": "edit",
    "multiedit": "edit",
    "notebookedit": "edit",
    "webfetch": "fetch",
    "glob": "read",
    "grep": "read",
    "list": "read",
}


_PROGRAM = re.compile(r"([\w.+-]+) \*")


Write = Callable[[Sequence[str]], None]


@record(frozen=True, slots=True)
class Rule:
    """`kind` is run, edit, read, fetch, mcp, network, protected, secrets or a tool's name; `origin` is where the rule stands."""

    decision: Decision
    kind: str
    pattern: str = ""
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.kind}({self.pattern})" if self.pattern else self.kind

    def matches(self, kind: str, subject: str) -> bool:
        """True if it is about that: a simple command, a path, a host, `server/tool`."""
        if kind != self.kind:
            return False
        if not self.pattern:
            return True
        if kind in PATHS:
            return _fits_path(subject, self.pattern)
        return bool(_expression(self.pattern, "fetch" if kind == "fetch" else "").fullmatch(subject))


@record(frozen=True, slots=True)
class Table:
    """Patterns of one kind with what to do, as opencode has them: the last that matches counts."""

    kind: str
    rules: tuple[Rule, ...]


def parse_rule(decision: Decision, text: str, origin: str) -> Rule:
    """Raises ConfigError for what is no rule."""
    match = _RULE.fullmatch(text)
    if not match or (match[2] is not None and not match[2].strip()):
        raise ConfigError(
            f"{origin}: {text!r} is no rule", "write it like run(git status *), edit(src/**), read(~/notes/**), fetch(HOST)"
        )
    word, pattern = match[1], (match[2] or "").strip()
    if word.startswith("mcp__"):
        return Rule(decision, "mcp", "/".join(part for part in word.split("__")[1:] if part) or "*", origin)
    kind = _OTHERS.get(word.lower(), word if word != word.title() else word.lower())
    if kind in COMMANDS:
        pattern = re.sub(r":\*$", " *", pattern)
    elif kind == "fetch":
        pattern = pattern.removeprefix("domain:")
    elif kind in PATHS and pattern.startswith("/"):  # as Claude Code has it: // is the root of the system, / that of the project
        pattern = pattern[1:] if pattern.startswith("//") else pattern
    return Rule(decision, kind, "" if pattern == "*" else pattern, origin)


def parse_table(kind: str, value: Any, origin: str) -> Table:
    """Raises ConfigError."""
    pairs = {"*": value} if isinstance(value, str) else value
    if not isinstance(pairs, dict) or not all(decision in ("allow", "ask", "deny") for decision in pairs.values()):
        raise ConfigError(f"{origin}: what to do is allow, ask or deny, or a table of patterns with one of them each")
    rules = tuple(parse_rule(decision, f"{kind}({pattern})", origin) for pattern, decision in pairs.items())
    return Table(rules[0].kind if rules else kind, rules)


class Rules:
    """All that count for a run; `write` adds some to the user's own file."""

    def __init__(self, rules: Iterable[Rule] = (), tables: Iterable[Table] = (), write: Write = lambda rules: None) -> None:
        self.write = write
        self.rules = list(rules)
        self.tables = list(tables)

    def __iter__(self) -> Iterator[Rule]:
        yield from self.rules
        for table in self.tables:
            yield from table.rules

    def about(self, kind: str, subject: str) -> Rule | None:
        """The strictest rule that matches, None where none does."""
        found = [rule for rule in self.rules if rule.matches(kind, subject)]
        for table in self.tables:
            found += [rule for rule in table.rules if rule.matches(kind, subject)][-1:]
        return max(found, key=lambda rule: STRICTNESS[rule.decision], default=None)

    def check(self, tools: Collection[str], is_all: bool = True) -> None:
        """Raises ConfigError for a rule that would hold nothing: with a pattern for a tool, or a forbidding one of no tool.

        `is_all` is whether there are no tools but these.
        """
        for rule in self:
            if rule.kind in _KINDS:
                continue
            if rule.pattern and rule.kind in tools:
                raise ConfigError(
                    f"{rule.origin}: the rule {rule} never holds: a tool is named without a pattern",
                    f"write {rule.kind}, or what it does: run(…), edit(PATH), read(PATH), fetch(HOST), mcp(SERVER/TOOL)",
                )
            if is_all and rule.kind not in tools and rule.decision != "allow":
                why = f"{rule.origin}: the rule {rule} never holds: no tool is called {rule.kind}"
                raise ConfigError(why, _nearest(rule.kind, tools))

    def has(self, kind: str, decisions: Sequence[Decision]) -> bool:
        """True if there is any rule of that kind that decides so."""
        return any(rule.kind == kind and rule.decision in decisions for rule in self)

    def denied_programs(self) -> tuple[str, ...]:
        """Returns the programs that are denied with any words: `run(NAME *)`."""
        denied = (_PROGRAM.fullmatch(rule.pattern) for rule in self.rules if (rule.decision, rule.kind) == ("deny", "run"))
        return tuple(dict.fromkeys(match[1] for match in denied if match))

    def may_forbid(self, program: str) -> bool:
        """True if some rule asks about, or denies, this program with certain words."""
        forbidding = (rule for rule in self if rule.kind == "run" and rule.decision != "allow")
        return any(rule.matches("run", program) or fnmatchcase(program, rule.pattern.split(" ")[0]) for rule in forbidding)


def _nearest(name: str, tools: Iterable[str]) -> str:
    near = get_close_matches(name, [*_KINDS, *tools], 1)
    return f"did you mean {near[0]}?" if near else "`agentic plugins` lists them"


def exact(kind: str, subject: str) -> str:
    """The narrowest rule about this and nothing else."""
    quoted = re.sub(r"([*?\\])", r"\\\1", subject)
    return f"{kind}({quoted})"


@lru_cache(maxsize=2000)
def _expression(pattern: str, form: str) -> "re.Pattern[str]":
    """`*` is anything, `?` one character, a backslash takes them as they are; ` *` at the end may also be nothing."""
    pieces = re.split(r"(\\.|\*|\?)", pattern)
    wild = {"*": "[^/]*" if form else ".*", "?": "."}
    made = "".join(
        wild.get(piece, re.escape(piece.removeprefix("\\") if len(piece) == 2 and piece[0] == "\\" else piece)) for piece in pieces
    )
    if pattern.endswith(" *") and not form:
        made = made.removesuffix(r"\ .*") + r"(?:\ .*)?"
    prefix = r"(?:[^/]+\.)?" if form and not pattern.startswith("*") else ""  # a host's own subdomains
    return re.compile(prefix + made, re.DOTALL)


def _fits_path(path: str, pattern: str) -> bool:
    """Both from the workspace's root, or both from the system's."""
    pattern = os.path.expanduser(pattern.removeprefix("./")) or "."
    return fits(path, pattern) if os.path.isabs(path) == os.path.isabs(pattern) else False
