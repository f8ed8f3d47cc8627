"""Commands in the background: up over turns, gone with the session."""

import asyncio
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentic.lib.safeguards import Safeguard, Safeguards
from agentic.lib.workspace import Workspace
from agentic.sessions import Session
from agentic.sessions.undo import Journal
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from plugins_builtin.command_undo.changes import CommandChanges, Surroundings
from tests.conftest import PORTABLE, Agentic
from tests.processes import sleepers
from tests.terminal import Terminal, terminal

NATIVE = ("-c", "tools.protocol=native")


def run(command: str, number: str = "1", **more: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("run", {"command": command, **more}, 0, number))


def job(number: str, **arguments: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("job", arguments, 0, number))


def results(server: FakeVLLM) -> list[str]:
    return [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


def test_a_job_gives_its_output_bit_by_bit_and_is_stopped(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(
        run("mkfifo pipe; echo ready; read line < pipe; echo got $line; sleep 4217", "1", background=True),
        run("echo hello > pipe; sleep 0.3", "2"),
        job("3", id=1),
        job("4", id=1, stop=True),
        job("5", id=7),
        answer("done"),
    )
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox")
    started, _, seen, stopped, unknown = results(server)
    assert re.fullmatch(r"ready\n\(job 1, running for \d s; `job` shows its output and stops it\)", started), started
    assert re.fullmatch(r"got hello\n\(running for \d s\)", seen), seen
    assert "ended with exit code" in stopped and "there is no job 7" in unknown
    assert done.code == 0 and not sleepers("4217")


def test_what_ends_at_once_is_told_at_once_and_what_ends_later_with_the_next_request(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(
        run("echo no such port >&2; exit 3", "1", background=True),
        run("sleep 1.3; exit 4", "2", background=True),
        run("sleep 1", "3"),
        answer("done"),
    )
    agentic("run", "x", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox")
    first = results(server)[0]
    assert first == "no such port\n(job 1, ended with exit code 3)"
    told = [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "user"]
    assert told[-1].endswith("(Job 2, `sleep 1.3; exit 4`, ended with exit code 4.)")
    assert sum("Job 1" in text for text in told) == 0


def serving(shown: Terminal, server: FakeVLLM) -> None:
    server.script(run("echo up; sleep 4218", background=True), answer("it runs"), answer("still there"))
    shown.type("start it\r")
    shown.until(lambda: "it runs" in shown.text)


@pytest.fixture
def command(server: FakeVLLM) -> list[str]:
    return ["--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox"]


def test_a_server_stays_up_over_turns_and_goes_with_the_chat(
    server: FakeVLLM, env: dict[str, str], work: Path, command: list[str]
) -> None:
    with terminal(command, env, work) as shown:
        shown.until(lambda: "›" in shown.text)
        serving(shown, server)
        shown.type("is it?\r")
        shown.until(lambda: "still there" in shown.text)
        assert sleepers("4218")
        shown.type("/jobs\r")
        shown.until(lambda: "1  echo up; sleep 4218  (running for" in shown.text)
        shown.type("/jobs 1\r")
        shown.until(lambda: "\nup\n(running" in shown.text)
        shown.type("/jobs 9\r")
        shown.until(lambda: "there is no job 9" in shown.text)
        shown.type("\x04")
        assert shown.until_ended() == 0
    assert not sleepers("4218")


def test_a_job_can_be_ended_by_the_user(server: FakeVLLM, env: dict[str, str], work: Path, command: list[str]) -> None:
    with terminal(command, env, work) as shown:
        shown.until(lambda: "›" in shown.text)
        serving(shown, server)
        shown.type("/jobs stop 1\r")
        shown.until(lambda: "ended with exit code" in shown.text)
        assert not sleepers("4218")
        shown.type("\x04")
        shown.until_ended()


@pytest.mark.skipif(PORTABLE, reason="what watches over commands there needs a moment more")
def test_nothing_is_left_of_a_job_when_the_program_is_killed(
    server: FakeVLLM, env: dict[str, str], work: Path, command: list[str]
) -> None:
    with terminal(command, env, work) as shown:
        shown.until(lambda: "›" in shown.text)
        serving(shown, server)
        assert sleepers("4218")
        shown.process.send_signal(signal.SIGKILL)
        shown.process.wait()
        assert server.wait_for(lambda: not sleepers("4218"))


def test_a_job_needs_the_approval_that_a_command_needs(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(run("touch PWN; sleep 4219", background=True), answer("then not"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "--approve", "none", "--output", "jsonl")
    assert not (work / "PWN").exists() and not sleepers("4219")
    assert done.of_type("run_finished")[0]["status"] == "refused"


LATE = (
    "trap 'echo evil > conftest.py; mkdir .vscode; echo evil > .vscode/tasks.json; echo evil >> .envrc; ln -s /etc .idea; exit' TERM;"
    " echo ready; while :; do sleep 0.05; done"
)


def test_what_a_job_changes_at_last_is_put_back_when_the_session_ends(
    agentic: Agentic, server: FakeVLLM, work: Path, home: Path
) -> None:
    (work / ".envrc").write_text("export A=1\n")
    server.script(run(LATE, background=True), answer("done"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox", "--output", "jsonl")
    assert sorted(path.name for path in work.iterdir()) == [".envrc"] and (work / ".envrc").read_text() == "export A=1\n"
    (warned,) = [event["message"] for event in done.of_type("warning") if "put back" in event["message"]]
    for name in ("conftest.py", ".vscode", ".envrc", ".idea"):
        assert name in warned
    found = {path.name: path for path in (home / ".local/state/agentic/put-back").rglob("*") if path.is_file()}
    assert found["conftest.py"].read_text() == "evil\n" and found[".envrc"].read_text() == "export A=1\nevil\n"
    assert found["tasks.json"].read_text() == "evil\n"
    assert {
        path.stat().st_mode & 0o077 for path in (home / ".local/state/agentic/put-back").rglob("*") if not path.is_symlink()
    } == {0}


@contextmanager
def watching(root: Path, lingers: Callable[[], frozenset[int]]) -> Iterator[tuple[Workspace, CommandChanges, list[str]]]:
    """(a workspace, what watches over it, the warnings)"""
    root.mkdir()
    warned = list[str]()
    space = Workspace(root)
    safeguards = Safeguards([Safeguard("protected", f"**/{name}", "it runs") for name in ("conftest.py", ".github/**")])
    with closing(Session.at(root.parent / "s.sqlite", root)) as session:
        space.journal = journal = Journal(session)
        changes = CommandChanges(space, root.parent / "cache", safeguards, journal, warned.append, Surroundings(lingers))
        yield space, changes, warned
        changes.close()


def test_what_the_tools_write_while_a_job_runs_stays_and_other_changes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root, running = tmp_path / "work", [frozenset({1})]
    with watching(root, lambda: running[0]) as (space, changes, warned):

        async def between_two_commands() -> None:
            await changes.before()
            await changes.after(may_change_protected=False)
            space.write(".github/workflows/ci.yml", b"mine")
            (root / "conftest.py").write_text("evil")
            (root / "a.py").write_text("anybody's")
            running[0] = frozenset()
            await changes.before()
            await changes.after(may_change_protected=False)
            (root / "conftest.py").write_text("the user's own")
            await changes.settle()

        asyncio.run(between_two_commands())
    assert (root / ".github/workflows/ci.yml").read_text() == "mine" and (root / "a.py").exists()
    assert (root / "conftest.py").read_text() == "the user's own"
    assert len(warned) == 1 and warned[0].startswith("conftest.py: protected")


def test_a_job_that_may_change_what_is_protected_may_do_so_at_last(tmp_path: Path) -> None:
    root, running = tmp_path / "work", [frozenset({1})]
    with watching(root, lambda: running[0]) as (_, changes, warned):

        async def at_last() -> None:
            await changes.before()
            await changes.after(may_change_protected=True)
            (root / "conftest.py").write_text("as was agreed")
            running[0] = frozenset()
            await changes.settle()

        asyncio.run(at_last())
    assert (root / "conftest.py").read_text() == "as was agreed" and not warned
