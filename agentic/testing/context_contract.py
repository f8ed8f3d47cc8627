"""The contract of every context strategy. Subclass it in a test module, with `make` giving yours; needs hypothesis and pytest."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings, strategies as st

from agentic.errors import ContextOverflow
from agentic.hooks.context import ContextStrategy
from agentic.types import Message, ToolCall, ToolNote

TASK = "Task: mend the parser, and nothing else."
_SHARED = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow])  # by all who subclass it
_TEXT = st.text(alphabet="abc de\nf{}é한", max_size=40)


def count(message: Message) -> int:
    """Tokens as these tests count them."""
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return 4 + (len(message.text.encode()) + len(message.reasoning) + calls) // 4


@st.composite
def _native_turn(draw: st.DrawFn) -> list[Message]:
    number = draw(st.integers(0, 10**9))
    calls = tuple(ToolCall(f"c{number}-{i}", "read_file", '{"path": "a.py"}') for i in range(draw(st.integers(1, 3))))
    results = [
        Message("tool", draw(_TEXT) * draw(st.integers(0, 40)), tool_call_id=call.id, notes=(draw(_notes()),)) for call in calls
    ]
    return [Message("assistant", draw(_TEXT), draw(_TEXT), calls), *results]


@st.composite
def _text_turn(draw: st.DrawFn) -> list[Message]:
    said = Message("assistant", '{"tool": "run", "arguments": {"command": "true"}}')
    return [said, Message("user", draw(_TEXT) * draw(st.integers(0, 40)), notes=(draw(_notes()),))]


@st.composite
def _words(draw: st.DrawFn) -> list[Message]:
    return [Message("assistant", draw(_TEXT) + "."), Message("user", draw(_TEXT) + "?")]


def _notes() -> st.SearchStrategy[ToolNote]:
    return st.builds(
        ToolNote, st.sampled_from(["run pytest", "read_file a.py", "edit_file a.py"]), st.booleans(), st.sampled_from([None, 0, 1])
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """A system text, a task, and turns as native calls, as text, or as words on both sides; the end asks for an answer."""
    turns = draw(st.lists(st.one_of(_native_turn(), _text_turn(), _words()), max_size=14))
    return [Message("system", "You are an agent."), Message("user", TASK), *(message for turn in turns for message in turn)]


class ContextStrategyContract:
    """The methods are the tests. A strategy that cannot fit a history raises ContextOverflow."""

    def make(self) -> ContextStrategy:
        raise NotImplementedError

    def _fit(self, history: Sequence[Message], budget: int) -> list[Message] | None:
        try:
            return self.make().fit(history, budget, count)
        except ContextOverflow:
            return None

    @_SHARED
    @given(history=histories(), budget=st.integers(50, 4_000))
    def test_never_exceeds_the_budget(self, history: list[Message], budget: int) -> None:
        fitted = self._fit(history, budget)
        assert fitted is None or sum(map(count, fitted)) <= budget

    @_SHARED
    @given(history=histories(), budget=st.integers(50, 4_000))
    def test_leaves_alone_what_fits(self, history: list[Message], budget: int) -> None:
        if sum(map(count, history)) <= budget:
            assert self._fit(history, budget) == history

    @_SHARED
    @given(history=histories(), budget=st.integers(50, 4_000))
    def test_never_splits_a_call_from_its_result(self, history: list[Message], budget: int) -> None:
        asked: list[str] = []
        for message in self._fit(history, budget) or ():
            if message.role == "tool":
                assert message.tool_call_id in asked, "a result without its call, or before it"
                asked.remove(message.tool_call_id)
            else:
                assert not asked, "a call without its result"
                asked = [call.id for call in message.tool_calls]

    @_SHARED
    @given(history=histories(), budget=st.integers(50, 4_000))
    def test_a_second_time_changes_nothing(self, history: list[Message], budget: int) -> None:
        once = self._fit(history, budget)
        assert once is None or self._fit(once, budget) == once

    @_SHARED
    @given(history=histories(), budget=st.integers(50, 4_000))
    def test_keeps_system_text_task_and_newest_message(self, history: list[Message], budget: int) -> None:
        fitted = self._fit(history, budget)
        if fitted is not None:
            assert fitted[0] == history[0]
            assert fitted[1].text.startswith(TASK)
            assert fitted[-1].role == history[-1].role

    def test_fits_any_number_of_small_turns(self) -> None:
        """Checks that where the task and newest turn take little, something is left out; or the strategy says it cannot."""
        words = [Message("assistant", "Yes."), Message("user", "Go on.")]
        fitted = self._fit([Message("system", "You are an agent."), Message("user", TASK), *words * 200], 400)
        assert fitted is None or fitted[-1].text.endswith("Go on.")
