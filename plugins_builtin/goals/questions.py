"""The questions of a goal that runs by itself: collected, and put to the user together."""

from collections.abc import Awaitable, Callable

from agentic import Answered, Event, Question
from agentic.events import ApprovalAnswered, ApprovalAsked
from agentic.lib.questions import Ask
from agentic.lib.turns import answered

ABSENT = "nobody is here to be asked: go on with the rest"


class GoalQuestions:
    """Whom the agents ask: a no for now, and a yes once the user has agreed to that very thing."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Question] = {}
        self._agreed: set[tuple[str, str]] = set()

    async def __call__(self, question: Question) -> Answered:
        key = question.what, question.body
        if key in self._agreed:
            return Answered("once")
        self._waiting.setdefault(key, question)
        return Answered("no", ABSENT)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Each in one line."""
        return tuple(question.in_one_line for question in self._waiting.values())

    async def put(self, ask: Ask, emit: Callable[[Event], Awaitable[None]]) -> bool:
        """Puts all of them in one question; True where the user agrees to them. False where there are none."""
        if not self._waiting:
            return False
        each = [f"{number}. {one.what}\n{one.body}".rstrip() for number, one in enumerate(self._waiting.values(), 1)]
        warnings = dict.fromkeys(warning for one in self._waiting.values() for warning in one.warnings)
        together = Question(f"allow these {len(each)}, which waited", body="\n\n".join(each), warnings=tuple(warnings), own=True)
        await emit(ApprovalAsked(what=together.what, body=together.body, warnings=together.warnings))
        is_granted = answered(await ask(together)).reply != "no"
        await emit(ApprovalAnswered(what=together.what, granted=is_granted))
        if not is_granted:
            return False
        self._agreed |= set(self._waiting)
        self._waiting.clear()
        return True
