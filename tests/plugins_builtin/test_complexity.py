"""When a task is split, and when never."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import AgenticError, Complexity, Message
from plugins_builtin.complexity.rules import by_rules
from plugins_builtin.complexity.votes import LlmEstimator
from tests.conftest import Agentic

PROMPTS = json.loads((Path(__file__).parent / "complexity_prompts.json").read_text(encoding="utf-8"))
THRESHOLD = 0.7
UNSURE = (
    "Write these files independently: stats.py for statistics, plot.py for charts, report.py for reports, tests for each of them"
)
VOTE = {"kind": "separable", "score": 0.9, "parts": ["statistics", "charts", "reports"], "reason": "three modules"}


def splits(found: Complexity) -> bool:
    return found.separable and found.score > THRESHOLD


def test_the_rules_alone_are_right_when_they_split() -> None:
    split = [prompt for prompt in PROMPTS if splits(by_rules(prompt["task"]))]
    right = sum(prompt["decompose"] for prompt in split)
    assert right / len(split) >= 0.9
    assert right >= 0.8 * sum(prompt["decompose"] for prompt in PROMPTS)


def test_the_set_is_large_and_half_of_it_korean() -> None:
    assert len({prompt["task"] for prompt in PROMPTS}) >= 60
    assert 0.45 <= sum(prompt["language"] == "ko" for prompt in PROMPTS) / len(PROMPTS) <= 0.55


@given(
    st.sampled_from(["Add", "Implement", "Create", "Rewrite", "Build"]), st.text(max_size=60), st.sampled_from(["py", "rs", "tsx"])
)
def test_one_file_is_never_split(verb: str, rest: str, ending: str) -> None:
    assert not splits(by_rules(f"{verb} a backend server, frontend, database, tests, {rest.replace('.', ' ')} in app.{ending}"))


class Votes:
    """A model that gives these answers."""

    def __init__(self, *answers: str, error: AgenticError | None = None) -> None:
        self.answers = list(answers)
        self.error = error
        self.asked: list[Sequence[Message]] = []

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        raise AssertionError("votes go out together")

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        self.asked += prompts
        if self.error is not None:
            raise self.error
        return self.answers


def estimate(model: Votes, task: str = UNSURE) -> Complexity:
    return asyncio.run(LlmEstimator().estimate(task, model))


def test_three_votes_and_the_majority_counts() -> None:
    model = Votes(json.dumps(VOTE), json.dumps(VOTE | {"score": 0.8}), json.dumps(VOTE | {"kind": "sequential"}))
    found = estimate(model)
    assert len({prompt[0].content for prompt in model.asked}) == 3
    assert (found.score, found.separable, found.parts) == (0.85, True, ("statistics", "charts", "reports"))
    assert "2 of 3 votes: separable" in found.reasons


def test_disagreement_is_one_agents_work() -> None:
    model = Votes(*(json.dumps(VOTE | {"kind": kind}) for kind in ("separable", "sequential", "small_edit")))
    found = estimate(model)
    assert not found.separable
    assert any("disagree" in reason for reason in found.reasons)


@given(st.lists(st.one_of(
    st.text(), st.just('{"kind": "separable", "score": 1.7, "parts": [], "reason": ""}'), st.just("NaN"), st.just(""),
    st.just('{"kind": "separable", "score": NaN, "parts": ["a", "b"], "reason": ""}'), st.just("[]"), st.just('{"score": 0.9}'),
), max_size=3))  # fmt: skip
def test_junk_never_splits(answers: list[str]) -> None:
    assert not estimate(Votes(*answers)).separable


def test_one_good_vote_among_junk_is_no_majority() -> None:
    assert not estimate(Votes(json.dumps(VOTE), "prose", "")).separable


def test_a_model_that_cannot_be_asked_is_no_reason_to_split() -> None:
    found = estimate(Votes(error=AgenticError("no endpoint answered")))
    assert not found.separable
    assert "no endpoint answered" in found.reasons[-1]


@pytest.mark.parametrize(
    "prompt", [prompt for prompt in PROMPTS if not prompt["decompose"]], ids=lambda prompt: prompt["task"][:30]
)
def test_what_the_rules_are_sure_of_costs_no_call(prompt: dict[str, Any]) -> None:
    model = Votes()
    estimate(model, prompt["task"])
    assert not model.asked


def test_the_decision_and_its_reasons_are_shown(agentic: Agentic, server: Any) -> None:
    server.say("4721")
    question = "What is the difference between the frontend and the backend?"
    done = agentic("run", question, "--endpoint", server.url, "-c", "tools.protocol=native", "--debug")
    assert "it is a question" in done.err
    assert len(server.chats) == 1
    server.say("4721")
    assert "complexity" not in agentic("run", question, "--endpoint", server.url, "-c", "tools.protocol=native").err


@given(st.text())
def test_any_task_has_a_score(task: str) -> None:
    assert 0 <= by_rules(task).score <= 1


WISHES = """
The tests fail, can you fix them?
When the list is empty, average() crashes. Fix it.
Review calc.py and fix the bugs you find
How the date is printed is wrong. Change it to ISO.
Is there a bug in foo? If so, fix it.
Do the following: fix the bug in a.py
Fix the failing test, ok?
In main.py add a --verbose flag
Also add tests
Just fix it
Let's add a test
You should fix the typo
버그 고쳐줄래?
테스트가 왜 실패하는지 보고 고쳐줘
README에 설치 방법을 설명해 주는 절을 추가해줘
python 언어로 구현된 계산기를 만들고 싶은데
fix the bug in a.py
Write b.py.
Can you rename x to y?
add a flag
write a calculator in Python
Create a file a.txt with one line
make add in calc.py add
add in calc.py subtracts: make it add
- fix the bug
1. add type hints
Please write tests for calc.py
implement the parser
"""
NO_WISHES = """
Analyse auth.py for security holes; change nothing.
Only look at app.py, change nothing
Run the tests and report the failures, change nothing
아무것도 수정하지 마
수정하지 말고 문제만 찾아줘
Can you explain how to fix it?
Could you tell me how to fix this?
Show me how to add a route in Flask
Suggest three ways to improve this function
List the files we would have to change for it
Find out which tests I need to update
Check whether app.py has to change
Would you recommend to change the design?
Create a branch named x
Create a commit with the staged changes and push it
Commit the changes and create a pull request
Delete the branch old-login
Create a tag
Create a GitHub issue about it
Build the project and tell me if it compiles
make test
Write a commit message
Write a PR description
Write a regex that matches dates
Create a summary of this repository
Convert 10 miles to km
Add 2 and 3
Make it shorter
Write a short description of the module
Build fails with x, find out why
Port 8080 is already in use
Update: it works now, thanks!
Change of plan: we do it tomorrow
Drop it, thanks
Move on
Update me on where we are
수정된 파일을 보여줘
추가된 기능을 정리해줘
개발 환경을 살펴봐
생성자를 찾아줘
what does a.py do?
how do I fix a.py?
What happens if I rename it and delete the file?
write a summary of this folder
Read all files.
Explain how the cache works
"""


@pytest.mark.parametrize("task", WISHES.strip().split("\n"))
def test_a_task_that_asks_for_a_change_is_known(task: str) -> None:
    assert by_rules(task).changes


@pytest.mark.parametrize("task", NO_WISHES.strip().split("\n"))
def test_questions_remarks_and_what_changes_no_file_are_no_such_task(task: str) -> None:
    assert not by_rules(task).changes


@pytest.mark.parametrize("piece", ["\n", "a ", "and ", "- ", "please ", "fix ", ". ", "can you "])
def test_a_long_task_is_read_in_no_time(piece: str) -> None:
    assert not by_rules(f"Look at this log{piece * 100_000}x").changes
