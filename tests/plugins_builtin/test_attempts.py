"""Attempts: several agents at one task, in trees of their own; what is proved is taken, else what speaks most for itself."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic.events import Event, RunFinished, SubAgentStarted, ToolCalled, Warned, WorkflowEvent
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, run_in_process, tool_call
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


def choice(events: list[Event]) -> str:
    (said,) = [event.message for event in events if isinstance(event, WorkflowEvent) and "attempt" in event.message]
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
    assert choice(events) == "attempt 2 of 2 has the fewest failures (1)"
    first = next(event for event in events if isinstance(event, WorkflowEvent) and "fewest" in event.message)
    later = events[events.index(first) :]
    assert [event for event in later if isinstance(event, ToolCalled) and event.agent == "main"], (
        "the agent itself goes on from there"
    )
    assert end(events).status == "gave_up"


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
    "a mode that asks": ({"approval.mode": "ask"}, "would ask"),
    "a mode that changes nothing": ({"approval.mode": "none"}, "would ask"),
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
