"""Parts of a plan in processes of their own: the same prompts, one result, and nothing left behind however it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agentic import AgenticError, ConfigError, ToolError, __version__, run, sub_agent
from agentic.lib.git import git
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.sub_agents.elsewhere import refuse_unfit
from plugins_builtin.sub_agents.process import ProcessRunner
from plugins_builtin.sub_agents.trees import Trees, unpack
from tests.children import NATIVE, PARTS, TASK, Model, part, split
from tests.conftest import PORTABLE, Agentic
from tests.processes import soon

ELSEWHERE = ("-c", "sub_agents.runner=process")


def prompts(server: FakeVLLM) -> set[str]:
    firsts = [request.json for request in server.chats if len(request.json["messages"]) == 2]
    return {json.dumps([body["messages"], body["tools"]]) for body in firsts}


def test_parts_in_processes_have_the_same_prompts_and_make_one_result(
    agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    Model(second_server, PARTS)
    split(agentic, second_server)
    other = tmp_path / "other" / work.name
    other.mkdir(parents=True)
    Model(server, PARTS)
    done = agentic("run", TASK, "--endpoint", server.url, *NATIVE, *ELSEWHERE, cwd=other, seconds=90)
    assert done.code == 0
    assert prompts(server) == prompts(second_server) != set()
    assert sorted(path.name for path in other.iterdir()) == ["backend.txt", "database.txt", "frontend.txt", "tests.txt"]
    (finished,) = done.of_type("run_finished")
    assert set(finished["files"]) == {"frontend.txt", "backend.txt", "database.txt", "tests.txt"}
    assert {event["agent"] for event in done.of_type("llm_chunk")} == {f"sub-{name['id']}" for name in PARTS}
    assert "frontend (done): frontend is written" in finished["result"]
    session = done.of_type("run_started")[0]["session"]
    kept = agentic("sessions", "export", session, cwd=other).out
    assert "backend is written" in kept  # what was said elsewhere is kept here
    assert agentic("sessions", "undo", session, cwd=other).code == 0
    assert list(other.iterdir()) == []


def test_of_two_that_change_the_same_line_one_is_taken_and_the_others_patch_is_kept(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    (work / "shared.txt").write_text("old\n")
    (tmp_path / "tmp").mkdir()

    def writes(text: str) -> Callable[[Request], ScriptedAnswer]:
        def child(request: Request) -> ScriptedAnswer:
            if request.json["messages"][-1]["role"] == "tool":
                return answer("changed")
            return answer(tool_calls=tool_call("write_file", {"path": "shared.txt", "content": text}), pause=0.5)

        return child

    Model(server, PARTS, {name: writes(f"{name}\n") for name in ("frontend", "backend")})
    done = split(agentic, server, *ELSEWHERE, more={"TMPDIR": str(tmp_path / "tmp")})
    ends = {event["agent"].removeprefix("sub-"): event["status"] for event in done.of_type("sub_agent_finished")}
    assert sorted(ends.values()) == ["done", "done", "done", "failed"]
    (loser,) = [name for name in ("frontend", "backend") if ends[name] == "failed"]
    (winner,) = {"frontend", "backend"} - {loser}
    assert (work / "shared.txt").read_text() == f"{winner}\n"
    (kept,) = (tmp_path / "tmp").rglob("*.patch")
    assert f"+{loser}".encode() in kept.read_bytes()
    assert f"its patch is left in {kept}" in done.of_type("run_finished")[0]["result"]


def test_together_they_make_no_more_calls_than_are_left(agentic: Agentic, server: FakeVLLM) -> None:
    def child(request: Request) -> ScriptedAnswer:
        count = len(request.json["messages"])
        return answer(tool_calls=tool_call("share_context", {"key": f"k{count}", "value": "v"}))

    Model(server, PARTS, dict.fromkeys((each["id"] for each in PARTS), child))
    done = split(agentic, server, *ELSEWHERE, "--max-iterations", "12")
    asked = [each["agent"] for each in done.of_type("llm_request") if each["purpose"] == "turn"]
    assert len(asked) <= 12 and len(set(asked) - {"main"}) == 4  # each has its share
    assert {event["status"] for event in done.of_type("sub_agent_finished")} <= {"limit"}
    assert done.code == 1


def left_over(home: Path) -> list[int]:
    """The processes with that home folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                f"HOME={home}\0".encode() in (entry / "environ").read_bytes()
                and b"\0sub-agent\0" in (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(PORTABLE, reason="/proc tells")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_of_a_part_outlives_the_host(
    number: signal.Signals, server: FakeVLLM, env: dict[str, str], home: Path, work: Path, tmp_path: Path
) -> None:
    Model(server, PARTS, dict.fromkeys((each["id"] for each in PARTS), lambda request: answer("word " * 2000, pause=0.05)))
    command = [sys.executable, "-m", "agentic", "run", TASK, "--endpoint", server.url, *NATIVE, *ELSEWHERE]
    (tmp_path / "tmp").mkdir()
    own = env | {"TMPDIR": str(tmp_path / "tmp")}
    process = subprocess.Popen(command, cwd=work, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    assert server.wait_for(lambda: server.running == 4, seconds=40)
    assert len(left_over(home)) == 4
    process.send_signal(number)
    assert process.wait(20) == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert soon(lambda: not left_over(home))
    if number == signal.SIGINT:
        assert not left_over(home)
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_secret_goes_by_the_name_of_its_variable(agentic: Agentic, home: Path, work: Path) -> None:
    with FakeVLLM(api_key="hush") as server:
        (home / ".config/agentic").mkdir(parents=True)
        (home / ".config/agentic/config.toml").write_text('[llm]\napi_key = "hush"\n')
        Model(server, PARTS)
        assert split(agentic, server, *ELSEWHERE).code == 0
        assert (work / "tests.txt").read_text() == "tests"


def test_what_is_trusted_here_is_trusted_in_the_copy(agentic: Agentic, server: FakeVLLM, home: Path, work: Path) -> None:
    """The project's MCP server, and an agent in Markdown that may call nothing else."""
    own = {"command": sys.executable, "args": [str(Path(__file__).parents[1] / "mcp_server.py")]}
    (work / ".git").mkdir()
    (work / ".mcp.json").write_text(json.dumps({"mcpServers": {"test": own}}))
    (work / ".agents/agents").mkdir(parents=True)
    (work / ".agents/agents/caller.md").write_text("---\ndescription: Calls.\ntools: mcp__test__echo\n---\nYou call.")
    assert agentic("trust", "add").code == 0
    told: list[str] = []

    def child(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            told.append(request.json["messages"][-1]["content"])
        if len(told) == 2:
            return answer("called")
        name, arguments = (
            ("write_file", {"path": "x", "content": "x"})
            if told
            else ("call_tool", {"name": "test/echo", "arguments": {"text": "hi"}})
        )
        return answer(tool_calls=tool_call(name, arguments, 0, str(len(told))))

    plan = [part("frontend", objective="React", agent="caller", writes=[]), *PARTS[1:]]
    Model(server, plan, {"frontend": child})
    done = split(agentic, server, *ELSEWHERE, "--no-sandbox")
    assert told[0] == "echo: hi" and "the agent caller has no write_file" in told[1], done.err
    assert {event["status"] for event in done.of_type("sub_agent_finished")} == {"done"}


PART = {
    **dict.fromkeys(("agent", "session", "task", "late", "protocol", "model", "tier", "effort", "lane", "approval", "tree"), ""),
    **dict.fromkeys(("messages", "tools", "shared", "outputs", "trusted"), ()),
    "version": __version__,
    "subtask": {"id": "a", "title": "a part"},
    "kind": {},
    "settings": {"llm.endpoints": ["http://127.0.0.1:9/v1"]},
    "secrets": {},
    "calls": 1,
    "seconds": 1,
    "folder": "work",
}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("{", "standard input holds no part"),
        ("[]", "standard input holds no part"),
        ({"version": "0.0"}, "the part was sent by 0.0"),
        ({"secrets": {"llm.api_key": "AGENTIC_LLM_API_KEY"}}, "AGENTIC_LLM_API_KEY is not set on this machine"),
        ({"folder": "../../etc"}, "the part's folder is '../../etc'"),
        ({"folder": "/etc"}, "the part's folder is '/etc'"),
        ({"settings": {"llm.endpoints": 5}}, "llm.endpoints"),
        ({"tree": "bm8="}, "bundle"),
        ({"tree": "?"}, "the part cannot be read"),
        ({"calls": "many"}, "the part cannot be read: calls"),
    ],
    ids=str,
)
def test_what_is_no_part_ends_in_one_outcome_that_says_why(agentic: Agentic, given: Any, why: str) -> None:
    done = agentic("sub-agent", stdin=given if isinstance(given, str) else json.dumps({**PART, **given}))
    (outcome,) = done.events
    assert outcome["type"] == "outcome" and outcome["status"] == "failed"
    assert why in outcome["summary"]
    assert done.code in (1, 2)


def test_the_command_is_not_listed(agentic: Agentic) -> None:
    assert "sub-agent " not in agentic("--help").out


@pytest.mark.parametrize(
    ("endpoint", "elsewhere", "why"),
    [
        ("http://localhost:8001/v1", True, "another server on each machine"),
        ("http://127.0.0.1:8001/v1", True, "another server on each machine"),
        ("http://[::1]:8001/v1", True, "another server on each machine"),
        ("local:model.gguf", False, "this process only"),
        ("http://gpu1:8001/v1", True, ""),
        ("http://localhost:8001/v1", False, ""),
    ],
)
def test_an_endpoint_that_parts_cannot_reach_is_refused(endpoint: str, elsewhere: bool, why: str) -> None:
    class Runner(ProcessRunner):
        def __init__(self) -> None:
            self.elsewhere = elsewhere

    try:
        refuse_unfit(Runner(), "mine", (endpoint,), "")  # type: ignore[arg-type]
    except ConfigError as error:
        assert why and why in str(error)
    else:
        assert not why


def test_a_mode_that_asks_is_refused(server: FakeVLLM, work: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("HOME", str(home))

    async def scenario() -> None:
        settings = {"llm.endpoints": (server.url,), "sub_agents.runner": "process", "approval.mode": "ask"}
        async with aclosing(run("hi", root=work, settings=settings, approve=lambda question: True)) as events:
            async for _ in events:
                pass

    with pytest.raises(ConfigError, match="cannot ask"):
        asyncio.run(scenario())


def follow(code: str, stop_after: int = 1000) -> list[Mapping[str, Any]]:
    async def scenario() -> list[Mapping[str, Any]]:
        records = []
        async with aclosing(sub_agent((sys.executable, "-c", code), {"agent": "sub-a"})) as stream:  # type: ignore[type-var]
            async for record in stream:
                records.append(record)
                if len(records) == stop_after:
                    break
        return records

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("pass", "exit code 0"),
        ("import sys; sys.exit('boom')", "boom"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
        ("print('junk')", "no record: 'junk"),
        ("print('[1]')", "no record"),
        ('print(\'{"type": "llm_chunk"}\')', "ended without an outcome"),
    ],
)
def test_a_command_that_gives_no_outcome_is_told_of(code: str, why: str) -> None:
    with pytest.raises(AgenticError, match=why):
        follow(code)


def test_a_record_may_be_long_and_what_is_read_no_more_is_ended(tmp_path: Path) -> None:
    long = "import json, sys; p = json.load(sys.stdin); print(json.dumps({'type': 'outcome', 'patch': 'x' * 5_000_000, **p}))"
    (record,) = follow(long)
    assert len(record["patch"]) == 5_000_000 and record["agent"] == "sub-a"
    mark = tmp_path / "pid"
    endless = (
        f"import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(mark)!r}, 'w').write(str(os.getpid()))\n"
        "print('{}', flush=True); time.sleep(100)"
    )
    follow(endless, stop_after=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


@pytest.mark.parametrize("in_git", [True, False])
def test_the_folder_goes_and_comes_back_byte_for_byte(tmp_path: Path, in_git: bool) -> None:
    top, there = tmp_path / "project", tmp_path / "there" / "project"
    top.mkdir()
    files = {"crlf.txt": b"a\r\nb\r\n", "bin": bytes(range(256)), ".gitignore": b"ignored\n", "a/b": b"", "ignored": b"secret"}
    files |= {".gitattributes": b"*.txt text eol=lf\n*.txt filter=x\nbin ident\n", "caf\u00e9 \n": b"$Id$"}
    for name, data in files.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(data)
    (top / "link").symlink_to("bin")
    if in_git:
        subprocess.run(["git", "init", "-q"], cwd=top, check=True)
    before = {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}

    async def scenario() -> None:
        homes = [tmp_path / "h1", tmp_path / "h2"]
        for home in homes:
            home.mkdir()
        trees = await Trees.open(top, homes[0])
        tree = await trees.now()
        await unpack(await trees.bundle(tree), there)
        assert {str(p.relative_to(there)): p.read_bytes() for p in there.rglob("*") if p.is_file() and ".git/" not in str(p)} == {
            name: data for name, data in (files | {"link": files["bin"]}).items() if name != "ignored"
        }
        assert await git(there, "status", "-s") == b""
        other = await Trees.open(there, homes[1])
        assert await other.now() == tree
        (there / "crlf.txt").write_bytes(b"a\r\nc\r\n")
        (there / "bin").write_bytes(b"\0\xff")
        (there / "a/b").unlink()
        (there / "new").write_bytes(b"no newline")
        (there / "ignored").write_bytes(b"stays there")
        patch = await other.patch(tree, await other.now())
        assert await trees.sides(tree, patch) == {
            "a/b": (b"", None),
            "bin": (files["bin"], b"\0\xff"),
            "crlf.txt": (b"a\r\nb\r\n", b"a\r\nc\r\n"),
            "new": (None, b"no newline"),
        }
        with pytest.raises(ToolError):
            await trees.sides(tree, b"junk")
        outside = patch.replace(b"a/new", b"a/../../new").replace(b"b/new", b"b/../../new")
        with pytest.raises(ToolError):
            await trees.sides(tree, outside)

    asyncio.run(scenario())
    assert {path: path.read_bytes() for path in top.rglob("*") if path.is_file()} == before


def test_what_another_process_says_is_taken_with_care(agentic: Agentic, server: FakeVLLM, work: Path, home: Path) -> None:
    """A runner of a third party that says anything but what it should."""
    (home / ".config/agentic/plugins").mkdir(parents=True)
    (home / ".config/agentic/plugins/odd.py").write_text(
        "from agentic import Provider, hookimpl\n"
        "class Odd:\n"
        "    elsewhere = False\n"
        "    def __init__(self, setup): pass\n"
        "    async def run(self, part):\n"
        "        for record in ({}, {'type': 'nonsense'}, {'type': 'llm_chunk'}, {'type': 'history', 'data': 3}, {'type': 7},\n"
        "                       {'type': 'history', 'kind': 'message', 'data': {'role': 'god'}},\n"
        "                       {'type': 'shared'} if part['agent'] == 'sub-frontend' else {}):\n"
        "            yield record\n"
        "        if part['agent'] == 'sub-backend':\n"
        "            yield {'type': 'outcome', 'status': 'done', 'summary': 'b', 'usage': 3, 'evidence': 'x', 'patch': '!'}\n"
        "        if part['agent'] == 'sub-tests':\n"
        "            yield 'no record'\n"
        "@hookimpl\n"
        "def agentic_runners():\n"
        "    yield Provider('odd', 'odd', Odd)\n"
    )
    Model(server, PARTS)
    done = split(agentic, server, "-c", "sub_agents.runner=odd")
    assert done.code == 1
    result = done.of_type("run_finished")[0]["result"]
    assert "frontend (failed): it ended without an outcome" in result
    assert "Its patch cannot be read" in result
    assert "yielded 'no record'" in result
    assert not {path.name for path in work.iterdir()} & {f"{each['id']}.txt" for each in PARTS}


def test_what_a_repository_calls_agentic_is_not_run(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """A module in the folder must not be what a part's process imports."""
    for name in ("agentic", "json", "sitecustomize"):
        (work / f"{name}.py").write_text(f"open({str(work / 'ran')!r}, 'w')\n")
    Model(server, PARTS)
    command = [sys.executable, "-P", "-m", "agentic", "run", TASK, "--endpoint", server.url, *NATIVE, *ELSEWHERE]
    done = subprocess.run(command, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=90)
    finished = [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "sub_agent_finished"]
    assert [event["status"] for event in finished] == ["done"] * 4
    assert not (work / "ran").exists()
