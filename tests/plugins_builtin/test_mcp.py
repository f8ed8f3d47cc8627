"""MCP servers: their tools, prompts and resources, what happens when they die, and agentic as one itself."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentic.errors import ConfigError
from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.mcp.definitions import definitions
from tests.conftest import Agentic, put
from tests.processes import sleepers
from tests.terminal import terminal

SERVER = Path(__file__).parents[1] / "mcp_server.py"
NATIVE = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")


def servers(home: Path, *more: str, name: str = "test", **fields: Any) -> Path:
    """The user's own file with the test's server."""
    server = {"command": sys.executable, "args": [str(SERVER), "--log", str(home / "log"), *more], **fields}
    return put(home / ".config/agentic/mcp.json", {"mcpServers": {name: server}})


def find(query: str) -> Any:
    return answer(tool_calls=tool_call("find_tools", {"query": query}, 0, "f"))


def call(name: str, number: int = 0, **arguments: Any) -> Any:
    return answer(tool_calls=tool_call("call_tool", {"name": f"test/{name}", "arguments": arguments}, 0, f"c{number}"))


def results(server: FakeVLLM) -> list[str]:
    return [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


def run(agentic: Agentic, server: FakeVLLM, *answers: Any, more: tuple[str, ...] = NATIVE) -> list[str]:
    server.script(*answers, answer("ok"))
    done = agentic("run", "do it", "--endpoint", server.url, *more)
    assert done.code in (0, 4), done.err
    return results(server)


def test_tools_are_found_and_called(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home)
    found, echoed, failed, picture = run(
        agentic, server, find("say a text"), call("echo", text="hi"), call("fail", 2), call("picture", 3)
    )
    assert found.startswith("test/echo: Says a text again. (reads only, it says) arguments: {")
    assert echoed == "echo: hi" and "it went wrong" in failed
    assert picture == "(image/png, 6 bytes, which cannot be shown here)"
    tools = {tool["function"]["name"]: tool["function"]["description"] for tool in server.chats[0].json["tools"]}
    assert tools["find_tools"] == "Finds more tools (test), with their parameters." and "test/echo" not in tools
    assert (home / "log").read_text().split("\n")[-2] == "ended"


def test_a_message_has_a_bound(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home)
    flood, echoed = run(agentic, server, call("flood"), call("echo", 1, text="hi"))
    assert flood == "the MCP server test ended during flood (a message of more than 8 MB); the next call starts it again"
    assert echoed == "echo: hi"


def test_without_servers_nothing_of_it_stands_in_the_prompt(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    run(agentic, server)
    assert "find_tools" not in str(server.chats[0].json["tools"])


def test_what_a_server_offers_is_known_the_next_time_without_starting_it(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path
) -> None:
    servers(home)
    run(agentic, server, find("echo"))
    (home / "log").unlink()
    (found,) = run(agentic, server, find("echo"))
    assert found.startswith("test/echo") and not (home / "log").exists()
    run(agentic, server, call("echo", text="a"))
    assert "tools/call" in (home / "log").read_text()


def test_ninety_tools_cost_the_prompt_at_most_150_tokens(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    """Counted in characters over four, as the fake server counts nothing: the tools' JSON is ASCII words."""
    run(agentic, server)
    before = len(json.dumps(server.chats[0].json["tools"]))
    servers(home, "--tools", "90")
    found, *_ = run(agentic, server, find("thing number 77"), call("tool_77", text="x"))
    chats = [chat for chat in server.chats if "find_tools" in str(chat.json["tools"])]
    assert (len(json.dumps(chats[0].json["tools"])) - before) / 4 < 150
    assert "test/tool_77" in found and len(found) < 8_000


def test_the_prefix_stays_over_twenty_turns_while_tools_arrive(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home)
    calls = [
        call("grow" if number == 5 else "late_one" if number == 6 else "echo", number, text=str(number)) for number in range(20)
    ]
    told = run(agentic, server, *calls)
    assert told[5:7] == ["grown", "late_one: done"]
    bodies = [chat.json for chat in server.chats]
    assert len(bodies) == 21 and all(body["tools"] == bodies[0]["tools"] for body in bodies)
    for before, after in pairwise(bodies):
        assert after["messages"][: len(before["messages"])] == before["messages"]


def test_one_that_is_killed_in_a_call_is_an_error_and_comes_back(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home)
    died, echoed = run(agentic, server, call("die"), call("echo", 2, text="again"))
    assert "the MCP server test ended during die; the next call starts it again" in died
    assert echoed == "echo: again" and (home / "log").read_text().count("started") == 2
    assert sleepers("6271") == []


def test_a_call_that_takes_too_long_is_told_and_its_progress_shown(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path
) -> None:
    servers(home)
    server.script(call("hang"), answer("ok"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "-c", "plugin.mcp.timeout_seconds=1", "--output", "jsonl")
    assert "test: hang failed: it took too long" in results(server)[0]
    assert [event["text"] for event in done.of_type("tool_progress")] == ["begun: 1 of 7\n"]
    assert "notifications/cancelled" in (home / "log").read_text()


def test_a_killed_agentic_leaves_no_server(server: FakeVLLM, env: dict[str, str], own: Path, home: Path) -> None:
    servers(home)
    server.script(call("hang"))
    process = subprocess.Popen(
        [sys.executable, "-m", "agentic", "run", "x", "--endpoint", server.url, *NATIVE],
        env=env,
        cwd=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (home / "log").exists() or "tools/call" not in (home / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pid = int((home / "log").read_text().split()[1])
    process.send_signal(signal.SIGKILL)
    process.wait()
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_calls_are_asked_about_and_a_rule_allows_one(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home)
    told = run(agentic, server, call("echo", text="a"), more=("-c", "tools.protocol=native"))
    assert "nobody can give" in told[0]
    more = ("-c", "tools.protocol=native", "-c", "permissions.allow=mcp(test/echo)")
    allowed, refused = run(agentic, server, call("echo", text="a"), call("fail", 2), more=more)
    assert allowed == "echo: a" and "nobody can give" in refused


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": "no-such-program"}, "no-such-program: No such file or directory"),
        ({"args": ["-c", "import sys; sys.exit('the key is missing')"]}, "the key is missing"),
        ({"env": {"KEY": "${NO_SUCH_VARIABLE}"}}, "needs the variable NO_SUCH_VARIABLE, which is not set"),
    ],
)
def test_one_that_cannot_start_is_one_line_with_what_it_said(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path, fields: dict[str, Any], said: str
) -> None:
    servers(home, **fields)
    server.script(find("echo"), answer("ok"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE)
    assert done.code == 0 and said in done.err + done.out and "Traceback" not in done.err
    tested = agentic("mcp", "test")
    assert tested.code == 1 and said in tested.out


def test_variables_and_nothing_else_reach_a_server(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    servers(home, env={"KEY": "${GIVEN:-none}", "OTHER": "${MISSING:-default}"})
    server.script(call("environment"), answer("ok"))
    agentic("run", "x", "--endpoint", server.url, *NATIVE, more={"GIVEN": "value", "SECRET": "s3cr3t"})
    told = results(server)[0]
    assert '"KEY": "value"' in told and '"OTHER": "default"' in told and "s3cr3t" not in told


def test_definitions_that_cannot_be_used_are_named(own: Path, home: Path) -> None:
    broken = {
        "sse": {"type": "sse", "url": "http://x"},
        "no command": {"command": "a"},
        "empty": {},
        "args": {"command": "a", "args": "b"},
        "off": {"command": "a", "disabled": True},
        "url": {"url": "ftp://x"},
        "list": [],
    }
    put(own / ".mcp.json", {"mcpServers": broken})
    faults = {each.name: each.fault for each in definitions(own)}
    assert all(faults.values()) and "sse" in faults["sse"] and "switched off" in faults["off"]
    put(own / ".mcp.json", "{")
    assert "cannot be read" in definitions(own)[0].fault


def test_a_projects_server_starts_after_trust_and_not_when_it_changes(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path
) -> None:
    definition = {"command": sys.executable, "args": [str(SERVER), "--log", str(home / "log")]}
    put(own / ".mcp.json", {"mcpServers": {"test": definition}})
    server.script(answer("ok"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE)
    assert "MCP server test (.mcp.json)" in done.err + done.out and not (home / "log").exists()
    assert "find_tools" not in str(server.chats[-1].json["tools"])
    agentic("trust", "add", "test")
    assert run(agentic, server, call("echo", text="a")) == ["echo: a"]
    put(own / ".mcp.json", {"mcpServers": {"test": definition | {"env": {"PYTHONPATH": "/evil"}}}})
    (home / "log").unlink()
    (told,) = run(agentic, server, call("echo", text="a"))
    assert "there is no tool" in told and not (home / "log").exists()


def test_prompts_and_resources_are_there_in_the_chat(
    server: FakeVLLM, env: dict[str, str], own: Path, home: Path, agentic: Agentic
) -> None:
    servers(home)
    agentic("mcp", "test")
    server.script(answer("hello Ann"), answer("read it"))
    with terminal(["--endpoint", server.url, "-c", "tools.protocol=native"], env, own) as shown:
        shown.until(lambda: "›" in shown.text)
        shown.type("/mcp\r")
        shown.until(lambda: "8 tools, 1 prompts, 1 resources" in shown.text)
        shown.type("/test:greet Ann\r")
        shown.until(lambda: "hello Ann" in shown.text)
        assert "Say hello to Ann." in server.chats[-1].json["messages"][-1]["content"]
        shown.type("what is in @test:note://one\r")
        shown.until(lambda: "read it" in shown.text)
        assert "the text of note://one" in server.chats[-1].json["messages"][-1]["content"]
        shown.type("\x04")
        shown.until_ended()


def test_add_list_and_rm_keep_the_rest_of_the_file(agentic: Agentic, own: Path, home: Path) -> None:
    path = put(home / ".config/agentic/mcp.json", {"mcpServers": {"kept": {"command": "x"}}, "other": [1]})
    agentic("mcp", "add", "web", "https://example.com/mcp", "--header", "Authorization: Bearer ${TOKEN}")
    agentic("mcp", "add", "files", "-e", "A=b", "--", "npx", "-y", "server", "--root", ".")
    content = json.loads(path.read_text())
    assert content["other"] == [1] and content["mcpServers"]["web"]["headers"] == {"Authorization": "Bearer ${TOKEN}"}
    assert content["mcpServers"]["files"] == {"command": "npx", "args": ["-y", "server", "--root", "."], "env": {"A": "b"}}
    listed = [json.loads(line) for line in agentic("mcp", "list", "--output", "jsonl").out.splitlines()]
    assert {each["name"]: each["state"] for each in listed} == {"kept": "usable", "web": "usable", "files": "usable"}
    assert agentic("mcp", "rm", "web").code == 0 and agentic("mcp", "rm", "web").code == 2
    agentic("mcp", "add", "shared", "--project", "x")
    assert json.loads((own / ".mcp.json").read_text()) == {"mcpServers": {"shared": {"command": "x", "args": []}}}


def test_no_start_pays_for_the_sdk(env: dict[str, str], own: Path, home: Path) -> None:
    servers(home)
    code = "import sys; sys.argv = ['agentic', 'mcp', 'list']\nfrom agentic.cli import main\ntry: main()\nexcept SystemExit: pass\nprint('mcp.types' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=env, cwd=own, capture_output=True, text=True).stdout.endswith("False\n")


def test_over_http_with_a_header_and_after_a_restart(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    program = put(home / "http_server.py", HTTP_SERVER)
    process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    try:
        put(
            home / ".config/agentic/mcp.json",
            {"mcpServers": {"test": {"type": "http", "url": f"http://127.0.0.1:{port}/mcp", "headers": {"X-Key": "${KEY:-abc}"}}}},
        )
        found, told, flood = run(agentic, server, find("header"), call("header"), call("flood", 1))
        assert "test/header" in found and told == "abc" and "z" * 100 not in flood
    finally:
        process.terminate()
        process.communicate()
    (told,) = run(agentic, server, call("header"))
    assert "the MCP server test cannot be used" in told


HTTP_SERVER = """
import socket
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
server = MCPServer("http", log_level="ERROR")
@server.tool()
def header(context: Context) -> str:
    "Tells a header."
    return context.headers["x-key"]
@server.tool()
def flood() -> str:
    "Never ends."
    return "z" * 20_000_000
sock = socket.socket(); sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
import asyncio
asyncio.run(uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error")).serve(sockets=[sock]))
"""


def test_agentic_is_a_server_itself(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    from mcp import ClientSession, StdioServerParameters, stdio_client

    server.script(
        answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "hi\n"}, 0, "1")),
        answer("written"),
        answer("4"),
        answer("one"),
        answer("two"),
    )
    command = [
        "-m",
        "agentic",
        "mcp",
        "serve",
        "--endpoint",
        server.url,
        "--approve",
        "edits",
        "-c",
        "tools.protocol=native",
        "-c",
        "batching.strategy=direct",
    ]
    seen: list[str] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(str(message))

    async def drive() -> None:
        parameters = StdioServerParameters(command=sys.executable, args=command, env=env, cwd=str(own))
        async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
            await session.initialize()
            assert {tool.name for tool in (await session.list_tools()).tools} == {"run", "ask", "batch"}
            done = await session.call_tool("run", {"task": "write a.txt"}, progress_callback=progress)
            assert done.content[0].text.startswith("written\nEdited a.txt; nothing here tests it.\n(status: ")  # type: ignore[union-attr]
            assert (await session.call_tool("ask", {"prompt": "2+2"})).content[0].text == "4"  # type: ignore[union-attr]
            many = await session.call_tool("batch", {"prompts": ["1", "2"]})
            assert sorted(many.structured_content["result"]) == ["one", "two"]  # type: ignore[index]

    asyncio.run(drive())
    assert (own / "a.txt").read_text() == "hi\n" and seen and seen[0].startswith("write_file a.txt")


LISTER = """
import json, os, sys
tools = json.loads(sys.argv[1])
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    results = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}},
        "tools/list": {"tools": tools},
        "tools/call": {"content": [{"type": "text", "text": "called in " + os.path.basename(os.getcwd())}]},
    }
    answer = {"result": results[message["method"]]} if message["method"] in results else {"error": {"code": -32601, "message": "no"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"""


def tool(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "description": name, "inputSchema": {"type": "object", "properties": {}, **schema}}


def listers(home: Path, servers: Mapping[str, Any], **fields: Any) -> None:
    """The user's own servers, each with the tools that it lists."""
    program = str(put(home / "lister.py", LISTER))
    made = {name: {"command": sys.executable, "args": [program, json.dumps(tools)], **fields} for name, tools in servers.items()}
    put(home / ".config/agentic/mcp.json", {"mcpServers": made})


def use(agentic: Agentic, server: FakeVLLM, name: str) -> tuple[str, str]:
    """(what a call of that tool gives, what the user was told)"""
    server.script(find("x"), answer(tool_calls=tool_call("call_tool", {"name": name, "arguments": {}}, 0, "c")), answer("ok"))
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    return results(server)[-1], done.err


BAD: dict[str, Any] = {
    "a schema that is none": [{"name": "bad", "description": "x", "inputSchema": {}}],
    "no schema": [{"name": "bad"}],
    "fields that have no name": [tool("bad", required=[1])],
    "a list of fields": [tool("bad", properties=["f"])],
    "a field that is a text": [tool("bad", properties={"f": "string"})],
    "no name": [{"description": "x", "inputSchema": {"type": "object"}}],
    "a text": ["bad"],
    "a number for a name": [{"name": 7, "inputSchema": {"type": "object"}}],
    "null for a list": None,
    "a table for a list": {"bad": {}},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_tool_takes_no_other_along(agentic: Agentic, server: FakeVLLM, own: Path, home: Path, name: str) -> None:
    """Neither of its own server nor of another, and both are named."""
    more = [tool("good")] if isinstance(BAD[name], list) else None
    listers(home, {"faulty": BAD[name] + more if more else BAD[name], "other": [tool("fine")]})
    told, said = use(agentic, server, "other/fine")
    assert told == "called in work"
    assert "the MCP server faulty offers what cannot be used" in said and "switch the plugin off" not in said
    if more:
        assert use(agentic, server, "faulty/good")[0] == "called in work"


FILTERS: dict[str, Any] = {
    "includeTools": ["good"], "enabledTools": ["good"], "allowedTools": ["g*"], "enabled_tools": ["good"],
    "excludeTools": ["bad"], "disabledTools": ["bad"], "disabled_tools": ["b*"], "disallowedTools": ["bad"],
    "restrictTools": ["good"], "excludeTool": "bad",
}  # fmt: skip


@pytest.mark.parametrize("field", FILTERS)
def test_a_limit_of_a_definition_is_kept_or_the_server_is_not_used(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path, field: str
) -> None:
    listers(home, {"s": [tool("good"), tool("bad")]}, **{field: FILTERS[field]})
    told, said = use(agentic, server, "s/bad")
    assert told.startswith("there is no tool")
    known = field not in ("restrictTools", "excludeTool")
    assert known or f'what "{field}" limits is not known here' in said
    assert use(agentic, server, "s/good")[0] == "called in work" or not known


@pytest.mark.parametrize(
    ("name", "fields"),
    [("io.github.x", {}), ("s", {"env": {"PORT": 3000, "ON": True}}), ("s", {"env": None, "headers": None}), ("s", {"cwd": "."})],
)
def test_definitions_as_people_write_them_are_used(
    agentic: Agentic, server: FakeVLLM, own: Path, home: Path, name: str, fields: dict[str, Any]
) -> None:
    listers(home, {name: [tool("good")]}, **fields)
    assert use(agentic, server, f"{name}/good")[0] == "called in work"


def test_a_server_starts_in_the_folder_that_its_definition_names(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    (own / "below").mkdir()
    listers(home, {"s": [tool("good")]}, cwd="below")
    assert use(agentic, server, "s/good")[0] == "called in below"


def test_what_cannot_be_used_is_said_in_a_run(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    put(
        home / ".config/agentic/mcp.json",
        {"mcpServers": {"a b": {"command": "x"}, "odd": {"command": ""}, "off": {"disabled": True}}},
    )
    server.say("ok")
    said = agentic("run", "do it", "--endpoint", server.url, *NATIVE).err
    assert "the MCP server a b of" in said and 'it has no "command"' in said and "off" not in said.replace("of ", "")


@pytest.mark.parametrize(
    "limit",
    [
        {"excludeTools": ["mcp__a__x"]}, {"excludeTools": ["a/x"]}, {"excludeTools": ["a__x"]}, {"tools": ["y"]}, {"tools": []},
        {"tools": {"x": False}}, {"tools": {"x": {"enabled": False}}}, {"deniedTools": ["x"]}, {"available_tools": ["y"]},
        {"toolFilter": ["y"]}, {"active": False}, {"off": True}, {"workingDirectory": "/x"}, {"timeout": "5s"}, {"timeout": "1"},
        {"anything": 1},
    ],
)  # fmt: skip
def test_a_limit_of_a_server_holds_or_the_server_is_not_used(home: Path, limit: dict[str, Any]) -> None:
    (definition,) = definitions(home, json.dumps({"mcpServers": {"a": {"command": "server", **limit}}}))
    assert definition.fault or not definition.allows("x"), limit


def test_servers_under_another_name_are_told(home: Path) -> None:
    with pytest.raises(ConfigError, match='under "servers"'):
        definitions(home, json.dumps({"servers": {"a": {"command": "server"}}}))
