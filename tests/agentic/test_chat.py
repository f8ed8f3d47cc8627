"""The chat, in a pseudo-terminal."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, strategies as st

from agentic.lib.terminal.keys import Keys, Replies
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic
from tests.terminal import Terminal, terminal

ENTER, CTRL_C, CTRL_D, ALT_ENTER = "\r", "\x03", "\x04", "\x1b\r"


@contextmanager
def chat(server: FakeVLLM, env: dict[str, str], work: Path, *more: str) -> Iterator[Terminal]:
    arguments = ["--endpoint", server.url, "-c", "tools.protocol=native", *more]
    with terminal(arguments, env, work) as shown:
        shown.until(lambda: b"for commands" in shown.raw)
        yield shown


def say(shown: Terminal, text: str, until: str) -> None:
    shown.type(text + ENTER)
    shown.until(lambda: until in shown.text)


def leave(shown: Terminal) -> None:
    shown.type(CTRL_D)
    assert shown.until_ended() == 0
    assert shown.restored()


def last(server: FakeVLLM) -> str:
    content: str = server.chats[-1].json["messages"][-1]["content"]
    return content


def test_agentic_alone_in_a_terminal_is_a_chat_that_remembers(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("Hello Ada.", "You are Ada.")
    with chat(server, env, work) as shown:
        say(shown, "I am Ada", "Hello Ada.")
        say(shown, "who am I?", "You are Ada.")
        leave(shown)
    roles = [message["role"] for message in server.chats[1].json["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert last(server) == "who am I?"


def test_without_a_terminal_it_is_the_help(agentic: Agentic) -> None:
    assert "Usage: agentic" in agentic().out
    done = agentic("chat")
    assert done.code == 2
    assert "needs a terminal" in done.err


def test_several_lines(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("ok")
    with chat(server, env, work) as shown:
        shown.type("one\\" + ENTER + "two" + ALT_ENTER + "three" + ENTER)
        shown.until(lambda: "ok" in shown.text)
        leave(shown)
    assert last(server).endswith("one\ntwo\nthree")


def test_a_message_typed_while_the_agent_works_comes_next(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("one two three four five six", pause=0.2), answer("second answer"))
    with chat(server, env, work) as shown:
        say(shown, "first", "one two")
        shown.type("second question" + ENTER)
        shown.until(lambda: "queued: second question" in shown.text)
        shown.type("begun")
        shown.until(lambda: "second answer" in shown.text and shown.draft == "begun")
        shown.type("\x15")
        leave(shown)
    assert last(server) == "second question"


def test_ctrl_c_stops_the_turn_and_not_the_chat(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer([f"w{i} " for i in range(500)], pause=0.05), answer("still here"))
    with chat(server, env, work) as shown:
        say(shown, "count", "w3")
        shown.type(CTRL_C)
        shown.until(lambda: "interrupted" in shown.text)
        assert server.wait_for(lambda: server.running == 0)
        say(shown, "are you there?", "still here")
        shown.type(CTRL_C)
        leave(shown)
    said = server.chats[-1].json["messages"]
    assert said[2]["content"].startswith("w0 w1 w2")


def test_tools_approvals_and_undo(server: FakeVLLM, env: dict[str, str], work: Path, agentic: Agentic) -> None:
    (work / "a.txt").write_text("before")
    server.script(
        answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "after"})), answer("written"), answer("right")
    )
    with chat(server, env, work) as shown:
        say(shown, "change a.txt", "Allow once")
        say(shown, "y", "written")
        assert (work / "a.txt").read_text() == "after"
        say(shown, "/undo", "taken back: a.txt")
        assert (work / "a.txt").read_text() == "before"
        say(shown, "and now?", "right")
        leave(shown)
    records = [json.loads(line) for line in agentic("sessions", "export", "-").out.splitlines()]
    answered = [record["data"] for record in records if record["data"].get("type") == "approval_answer"]
    assert [(event["what"], event["granted"]) for event in answered] == [("write_file a.txt", True)]
    assert "took your last changes back" in last(server)


def test_the_commands(server: FakeVLLM, second_server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("first")
    second_server.model = "other"
    second_server.say("second")
    with chat(server, env, work) as shown:
        say(shown, "/help", "Tab completes")
        say(shown, "/nonsense", "there is no command /nonsense")
        say(shown, "hello", "✓ done")  # its word stands in the help, too
        shown.until(lambda: shown.is_ready)
        say(shown, "/context", "counted by /tokenize")
        say(shown, "/model", f"fake at {server.url}")
        say(shown, "/model nobody", "does not serve 'nobody'")
        say(shown, f"/endpoint {second_server.url}", "other · ")
        say(shown, "and you?", "second")
        *before, newest = [message["content"] for message in second_server.chats[0].json["messages"]][1:]
        assert before == [server.chats[0].json["messages"][1]["content"], "first"]
        assert newest.endswith("and you?")  # after what is volatile: a new agent says again where it is
        say(shown, "/clear", "agentic 0.1.0")
        shown.type("/quit" + ENTER)
        assert shown.until_ended() == 0


def test_metrics_says_how_busy_every_endpoint_is(
    server: FakeVLLM, second_server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    with chat(server, env, work, "--endpoint", second_server.url) as shown:
        say(shown, "/metrics", f"{second_server.port}/v1: ")
        shown.until(lambda: f"{server.port}/v1: " in shown.text and "".join(shown.text.split()).count("ours:") == 2)
        leave(shown)


def test_the_sessions_prefix_is_computed_while_the_user_types(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("hello")
    with chat(server, env, work) as shown:
        assert server.wait_for(lambda: len(server.requests_to("/v1/chat/completions")) >= 1)
        say(shown, "hi", "hello")
        leave(shown)
    warming, *_ = server.requests_to("/v1/chat/completions")
    (asked,) = server.chats
    assert warming.json["max_tokens"] == 1
    assert warming.json["messages"][0] == asked.json["messages"][0]
    assert warming.json.get("tools") == asked.json.get("tools")


def test_resume_lists_and_opens(server: FakeVLLM, env: dict[str, str], work: Path, agentic: Agentic) -> None:
    """With what was said; the one that is chosen is shown again, and goes on."""
    server.say("Noted.", "You are Ada.")
    agentic("run", "I am Ada", "--endpoint", server.url, "-c", "tools.protocol=native")
    with chat(server, env, work) as shown:
        say(shown, "/resume", "I am Ada · ")
        assert "· 1 turn ·" in " ".join(shown.text.split())
        shown.type(ENTER)
        shown.until(lambda: "going on with session" in shown.text and shown.is_ready)
        assert "› I am Ada" in shown.text and "Noted." in shown.text
        say(shown, "who am I?", "You are Ada.")
        leave(shown)
    assert "I am Ada" in str(server.chats[-1].json["messages"])


def test_a_server_that_goes_away_ends_the_turn_only(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("hello")
    with chat(server, env, work) as shown:
        say(shown, "hi", "hello")
        server.close()
        say(shown, "still there?", "no endpoint answered")
        leave(shown)


def test_a_hangup_leaves_a_whole_session(server: FakeVLLM, env: dict[str, str], work: Path, agentic: Agentic) -> None:
    server.script(answer([f"w{i} " for i in range(500)], pause=0.05))
    with chat(server, env, work) as shown:
        say(shown, "count", "w3")
        os.kill(shown.process.pid, signal.SIGTERM)
        assert shown.until_ended() != 0
    server.say("on")
    assert agentic("ask", "go on", "--continue", "--endpoint", server.url).code == 0


def test_tab_completes_commands_and_files(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    (work / "module_with_a_long_name.py").write_text("")
    server.say("ok")
    with chat(server, env, work) as shown:
        shown.type("/cont\t")
        shown.until(lambda: "/context" in shown.text)
        shown.type("\x15look at module_w\t")
        shown.until(lambda: "look at module_with_a_long_name.py" in shown.text)
        shown.type("\x15")
        leave(shown)


REPLIES = (
    b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    b"\x1b]11;rgb:1e/1e/1e\x07",
    b"\x1b[?62;22c",
    b"\x1bP1+r524742=38\x1b\\",
    b"\x1b[?997;1n",
    b"\x1b[<35;10;20M",
    b"\x1b[1;1:3A",
)


@given(st.data())
def test_a_late_reply_is_no_key_wherever_it_breaks(data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from([b"a", b"\xc3\xb6", b" ", *REPLIES]), max_size=8))
    sent = b"".join(keys)
    ends = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[start:end] for start, end in zip([0, *ends], [*ends, len(sent)], strict=True)]
    reader = Keys(Replies(lambda: 0.0))
    pressed = [key for piece in pieces for key in reader.feed(piece)]
    assert pressed == [key.decode() for key in keys if key not in REPLIES]


def test_keys_in_kittys_words_and_with_alt() -> None:
    now = 0.0
    reader = Keys(Replies(lambda: now))
    assert reader.feed(b"\x1b[97u\x1b[97;2u\x1b[99;5u\x1b[13;3u\x1b[13u\x1b[27u\x1b[97;1:3u") == [
        "a",
        "A",
        "\x03",
        "\x1b\r",
        "\r",
        "\x1b",
    ]
    assert reader.feed(b"\x1b]") == []
    now = 1.0
    assert reader.feed(b"so") == ["\x1b", "]", "s", "o"], "nothing followed, so it was a key with Alt"


def test_an_escape_is_a_key_once_nothing_has_followed() -> None:
    reader = Keys(Replies(lambda: 0.0))
    assert reader.feed(b"a\x1b") == ["a"] and reader.flush() == ["\x1b"] and reader.flush() == []
    assert reader.feed(b"\x1b") == [] and reader.feed(b"[A") == ["\x1b[A"]
    assert reader.feed(b"\x1b[1;1:1A\x1b[49:33;2u\x1b[1;3:1B") == ["\x1b[A", "!", "\x1b[1;3B"]


PARTED = (b"\x1b|]11;rgb:1e1e/1e1e/1e1e\x1b\\", b"\x1b|[?62;22c", b"\x1b|[<35;10;20M", b"\x1b|[200~alpha\x1b|[201~")


def test_what_breaks_behind_its_first_byte_is_no_escape(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """Over ssh, while the agent works and at the prompt."""
    server.script(answer("one two three four five six seven eight", pause=0.2), answer("second"))
    with chat(server, env, work) as shown:
        say(shown, "first", "one two")
        for sent in PARTED:
            for part in sent.split(b"|"):
                shown.type(part.decode())
                time.sleep(0.02)
        shown.until(lambda: "eight" in shown.text and shown.draft == "alpha")
        for sent in PARTED[:3]:
            for part in sent.split(b"|"):
                shown.type(part.decode())
                time.sleep(0.02)
        say(shown, " beta", "second")
        leave(shown)
    assert last(server).endswith("alpha beta") and len(server.chats) == 2


def test_a_paste_during_a_turn_waits_for_enter(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("one two three four five six", pause=0.2), answer("second"))
    with chat(server, env, work) as shown:
        say(shown, "first", "one two")
        shown.type("\x1b[200~alpha\rbeta\x1b[201~\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\")
        shown.until(lambda: shown.draft == "alpha")
        shown.until(lambda: "six" in shown.text and shown.draft == "alpha")
        assert len(server.chats) == 1
        say(shown, "", "second")
        leave(shown)
    assert last(server).endswith("alpha\nbeta")


def test_a_command_may_go_on_in_the_next_line(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with chat(server, env, work) as shown:
        shown.type("/review" + ALT_ENTER + "look here")
        shown.until(lambda: "look here" in shown.text)
        assert "exception" not in shown.text.lower()
        say(shown, "", "nothing that could be reviewed")
        leave(shown)


def test_a_plugins_slash_command_talks_and_completes(server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    info = tmp_path / "p" / "agentic_feed-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "p" / "agentic_feed.py").write_text(
        "from agentic import ChatCommand, ToolError, hookimpl\n"
        "async def feed(argument, chat):\n"
        "    if argument == 'nobody':\n        1 / 0\n"
        "    if argument == 'stones':\n        raise ToolError('it eats no stones', 'try nuts')\n"
        "    chat.say(f'fed {argument} in {chat.root.name}')\n"
        "    await chat.ask('was it good?')\n"
        "@hookimpl\ndef agentic_chat_commands():\n"
        "    yield ChatCommand('feed', 'feeds somebody', feed, lambda argument: ['polly', 'kiki'])\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-feed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\nfeed = agentic_feed\n")
    server.say("delicious")
    with chat(server, env | {"PYTHONPATH": str(tmp_path / "p")}, work) as shown:
        say(shown, "/help", "feeds somebody")
        say(shown, "/feed nobody", "ZeroDivisionError")
        say(shown, "/feed stones", "it eats no stones\n  → try nuts")
        shown.type("/feed pol\t")
        shown.until(lambda: "/feed polly" in shown.text)
        shown.type(ENTER)
        shown.until(lambda: "fed polly in work" in shown.text and "delicious" in shown.text)
        leave(shown)


def test_a_draft_survives_a_stop(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("hello")
    with chat(server, env, work) as shown:
        say(shown, "hi", "hello")
        shown.until(lambda: shown.is_ready)
        shown.type("half a thought")
        shown.until(lambda: "› half a thought" in shown.text)
        os.kill(shown.process.pid, signal.SIGTERM)
        shown.until_ended()
    with chat(server, env, work, "--continue") as shown:
        shown.until(lambda: "› half a thought" in shown.text)
        shown.type("\x15")
        leave(shown)


def test_an_error_is_said_once_with_its_remedy(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    refused = ScriptedAnswer([b'{"error": {"message": "boom"}}'], 400, "application/json", chunked=False)
    for arguments in (["ask", "x"], ["run", "x"]):
        server.script(refused, refused, refused)
        with terminal([*arguments, "--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
            assert shown.until_ended() == 2
            assert shown.text.count("boom") == 1
    server.script(refused, refused, refused)
    with chat(server, env, work) as shown:
        say(shown, "x", "boom")
        shown.until(lambda: shown.is_ready)
        assert shown.text.count("boom") == 1 and "✗ " in shown.text
        leave(shown)


def test_an_interrupted_answer_is_not_printed_again(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer([f"w{i} " for i in range(500)], pause=0.05))
    with chat(server, env, work) as shown:
        say(shown, "count", "w3")
        shown.type("\x1b")
        shown.until(lambda: "interrupted" in shown.text)
        assert shown.text.count("w1 w2 w3") == 1
        leave(shown)


def test_a_task_in_place_of_a_command_begins_the_chat(server: FakeVLLM, env: dict[str, str], work: Path, agentic: Agentic) -> None:
    """As in other agents; in a pipe it says what works there."""
    server.say("Mended.", "Again.")
    with terminal(["fix the parser", "--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: "Mended." in shown.text)
        say(shown, "and once more", "Again.")
        leave(shown)
        assert "agentic --continue goes on with this" in shown.text
    assert server.chats[0].json["messages"][-1]["content"].endswith("fix the parser")
    done = agentic("fix the parser")
    assert done.code == 2 and "agentic run 'fix the parser' works without one" in done.err


def test_ctrl_c_twice_at_the_empty_line_leaves_and_the_first_says_so(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with chat(server, env, work) as shown:
        shown.type("a draft" + CTRL_C)
        shown.until(lambda: shown.is_ready)
        assert "once more" not in shown.text
        shown.type(CTRL_C)
        shown.until(lambda: "Ctrl-C once more leaves" in shown.text and shown.is_ready)
        shown.type(CTRL_C)
        assert shown.until_ended() == 0


def test_the_names_that_others_use_are_understood(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    for word in ("/exit", "exit", "quit"):
        with chat(server, env, work) as shown:
            shown.type("?")
            shown.until(lambda: "goes to the background" in shown.text)
            shown.type(word + ENTER)
            assert shown.until_ended() == 0
    assert not server.chats


def test_queued_messages_leave_nothing_of_the_status_line(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("one two three four five six", pause=0.2), answer("both"))
    with chat(server, env, work) as shown:
        say(shown, "first", "one two")
        shown.type("aaa" + ENTER + "bbb" + ENTER)
        shown.until(lambda: "both" in shown.text and shown.is_ready)
        lines = shown.text.split("\n")
        place = lines.index("› aaa")
        assert lines[place + 1] == "  bbb", "and nothing beside it"
        leave(shown)


def test_a_note_that_is_refused_is_not_asked_why(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with chat(server, env, work) as shown:
        say(shown, "#use tabs", "Yes (y)")
        shown.type("n")
        shown.until(lambda: shown.is_ready and not shown.menu("Yes (y)"))
        assert "why?" not in shown.text
        say(shown, "/copy", "there is no answer here that could be copied")
        leave(shown)
