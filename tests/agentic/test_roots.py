"""Further folders to work in: with the rules of the first one, sandboxed, seen, taken back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentic.events import RunFinished, ToolResult
from agentic.testing import FakeVLLM, answer, run_in_process, tool_call
from tests.conftest import Agentic

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    (folder / "conftest.py").write_text("")
    return folder


def results(done: object) -> list[str]:
    return [event["text"] for event in done.of_type("tool_result")]  # type: ignore[attr-defined]


def test_files_there_are_read_and_written_by_full_paths_and_taken_back(
    agentic: Agentic, server: FakeVLLM, work: Path, other: Path
) -> None:
    server.script(
        answer(tool_calls=tool_call("read_file", {"path": str(other / "a.py")})),
        answer(tool_calls=tool_call("write_file", {"path": str(other / "a.py"), "content": "x = 2\n"})),
        answer("done"),
    )
    done = agentic("run", "change x", "--endpoint", server.url, *NATIVE, "--approve", "edits", "--add-dir", str(other))
    assert done.code == 0, done.err
    assert results(done)[0] == "x = 1\n"
    assert (other / "a.py").read_text() == "x = 2\n"
    assert f"You may work in {other}, too" in server.chats[0].json["messages"][-1]["content"]
    name = done.of_type("run_started")[0]["session"]
    assert agentic("sessions", "undo", name).code == 0
    assert (other / "a.py").read_text() == "x = 1\n"


def test_without_the_option_it_is_outside(agentic: Agentic, server: FakeVLLM, work: Path, other: Path) -> None:
    server.script(answer(tool_calls=tool_call("read_file", {"path": str(other / "a.py")})), answer("done"))
    done = agentic("run", "read", "--endpoint", server.url, *NATIVE, "--approve", "edits")
    assert "outside the folder" in results(done)[0]


def test_what_is_protected_there_is_asked_about_as_here(agentic: Agentic, server: FakeVLLM, work: Path, other: Path) -> None:
    server.script(
        answer(tool_calls=tool_call("write_file", {"path": str(other / "conftest.py"), "content": "import os\n"})), answer("done")
    )
    done = agentic("run", "change it", "--endpoint", server.url, *NATIVE, "--approve", "edits", "--add-dir", str(other))
    assert "it needs an approval" in results(done)[0], done.err
    assert (other / "conftest.py").read_text() == ""


def test_what_commands_do_there_is_seen_and_taken_back(agentic: Agentic, server: FakeVLLM, work: Path, other: Path) -> None:
    writes = [f"open({str(other / name)!r}, 'w').write({text!r})" for name, text in (("b.txt", "hi"), ("conftest.py", "changed"))]
    (work / "w.py").write_text("\n".join(writes))
    server.script(answer(tool_calls=tool_call("run", {"command": f"{sys.executable} w.py"})), answer("done"))
    options = ("--approve", "all", "--no-sandbox", "--no-floor", "--add-dir", str(other))
    done = agentic("run", "write it", "--endpoint", server.url, *NATIVE, *options)
    assert (other / "b.txt").read_text() == "hi"
    assert (other / "conftest.py").read_text() == "", "it is protected, so it was put back"
    assert f"in {other}: conftest.py: protected, so it was put back" in results(done)[0]
    agentic("sessions", "undo", done.of_type("run_started")[0]["session"])
    assert not (other / "b.txt").exists()


def test_a_folder_that_holds_the_first_one_is_no_further_one(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    done = agentic("run", "hi", "--endpoint", server.url, "--add-dir", str(work.parent))
    assert done.code == 2
    assert "holds the folder that this run works in" in done.err


def test_a_project_adds_none(tmp_path: Path, other: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "agentic.toml").write_text(f'[tools]\nfolders = ["{other}"]\n')
    script = [answer(tool_calls=tool_call("read_file", {"path": str(other / "a.py")})), "done"]
    events = run_in_process("read", script, root=root)
    assert isinstance(events[-1], RunFinished)
    (said,) = [event.text for event in events if isinstance(event, ToolResult)]
    assert "outside the folder" in said


def test_the_commands_of_sub_agents_are_held_there_as_well(tmp_path: Path, other: Path) -> None:
    """In worktrees of their own they share the further folders: what is protected there is put back, the rest is taken back."""
    root = tmp_path / "repository"
    root.mkdir()
    writes = (
        f"import os\nopen({str(other / 'conftest.py')!r}, 'w').write('x')\nopen({str(other)!r} + f'/{{os.getpid()}}.txt', 'w')\n"
    )
    (root / "w.py").write_text(writes)
    for words in (["init", "-q"], ["add", "w.py"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    command = f"{sys.executable} w.py"

    def script(request: Any) -> bytes:
        messages = request.json["messages"]
        done = sum(message["role"] == "tool" for message in messages)
        if "one part" not in str(messages[:2]) and "another part" not in str(messages[:2]):
            plan = {"tasks": ["one part", "another part"], "isolation": "worktree"}
            return [answer(tool_calls=tool_call("delegate", plan)), answer("done")][min(done, 1)]
        return [answer(tool_calls=tool_call("run", {"command": command})), answer("done")][min(done, 1)]

    settings = {"tools.folders": [str(other)], "sandbox.mode": "off", "permissions.floor": False, "approval.mode": "all"}
    events = run_in_process("the whole", script, settings, root=root)
    notes = [event.text for event in events if isinstance(event, ToolResult) and event.name == "run"]
    assert len(notes) == 2 and any(f"in {other}: conftest.py: protected, so it was put back" in note for note in notes), notes
    assert (other / "conftest.py").read_text() == ""
    assert len(list(other.glob("*.txt"))) == 2
