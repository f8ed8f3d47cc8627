"""Trims are rare but large, because any change invalidates the cached prefix after it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from agentic import ContextOverflow, Llm, Message, recall_id
from plugins_builtin.context.condense import shorter
from plugins_builtin.context.summary import phrase, with_summary

TRIM_TO = 0.6
SUMMARY_SHARE = 0.1
Count = Callable[[Message], int]


class Window:
    """A history that fits stays as it is. One that does not is cut to 60 % of the budget.

    Old tool outputs go first, then whole oldest turns, for which a summary of what was done stands in. The system text, the task,
    the user's last word, the last error and the newest turn stay.
    """

    def fit(self, history: Sequence[Message], budget: int, count: Count) -> list[Message]:
        if sum(map(count, history)) <= budget:
            return list(history)
        trimmed = _trimmed(history, budget, count)
        if sum(map(count, trimmed)) > budget:
            raise ContextOverflow("what has to stay of the conversation does not fit the model's window", "serve a larger one")
        return trimmed

    async def condense(self, history: Sequence[Message], budget: int, count: Count, llm: Llm) -> list[Message]:
        """For a history that `fit` cannot fit: its longest messages are shortened by the model, else cut in the middle."""
        messages = _trimmed(history, budget, count)
        for _ in messages:
            sizes = [0 if message.role == "system" else count(message) for message in messages]
            excess = sum(map(count, messages)) - budget
            if excess <= 0:
                break
            longest = sizes.index(max(sizes))
            room = max(sizes[longest] - excess, budget // 8)
            content = await shorter(messages[longest], room, budget, count, llm)
            messages[longest] = messages[longest].with_text(content)
        if sum(map(count, messages)) > budget:
            raise ContextOverflow("what has to stay of the conversation does not fit the model's window", "serve a larger one")
        return messages


def _trimmed(history: Sequence[Message], budget: int, count: Count) -> list[Message]:
    head_length = next((i for i, message in enumerate(history) if message.role == "assistant"), len(history))
    head, units = list(history[:head_length]), _units(history[head_length:])
    target = int(budget * TRIM_TO)
    units = _stubbed(units, sum(map(count, history)) - target, count, spare_newest=True)
    excess = sum(map(count, head)) + sum(_size(unit, count) for unit in units) + int(budget * SUMMARY_SHARE) - target
    dropped: list[Message] = []
    if excess > int(budget * SUMMARY_SHARE):
        units, dropped = _without_oldest(units, excess, count)
    if dropped:
        head = with_summary(head, dropped, int(budget * SUMMARY_SHARE), count)
    excess = sum(map(count, head)) + sum(_size(unit, count) for unit in units) - budget
    if excess > 0:
        units = _stubbed(units, excess, count, spare_newest=False)
    return _alternating([*head, *(message for unit in units for message in unit)])


def _units(messages: Sequence[Message]) -> list[list[Message]]:
    """Groups the messages that may only go together: an answer with the results of its calls, or a word of the user's."""
    units: list[list[Message]] = []
    for message in messages:
        if units and (message.role == "tool" or message.notes):
            units[-1].append(message)
        else:
            units.append([message])
    return units


def _size(unit: Sequence[Message], count: Count) -> int:
    return sum(map(count, unit))


def _stubbed(units: list[list[Message]], excess: int, count: Count, spare_newest: bool) -> list[list[Message]]:
    """Old tool outputs replaced by a line each, the oldest first, until `excess` tokens are saved."""
    spared = _last_failed(units)
    for number, unit in enumerate(units):
        newest = number == len(units) - 1
        if newest and spare_newest:
            break
        for place, message in enumerate(unit):
            if excess <= 0:
                return units
            if not message.notes or (message is spared and spare_newest):
                continue
            stub = replace(message, content=_stub(message))
            if (saved := count(message) - count(stub)) > 0:
                units[number] = unit = [*unit[:place], stub, *unit[place + 1 :]]
                excess -= saved
    return units


def _stub(message: Message) -> str:
    did = "; ".join(phrase(note) for note in message.notes)
    return f"({did}. The output was left out: recall {recall_id(message.text)} shows it.)"


def _last_failed(units: Sequence[Sequence[Message]]) -> Message | None:
    failed = (message for unit in reversed(units) for message in reversed(unit) if any(note.failed for note in message.notes))
    return next(failed, None)


def _without_oldest(units: list[list[Message]], excess: int, count: Count) -> tuple[list[list[Message]], list[Message]]:
    error = _last_failed(units)
    said = [number for number, unit in enumerate(units) if unit[0].role == "user"]
    kept: list[list[Message]] = []
    dropped: list[Message] = []
    for number, unit in enumerate(units):
        stays = number >= len(units) - 1 or number == max(said, default=-1) or any(message is error for message in unit)
        if excess > 0 and not stays:
            excess -= _size(unit, count)
            dropped += unit
        else:
            kept.append(unit)
    return kept, dropped


def _alternating(messages: Sequence[Message]) -> list[Message]:
    """Neighbours that are both the user's become one: many templates want the roles to alternate."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role == "user":
            message = joined.pop().and_then(message)
        joined.append(message)
    return joined
