"""The choice among attempts of which none is proved: the fewest failures, then what most of them agree on, then by comparison."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from agentic.hooks.fan_out import Lead
from agentic.lib.contents import put_back
from agentic.lib.record import record
from plugins_builtin.attempts.agreement import answers_of
from plugins_builtin.attempts.contender import Contender
from plugins_builtin.attempts.crossing import passes_of
from plugins_builtin.attempts.tournament import winner_of


@record(frozen=True, slots=True)
class ChosenAttempt:
    """The attempt that is taken and `how` it was found, as in `AttemptsChosen`; `why` says it to people. `agree` answer alike."""

    contender: Contender
    how: str
    why: str
    agree: int = 0


def first_proved(contender: Contender, count: int) -> ChosenAttempt:
    return ChosenAttempt(contender, "proved", f"attempt {contender.number} of {count} is the first that is proved")


async def chosen(contenders: Sequence[Contender], lead: Lead, prompt: Callable[..., str], task: str) -> ChosenAttempt:
    """The one to take. Those that did not come to an end are left out as long as there are others."""
    ended = [each for each in contenders if each.states] or list(contenders[:1])
    best, count = min(each.best.rank for each in ended), len(contenders)
    equal = [each for each in ended if each.best.rank == best]
    first = equal[0]
    if best[0] == 2:
        passed, tests = first.best.verdict.tests
        failing = f" ({tests - passed} of {tests} tests fail)" if tests else ""
        return ChosenAttempt(first, "fewest_failures", f"attempt {first.number} of {count} has the fewest failures{failing}")
    if best[1]:
        waiting = next((each for each in equal if each.command), first)
        return ChosenAttempt(waiting, "no_change", f"none of {count} attempts changed anything that matters")
    if len(equal) == 1:
        return ChosenAttempt(
            first, "only_change", f"attempt {first.number} of {count} is the only one that changed something: not checked"
        )
    for each in equal:
        put_back(each.attempt.agent.workspace, each.best.files)
    given, passes = await answers_of(equal, lead, prompt, task), await passes_of(equal, ended)
    votes = {number: count + passes[number] for number, count in _votes(given).items()}
    most = max(votes.values())
    leading = sorted((each for each in equal if votes[each.number] == most), key=lambda each: (each.size, each.number))
    winner = leading[0]
    same = sum(given[each.number] == given[winner.number] for each in equal)
    if same > 1:
        return ChosenAttempt(winner, "agreement", f"{same} of {count} agree: attempt {winner.number} is taken, not checked", same)
    winner = await winner_of(leading, lead, prompt, task)
    return ChosenAttempt(winner, "comparison", f"attempt {winner.number} of {count} is chosen by comparison: not checked")


def _votes(given: Mapping[int, tuple[str, ...]]) -> dict[int, int]:
    """For each attempt how often others gave the same answer, over all questions."""
    counts: dict[int, Counter[str]] = {}
    for answers in given.values():
        for place, answer in enumerate(answers):
            counts.setdefault(place, Counter())[answer] += 1
    return {number: sum(counts[place][answer] for place, answer in enumerate(answers)) for number, answers in given.items()}
