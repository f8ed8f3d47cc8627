"""Attempts: several agents at one task, in trees of their own; what is proved is taken, else what speaks most for itself."""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic import Answered, Question
from agentic.events import Event, RunFinished, SubAgentStarted, ToolCalled, Warned
from agentic.lib.questions import Reply
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, run_in_process, tool_call
from plugins_builtin.attempts.events import AttemptJudged, AttemptsChosen
from tests.conftest import Agentic
from tests.terminal import terminal

Texts = Callable[[Request, int], str]
ALL = {"approval.mode": "all", "sandbox.mode": "off", "tools.protocol": "native"}
CHECK = "grep -q right a.txt || ! echo a.txt is wrong"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "a.txt").write_text("old\n")
    (folder / "f.py").write_text("def f(x):\n    return x\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def writes(texts: Texts, path: str = "a.txt") -> Callable[[Request], ScriptedAnswer]:
    """Each attempt writes a text of its own, told apart by its seed, and again when it is told something; then it is done."""
    times: dict[Any, int] = {}

    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("done")
        seed = request.json.get("seed")
        times[seed] = times.get(seed, 0) + 1
        return answer(tool_calls=tool_call("write_file", {"path": path, "content": texts(request, times[seed])}))

    return reply


def tried(
    repository: Path, reply: Callable[[Request], ScriptedAnswer], server: FakeVLLM, task: str = "mend it", **settings: Any
) -> list[Event]:
    """All that happens in a run with these settings, by dotted key with _ for the dot."""
    more = {name.replace("_", ".", 1): value for name, value in settings.items()}
    return run_in_process(task, reply, ALL | more, root=repository, server=server)


def end(events: list[Event]) -> RunFinished:
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def asked_in(
    repository: Path, reply: Callable[[Request], ScriptedAnswer], server: FakeVLLM, *replies: Reply, count: int = 3
) -> tuple[list[Event], list[Question]]:
    """All that happens in a run in the mode that asks, and the questions, answered so; "no" when there are no more answers."""
    questions: list[Question] = []
    given = iter(replies)

    async def approve(question: Question) -> Answered:
        questions.append(question)
        return Answered(next(given, "no"), "not like this")

    settings = ALL | {"approval.mode": "ask", "attempts.count": count}
    return run_in_process("mend it", reply, settings, root=repository, server=server, approve=approve), questions


async def answered_blue(question: Question) -> Answered:
    return Answered("once", "blue")


def choice(events: list[Event]) -> str:
    (said,) = [event.why for event in events if isinstance(event, AttemptsChosen)]
    return said


def left_over(repository: Path) -> Iterator[str]:
    """Yields the worktrees that git still knows, and the files that were not there before."""
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True).stdout
    yield from listed.splitlines()[1:]
    yield from (path.name for path in repository.iterdir() if path.name not in (".git", "a.txt", "f.py"))


def test_the_first_that_is_proved_is_taken_and_the_others_leave_nothing(repository: Path, server: FakeVLLM) -> None:
    reply = writes(lambda request, time: "right\n" if request.json.get("seed") == 2 else "wrong\n")
    events = tried(repository, reply, server, attempts_count=4, checks_test=CHECK)
    assert (end(events).status, end(events).files) == ("done", ("a.txt",))
    assert choice(events) == "attempt 3 of 4 is the first that is proved"
    assert (repository / "a.txt").read_text() == "right\n"
    assert len([event for event in events if isinstance(event, SubAgentStarted)]) >= 4
    assert list(left_over(repository)) == []


def test_they_begin_with_the_same_prompt_and_differ_by_sampling_and_a_hint(repository: Path, server: FakeVLLM) -> None:
    tried(repository, writes(lambda request, time: "x\n"), server, attempts_count=4)
    first = {request.json.get("seed"): request.json for request in server.chats if request.json["messages"][-1]["role"] == "user"}
    assert [first[seed].get("temperature") for seed in (None, 1, 2, 3)] == [None, 0.4, 0.7, 0.9]
    assert first[None]["messages"] == first[1]["messages"]
    assert first[None]["tools"] == first[3]["tools"]
    told = [first[seed]["messages"][-1]["content"] for seed in (1, 2)]
    assert told[1].startswith(told[0]) and "another way" in told[1]
    assert "Task: mend it" in told[0]


def test_the_fewest_failures_count_where_none_is_proved_and_a_repair_that_harms_does_not(
    repository: Path, server: FakeVLLM
) -> None:
    """The second has one failure at first; told of it, it makes more of them."""
    lines = [f"def test_{name}():\n    assert f.{name} == 1\n" for name in ("one", "two", "three")]
    (repository / "test_f.py").write_text("\n\n".join(["import f\n", *lines]))

    def texts(request: Request, time: int) -> str:
        good = request.json.get("seed") == 1 and time == 1
        return "one = two = 1\nthree = 0\n" if good else "one = two = three = 0\n"

    events = tried(repository, writes(texts, "f.py"), server, attempts_count=2, attempts_rounds=1)
    assert choice(events) == "attempt 2 of 2 has the fewest failures (1 of 3 tests fail)"
    first = next(event for event in events if isinstance(event, AttemptsChosen))
    later = events[events.index(first) :]
    assert [event for event in later if isinstance(event, ToolCalled) and event.agent == "main"], (
        "the agent itself goes on from there"
    )
    assert end(events).status == "gave_up"


@pytest.mark.parametrize("text", ["old", "wrong"])  # the second is a change: the model begins anew with it
def test_one_that_goes_on_is_sampled_otherwise(repository: Path, server: FakeVLLM, text: str) -> None:
    """A server makes the same of the same prompt and seed, and a model that begins anew may have nothing new in its prompt."""

    def reply(request: Request) -> ScriptedAnswer:
        return answer(f"a.txt\n```\n{text}\n```\n")

    tried(repository, reply, server, attempts_count=2, attempts_rounds=2, checks_test=CHECK, tools_protocol="fenced")
    second = [request.json for request in server.chats if request.json.get("seed") is not None]
    assert [each["seed"] % 1000 for each in second] == [1, 1, 1]
    for before, after in itertools.pairwise(second):
        assert (before["seed"], before["temperature"]) < (after["seed"], after["temperature"]) and after["temperature"] >= 0.7


def test_where_git_can_make_no_tree_the_agent_does_it_alone(repository: Path, server: FakeVLLM) -> None:
    (repository / ".git" / "worktrees").write_text("in the way")
    events = tried(repository, writes(lambda request, time: "right\n"), server, attempts_count=2, checks_test=CHECK)
    assert (end(events).status, end(events).files, end(events).missing) == ("done", ("a.txt",), ())
    (why,) = [event.message for event in events if isinstance(event, Warned)]
    assert why.startswith("one attempt only: ")


def test_a_name_of_two_lines_is_a_name(repository: Path, server: FakeVLLM) -> None:
    name = "two\nlines.txt"
    (repository / name).write_text("wrong\n")
    check = "grep -q right two*lines.txt || ! echo it is wrong"
    reply = writes(lambda request, time: "right\n", name)
    events = tried(repository, reply, server, attempts_count=2, checks_test=check)
    assert end(events).status == "done"
    assert (repository / name).read_text() == "right\n"


PRINTS = "from f import f\nfor number in range(4):\n    print(number, f(number))\n"


def test_what_most_agree_on_is_taken_where_nothing_proves_anything(repository: Path, server: FakeVLLM) -> None:
    """Three ways to double, two of which do; one that changes nothing is no vote."""
    bodies = {None: "x * 3", 1: "x + x", 2: "2 * x", 3: "x"}

    def texts(request: Request, time: int) -> str:
        return f"def f(x):\n    return {bodies[request.json.get('seed')]}\n"

    inner = writes(texts, "f.py")

    def reply(request: Request) -> ScriptedAnswer:
        if "Write one program" in str(request.json["messages"][-1]["content"]):
            return answer(f"```python\n{PRINTS}```")
        return inner(request)

    events = tried(repository, reply, server, attempts_count=4, attempts_rounds=0)
    assert choice(events) == "2 of 4 agree: attempt 2 is taken, not checked"
    assert (repository / "f.py").read_text() == "def f(x):\n    return x + x\n"
    assert end(events).status == "unchecked"
    assert list(left_over(repository)) == []


def test_they_begin_after_the_first_ones_work_failed(repository: Path, server: FakeVLLM) -> None:
    reply = writes(lambda request, time: "right\n" if request.json.get("seed") == 1 else "wrong\n")
    events = tried(repository, reply, server, attempts_auto=2, checks_test=CHECK)
    assert end(events).status == "done"
    assert choice(events) == "attempt 2 of 2 is the first that is proved"
    assert (repository / "a.txt").read_text() == "right\n"


ELSEWHERE = {
    "a mode that asks, with nobody to ask": ({"approval.mode": "ask"}, "with nobody to ask"),
    "a mode that changes nothing": ({"approval.mode": "none"}, "nothing may be run"),
    "no repository": ({}, "in no git repository"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_one_attempt_is_made_where_more_cannot_be_and_the_user_is_told(repository: Path, server: FakeVLLM, name: str) -> None:
    settings, why = ELSEWHERE[name]
    if name == "no repository":
        subprocess.run(["rm", "-rf", ".git"], cwd=repository, check=True)
    events = run_in_process("what is this?", ["a project"], ALL | {"attempts.count": 3} | settings, root=repository, server=server)
    (warned,) = [event.message for event in events if isinstance(event, Warned) and "one attempt only" in event.message]
    assert why in warned
    assert len(server.chats) == 1 and end(events).status == "done"


def test_more_than_sixteen_are_never_made(repository: Path, server: FakeVLLM) -> None:
    subprocess.run(["rm", "-rf", ".git"], cwd=repository, check=True)  # so that one is made
    events = run_in_process("what is this?", ["a project"], ALL | {"attempts.count": 50}, root=repository, server=server)
    assert "16 attempts instead of 50: more are never made" in [event.message for event in events if isinstance(event, Warned)]


def test_it_is_an_option_of_run(agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    assert "--attempts VALUE" in agentic("--help").out
    server.otherwise = writes(lambda request, time: "right\n")
    words = ("--approve", "all", "--no-sandbox", "-c", "tools.protocol=native", "-c", f"checks.test={CHECK}")
    done = agentic(
        "run", "mend it", "-C", str(repository), "--attempts", "2", "--endpoint", server.url, *words, "--output", "jsonl"
    )
    assert done.code == 0, done.err
    assert len(done.of_type("sub_agent_started")) == 2
    wrong = agentic("run", "mend it", "-C", str(repository), "--attempts", "two", "--endpoint", server.url)
    assert wrong.code == 2 and "attempts.count" in wrong.err


def test_the_chat_has_it_for_one_task(server: FakeVLLM, repository: Path, env: dict[str, str]) -> None:
    server.otherwise = writes(lambda request, time: "right\n")
    words = [
        "--endpoint",
        server.url,
        "--approve",
        "all",
        "--no-sandbox",
        "-c",
        "tools.protocol=native",
        "-c",
        f"checks.test={CHECK}",
    ]
    with terminal(words, env, repository) as shown:
        shown.until(lambda: "›" in shown.text or ">" in shown.text)
        shown.type("/attempts 1 mend it\r")
        shown.until(lambda: "a number from 2 to 16 and a task" in shown.text)
        shown.type("/attempts 2 mend it\r")
        shown.until(lambda: "is the first that is proved" in shown.text)
        shown.type("/quit\r")
        shown.until_ended()
    assert (repository / "a.txt").read_text() == "right\n"


def test_a_folder_below_the_top_of_its_repository_is_as_good(repository: Path, server: FakeVLLM) -> None:
    """The same names stand at the top, with other contents; and one that git would quote."""
    inner = repository / "inner"
    inner.mkdir()
    (inner / "a.txt").write_text("inner\n")
    (inner / '"odd.txt').write_text("odd\n")
    events = tried(inner, writes(lambda request, time: "right\n"), server, attempts_count=2, checks_test=CHECK)
    assert (end(events).status, end(events).files) == ("done", ("a.txt",))
    assert ((inner / "a.txt").read_text(), (repository / "a.txt").read_text()) == ("right\n", "old\n")


def test_one_that_does_nothing_proves_nothing(repository: Path, server: FakeVLLM) -> None:
    inner = writes(lambda request, time: "right\n")
    events = tried(
        repository,
        lambda request: inner(request) if request.json.get("seed") == 1 else answer("I cannot do that."),
        server,
        attempts_count=2,
        checks_test="grep -q . a.txt",
    )
    assert choice(events) == "attempt 2 of 2 is the first that is proved"
    assert (repository / "a.txt").read_text() == "right\n"


def test_a_file_that_is_to_go_is_not_asked_for_again(repository: Path, server: FakeVLLM) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("done")
        assert "there is no such file" not in str(request.json["messages"][-1]["content"])
        return answer(tool_calls=tool_call("run", {"command": "rm a.txt"}))

    events = tried(repository, reply, server, task="Delete a.txt", attempts_count=2, checks_test="test ! -e a.txt")
    assert end(events).status == "done"
    assert not (repository / "a.txt").exists()


def test_all_of_a_commands_many_files_are_taken_with_what_may_be_run(repository: Path, server: FakeVLLM) -> None:
    command = "for n in $(seq 300); do echo new > f$n.txt; done; printf '#!/bin/sh\\n' > run.sh; chmod +x run.sh"

    def reply(request: Request) -> ScriptedAnswer:
        done = request.json["messages"][-1]["role"] == "tool"
        return answer("done") if done else answer(tool_calls=tool_call("run", {"command": command}))

    tried(repository, reply, server, attempts_count=2, checks_test="test -x run.sh")
    assert len(list(repository.glob("f*.txt"))) == 300
    assert (repository / "run.sh").stat().st_mode & 0o100


def test_questions_that_cannot_be_asked_leave_the_files_to_agree(repository: Path, server: FakeVLLM) -> None:
    """The model's program is none; two of three wrote the same."""
    inner = writes(lambda request, time: f"def f(x):\n    return {'3' if request.json.get('seed') is None else '2'} * x\n", "f.py")

    def reply(request: Request) -> ScriptedAnswer:
        is_asked = "Write one program" in str(request.json["messages"][-1]["content"])
        return answer("I would rather not.") if is_asked else inner(request)

    events = tried(repository, reply, server, attempts_count=3, attempts_rounds=0)
    assert choice(events) == "2 of 3 agree: attempt 2 is taken, not checked"


def test_an_environment_beside_the_files_is_there_for_the_checks(repository: Path, server: FakeVLLM) -> None:
    (repository / ".gitignore").write_text(".venv\n")
    (repository / ".venv" / "bin").mkdir(parents=True)
    (repository / ".venv" / "bin" / "python").write_text("#!/bin/sh\n")
    events = tried(
        repository,
        writes(lambda request, time: "right\n"),
        server,
        attempts_count=2,
        checks_test=f"test -e .venv/bin/python && {CHECK}",
    )
    assert choice(events).endswith("is the first that is proved")
    assert not (repository / ".venv").is_symlink()


def test_what_they_say_is_kept_where_none_changes_anything(repository: Path, server: FakeVLLM) -> None:
    events = tried(repository, lambda request: answer("It doubles numbers."), server, task="what is f?", attempts_count=2)
    assert choice(events) == "none of 2 attempts changed anything that matters"
    assert "It doubles numbers." in end(events).result and end(events).status == "done"


def test_a_mode_that_asks_puts_one_question_about_the_one_that_is_chosen(repository: Path, server: FakeVLLM) -> None:
    events, questions = asked_in(repository, writes(lambda request, time: "new\n"), server, "once")
    assert [question.what for question in questions] == ["take attempt 1: 3 of 3 agree: attempt 1 is taken, not checked"]
    assert "-old" in questions[0].body and "+new" in questions[0].body and questions[0].is_diff
    assert (repository / "a.txt").read_text() == "new\n"
    assert end(events).status == "unchecked"


def test_one_that_is_not_wanted_changes_nothing(repository: Path, server: FakeVLLM) -> None:
    events, questions = asked_in(repository, writes(lambda request, time: "new\n"), server)
    assert len(questions) == 1
    assert (repository / "a.txt").read_text() == "old\n"
    assert end(events).status == "refused" and "not like this" in end(events).result


def runs_then_writes(command: str, later: str = "") -> Callable[[Request], ScriptedAnswer]:
    """Writes a file, runs a command, writes again if there is something to write, and is done."""
    steps = [("write_file", {"path": "a.txt", "content": "new\n"}), ("run", {"command": command})]
    steps += [("write_file", {"path": "a.txt", "content": later})] if later else []

    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        return answer(tool_calls=tool_call(*steps[done])) if done < len(steps) else answer("done")

    return reply


def test_the_first_command_waits_for_the_choice_and_is_asked_about_with_it(repository: Path, server: FakeVLLM) -> None:
    """Three attempts want to run it; one does."""
    ran = repository.parent / "ran"
    command = f"echo ran >> {ran}"
    events, questions = asked_in(repository, runs_then_writes(command), server, "once")
    assert [question.warnings for question in questions] == [(f"it goes on with: {command}",)]
    assert "+new" in questions[0].body
    assert ran.read_text() == "ran\n"
    assert (repository / "a.txt").read_text() == "new\n"
    assert [event.status for event in events if isinstance(event, AttemptJudged)] == ["asks", "asks", "asks", "unchecked"]


def test_what_fails_after_the_answer_is_repaired(repository: Path, server: FakeVLLM) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        steps = [
            ("ask_user", {"question": "which colour?", "choices": ["red", "blue"]}),
            ("write_file", {"path": "a.txt", "content": "wrong\n"}),
            ("write_file", {"path": "a.txt", "content": "right\n"}),
        ]
        is_told = "a.txt is wrong" in str(request.json["messages"][-1]["content"])
        return answer(tool_calls=tool_call(*steps[done])) if done < 2 or is_told else answer("done")

    settings = ALL | {"attempts.count": 2, "checks.test": CHECK, "tools.enabled": ["ask_user", "run", "write_file"]}
    events = run_in_process("mend it", reply, settings, root=repository, server=server, approve=answered_blue)
    assert [event.status for event in events if isinstance(event, AttemptJudged)] == ["asks", "asks", "gave_up", "done"]
    assert (repository / "a.txt").read_text() == "right\n"


def test_what_it_changes_after_the_answer_is_asked_about(repository: Path, server: FakeVLLM) -> None:
    _, questions = asked_in(repository, runs_then_writes("true", later="newer\n"), server, "once", "no")
    assert [("+newer" in question.body) for question in questions] == [False, True]
    assert (repository / "a.txt").read_text() == "old\n"


def test_what_a_model_asks_is_asked_once_of_the_one_that_is_taken(repository: Path, server: FakeVLLM) -> None:
    asked: list[Question] = []

    async def approve(question: Question) -> Answered:
        asked.append(question)
        return Answered("once", "blue" if question.choices else "")

    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        said = str(request.json["messages"][-1]["content"])
        steps = [
            ("write_file", {"path": "a.txt", "content": "new\n"}),
            ("ask_user", {"question": "which colour?", "choices": ["red", "blue"]}),
            ("write_file", {"path": "a.txt", "content": f"{said}\n"}),
        ]
        return answer(tool_calls=tool_call(*steps[done])) if done < len(steps) else answer("done")

    settings = ALL | {"approval.mode": "ask", "attempts.count": 3, "tools.enabled": ["ask_user", "write_file"]}
    run_in_process("mend it", reply, settings, root=repository, server=server, approve=approve)
    assert [question.what for question in asked if question.choices is not None] == ["which colour?"]
    assert "The user says: blue" in (repository / "a.txt").read_text()


def test_a_program_that_would_need_a_question_is_not_run(repository: Path, server: FakeVLLM) -> None:
    """The question would wait for the choice, which waits for the program."""
    inner = writes(lambda request, time: f"def f(x):\n    return x + {request.json.get('seed') or 0}\n", "f.py")

    def reply(request: Request) -> ScriptedAnswer:
        asked = str(request.json["messages"][-1]["content"])
        if "Which of them" in asked:
            return answer('{"better": "A"}')
        return answer(f"```python\n{PRINTS}```") if "Write one program" in asked else inner(request)

    events, questions = asked_in(repository, reply, server, "once")
    assert [question.what for question in questions] == [f"take attempt 1: {choice(events)}"]
    assert "by comparison" in choice(events)


def test_the_first_ones_work_is_there_again_where_no_attempt_is_wanted(repository: Path, server: FakeVLLM) -> None:
    async def approve(question: Question) -> Answered:
        return Answered("no" if question.what.startswith("take") else "once", "")

    settings = ALL | {"approval.mode": "edits", "attempts.auto": 2, "checks.test": CHECK}
    reply = writes(lambda request, time: "first\n" if request.json.get("seed") is None and time == 1 else "wrong\n")
    events = run_in_process("mend it", reply, settings, root=repository, server=server, approve=approve)
    assert end(events).status == "refused"
    assert (repository / "a.txt").read_text() == "first\n"


def test_a_first_that_is_proved_by_then_goes_on_alone(repository: Path, server: FakeVLLM) -> None:
    checks = repository.parent / "checks"

    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        if not done:
            return answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "right\n"}))
        late = {"path": f"{done}.md", "content": "more\n"}
        return answer(tool_calls=tool_call("write_file", late), pause=0.6 if done == 1 else 0) if done < 5 else answer("done")

    events = tried(repository, reply, server, attempts_auto=2, attempts_after=1, checks_test=f"echo ran >> {checks}; {CHECK}")
    assert end(events).status == "done"
    assert len(list(repository.glob("*.md"))) == 4
    assert checks.read_text().count("ran") <= 4


def test_the_others_make_no_requests_while_the_user_is_asked(repository: Path, server: FakeVLLM) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        is_right = request.json.get("seed") == 1
        if is_right and done:
            return answer("done")
        text = "right\n" if is_right else f"wrong {done}\n"
        return answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": text}), pause=0 if is_right else 0.02)

    asked: list[int] = []

    async def approve(question: Question) -> Answered:
        asked.append(len(server.chats))
        await asyncio.sleep(0.5)
        asked.append(len(server.chats))
        return Answered("once", "")

    settings = ALL | {"approval.mode": "edits", "attempts.count": 2, "checks.test": "grep -q right a.txt"}
    more = {"permissions.allow": ["run(grep *)"]}
    run_in_process("mend it", reply, settings | more, root=repository, server=server, approve=approve)
    assert asked[0] == asked[1]


def test_where_nobody_can_be_asked_an_attempt_is_told_so_and_goes_on(repository: Path, server: FakeVLLM) -> None:
    events = tried(repository, runs_then_writes("git push"), server, attempts_count=2, permissions_ask=["run(git push *)"])
    assert "agree" in choice(events)
    assert (repository / "a.txt").read_text() == "new\n"


def test_each_says_how_many_of_its_tests_pass_and_all_are_told_of_with_what_they_cost(repository: Path, server: FakeVLLM) -> None:
    lines = [f"def test_{name}():\n    assert f.{name} == 1\n" for name in ("one", "two", "three")]
    (repository / "test_f.py").write_text("\n\n".join(["import f\n", *lines]))
    texts = {None: "one = two = 1\nthree = 0\n", 1: "one = two = three = 1\n"}
    events = tried(
        repository,
        writes(lambda request, time: texts[request.json.get("seed")], "f.py"),
        server,
        attempts_count=2,
        attempts_rounds=1,
    )
    states = {event.number: event.state for event in events if isinstance(event, AttemptJudged)}
    assert states[2] == "tests: 3 of 3 pass"
    assert states.get(1, "tests: 2 of 3 pass") == "tests: 2 of 3 pass"
    (chosen,) = [event for event in events if isinstance(event, AttemptsChosen)]
    assert (chosen.number, chosen.how) == (2, "proved")
    assert [each["number"] for each in chosen.attempts] == [1, 2]
    assert "+one = two = three = 1" in chosen.attempts[1]["diff"]
    assert chosen.attempts[1]["prompt_tokens"] > 0


def test_they_are_run_against_the_tests_of_each_other(repository: Path, server: FakeVLLM) -> None:
    """Two of three differ in everything; the tests that one of them wrote decide."""
    doubles = {None: "x * 3", 1: "x + x + 0", 2: "x * 4"}

    def reply(request: Request) -> ScriptedAnswer:
        seed, done = request.json.get("seed"), sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        body = f"def f(x):\n    return {doubles.get(seed)}\n"
        if "Write one program" in str(request.json["messages"][-1]["content"]) or done == 2:
            return answer("done")
        if done == 0:
            return answer(tool_calls=tool_call("write_file", {"path": "f.py", "content": body}))
        test = "from f import f\n\n\ndef test_two():\n    assert f(2) == 4\n"
        if seed != 2:
            return answer("done")
        return answer(tool_calls=tool_call("write_file", {"path": "test_double.py", "content": test}))

    events = tried(repository, reply, server, attempts_count=3, attempts_rounds=0)
    assert choice(events).startswith("attempt 2 of 3 is chosen by comparison")
    assert not (repository / "test_double.py").exists()


def test_where_all_differ_the_model_compares_what_they_changed(repository: Path, server: FakeVLLM) -> None:
    """It sees differences, not what was said, each pair in both orders."""
    inner = writes(lambda request, time: {None: "long wrong\n", 1: "the right one\n", 2: "wrong\n"}[request.json.get("seed")])
    compared: list[str] = []

    def reply(request: Request) -> ScriptedAnswer:
        said = str(request.json["messages"][-1]["content"])
        if "Which of them" not in said:
            return inner(request)
        compared.append(said)
        first, _, second = said.partition("This is what B changed")
        return answer('{"better": "A"}' if "right" in first else '{"better": "B"}' if "right" in second else "neither")

    events = tried(repository, reply, server, attempts_count=3)
    assert choice(events) == "attempt 2 of 3 is chosen by comparison: not checked"
    assert len(compared) == 6 and all(
        "+wrong" in said or "+long wrong" in said for said in compared if said.count("+the right") == 1
    )
    assert end(events).status == "unchecked"


def test_more_begin_where_the_first_takes_long_and_the_servers_have_room(repository: Path, server: FakeVLLM) -> None:
    """Its work and its words go on in a tree of their own."""
    inner = writes(lambda request, time: "right\n" if request.json.get("seed") == 1 else "wrong\n")
    events = tried(repository, inner, server, attempts_auto=2, attempts_after=0, checks_test=CHECK)
    assert choice(events) == "attempt 2 of 2 is the first that is proved"
    assert (repository / "a.txt").read_text() == "right\n"
    assert end(events).status == "done"


def test_after_a_kill_the_first_ones_work_is_back(
    agentic: Agentic, server: FakeVLLM, repository: Path, env: dict[str, str]
) -> None:
    """It is not in the folder while others go on from where it began, also where its commands did it."""

    def inner(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("done")
        line = "printf 'the first one\\047s\\n' > a.txt; echo mine > b.txt; echo mine > c.txt"
        return answer(tool_calls=tool_call("run", {"command": line}))

    hangs = threading.Event()

    def reply(request: Request) -> ScriptedAnswer:
        if hangs.is_set():
            return answer("done")
        return answer(["word "] * 2000, pause=0.02) if len(server.chats) > 2 else inner(request)

    server.otherwise = reply
    words = ["--endpoint", server.url, "--approve", "all", "--no-sandbox", "-c", "tools.protocol=native", "-c", "attempts.auto=2"]
    words += ["-c", f"checks.test={CHECK}"]
    command = [sys.executable, "-m", "agentic", "run", "mend it", *words]
    process = subprocess.Popen(command, cwd=repository, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert server.wait_for(lambda: server.running > 1, seconds=30)
    process.kill()
    process.wait()
    assert (repository / "a.txt").read_text() == "old\n" and not (repository / "b.txt").exists()
    (repository / "b.txt").write_text("the user's\n")
    hangs.set()
    done = agentic("run", "go on", "--continue", *words, "-c", "attempts.auto=0", "-c", "attempts.rounds=0", cwd=repository)
    assert "what was done before them is back: a.txt, c.txt; not brought back, because changed since: b.txt" in done.err
    assert (repository / "a.txt").read_text() == "the first one's\n"
    assert (repository / "b.txt").read_text() == "the user's\n" and (repository / "c.txt").read_text() == "mine\n"


def test_the_others_can_be_looked_at_and_taken_afterwards(
    agentic: Agentic, server: FakeVLLM, repository: Path, env: dict[str, str]
) -> None:
    """And what is taken so can be taken back."""
    by_seed = {None: "printf 'one\\n' > a.txt", 1: "printf 'the other\\n' > a.txt; echo true > go; chmod 755 go"}

    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("done")
        return answer(tool_calls=tool_call("run", {"command": by_seed[request.json.get("seed")]}))

    server.otherwise = reply
    words = ["--endpoint", server.url, "--approve", "all", "--no-sandbox", "-c", "tools.protocol=native"]
    with terminal(words, env, repository) as shown:
        shown.until(lambda: "›" in shown.text or ">" in shown.text)
        shown.type("/take 1\r")
        shown.until(lambda: "this session has no attempts" in shown.text)
        shown.type("/attempts 2 mend it\r")
        shown.until(lambda: "attempt 1 of 2 is chosen by comparison" in shown.text)
        shown.until(lambda: (repository / "a.txt").read_text() == "one\n")
        shown.type("/diff 9\r")
        shown.until(lambda: "there is no such attempt" in shown.text)
        shown.type("/diff 2\r")
        shown.until(lambda: "the other" in shown.text)
        shown.type("/take 2\r")
        shown.until(lambda: "attempt 2 is taken" in shown.text)
        assert (repository / "a.txt").read_text() == "the other\n"
        assert os.access(repository / "go", os.X_OK)
        shown.type("/undo\r")
        shown.until(lambda: "taken back" in shown.text)
        assert (repository / "a.txt").read_text() == "one\n"
        (repository / "a.txt").write_text("mine\n")
        shown.type("/take 2\r")
        shown.until(lambda: "although these changed since: a.txt" in shown.text and shown.menu("Yes (y)"))
        shown.type("n")
        shown.until(lambda: shown.is_ready and not shown.menu("Yes (y)"))
        shown.type("/quit\r")
        shown.until_ended()
    assert (repository / "a.txt").read_text() == "mine\n"
    told = agentic("sessions", "show", cwd=repository)
    assert "Attempt 2, not taken (nothing tests it)" in told.out and "+the other" in told.out
    page = agentic("sessions", "export", "--html", cwd=repository)
    assert "attempt 2, not taken" in page.out
