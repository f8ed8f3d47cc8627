"""An attempt as it was at some time: its files, and what the judge said of them."""

from collections.abc import Sequence

from agentic.hooks.checks import JudgeVerdict
from agentic.lib.contents import Contents
from agentic.lib.record import record


@record(frozen=True, slots=True)
class State:
    """`files` are all that differ from how the attempt began."""

    verdict: JudgeVerdict
    files: Contents

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The lower the better: what is proved, then what nothing speaks against, then the fewest failures."""
        verdict = self.verdict
        return ("done", "unchecked", "gave_up").index(verdict.status), not verdict.matters, verdict.failures


def best_of(states: Sequence[State]) -> State:
    """The best of them, the earlier of equals."""
    return min(states, key=lambda state: state.rank)
