"""A goal as its session keeps it: what is wanted, what shows it, what it may cost, what was tried."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import Any, TypeVar

from agentic import ConfigError, Event, Settings
from agentic.events import read_event
from agentic.lib.record import record
from agentic.sessions import Session

E = TypeVar("E", bound=Event)
FACT = "goal"
MAX_TURNS, MAX_SECONDS = 50, 8 * 3600.0
MINUTE = 60.0
SAME = 4  # turns that changed something and left the same failure, or that changed nothing
NO_TURN = -1
TOLD = 5  # tries that the model is told of
_VARYING = re.compile(
    r"0x[0-9a-f]+|\d+(?:\.\d+)?\s*(?:ms|s|sec|seconds?|min|minutes?)\b|(?<=[A-Za-z_/.:-])\d+|\d+(?=[A-Za-z_/.:-])"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


@record(frozen=True)
class Allowance:
    """An amount of turns, tokens and seconds; 0 in a budget is no limit."""

    turns: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        parts = [f"{self.turns} turns" if self.turns else "", f"{self.tokens:,} tokens" if self.tokens else ""]
        time = f"{self.seconds / 60:.0f} min" if self.seconds >= MINUTE else f"{self.seconds:.0f} s" if self.seconds >= 1 else ""
        return ", ".join(filter(None, [*parts, time])) or "nothing"


@record(frozen=True)
class Try:
    """A turn: what failed before it, the files that it changed, how it ended."""

    failing: str
    files: tuple[str, ...] = ()
    ended: str = ""
    said: str = ""


@record(frozen=True)
class Goal:
    """`status` is open, proved, budget, stuck, person or paused. `fixed` are the digests of what the checks run, `hushed` how
    often each file keeps a checker quiet, `counted` how many tests each check ran at first. `waiting` is what wanted a yes.
    `since` is the first try that counts for being stuck, `seen` the newest record before a turn that is not counted yet.
    """

    text: str
    checks: tuple[str, ...]
    budget: Allowance = Allowance(MAX_TURNS, 0, MAX_SECONDS)
    spent: Allowance = Allowance()
    status: str = "open"
    fixed: Mapping[str, str] = field(default_factory=dict)
    hushed: Mapping[str, int] = field(default_factory=dict)
    counted: Mapping[str, int] = field(default_factory=dict)
    tries: tuple[Try, ...] = ()
    failing: str = ""
    waiting: tuple[str, ...] = ()
    since: int = 0
    seen: int = NO_TURN

    @property
    def over(self) -> str:
        """Which part of the budget is spent, "" for none."""
        for name in ("turns", "tokens", "seconds"):
            most = getattr(self.budget, name)
            if most and getattr(self.spent, name) >= most:
                return name
        return ""

    @property
    def is_stuck(self) -> bool:
        """True if the same failure stood before each of the last tries and stands now, though they changed files."""
        last = [each for each in self.tries[self.since :] if each.files][-SAME:]
        return len(last) == SAME and {shape(each.failing) for each in last} == {shape(self.failing)}

    @property
    def is_idle(self) -> bool:
        """True if none of the last tries changed anything."""
        last = self.tries[self.since :][-SAME:]
        return len(last) == SAME and not any(each.files for each in last)

    def ledger(self) -> str:
        """The last tries in a line each, for the model."""
        lines = []
        for number, each in list(enumerate(self.tries, 1))[-TOLD:]:
            files = ", ".join(each.files[:4]) or "nothing"
            lines.append(f"{number}. changed {files}; before it: {first_line(each.failing)}; it said: {first_line(each.said)}")
        return "\n".join(["Tried before:", *lines, ""]) if lines else ""


def first_line(text: str, most: int = 160) -> str:
    line = next((line.strip() for line in text.split("\n") if line.strip()), "nothing")
    return line if len(line) <= most else f"{line[:most]}…"


def shape(text: str) -> str:
    """A failure without what differs from run to run: times, addresses, lines, numbers in names. How many fail stays."""
    return _VARYING.sub("#", text)


def budget_of(texts: Sequence[str]) -> Allowance:
    """The budget of "8h", "2M tokens", "200 turns". Raises ConfigError."""
    made = Allowance(MAX_TURNS, 0, MAX_SECONDS)
    for text in texts:
        match = re.fullmatch(r"\s*([\d.]+)\s*([a-z]?)\s*(turns?|tokens?)?\s*", text.lower())
        try:
            number, letter, unit = match.groups("") if match else ("", "", "")
            if unit.startswith("turn"):
                made = replace(made, turns=int(float(number)) * _TIMES[letter])
            elif unit:
                made = replace(made, tokens=int(float(number) * _TIMES[letter]))
            else:
                made = replace(made, seconds=float(number) * _UNITS[letter])
            if not match or not float(number) * 1.0 or (unit.startswith("turn") and not made.turns):
                raise ValueError
        except (KeyError, ValueError, OverflowError) as error:
            raise ConfigError(f"--budget {text!r} is none", 'for example 8h, "2M tokens", "200 turns"') from error
    return made


def configured(settings: Settings) -> tuple[str, ...]:
    """The checks of a goal that names none: those of the configuration."""
    return tuple(filter(None, [settings.checks.test, settings.checks.build]))


def files_of(session: Session, since: int = 0) -> tuple[str, ...]:
    """The files that were changed since that record."""
    return tuple(dict.fromkeys(str(record.data.get("path", "")) for record in session.records("file", after=since)))


def events_of(session: Session, kind: type[E], since: int = 0) -> list[E]:
    """The events of that kind since that record."""
    events = (read_event(record.data) for record in session.records("event", after=since))
    return [event for event in events if isinstance(event, kind)]


def keep(session: Session, goal: Goal) -> None:
    session.set_metadata(FACT, json.dumps(asdict(goal)))


def goal_of(session: Session) -> Goal:
    """The goal of a session. Raises ConfigError."""
    try:
        data: dict[str, Any] = json.loads(session.metadata(FACT))
        data["tries"] = tuple(Try(**{**each, "files": tuple(each["files"])}) for each in data["tries"])
        data |= {name: tuple(data[name]) for name in ("checks", "waiting")}
        data |= {name: Allowance(**data[name]) for name in ("budget", "spent")}
        return Goal(**data)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"session {session.id} has no goal", 'agentic goal "all tests pass" --check COMMAND sets one') from error
