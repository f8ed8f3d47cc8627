"""The protocol package's own client drives `agentic acp`, as an editor does."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from acp import PROTOCOL_VERSION, RequestError, image_block, resource_link_block, spawn_agent_process, text_block
from acp.schema import AllowedOutcome, DeniedOutcome, McpServerStdio, RequestPermissionResponse

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic

SERVER = Path(__file__).parents[1] / "mcp_server.py"
NATIVE = ("-c", "tools.protocol=native")


class Editor:
    """Keeps what it is told; `answers` are the options that it chooses, in their order, the last one for ever."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.asked: list[tuple[Any, list[Any]]] = []
        self.answers = ["once"]
        self.on_ask: Callable[[], Any] | None = None

    def on_connect(self, conn: Any) -> None:
        """Nothing to keep."""

    async def session_update(self, session_id: str, update: Any, **more: Any) -> None:
        self.updates.append(update)

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **more: Any) -> RequestPermissionResponse:
        self.asked.append((tool_call, options))
        if self.on_ask is not None:
            await self.on_ask()
        chosen = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if chosen == "cancelled":
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen))

    def of(self, kind: str) -> list[Any]:
        return [update for update in self.updates if update.session_update == kind]

    @property
    def said(self) -> str:
        return "".join(update.content.text for update in self.of("agent_message_chunk"))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.02)


def drive(server: FakeVLLM, env: dict[str, str], own: Path, steps: Callable[[Any, Editor], Any], *options: str) -> Editor:
    editor = Editor()

    async def run() -> None:
        command = [sys.executable, "-m", "agentic", "acp", "--endpoint", server.url, *NATIVE, *options]
        async with spawn_agent_process(
            editor, *command, env=env, cwd=str(own), transport_kwargs={"stderr": None, "shutdown_timeout": 30.0}
        ) as (
            conn,
            process,
        ):
            await conn.initialize(PROTOCOL_VERSION)
            await asyncio.wait_for(steps(conn, editor), 60)
        assert process.returncode == 0

    asyncio.run(run())
    return editor


def write(path: str, content: str) -> Any:
    return answer(tool_calls=tool_call("write_file", {"path": path, "content": content}, 0, path))


def test_an_edit_is_shown_as_a_difference_asked_about_and_made(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    (own / "a.txt").write_text("one\n")
    server.script(
        answer("I read it.", tool_calls=tool_call("read_file", {"path": "a.txt"}, 0, "r")), write("a.txt", "two\n"), answer("done")
    )

    async def steps(conn: Any, editor: Editor) -> None:
        session = await conn.new_session(cwd=str(own), mcp_servers=[])
        assert session.modes.current_mode_id == "ask"
        assert {"ask", "edits", "all", "none", "agent:plan"} <= {mode.id for mode in session.modes.available_modes}
        stopped = await conn.prompt(
            session.session_id, [text_block("change "), resource_link_block("a.txt", (own / "a.txt").as_uri())]
        )
        assert stopped.stop_reason == "end_turn"
        await editor.until(lambda: bool(editor.of("available_commands_update")))

    editor = drive(server, env, own, steps)
    assert (own / "a.txt").read_text() == "two\n"
    assert "change @a.txt" in server.chats[0].json["messages"][-1]["content"]
    assert editor.said.startswith("I read it.") and "done" in editor.said
    calls = {call.tool_call_id: call for call in editor.of("tool_call")}
    assert [call.kind for call in calls.values()] == ["read", "edit"]
    (asked, options), *none = editor.asked
    assert none == [] and asked.tool_call_id in calls and [each.kind for each in options][-1] == "reject_once"
    assert (asked.content[0].old_text, asked.content[0].new_text) == ("one\n", "two\n")
    final = [update for update in editor.of("tool_call_update") if update.status == "completed"][-1]
    assert (final.content[0].path, final.content[0].old_text, final.content[0].new_text) == (str(own / "a.txt"), "one\n", "two\n")
    assert "skills" in {command.name for command in editor.of("available_commands_update")[0].available_commands}
    assert editor.of("usage_update")


def test_a_no_and_modes(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    server.script(
        write("a.txt", "x"), answer("then not"), write("b.txt", "x"), answer("b is there"), write("c.txt", "x"), answer("a plan")
    )

    async def steps(conn: Any, editor: Editor) -> None:
        editor.answers = ["no"]
        name = (await conn.new_session(cwd=str(own), mcp_servers=[])).session_id
        await conn.prompt(name, [text_block("write a")])
        await conn.set_session_mode(session_id=name, mode_id="edits")
        await conn.prompt(name, [text_block("write b")])
        await conn.set_session_mode(session_id=name, mode_id="agent:plan")
        await conn.prompt(name, [text_block("write c")])
        with pytest.raises(RequestError):
            await conn.set_session_mode(session_id=name, mode_id="nothing")
        with pytest.raises(RequestError):
            await conn.prompt(name, [image_block("no base64", "image/png")])
        assert len(editor.asked) == 1

    editor = drive(server, env, own, steps)
    assert not (own / "a.txt").exists() and (own / "b.txt").exists() and not (own / "c.txt").exists()
    assert [update.current_mode_id for update in editor.of("current_mode_update")] == ["edits", "agent:plan"]


def test_cancel_ends_a_turn_and_the_session_goes_on(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    server.script(answer("slow " * 200, pause=0.05), write("a.txt", "x"), answer("still here"))

    async def steps(conn: Any, editor: Editor) -> None:
        name = (await conn.new_session(cwd=str(own), mcp_servers=[])).session_id
        turn = asyncio.ensure_future(conn.prompt(name, [text_block("go")]))
        await editor.until(lambda: "slow" in editor.said)
        with pytest.raises(RequestError, match="going on"):
            await conn.prompt(name, [text_block("again")])
        await conn.cancel(name)
        assert (await turn).stop_reason == "cancelled"

        async def cancelling() -> None:
            await conn.cancel(name)

        editor.on_ask, editor.answers = cancelling, ["cancelled"]
        assert (await conn.prompt(name, [text_block("write")])).stop_reason == "cancelled"
        editor.on_ask = None
        assert (await conn.prompt(name, [text_block("are you there?")])).stop_reason == "end_turn"
        assert "still here" in editor.said

    drive(server, env, own, steps)
    assert not (own / "a.txt").exists()


def test_a_session_is_listed_and_loaded_with_what_was_said(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    server.script(write("a.txt", "x"), answer("written"), answer("I remember"))
    names: list[str] = []

    async def first(conn: Any, editor: Editor) -> None:
        names.append((await conn.new_session(cwd=str(own), mcp_servers=[])).session_id)
        await conn.prompt(names[0], [text_block("write a")])

    async def second(conn: Any, editor: Editor) -> None:
        listed = (await conn.list_sessions(cwd=str(own))).sessions
        assert [(each.session_id, each.title) for each in listed] == [(names[0], "write a")]
        await conn.load_session(cwd=str(own), session_id=names[0], mcp_servers=[])
        await editor.until(lambda: "written" in editor.said)
        assert [update.content.text for update in editor.of("user_message_chunk")] == ["write a"]
        assert len(editor.of("tool_call")) == 1 and editor.of("tool_call_update")[-1].status == "completed"
        await conn.prompt(names[0], [text_block("do you remember?")])
        with pytest.raises(RequestError, match="no session"):
            await conn.load_session(cwd=str(own), session_id="20200101-nothing", mcp_servers=[])

    drive(server, env, own, first)
    drive(server, env, own, second)
    assert "write a" in json.dumps(server.chats[-1].json["messages"]) and "written" in json.dumps(server.chats[-1].json["messages"])


def test_slash_commands_questions_and_servers_of_the_editors(server: FakeVLLM, env: dict[str, str], own: Path, home: Path) -> None:
    (own / ".claude" / "commands").mkdir(parents=True)
    (own / ".claude/commands/greet.md").write_text("Say hello to $1.")
    call = answer(tool_calls=tool_call("call_tool", {"name": "mine/echo", "arguments": {"text": "hi"}}, 0, "c"))
    server.script(answer("hello Ann"), call, answer("echoed"))
    mine = McpServerStdio(name="mine", command=sys.executable, args=[str(SERVER)], env=[])

    async def steps(conn: Any, editor: Editor) -> None:
        name = (await conn.new_session(cwd=str(own), mcp_servers=[mine])).session_id
        await conn.prompt(name, [text_block("/greet Ann")])
        await conn.prompt(name, [text_block("/skills")])
        await editor.until(lambda: "no skills" in editor.said)
        await conn.prompt(name, [text_block("echo hi")])

    editor = drive(server, env, own, steps)
    assert "Say hello to Ann." in server.chats[0].json["messages"][-1]["content"]
    assert editor.asked[0][0].title.startswith("mine/echo") and "echo: hi" in server.chats[-1].json["messages"][-1]["content"]


def test_what_a_folder_would_run_is_asked_about_once(server: FakeVLLM, env: dict[str, str], own: Path) -> None:
    (own / ".claude").mkdir()
    hook = {"hooks": {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": "touch RAN"}]}]}}
    (own / ".claude/settings.json").write_text(json.dumps(hook))
    server.script(answer("one"), answer("two"))

    async def steps(conn: Any, editor: Editor) -> None:
        editor.answers = ["no", "yes"]
        name = (await conn.new_session(cwd=str(own), mcp_servers=[])).session_id
        await conn.prompt(name, [text_block("go")])
        assert "touch RAN" in editor.asked[0][0].content[0].content.text and not (own / "RAN").exists()
        hook["hooks"]["UserPromptSubmit"][0]["hooks"][0]["command"] = "touch RAN TOO"  # type: ignore[index]
        (own / ".claude/settings.json").write_text(json.dumps(hook))
        await conn.prompt(name, [text_block("go on")])
        assert len(editor.asked) == 2 and (own / "TOO").exists()
        (listed,) = (await conn.list_sessions(cwd=str(own))).sessions
        assert (listed.session_id, listed.title) == (name, "go")

    drive(server, env, own, steps)
    assert "one" in json.dumps(server.chats[-1].json["messages"])


def test_junk_and_errors_end_nothing_and_no_stray_byte_is_written(env: dict[str, str], own: Path, agentic: Agentic) -> None:
    new = {"jsonrpc": "2.0", "id": 2, "method": "session/new", "params": {"cwd": "relative", "mcpServers": []}}
    gone = {"jsonrpc": "2.0", "id": 3, "method": "session/new", "params": {"cwd": str(own), "mcpServers": []}}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}
    lines = [
        "no json",
        "[1, 2]",
        "7",
        json.dumps(first),
        json.dumps(new),
        json.dumps({"jsonrpc": "2.0", "id": 4, "method": "nope"}),
        json.dumps(gone),
    ]
    command = [sys.executable, "-m", "agentic", "acp", "--endpoint", "http://127.0.0.1:1/v1"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=own, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n".join(lines) + "\n")
    process.stdin.flush()
    answers: dict[Any, Any] = {}
    while 3 not in answers:
        message = json.loads(process.stdout.readline())
        answers[message["id"]] = message
    out, err = process.communicate(timeout=30)
    assert out == "" and process.returncode == 0 and "Traceback" not in err
    assert answers[1]["result"]["agentCapabilities"]["loadSession"] is True
    assert answers[2]["error"]["code"] == -32602 and answers[4]["error"]["code"] == -32601
    assert "127.0.0.1:1" in answers[3]["error"]["message"]
