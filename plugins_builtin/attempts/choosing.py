"""The choice among attempts of which none is proved: the fewest failures, then what most of them agree on, then the smallest."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from agentic import Attempt, Outcome
from agentic.hooks.fan_out import Lead
from agentic.lib.record import record
from plugins_builtin.attempts.agreement import answers_of
from plugins_builtin.attempts.states import State


@record(slots=True)
class Contender:
    """An attempt by its number, with its states so far."""

    number: int
    attempt: Attempt
    outcome: Outcome = Outcome("skipped", "")
    states: list[State] = field(default_factory=list)

    @property
    def best(self) -> State:
        """The best of its states, the earlier of equals."""
        return min(self.states, key=lambda state: state.rank)

    @property
    def size(self) -> int:
        """Bytes of the files that it changed."""
        return sum(len(data or b"") for data in self.best.files.values())


async def chosen(contenders: Sequence[Contender], lead: Lead, prompt: Callable[..., str], task: str) -> tuple[Contender, str]:
    """(the one to take, why). Those that did not come to an end are left out as long as there are others."""
    ended = [each for each in contenders if each.states] or list(contenders[:1])
    best = min(each.best.rank for each in ended)
    equal = [each for each in ended if each.best.rank == best]
    if best[0] == 2:
        failing = equal[0].best.verdict.failures
        return equal[0], f"attempt {equal[0].number} of {len(contenders)} has the fewest failures ({failing})"
    if best[1]:
        return equal[0], f"none of {len(contenders)} attempts changed anything that matters"
    if len(equal) == 1:
        return equal[0], f"attempt {equal[0].number} of {len(contenders)} is the only one that changed something: not checked"
    given = await answers_of(equal, lead, prompt, task)
    votes = _votes(given)
    most = max(votes.values())
    winner = min((each for each in equal if votes[each.number] == most), key=lambda each: (each.size, each.number))
    same = sum(given[each.number] == given[winner.number] for each in equal)
    if same > 1:
        return winner, f"{same} of {len(contenders)} agree: attempt {winner.number} is taken, not checked"
    return winner, f"attempt {winner.number} of {len(contenders)} is chosen by comparison: not checked"


def _votes(given: Mapping[int, tuple[str, ...]]) -> dict[int, int]:
    """For each attempt how often others gave the same answer, over all questions."""
    counts: dict[int, Counter[str]] = {}
    for answers in given.values():
        for place, answer in enumerate(answers):
            counts.setdefault(place, Counter())[answer] += 1
    return {number: sum(counts[place][answer] for place, answer in enumerate(answers)) for number, answers in given.items()}
