"""`run_in_process`: a whole run in this process that touches nothing of the user's."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentic import ConfigError, EndpointUnavailable, ModelOutputError, Question
from agentic.events import Event, RunFinished, ToolCalled, ToolResult
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, run_in_process, tool_call
from tests.conftest import put

WRITE = answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x\n"}))


def finished(events: list[Event]) -> RunFinished:
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last


def test_it_gives_the_events_of_a_whole_run(work: Path) -> None:
    events = run_in_process("write a.txt", [WRITE, "written"], {"approval.mode": "edits"}, root=work)
    assert [event.name for event in events if isinstance(event, ToolCalled)] == ["write_file"]
    assert (finished(events).status, finished(events).result, finished(events).files) == (
        "unchecked",
        "written\nEdited a.txt; nothing here tests it.",
        ("a.txt",),
    )
    assert (work / "a.txt").read_text() == "x\n"


def test_without_a_script_the_model_says_ok() -> None:
    assert finished(run_in_process("say something")).result == "ok"


def test_a_script_may_be_a_function_and_a_server_shows_what_it_was_asked(server: FakeVLLM) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        return answer(f"{len(request.json['messages'])} messages")

    events = run_in_process("count", reply, server=server)
    assert finished(events).result == "2 messages"
    assert "Task: count" in server.chats[0].json["messages"][-1]["content"]


def test_the_options_are_those_of_a_run(work: Path) -> None:
    asked: list[Question] = []

    def approve(question: Question) -> bool:
        asked.append(question)
        return False

    events = run_in_process("write a.txt", [WRITE, "no"], root=work, approve=approve)
    assert [question.what for question in asked] == ["write_file a.txt"] and not (work / "a.txt").exists()
    assert ["the user said no" in event.text for event in events if isinstance(event, ToolResult)] == [True]


def test_neither_the_environment_nor_the_users_files_reach_it(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    put(home / ".config" / "agentic" / "config.toml", '[llm]\nendpoints = ["http://127.0.0.1:1/v1"]\nmodel = "of the user"\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AGENTIC_LLM_MODEL", "of the environment")
    before = dict(os.environ)
    assert finished(run_in_process("x")).status == "done"
    assert dict(os.environ) == before and sorted(home.rglob("*.db")) == []


def test_threads_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(run_in_process, "abc"))
    assert [finished(events).status for events in found] == ["done"] * 3 and dict(os.environ) == before


def test_a_folder_that_is_not_there_is_said(work: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        run_in_process("x", root=work / "nowhere")


def test_a_home_that_is_given_is_used(home: Path) -> None:
    put(home / ".config" / "agentic" / "config.toml", '[approval]\nmode = "none"\n')
    gate = "from agentic import Verdict, hookimpl\n\n\n@hookimpl\nasync def agentic_before_tool(call):\n    return Verdict('deny', 'mine')\n"
    put(home / ".config" / "agentic" / "plugins" / "mine.py", gate)
    listing = answer(tool_calls=tool_call("list_files", {"path": "."}))
    (result,) = [event for event in run_in_process("look", [listing, "ok"], home=home) if isinstance(event, ToolResult)]
    assert "denied by plugin mine: mine" in result.text
    (other,) = [event for event in run_in_process("look", [listing, "ok"]) if isinstance(event, ToolResult)]
    assert "denied" not in other.text


def test_what_a_run_raises_is_raised() -> None:
    with pytest.raises(EndpointUnavailable):
        run_in_process("x", lambda request: answer("a", fault="reset", fault_after=1), {"llm.retry_seconds": 0.1})
    with pytest.raises(ModelOutputError):
        run_in_process("x", ["no JSON"] * 3, schema={"type": "object"})
