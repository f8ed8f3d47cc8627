"""The proof of a goal: its checks succeed, as they were fixed, and run as many tests as at first."""

from pathlib import Path

from agentic import Conversation
from agentic.lib.record import record
from plugins_builtin.goals.fixed import number_of_tests, weakened
from plugins_builtin.goals.goal import Goal

MAX_SHOWN = 2_000  # characters of a check's output that the model gets


@record(frozen=True)
class GoalVerdict:
    """`failing` is what fails, "" for nothing, `changed` what was done to the checks themselves; `counted` are tests by check."""

    failing: str
    changed: tuple[str, ...]
    counted: dict[str, int]

    @property
    def proved(self) -> bool:
        return not self.failing and not self.changed


async def looked_at(goal: Goal, conversation: Conversation, root: Path) -> GoalVerdict:
    """Runs the checks. Raises AgenticError."""
    failing, counted = [], {}
    for check in goal.checks:
        output = await conversation.run_command(check)
        count = number_of_tests(output.text, not output.failed)
        if count is not None:
            counted[check] = count
        first = goal.counted.get(check)
        if output.failed or output.exit_code not in (0, None):
            failing.append(f"$ {check}\n{_end_of(output.text)}")
        elif first is not None and (count or 0) < first:
            failing.append(f"$ {check}\nIt succeeds, but only {count or 0} tests passed; {first} ran when the goal was set.")
    changed = weakened(root, goal.checks, goal.fixed, goal.hushed)
    return GoalVerdict("\n\n".join(failing), tuple(changed), counted)


def _end_of(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"…{text[-MAX_SHOWN:]}"
