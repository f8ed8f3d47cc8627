"""The two context strategies."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import AgenticError, ContextOverflow, ContextStrategy, Message, ToolCall, ToolNote, recall_id
from agentic.testing.context_contract import ContextStrategyContract, count
from plugins_builtin.context.keep_all import KeepAll
from plugins_builtin.context.window import TRIM_TO, Window

SYSTEM, TASK = Message("system", "You are an agent."), Message("user", "Task: mend the parser.")


class TestWindow(ContextStrategyContract):
    def make(self) -> ContextStrategy:
        return Window()


class TestKeepAll(ContextStrategyContract):
    def make(self) -> ContextStrategy:
        return KeepAll()


def turn(number: int, output: str, did: str = "run pytest", failed: bool = False) -> list[Message]:
    call = ToolCall(f"c{number}", "run", '{"command": "pytest"}')
    return [
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", output, tool_call_id=call.id, notes=(ToolNote(did, failed, int(failed)),)),
    ]


def long_history(turns: int, size: int = 400) -> list[Message]:
    return [SYSTEM, TASK, *(message for i in range(turns) for message in turn(i, f"{i} " + "x" * size, f"run step{i}"))]


def test_old_outputs_go_first_and_say_how_to_get_them_back() -> None:
    history = long_history(10)
    fitted = Window().fit(history, 1000, count)
    assert len(fitted) == len(history)
    assert (
        fitted[3].content == f"(run step0: exit code 0. The output was left out: recall {recall_id(history[3].content)} shows it.)"
    )
    assert fitted[-2:] == history[-2:]
    assert sum(map(count, fitted)) <= 1000 * TRIM_TO


def test_then_whole_turns_go_and_a_summary_stands_in_for_them() -> None:
    fitted = Window().fit(long_history(100), 1000, count)
    assert fitted[0] == SYSTEM
    assert fitted[1].content.startswith(TASK.content)
    assert "<context>" in fitted[1].content
    assert "- run step" in fitted[1].content
    assert fitted[2].role == "assistant"
    assert sum(map(count, fitted)) <= 1000 * TRIM_TO


def test_a_second_trim_keeps_one_summary_with_the_steps_of_both() -> None:
    once = Window().fit(long_history(30), 1000, count)
    again = Window().fit([*once, *(m for i in range(30, 60) for m in turn(i, "y" * 400, f"run later{i}"))], 1000, count)
    assert again[1].content.count("<context>") == 1
    assert "- run later" in again[1].content


def test_the_last_error_and_the_users_last_word_stay() -> None:
    error = turn(900, "AssertionError: 1 != 2 " + "z" * 200, "run failing", failed=True)
    word = [Message("assistant", "What else?"), Message("user", "Leave the lexer alone!")]
    history = [*long_history(20), *error, *word, *(m for i in range(20, 60) for m in turn(i, "x" * 400))]
    fitted = Window().fit(history, 1500, count)
    text = "\n".join(message.content for message in fitted)
    assert "AssertionError: 1 != 2" in text
    assert "Leave the lexer alone!" in text
    assert sum(map(count, fitted)) <= 1500


def test_what_was_said_on_both_sides_is_summed_up_without_code() -> None:
    said = [Message("assistant", "I use a stack.\n```python\nstack = []\n```"), Message("user", "Good, and name it frames.")]
    fitted = Window().fit([SYSTEM, TASK, *said, *long_history(14)[2:]], 600, count)
    assert "- you said: I use a stack." in fitted[1].content
    assert "Good, and name it frames." in fitted[1].content
    assert "stack = []" not in fitted[1].content


def test_neighbouring_words_of_the_user_become_one_message() -> None:
    history = [SYSTEM, TASK, *long_history(40)[2:], Message("assistant", "Done."), Message("user", "Now the docs.")]
    fitted = Window().fit(history, 600, count)
    roles = [message.role for message in fitted]
    assert all(a != b or a == "tool" for a, b in pairwise(roles))


def test_a_task_that_cannot_fit_is_said_not_cut() -> None:
    with pytest.raises(ContextOverflow):
        Window().fit([SYSTEM, Message("user", "x" * 40_000)], 1000, count)


class Shortener:
    """A model that says everything in a few words."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer
        self.asked: list[Message] = []

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        return (await self.gather([messages], schema, max_tokens))[0]

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.asked += [message for prompt in prompts for message in prompt]
        assert all(count(prompt[0]) + (max_tokens or 0) <= 1000 for prompt in prompts), "the summary's own request does not fit"
        return [self.answer] * len(prompts)


@given(length=st.integers(4_000, 60_000))
def test_a_summary_by_the_model_always_fits(length: int) -> None:
    task = Message("user", "Do this: " + "data " * (length // 5) + " Only the second part.")
    model = Shortener("It is data.")
    fitted = asyncio.run(Window().condense([SYSTEM, task], 1000, count, model))
    assert sum(map(count, fitted)) <= 1000
    assert fitted[1].content.startswith("Do this:")
    assert fitted[1].content.endswith("Only the second part.")


def test_without_a_model_the_middle_is_cut() -> None:
    task = Message("user", "Do this: " + "data " * 4_000 + " Only the second part.")
    fitted = asyncio.run(Window().condense([SYSTEM, task], 1000, count, Shortener(AgenticError("gone"))))
    assert sum(map(count, fitted)) <= 1000
    assert "characters left out" in fitted[1].content
    assert fitted[1].content.endswith("Only the second part.")
