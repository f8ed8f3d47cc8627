"""Large tasks on sub-agents: plans that are checked, a pool that stays full, failures that stay their own."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import Outcome, Plan, Subtask, ToolError
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, error, tool_call
from plugins_builtin.sub_agents.leases import Leases, is_folder
from plugins_builtin.sub_agents.local import LocalFanOut
from tests.children import PARTS, TASK, Model, part, split
from tests.conftest import Agentic


def test_four_parts_side_by_side_become_one_result(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    Model(server, PARTS)
    done = split(agentic, server)
    assert done.code == 0
    assert sorted(path.name for path in work.glob("*.txt")) == ["backend.txt", "database.txt", "frontend.txt", "tests.txt"]
    (plan,) = done.of_type("plan")
    assert [subtask["id"] for subtask in plan["subtasks"]] == ["frontend", "backend", "database", "tests"]
    (finished,) = done.of_type("run_finished")
    assert set(finished["files"]) == {"frontend.txt", "backend.txt", "database.txt", "tests.txt"}
    for name in ("frontend", "backend", "database", "tests"):
        assert f"{name} (done): {name} is written" in finished["result"]
    assert "4 sub-agents" in finished["result"]


def test_plain_output_is_whole_lines_with_the_agents_names(agentic: Agentic, server: FakeVLLM) -> None:
    Model(server, PARTS, {"tests": lambda request: answer("one line of tests\nand another one", pause=0.01)})
    done = agentic("run", TASK, "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all")
    assert done.code == 0
    lines = done.err.splitlines()
    for line in ("tests | one line of tests", "tests | and another one", "backend | backend is written", "tests | [ends: done]"):
        assert line in lines


def test_children_begin_with_their_parents_exact_bytes(agentic: Agentic, server: FakeVLLM) -> None:
    Model(server, PARTS)
    split(agentic, server)
    firsts = [request.json for request in server.chats if len(request.json["messages"]) == 2]
    assert len(firsts) == 4
    assert len({json.dumps(body["messages"][0]) for body in firsts}) == 1
    assert len({json.dumps(body["tools"]) for body in firsts}) == 1
    roles = {body["messages"][1]["content"] for body in firsts}
    assert len(roles) == 4


@pytest.mark.parametrize(("count", "most"), [(4, 4), (6, 3), (6, 6)])
def test_as_many_are_in_flight_as_may_be(agentic: Agentic, server: FakeVLLM, count: int, most: int) -> None:
    plan = [*PARTS, part("extra"), part("more")][:count]
    Model(server, plan)
    done = split(agentic, server, "-c", f"sub_agents.max_concurrent={most}")
    assert done.code == 0
    assert server.most_running == most


def test_what_depends_on_another_waits_for_it_and_sees_what_came_of_it(agentic: Agentic, server: FakeVLLM) -> None:
    plan = [*PARTS[:3], part("tests", depends_on=["backend"])]
    Model(server, plan)
    done = split(agentic, server)
    assert done.code == 0
    order = [(event["type"], event["agent"]) for event in done.events if event["type"].startswith("sub_agent")]
    assert order.index(("sub_agent_finished", "sub-backend")) < order.index(("sub_agent_started", "sub-tests"))
    told = next(r.json["messages"][1]["content"] for r in server.chats if "tests: write tests.txt" in str(r.json["messages"][1:2]))
    assert "What it builds on" in told
    assert "backend is written Files: backend.txt" in told


BAD_PLANS = {
    "prose": "First do the frontend, then the backend.",
    "one subtask": json.dumps([part("all")]),
    "same file": json.dumps([part("a", writes=["x.py"]), part("b", writes=["x.py"])]),
    "circle": json.dumps([part("a", depends_on=["b"]), part("b", depends_on=["a"])]),
    "nobody": json.dumps([part("a", depends_on=["z"]), part("b")]),
    "not all": json.dumps([part("react"), part("fastapi")]),
    "junk": "[1, 2]",
}


@pytest.mark.parametrize("name", BAD_PLANS)
def test_a_plan_that_cannot_be_used_is_mended_once_and_else_one_agent_does_it(
    agentic: Agentic, server: FakeVLLM, name: str
) -> None:
    plans: list[Request] = []

    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][0]["content"].startswith("Decompose"):
            plans.append(request)
            return answer(BAD_PLANS[name])
        return answer("one agent did it")

    server.otherwise = reply
    done = split(agentic, server)
    assert len(plans) == 2
    assert "cannot be used" in plans[1].json["messages"][-1]["content"]
    assert not done.of_type("plan")
    assert done.of_type("run_finished")[0]["result"].startswith("one agent did it")


def test_a_server_that_makes_no_plans_costs_no_run(agentic: Agentic, server: FakeVLLM) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        plan = request.json["messages"][0]["content"].startswith("Decompose")
        return error(400, "response_format is not supported") if plan else answer("one agent did it")

    server.otherwise = reply
    done = split(agentic, server)
    assert done.code == 0
    assert "one agent does it all" in str(done.of_type("workflow_event"))


def test_the_second_plan_may_be_better(agentic: Agentic, server: FakeVLLM) -> None:
    model = Model(server, PARTS)
    good, model.plan = model.plan, "no plan"

    def reply(request: Request) -> ScriptedAnswer:
        result = model.reply(request)
        model.plan = good
        return result

    server.otherwise = reply
    done = split(agentic, server)
    assert done.code == 0
    assert len(done.of_type("sub_agent_finished")) == 4


def test_failures_stay_their_own(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """One hangs, one never ends, one cannot be served; what needs one of them is not begun; the others are done."""
    plan = [*PARTS[:2], part("database", objective="PostgreSQL"), part("hangs"), part("loops"), part("tests", depends_on=["hangs"])]
    calls = iter(range(100))
    behave = {
        "hangs": lambda request: answer("begun", fault="stall", fault_after=2),
        "loops": lambda request: (
            answer("loops wrote half") if "last turn" in str(request.json["messages"][-1]) else
            answer(tool_calls=tool_call("list_files", {"path": f"no{next(calls)}"}))
        ),
        "database": lambda request: ScriptedAnswer([b'{"error": "no"}'], 400, "application/json", chunked=False),
    }  # fmt: skip
    Model(server, plan, behave)
    limits = (
        "-c",
        "sub_agents.timeout_seconds=4",
        "-c",
        "sub_agents.subtask_max_iterations=3",
        "-c",
        "sub_agents.max_concurrent=6",
    )
    done = split(agentic, server, *limits)
    assert done.code == 1
    statuses = {event["agent"]: event["status"] for event in done.of_type("sub_agent_finished")}
    assert statuses == {
        "sub-frontend": "done", "sub-backend": "done", "sub-database": "failed", "sub-hangs": "timeout", "sub-loops": "limit",
    }  # fmt: skip
    result = done.of_type("run_finished")[0]["result"]
    assert "Not done: database, hangs, loops, tests." in result
    assert "tests (not begun): it needs hangs" in result
    assert "loops (out of turns): loops wrote half" in result
    assert (work / "frontend.txt").exists()


def test_what_is_open_and_unwritten_are_fields_from_the_child_to_the_end(agentic: Agentic, server: FakeVLLM) -> None:
    """However its words look: a line that begins with "Open:" is a line."""

    def asks(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer("Open: the door\nI am done.")
        return answer(tool_calls=tool_call("share", {"key": "open backend", "value": "which database?"}))

    Model(server, [{**each, "writes": ["api.txt"]} if each["id"] == "backend" else each for each in PARTS], {"backend": asks})
    done = split(agentic, server)
    (finished,) = done.of_type("run_finished")
    assert finished["open_questions"] == ["backend: which database?"]
    assert "backend: not written: api.txt" in finished["result"]
    assert "Open: the door" in finished["result"]


def test_the_last_turn_is_for_the_report(agentic: Agentic, server: FakeVLLM) -> None:
    seen: list[str] = []

    def endless(request: Request) -> ScriptedAnswer:
        seen.append(request.json["messages"][-1]["content"])
        return answer("report") if "last turn" in seen[-1] else answer(tool_calls=tool_call("list_files", {"path": str(len(seen))}))

    Model(server, PARTS, {"tests": endless})
    split(agentic, server, "-c", "sub_agents.subtask_max_iterations=2")
    assert "Call no tool" in seen[-1]


def test_two_writers_do_not_trample(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    begun = threading.Event()

    def first(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            begun.set()
            return answer("done with it", pause=0.3)
        return answer(tool_calls=tool_call("write_file", {"path": "api.py", "content": "first = 1\n"}))

    def second(request: Request) -> ScriptedAnswer:
        begun.wait(10)
        if request.json["messages"][-1]["role"] == "tool":
            return answer(request.json["messages"][-1]["content"])
        return answer(tool_calls=tool_call("write_file", {"path": "./api.py", "content": "second = 2\n"}))

    Model(server, PARTS, {"backend": first, "tests": second})
    done = split(agentic, server)
    assert done.code == 1
    assert "tests (gave up): It could not write anything." in done.of_type("run_finished")[0]["result"]
    assert (work / "api.py").read_text() == "first = 1\n"
    assert "is being written by sub-backend" in done.of_type("run_finished")[0]["result"]


def test_what_a_sibling_changed_since_it_was_read_is_not_overwritten(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "api.py").write_text("old = 0\n")
    read, changed = threading.Event(), threading.Event()

    def first(request: Request) -> ScriptedAnswer:
        read.wait(10)
        if request.json["messages"][-1]["role"] == "tool":
            return answer("done with it")
        return answer(tool_calls=tool_call("write_file", {"path": "api.py", "content": "first = 1\n"}))

    def second(request: Request) -> ScriptedAnswer:
        last = request.json["messages"][-1]
        if last["role"] == "tool" and "changed since" in last["content"]:
            return answer(last["content"])
        if last["role"] == "tool":
            read.set()
            changed.wait(10)
            return answer(tool_calls=tool_call("write_file", {"path": "api.py", "content": "second = 2\n"}))
        return answer(tool_calls=tool_call("read_file", {"path": "api.py"}))

    def third(request: Request) -> ScriptedAnswer:
        changed.set()
        return answer("the other one has ended")

    plan = [*PARTS[:3], part("tests", depends_on=["backend"]), part("slow", objective="FastAPI")]
    Model(server, plan, {"backend": first, "slow": second, "tests": third})
    done = split(agentic, server, "-c", "sub_agents.max_concurrent=5")
    assert (work / "api.py").read_text() == "first = 1\n"
    assert (
        "slow (gave up): It could not write anything. api.py changed since it was read; read it again"
        in done.of_type("run_finished")[0]["result"]
    )


def test_a_lease_ends_with_its_holder() -> None:
    leases = Leases()
    leases.claim("a/b.py", "one", True)
    with pytest.raises(ToolError, match="is being written by one"):
        leases.claim("a/../a/b.py", "two", True)
    leases.release("one")
    leases.claim("a/b.py", "two", True)


@pytest.mark.parametrize(
    ("path", "folder"),
    [("web", True), ("web/", True), ("a/web", True), ("a.py", False), ("Makefile", False), (".env", False), ("x/README", False)],
)
def test_what_a_plan_calls_a_folder(path: str, folder: bool) -> None:
    assert is_folder(path) is folder


def test_what_one_has_written_another_overwrites_only_after_reading_it() -> None:
    leases = Leases()
    leases.claim("a", "one", has_read=False)
    leases.release("one")
    with pytest.raises(ToolError, match="was written by one: read it first"):
        leases.claim("a", "two", has_read=False)
    leases.claim("a", "two", has_read=True)
    leases.claim("a", "two", has_read=False)


def test_what_the_plan_names_for_one_is_nobody_elses_until_that_one_ends() -> None:
    leases = Leases({"one": ["api/", "shared.py"], "two": ["shared.py"]})
    for path in ("api/main.py", "api"):
        with pytest.raises(ToolError, match="written by one"):
            leases.claim(path, "two", True)
    leases.claim("apix.py", "two", True)
    leases.claim("apiy.py", "three", True)
    leases.claim("shared.py", "two", True)
    with pytest.raises(ToolError, match="written by two"):
        leases.claim("shared.py", "one", True)
    leases.release("one")
    leases.claim("api/main.py", "two", True)


def fan_out(plan: Plan, spawn: Callable[[Subtask], Any], most: int = 3) -> list[Outcome]:
    return asyncio.run(LocalFanOut(most).run(plan, spawn))  # type: ignore[arg-type]


def test_a_child_that_raises_or_is_cancelled_is_an_outcome() -> None:
    async def spawn(subtask: Subtask) -> Outcome:
        if subtask.id == "raises":
            raise RuntimeError("boom")
        if subtask.id == "killed":
            raise asyncio.CancelledError
        return Outcome("done", "ok")

    plan = Plan(
        (Subtask("raises", "a"), Subtask("killed", "b"), Subtask("fine", "c"), Subtask("after", "d", depends_on=("killed",)))
    )
    outcomes = fan_out(plan, spawn)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed", "done", "skipped"]
    assert outcomes[0].summary == "RuntimeError: boom"


def test_cancelling_the_whole_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def spawn(subtask: Subtask) -> Outcome:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(subtask.id)
        return Outcome("done", "")

    async def main() -> None:
        plan = Plan((Subtask("a", "a"), Subtask("b", "b"), Subtask("c", "c", depends_on=("a",))))
        whole = asyncio.ensure_future(LocalFanOut(4).run(plan, spawn))
        await asyncio.sleep(0.05)
        whole.cancel()
        with pytest.raises(asyncio.CancelledError):
            await whole
        assert sorted(ended) == ["a", "b"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@given(
    st.integers(2, 6).flatmap(lambda n: st.lists(st.lists(st.integers(0, n), max_size=3), min_size=n, max_size=n)),
    st.integers(1, 4),
)
def test_any_graph_without_a_circle_is_run_in_order_and_no_fuller_than_allowed(edges: list[list[int]], most: int) -> None:
    names = [f"t{number}" for number in range(len(edges))]
    subtasks = [
        Subtask(name, name, depends_on=tuple(names[i] if i < len(names) else "z" for i in edge))
        for name, edge in zip(names, edges, strict=True)
    ]
    plan = Plan(tuple(subtasks))
    if plan.problems():
        return
    done: list[str] = []
    running = peak = 0

    async def spawn(subtask: Subtask) -> Outcome:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        assert set(subtask.depends_on) <= set(done)
        await asyncio.sleep(0)
        running -= 1
        done.append(subtask.id)
        return Outcome("done", "")

    assert all(outcome.status == "done" for outcome in fan_out(plan, spawn, most))
    assert sorted(done) == names
    assert peak <= most
