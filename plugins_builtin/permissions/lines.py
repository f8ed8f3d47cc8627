"""Command lines as rules have them, and what is unclear about them."""

from collections.abc import Sequence

from agentic import CommandReading, SimpleCommand
from agentic.hooks.command_readers import UNREAD
from agentic.hooks.permissions import Judgement
from plugins_builtin.permissions.rules import Rule, exact


def line_of(command: SimpleCommand) -> str:
    return " ".join(command.words)


def exact_line(command: SimpleCommand) -> str:
    return " ".join((command.path or command.words[0], *command.words[1:]))


def judgement_of(rule: Rule) -> Judgement:
    return Judgement(rule.decision, f"the rule {rule} ({rule.origin}) says {rule.decision}")


def unclear_of(readings: Sequence[CommandReading]) -> str:
    """Returns why there may be more in a line than is known, "" where there is not."""
    return "; ".join(reading.unclear for reading in readings if reading.unclear) if readings else UNREAD.unclear


def with_any_words(proposal: str, check: str) -> str:
    """The rule for a check's command: what makes its report has another path each time."""
    wanted = exact("run", check).removesuffix(")")
    return f"{wanted} *)" if proposal.startswith((f"{wanted} ", f"{wanted})")) else proposal
