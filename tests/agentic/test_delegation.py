"""Sub-agents in the middle of the work, after failures, within the run's limits; and the whole that becomes of their parts."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from tests.children import NATIVE, PARTS, TASK, Model, delegating, objects, split
from tests.conftest import Agentic


@pytest.mark.parametrize(("count", "most"), [(4, 4), (16, 4), (16, 16)])
def test_one_call_of_delegate_keeps_as_many_in_flight_as_may_be(
    agentic: Agentic, server: FakeVLLM, work: Path, count: int, most: int
) -> None:
    delegating(server, objects(count))
    replies = server.otherwise

    def reply(request: Request) -> ScriptedAnswer:
        """The sub-agents' first calls are answered when as many of them as may be are there."""
        if "You do one part of a larger task" in request.json["messages"][1]["content"]:
            server.wait_for(lambda: server.most_running >= most)
        return replies(request)

    server.otherwise = reply
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE, "-c", f"sub_agents.max_concurrent={most}", "-c",
                   f"batching.batch_size={most}", "--max-iterations", "100")  # fmt: skip
    assert done.code == 0, done.err
    assert server.most_running == most
    assert sorted(path.name for path in work.glob("*.txt")) == sorted(f"t{number}.txt" for number in range(count))
    assert f"({count} sub-agents:" in done.of_type("run_finished")[0]["result"]


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ([], "a plan has 1 to 16 subtasks, this one 0"),
        (objects(17), "a plan has 1 to 16 subtasks, this one 17"),
        ([{"title": "a", "depends_on": ["nobody"]}], "which is no subtask"),
        ([{"title": "a", "writes": ["x"]}, {"title": "b", "writes": ["x"]}], "both write x"),
        (["  "], "a text that says what to do"),
        ([{"writes": 3}], "a text that says what to do"),
    ],
)
def test_what_cannot_be_delegated_goes_back_to_the_model(agentic: Agentic, server: FakeVLLM, tasks: list[Any], why: str) -> None:
    delegating(server, tasks)
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert why in done.of_type("run_finished")[0]["result"]
    assert not done.of_type("sub_agent_started")


def test_tasks_are_texts_too_and_a_second_call_begins_anew(agentic: Agentic, server: FakeVLLM) -> None:
    """A sub-agent of the same name starts without what the first one said."""
    texts = ["Look at the parser and say what it does", "Look at the tests"]

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if "You do one part of a larger task" in messages[1]["content"]:
            return answer("looked")
        calls = sum(message["role"] == "tool" for message in messages)
        return answer("done") if calls == 2 else answer(tool_calls=tool_call("delegate", {"tasks": texts}, call_id=f"c{calls}"))

    server.otherwise = reply
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert done.code == 0
    names = [event["agent"] for event in done.of_type("sub_agent_started")]
    assert sorted(names) == [
        "sub-1-look-at-the-parser",
        "sub-1-look-at-the-parser-2",
        "sub-2-look-at-the-tests",
        "sub-2-look-at-the-tests-2",
    ]
    children = [request.json["messages"] for request in server.chats if "You do one part" in str(request.json["messages"][1])]
    assert [len(messages) for messages in children] == [2] * 4


def test_a_sub_agent_has_no_way_to_spawn(agentic: Agentic, server: FakeVLLM) -> None:
    def spawns(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer(request.json["messages"][-1]["content"])
        return answer(tool_calls=tool_call("delegate", {"tasks": objects(2)}))

    delegating(server, objects(2), {"t0": spawns})
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert "cannot start others" in done.of_type("run_finished")[0]["result"]
    assert len(done.of_type("sub_agent_started")) == 2


def test_the_calls_of_all_sub_agents_are_counted_together(agentic: Agentic, server: FakeVLLM) -> None:
    """Within `workflow.max_iterations`, whatever each one may have; who began gets to report."""
    calls = iter(range(1000))

    def endless(request: Request) -> ScriptedAnswer:
        last = request.json["messages"][-1]["content"]
        return answer("report") if "last turn" in last else answer(tool_calls=tool_call("list_files", {"path": f"no{next(calls)}"}))

    delegating(server, objects(4), {f"t{number}": endless for number in range(4)})
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE, "--max-iterations", "20")
    assert len(server.chats) <= 20
    assert {event["status"] for event in done.of_type("sub_agent_finished")} == {"limit"}
    assert done.of_type("run_finished")[0]["result"].count("(out of turns): report") == 4


def test_whoever_wants_it_split_gets_it_split_and_whoever_does_not_does_not(agentic: Agentic, server: FakeVLLM) -> None:
    model = Model(server, PARTS)
    done = agentic("run", "write the poem", "--endpoint", server.url, *NATIVE, "--sub-agents")
    assert model.plans == 1
    assert "the user wants it split" in str(done.of_type("complexity"))
    done = split(agentic, server, "--no-sub-agents")
    assert not done.of_type("plan")


TESTS = "from part import two\n\ndef test_two():\n    assert two() == 2\n"


def test_the_whole_is_checked_and_mended_by_one_agent(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """The parts do not fit together; the agent that asked for them mends it, and the check decides."""

    def writes(path: str, content: str) -> Callable[[Request], ScriptedAnswer]:
        def reply(request: Request) -> ScriptedAnswer:
            if request.json["messages"][-1]["role"] == "tool":
                return answer("written")
            return answer(tool_calls=tool_call("write_file", {"path": path, "content": content}))

        return reply

    model = Model(
        server, PARTS, {"backend": writes("part.py", "def two():\n    return 3\n"), "tests": writes("test_part.py", TESTS)}
    )
    model.plan = json.dumps({"subtasks": PARTS, "check": f"{sys.executable} -m pytest -q -p no:cacheprovider", "isolation": "none"})
    told: list[str] = []

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if "You do one part" in str(messages) or messages[0]["content"].startswith("Decompose"):
            return model.reply(request)
        told.append(messages[-1]["content"])
        if messages[-1]["role"] == "tool":
            return answer("mended")
        return answer(tool_calls=tool_call("write_file", {"path": "part.py", "content": "def two():\n    return 2\n"}))

    server.otherwise = reply
    done = split(agentic, server)
    assert done.code == 0, done.out
    assert "assert 3 == 2" in told[0]
    result = done.of_type("run_finished")[0]["result"]
    assert "backend (done): written" in result
    assert result.endswith("mended")
    assert [event["node"] for event in done.of_type("workflow_event") if not event["message"]] == [
        "plan", "check_complexity", "spawn_sub_agents", "reflect", "plan", "execute", "reflect",
    ]  # fmt: skip


def test_a_check_that_cannot_run_at_all_decides_nothing(agentic: Agentic, server: FakeVLLM) -> None:
    def writes_code(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("written")
        return answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "a = 1\n"}))

    model = Model(server, PARTS, {"backend": writes_code})
    model.plan = json.dumps({"subtasks": PARTS, "check": "no-such-program --all", "isolation": "none"})
    assert split(agentic, server).code == 0


def test_what_failed_twice_is_split_after_all(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """One agent tries first where the task is separable but not that large."""
    (work / "test_part.py").write_text("from part import two\nimport pytest\n\ndef test_two():\n    assert two() == 2\n")
    asked: list[str] = []

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if messages[0]["content"].startswith("Decompose"):
            asked.append(messages[0]["content"])
            return answer(json.dumps(PARTS))
        if "You do one part" in str(messages[1]):
            right = {"path": "part.py", "content": "def two():\n    return 2\n"}
            mends = "backend:" in messages[1]["content"] and messages[-1]["role"] != "tool"
            return answer(tool_calls=tool_call("write_file", right)) if mends else answer("my part is done")
        if messages[-1]["role"] == "tool" and "Wrote" in messages[-1]["content"]:
            return answer("should work")
        number = len(server.chats)
        return answer(tool_calls=tool_call("write_file", {"path": "part.py", "content": f"def two():\n    return {number * 10}\n"}))

    server.otherwise = reply
    done = split(agentic, server, "-c", "sub_agents.complexity_threshold=0.999")
    assert done.code == 0, done.out
    nodes = [event["node"] for event in done.of_type("workflow_event") if not event["message"]]
    assert nodes.count("execute") == 2
    assert nodes[-2:] == ["spawn_sub_agents", "reflect"]
    assert "one agent has tried; `python3 -m pytest -q` still fails" in asked[0]


def test_siblings_fill_the_home_endpoint_and_then_both(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM) -> None:
    models = [delegating(each, objects(8)) for each in (server, second_server)]
    both = ("--endpoint", server.url, "--endpoint", second_server.url)
    limit = ("-c", "sub_agents.max_concurrent=8", "--max-iterations", "100")
    assert agentic("run", "do it", *both, *NATIVE, *limit).code == 0
    assert all(model.children for model in models)
    assert max(server.most_running, second_server.most_running) == 4


def test_up_to_four_siblings_stay_where_their_prefix_is(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM) -> None:
    models = [delegating(each, objects(4)) for each in (server, second_server)]
    done = agentic(
        "run", "do it", "--endpoint", server.url, "--endpoint", second_server.url, *NATIVE, "-c", "batching.batch_timeout=5"
    )
    assert done.code == 0
    assert [bool(model.children) for model in models].count(True) == 1


def test_what_was_done_when_the_run_ends_is_told(agentic: Agentic, server: FakeVLLM) -> None:
    Model(server, PARTS, {"tests": lambda request: answer("begun", fault="stall", fault_after=2)})
    done = split(agentic, server, "-c", "workflow.timeout_seconds=5")
    assert done.code == 1
    result = done.of_type("run_finished")[0]["result"]
    assert "frontend (done): frontend is written" in result
    assert "tests (interrupted): begun" in result
    assert "workflow.timeout_seconds" in result
    assert server.wait_for(lambda: server.running == 0)


def test_ctrl_c_ends_all_and_leaves_nothing_running(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    Model(server, PARTS, {name: lambda request: answer("begun", fault="stall", fault_after=2) for name in ("tests", "backend")})
    command = [sys.executable, "-m", "agentic", "run", TASK, "--endpoint", server.url, *NATIVE]
    process = subprocess.Popen(command, cwd=work, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ended = (line for line in process.stdout if json.loads(line)["type"] == "sub_agent_finished")
        assert [next(ended) for _ in range(2)]  # frontend and database; the others never end
        assert server.wait_for(lambda: server.running == 2, 30)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130
    assert server.wait_for(lambda: server.running == 0)
    result = json.loads(out.splitlines()[-1])
    assert "frontend (done)" in result["result"]
    assert "backend (interrupted)" in result["result"]


FRAGILE = """
import asyncio
from agentic import ContextOverflow, Provider, ToolOutput, ToolSpec, hookimpl

class Fragile:
    def fit(self, history, budget, count):
        if any("raises: write" in message.text for message in history if message.role == "user"):
            raise ContextOverflow("boom")
        return list(history)

class Vanish:
    spec = ToolSpec("vanish", "Ends its caller.", {"type": "object", "properties": {}}, "read")
    async def run(self, arguments, workspace):
        raise asyncio.CancelledError

@hookimpl
def agentic_context_strategies():
    yield Provider("fragile", "raises", lambda setup: Fragile())

@hookimpl
def agentic_tools():
    yield Provider("vanish", "kills", lambda setup: Vanish())
"""


def test_of_eight_children_every_failure_is_its_own(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    """One raises, one hangs, one is killed, one exceeds its limit, one asks to spawn: 4 results, 4 typed failures with partials."""
    info = tmp_path / "plugin" / "agentic_fragile-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "agentic_fragile.py").write_text(FRAGILE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-fragile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\nfragile = agentic_fragile\n")
    names = ("raises", "hangs", "killed", "exceeds", "spawns", "one", "two", "three")

    def then(name: str, after: Callable[[Request], ScriptedAnswer]) -> Callable[[Request], ScriptedAnswer]:
        """First a file, so that there is something to be partial."""

        def reply(request: Request) -> ScriptedAnswer:
            if len(request.json["messages"]) == 2:
                return answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}))
            return after(request)

        return reply

    def spawns(request: Request) -> ScriptedAnswer:
        last = request.json["messages"][-1]["content"]
        return answer("alone then") if "cannot start" in last else answer(tool_calls=tool_call("delegate", {"tasks": ["x"]}))

    calls = iter(range(100))
    behave = {
        "hangs": then("hangs", lambda request: answer("I am about to", fault="stall", fault_after=5)),
        "killed": then("killed", lambda request: answer(tool_calls=tool_call("vanish", {}))),
        "exceeds": then("exceeds", lambda r: answer(tool_calls=tool_call("list_files", {"path": f"no{next(calls)}"}))),
        "spawns": then("spawns", spawns),
    }
    delegating(server, [{"title": name, "objective": f"write {name}.txt"} for name in names], behave)
    limits = ("sub_agents.timeout_seconds=5", "sub_agents.subtask_max_iterations=4", "sub_agents.max_concurrent=8",
              "batching.batch_size=8", "context.strategy=fragile", "workflow.max_iterations=60")  # fmt: skip
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE, *(part for limit in limits for part in ("-c", limit)),
                   more={"PYTHONPATH": str(info.parent)}, seconds=90)  # fmt: skip
    statuses = {event["agent"].removeprefix("sub-"): event["status"] for event in done.of_type("sub_agent_finished")}
    assert statuses == {
        "raises": "failed", "hangs": "timeout", "killed": "interrupted", "exceeds": "limit",
        "spawns": "done", "one": "done", "two": "done", "three": "done",
    }  # fmt: skip
    files = {event["agent"].removeprefix("sub-"): event["files"] for event in done.of_type("sub_agent_finished")}
    assert all(files[name] == [f"{name}.txt"] for name in names if name != "raises")
    result = done.of_type("run_finished")[0]["result"]
    assert "Not done: raises, hangs, killed, exceeds." in result
    assert "raises (failed): boom" in result
    assert "I am about to" in result
    assert done.code == 1
