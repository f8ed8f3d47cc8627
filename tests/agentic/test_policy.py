"""Who decides on a call, in one table: plugins' gates, then rules, then the floor, then the mode, then the user."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentic import ToolSpec
from agentic.core.approval import ApprovalMode, Approver
from agentic.core.policy import Policy
from agentic.lib.questions import Answered, Question
from agentic.lib.safeguards import Safeguards
from agentic.plugins.dispatcher import Ruling
from plugins_builtin.permissions.judging import RulesGuard, Where
from plugins_builtin.permissions.rules import Rules, parse_rule
from plugins_builtin.shell_reader.reader import ShellReader

RUN = ToolSpec("run", "Runs.", {"type": "object", "properties": {"command": {"type": "string"}}}, "execute", runs="command")


class Held:
    """A sandbox that holds commands."""

    confines, is_off = True, False

    async def ready(self) -> None:
        """It is."""


HELD: Any = Held()
LS, GONE = "ls -l", "rm -rf /"  # the floor asks about the second one in every mode
NOBODY = object()


def decided(
    root: Path, line: str, mode: str, rule: str, gate: str, answer: object, asked: list[Question], recovered: bool = False
) -> str:
    """ "" where the command may run, else why not."""
    rules = Rules([parse_rule(rule.split()[0], rule.partition(" ")[2], "user")] if rule else [])
    permissions = RulesGuard(rules, {"shell": ShellReader()}, Safeguards([]), Where(root, root / "store"))

    async def ask(question: Question) -> Answered:
        asked.append(question)
        return Answered("once") if answer else Answered("no")

    async def emit(event: object) -> None:
        """Nobody listens."""

    approver = Approver(ApprovalMode(mode, None if answer is NOBODY else ask), emit, Policy([permissions]), HELD)
    ruling = Ruling(gate if gate != "grant" else "", "because", "gate" if gate else "", gate == "grant", {"command": line})
    why, _ = asyncio.run(approver.may_run(RUN, ruling, recovered=recovered))
    return why


# (gate, rule, line, mode, answer) -> runs: "yes", "asked" (and runs on a yes), or the beginning of why not
TABLE: list[tuple[str, str, str, str, object, str]] = [
    # A gate that denies is over everything.
    ("deny", "allow run(ls *)", LS, "all", True, "denied by plugin gate"),
    ("deny", "", LS, "none", NOBODY, "denied by plugin gate"),
    # Then a rule that denies, whatever mode, grant or user say.
    ("grant", "deny run(ls *)", LS, "all", True, "the rule run(ls *) (user) says deny"),
    ("", "deny run(ls *)", LS, "all", True, "the rule run(ls *) (user) says deny"),
    ("ask", "deny run(ls *)", LS, "ask", True, "the rule run(ls *) (user) says deny"),
    # A gate or a rule that asks is asked about in every mode, and with nobody there the answer is no.
    ("ask", "allow run(ls *)", LS, "all", True, "asked"),
    ("ask", "", LS, "all", NOBODY, "it needs an approval"),
    ("", "ask run(ls *)", LS, "all", True, "asked"),
    ("grant", "ask run(ls *)", LS, "all", True, "asked"),
    ("", "ask run(ls *)", LS, "all", NOBODY, "it needs an approval"),
    # So is the floor: no rule, no grant and no mode goes below it.
    ("", "allow run(rm *)", GONE, "all", True, "asked"),
    ("grant", "", GONE, "all", True, "asked"),
    ("", "", GONE, "all", NOBODY, "it needs an approval"),
    ("", "", GONE, "all", False, "the user said no"),
    # What a rule allows, or a plugin that may grant, needs no question.
    ("", "allow run(ls *)", LS, "ask", False, "yes"),
    ("", "allow run(ls *)", LS, "none", NOBODY, "yes"),
    ("grant", "", LS, "ask", False, "yes"),
    # Then the mode, and what it leaves open is the user's.
    ("", "", LS, "all", False, "yes"),
    ("", "", LS, "ask", True, "asked"),
    ("", "", LS, "ask", False, "the user said no"),
    ("", "", LS, "edits", True, "asked"),
    ("", "", LS, "edits", NOBODY, "it needs an approval"),
    ("", "", LS, "none", True, "it needs an approval"),
    ("", "", LS, "none", NOBODY, "it needs an approval"),
]


@pytest.mark.parametrize(("gate", "rule", "line", "mode", "answer", "expected"), TABLE)
def test_the_order_of_those_who_decide(
    tmp_path: Path, gate: str, rule: str, line: str, mode: str, answer: object, expected: str
) -> None:
    asked: list[Question] = []
    why = decided(tmp_path, line, mode, rule, gate, answer, asked)
    if expected in ("yes", "asked"):
        assert why == "" and bool(asked) is (expected == "asked")
    else:
        assert why.startswith(expected), why


def test_a_call_that_stood_in_the_text_is_asked_about_whatever_allows_it(tmp_path: Path) -> None:
    asked: list[Question] = []
    assert decided(tmp_path, LS, "all", "allow run(ls *)", "", True, asked, recovered=True) == ""
    assert "may only have quoted it" in asked[0].warnings[0] and asked[0].proposals == ()


def test_only_one_way_is_open_to_the_last_word(tmp_path: Path) -> None:
    """Each of the table's rows with nobody to ask: nothing is allowed that was asked about."""
    for gate, rule, line, mode, _, expected in TABLE:
        asked: list[Question] = []
        why = decided(tmp_path, line, mode, rule, gate, NOBODY, asked)
        assert bool(why) is (expected != "yes") and not asked, (gate, rule, mode)
