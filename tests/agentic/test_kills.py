"""SIGKILL at random points of a run, a chat, a batch, an undo and a merge: nothing is lost, torn or left running.

A few of each here; `-m long` makes them five hundred.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from agentic.types import Message, ToolCall
from tests.agentic.test_batch import echo, read, write
from tests.agentic.test_sessions import assert_accepted
from tests.agentic.test_worktrees import repository, status
from tests.children import PARTS, TASK, Model
from tests.conftest import Agentic
from tests.processes import children_of, runs, sleepers, soon
from tests.sweeps import KILLS
from tests.terminal import terminal

pytestmark = pytest.mark.long
NATIVE = ("-c", "tools.protocol=native", "--approve", "all")
OLD, NEW = "old\n" * 5000, "new\n" * 100
SLEEP = str(300_000 + os.getpid())
COMMAND = f"rm -rf src; sleep {SLEEP} & sleep 0.2; echo made > made.txt; sleep 0.2"


def works(request: Request) -> ScriptedAnswer:
    """Writes a file, runs a command that deletes, makes and leaves things, changes another file, and is done."""
    turns = [
        ("write_file", {"path": "a.txt", "content": NEW}),
        ("run", {"command": COMMAND}),
        ("write_file", {"path": "deep/b.txt", "content": NEW}),
    ]
    done = sum(message["role"] == "assistant" and bool(message.get("tool_calls")) for message in request.json["messages"])
    if done >= len(turns):
        return answer("it is done")
    return answer(tool_calls=tool_call(*turns[done], 0, f"call_{done}"))


@pytest.fixture
def project(work: Path) -> Path:
    files = {"a.txt": OLD, "deep/b.txt": OLD, "src/one.py": OLD, "src/two.py": OLD, "mine.txt": OLD}
    for name, text in files.items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text)
    return work


def kill_after(seconds: float, *arguments: str, env: dict[str, str], cwd: Path) -> None:
    """Runs a command that is killed then, if it has not ended by itself."""
    command, null = [sys.executable, "-m", "agentic", *arguments], subprocess.DEVNULL
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=cwd, env=env, stdin=null, stdout=null, stderr=null, timeout=seconds)


def moments(seed: str, whole: float) -> Iterator[float]:
    """When to kill what takes so many seconds."""
    chance = random.Random(seed)
    return (chance.uniform(0.1, whole * 1.05) for _ in range(KILLS))


def lasts(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def gone() -> None:
    """No command outlives us by more than a moment."""
    assert soon(lambda: not sleepers(SLEEP), 10), "a command was left running"


def until_ended(pids: list[int]) -> None:
    """On a busy machine a process that is to die with another one takes its time."""
    assert soon(lambda: not runs(pids), 10), "the session outlives the process that the shell waits for"


def whole(folder: Path) -> dict[str, str]:
    """The files, none of which is torn."""
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert all(text in (OLD, NEW, "made\n") for text in found.values()), {name: len(text) for name, text in found.items()}
    assert found.pop("mine.txt") == OLD
    return found


def sent(server: FakeVLLM) -> list[Message]:
    """The newest request's messages."""
    found = []
    for each in server.chats[-1].json["messages"]:
        calls = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in each.get("tool_calls") or ()
        )
        found.append(Message(each["role"], each["content"] or "", tool_calls=calls, tool_call_id=each.get("tool_call_id", "")))
    return found


BEFORE = {"a.txt": OLD, "deep/b.txt": OLD, "src/one.py": OLD, "src/two.py": OLD}


def test_a_run_and_its_undo(agentic: Agentic, server: FakeVLLM, env: dict[str, str], project: Path) -> None:
    """What was written, and what a command deleted, comes back, whenever the kill came, that of the undo included."""
    server.otherwise = works
    arguments = ("run", "do it", "--endpoint", server.url, *NATIVE)
    run = lasts(lambda: agentic(*arguments))
    taking_back = lasts(lambda: agentic("sessions", "undo", "--yes"))
    assert whole(project) == BEFORE
    ends = moments("undo", taking_back)
    for seconds in moments("run", run):
        kill_after(seconds, *arguments, env=env, cwd=project)
        gone()
        whole(project)
        kill_after(next(ends), "sessions", "undo", "--yes", env=env, cwd=project)
        whole(project)
        comes_back_and_goes_on(agentic, server, project)


def comes_back_and_goes_on(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    """Whatever was done is undone, the session goes on with a history that a server takes, and that is undone, too."""
    undone = agentic("sessions", "undo", "--yes")
    assert undone.code in (0, 2), undone.err  # 2: there is no session yet
    assert whole(project) == BEFORE
    if undone.code == 0:
        assert agentic("run", "go on", "--continue", "--endpoint", server.url, *NATIVE).code == 0
        assert_accepted(sent(server))
        agentic("sessions", "undo", "--yes")
        assert whole(project) == BEFORE


def test_a_chat(agentic: Agentic, server: FakeVLLM, env: dict[str, str], project: Path) -> None:
    server.otherwise = works
    chance = random.Random("chat")
    for _ in range(KILLS):
        with terminal(["chat", "--endpoint", server.url, *NATIVE], env, project) as shown:
            shown.until(lambda: "\u203a" in shown.text or ">" in shown.text)
            shown.type("do it\r")
            end = time.monotonic() + chance.uniform(0, 2.5)
            while time.monotonic() < end:
                with pytest.raises(AssertionError):
                    shown.until(lambda: False, 0.05)
            session = children_of(shown.process.pid)  # which is killed with the process that the shell waits for
            os.kill(shown.process.pid, signal.SIGKILL)
            shown.process.wait()
        until_ended(session)
        gone()
        whole(project)
        comes_back_and_goes_on(agentic, server, project)


def test_a_batch(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = echo
    source = write(work / "in.jsonl", *({"prompt": f"slow {number}" if number % 20 == 0 else str(number)} for number in range(100)))
    arguments = ("batch", str(source), "--endpoint", server.url, "-o")
    run = lasts(lambda: agentic(*arguments, "first.jsonl"))
    for number, seconds in enumerate(moments("batch", run)):
        out = work / f"out{number}.jsonl"
        kill_after(seconds, *arguments, str(out), env=env, cwd=work)
        assert agentic(*arguments, str(out)).code == 0
        assert [each["text"].split()[-1] for each in read(out)] == [str(each) for each in range(100)]
        assert not [path for path in work.iterdir() if path.name.startswith(f"{out.name}.")]


def test_a_merge(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """Worktrees cut off in any state: the user's own file and the repository stay whole, and the next run does the work."""
    repository(work, {"mine.txt": OLD})
    (work / "mine.txt").write_text(NEW)
    mine = status(work)
    model = Model(server, [{**each, "writes": []} for each in PARTS])
    model.plan = json.dumps({"subtasks": model.parts, "isolation": "worktree"})
    arguments = ("run", TASK, "--endpoint", server.url, *NATIVE)
    run = lasts(lambda: agentic(*arguments))
    assert agentic("sessions", "undo", "--yes").code == 0
    assert status(work) == mine
    undone: set[str] = set()
    for seconds in moments("merge", run):
        kill_after(seconds, *arguments, env=env, cwd=work)
        for path in work.glob("*.txt"):
            assert path.read_text() == (NEW if path.name == "mine.txt" else path.stem)
        assert agentic(*arguments).code == 0
        checked = subprocess.run(["git", "fsck", "--strict"], cwd=work, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        listed = [summary["id"] for summary in agentic("sessions", "list", "--output", "jsonl").events]
        for name in (name for name in listed if name not in undone):
            agentic("sessions", "undo", "--yes", name)
        undone |= set(listed)
        assert status(work) == mine


def test_attempts(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    """No tree is left, no process and no request; the user's own file is whole, and the session goes on."""
    repository(work, {"mine.txt": OLD, "a.txt": OLD})
    (work / "mine.txt").write_text(NEW)
    (temporary := tmp_path / "temporary").mkdir()
    env["TMPDIR"] = str(temporary)
    steps = [("run", {"command": f"sleep {SLEEP} & sleep 0.2"}), ("write_file", {"path": "a.txt", "content": NEW})]

    def reply(request: Request) -> ScriptedAnswer:
        done = sum(bool(message.get("tool_calls")) for message in request.json["messages"])
        return answer(tool_calls=tool_call(*steps[done])) if done < len(steps) else answer("done")

    server.otherwise = reply
    more = ("--endpoint", server.url, *NATIVE, "-c", "checks.test=grep -q new a.txt", "--attempts", "3")
    run = lasts(lambda: agentic("run", "do it", *more))
    assert agentic("sessions", "undo", "--yes").code == 0
    for seconds in moments("attempts", run):
        kill_after(seconds, "run", "do it", *more, env=env, cwd=work)
        gone()
        end = time.monotonic() + 10
        while (left := [path.name for path in temporary.iterdir() if not path.name.startswith("agentic-held-")]) or server.running:
            assert time.monotonic() < end, (left, server.running)
            time.sleep(0.05)
        assert (work / "mine.txt").read_text() == NEW
        assert (work / "a.txt").read_text() in (OLD, NEW)
        assert agentic("run", "go on", "--continue", *more).code == 0
        assert_accepted(sent(server))
        assert (work / "a.txt").read_text() == NEW
        listed = subprocess.run(["git", "worktree", "list"], cwd=work, capture_output=True, text=True).stdout
        assert len(listed.splitlines()) == 1, listed
        agentic("sessions", "undo", "--yes")
