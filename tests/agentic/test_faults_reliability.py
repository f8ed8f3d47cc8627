"""The acceptance faults F19 to F36: what no other test tries of them."""

import fcntl
import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentic.lib.messages import to_record
from agentic.sessions import ConversationHistory, SessionStore
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, error, tool_call
from agentic.types import Message, ToolCall
from tests.agentic.test_sessions import assert_accepted
from tests.conftest import Agentic, Done
from tests.launchers import require_launcher
from tests.terminal import Terminal, terminal

NATIVE = ("-c", "tools.protocol=native", "-c", "complexity.estimator=rules")
JSONL = (*NATIVE, "--output", "jsonl")
FAST = (
    "-c",
    "llm.transport=vllm",
    "-c",
    "llm.first_token_timeout=1",
    "-c",
    "llm.progress_timeout=1",
    "-c",
    "llm.total_timeout=2",
)
OVERFLOW = "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens"


def call(name: str, call_id: str = "call_1", **arguments: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call(name, arguments, 0, call_id))


def run(agentic: Agentic, server: FakeVLLM, *more: str, approve: str = "all", seconds: float = 60) -> Done:
    return agentic("run", "do it", "--endpoint", server.url, *JSONL, "--approve", approve, *more, seconds=seconds)


def results(server: FakeVLLM) -> list[str]:
    return [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


def sent(server: FakeVLLM) -> list[Message]:
    """The newest request's conversation, to be judged as a strict server does."""
    said = server.chats[-1].json["messages"]
    calls = [
        tuple(
            ToolCall(made["id"], made["function"]["name"], made["function"]["arguments"]) for made in message.get("tool_calls", ())
        )
        for message in said
    ]
    return [
        Message(message["role"], message["content"] or "", tool_calls=made, tool_call_id=message.get("tool_call_id", ""))
        for message, made in zip(said, calls, strict=True)
    ]


def sessions(home: Path) -> Path:
    return home / ".local" / "state" / "agentic" / "sessions"


class Stream(Sequence[bytes]):
    """A body's pieces as they are made, each time anew."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[bytes]:
        return self._make()

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


def piece(**delta: Any) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n".encode()


# F19: names and words of others are shown as text.
EVIL = "a\x1b]1337;File=x\x07\x1b]0;t\x07\x1b]8;;http:e\x1b\\\u202e\u200b\u2066\U000e0041\x9b2J\x1b[2J[_bold][link=x]"
RAW = ("\x1b]", "\x1bP", "\x1b[2J", "\x9b", "\u202e", "\u200b", "\u2066", "\U000e0041", "\x07", "\x08")


def assert_only_text(arguments: list[str], env: dict[str, str], work: Path) -> None:
    with terminal(arguments, env, work) as shown:
        shown.until_ended()
        raw = shown.raw.decode("utf-8", "replace")
    assert not [escape for escape in RAW if escape in raw], raw
    assert "Traceback" not in raw and "mistake in agentic" not in raw


@pytest.mark.parametrize("output", ["rich", "plain", "jsonl"])
def test_f19_names_of_files_and_branches_are_shown_as_text(server: FakeVLLM, env: dict[str, str], work: Path, output: str) -> None:
    (work / EVIL).write_text("needle\n")
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    (work / ".git" / "HEAD").write_text("ref: refs/heads/e\x1b]0;branch\x07\n")
    calls = {
        "list_files": {},
        "write_file": {"path": EVIL, "content": "needle 2\n"},
        "search": {"query": "needle"},
        "run": {"command": "ls; cat .git/HEAD"},
    }
    server.script(*(call(name, name, **arguments) for name, arguments in calls.items()), answer("done"))
    assert_only_text(["run", EVIL, "--endpoint", server.url, *NATIVE, "--approve", "all", "--output", output], env, work)
    for after in (["sessions"], ["sessions", "undo"], ["sessions", "redo"]):
        assert_only_text(after, env, work)


OTHERS: dict[str, tuple[Callable[[FakeVLLM, Path], object], list[str]]] = {
    "a model's name and a version": (
        lambda server, work: vars(server).update(model=EVIL, version=EVIL),
        ["doctor", "--endpoint", "URL"],
    ),
    "an error": (lambda server, work: setattr(server, "otherwise", lambda request: error(400, EVIL)), ["sessions"]),
    "instructions": (
        lambda server, work: (work / "AGENTS.md").write_text(EVIL),
        ["run", "x", "--endpoint", "URL", "--debug", *NATIVE],
    ),
    "a project's value": (
        lambda server, work: (work / "agentic.toml").write_text('[llm]\nmodel = "\\u001b]0;x\\u0007\\u202e\\u200b"\n'),
        ["config", "show"],
    ),
    "a project's key": (
        lambda server, work: (work / "agentic.toml").write_text('[x]\n"\\u001b]0;x\\u0007\\u202e" = 1\n'),
        ["config", "show"],
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_f19_what_servers_and_projects_say_is_shown_as_text(server: FakeVLLM, env: dict[str, str], work: Path, what: str) -> None:
    prepare, more = OTHERS[what]
    prepare(server, work)
    assert_only_text(["run", "x", "--endpoint", server.url, *NATIVE], env, work)
    assert_only_text([server.url if word == "URL" else word for word in more], env, work)


# F20 and F21: the question.
def test_f20_what_turns_the_writing_around_is_spelled_out_and_warned_of(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="echo \u202egnp.exe \u200b; touch PWN"), answer("then not"))
    with terminal(["run", "x", "--endpoint", server.url, *NATIVE], env, work) as shown:
        shown.until(lambda: "allow?" in shown.text)
        assert "│ echo \\u{202e}gnp.exe \\u{200b}; touch PWN" in shown.text and "look like others" in shown.text
        shown.type("n\r")
        assert shown.until_ended() == 4


def test_f21_the_end_of_the_input_is_a_no(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="touch PWN"), answer("then not"))
    with terminal(["run", "x", "--endpoint", server.url, *NATIVE], env, work) as shown:
        shown.until(lambda: "allow?" in shown.text)
        shown.type("\x04")
        assert shown.until_ended() == 4
    assert not (work / "PWN").exists()


def test_f21_words_in_a_pipe_answer_nothing(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(call("run", command="touch PWN"), answer("then not"))
    done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "--approve", "ask", stdin="y\ny\n")
    assert done.code == 4 and not (work / "PWN").exists()


def test_f21_a_terminal_that_goes_away_under_nohup_is_no_yes_and_no_hang(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="touch PWN"), answer("then not"))
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "agentic", "run", "x", "--endpoint", server.url, *NATIVE],
        cwd=work,
        env=env | {"TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(slave)
    seen = b""
    while b"allow?" not in seen:
        seen += os.read(master, 65536)
    os.close(master)
    assert process.wait(20) != 0
    assert not (work / "PWN").exists()


# F22 to F24: sessions.
@pytest.mark.parametrize("seed", range(6))
def test_f22_the_program_itself_killed_anywhere_goes_on(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path, seed: int
) -> None:
    """What was told as done before the kill is in the next request, and a strict server takes that."""
    server.script(
        call("write_file", "a", path="a.txt", content="hello"),
        call("run", "b", command="echo x > b.txt; cat a.txt"),
        call("edit_file", "c", path="a.txt", old="hello", new="bye"),
        answer([f"w{i} " for i in range(50)], pause=0.01),
    )
    command = [sys.executable, "-m", "agentic", "run", "x", "--endpoint", server.url, *JSONL, "--approve", "all"]
    with subprocess.Popen(
        command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(random.Random(seed).randrange(2, 60))]
        process.kill()
    server.close()
    with FakeVLLM() as again:
        again.say("on")
        assert agentic("run", "go on", "--continue", "--endpoint", again.url, *JSONL).code == 0
        assert_accepted(sent(again))
        kept = "\n".join(results(again))
    assert all(event["text"].splitlines()[0] in kept for event in told if event["type"] == "tool_result")


PLACES: dict[str, Callable[[Path], object]] = {
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("/nonexistent/x"),
    "a link in a circle": lambda path: path.symlink_to(path.name),
    "half a gigabyte of nothing": lambda path: subprocess.run(["truncate", "-s", "500M", path], check=True),
    "a FIFO": os.mkfifo,
}


@pytest.mark.parametrize("kind", PLACES)
def test_f23_whatever_lies_among_the_sessions_the_rest_is_listed_and_gone_on_with(
    agentic: Agentic, server: FakeVLLM, home: Path, kind: str
) -> None:
    server.say("first", "second")
    agentic("ask", "remember", "--endpoint", server.url)
    PLACES[kind](sessions(home) / "20300101-000000-aaaa.db")
    assert "remember" in agentic("sessions", seconds=10).out
    assert agentic("ask", "more", "--continue", "--endpoint", server.url, seconds=10).code == 0
    assert agentic("sessions", "undo", seconds=10).code == 0


@pytest.mark.parametrize("command", [("show",), ("export",)])
def test_f23_a_damaged_session_that_is_looked_at_is_one_clear_line(agentic: Agentic, home: Path, command: tuple[str, ...]) -> None:
    sessions(home).mkdir(parents=True)
    (sessions(home) / "20300101-000000-aaaa.db").write_bytes(b"hello\n" * 1000)
    done = agentic("sessions", *command, "aaaa")
    assert done.code == 2 and "is damaged" in done.err and "mistake in agentic" not in done.err


def test_f23_a_fifo_is_no_session(agentic: Agentic, home: Path) -> None:
    sessions(home).mkdir(parents=True)
    os.mkfifo(sessions(home) / "20300101-000000-aaaa.db")
    assert agentic("sessions", "show", "aaaa", seconds=10).code == 2


def test_f23_hundreds_of_megabytes_cost_no_time_and_no_memory(agentic: Agentic, server: FakeVLLM, home: Path, work: Path) -> None:
    with closing(SessionStore(sessions(home)).new(work)) as session:
        history = ConversationHistory(session)
        session._database.execute("BEGIN")
        for number in range(200):
            session.append("event", {"type": "x", "n": number, "text": "y" * 1_000_000})
        session._database.execute("COMMIT")
        history.add_message("user", "remember")
        history.add_message("assistant", "I do")
    server.say("still")
    assert agentic("sessions", seconds=10).code == 0
    assert agentic("ask", "do you?", "--continue", "--endpoint", server.url, seconds=20).code == 0
    assert [message.content for message in sent(server)] == ["remember", "I do", "do you?"]


def test_f23_calls_with_one_id_are_told_apart_or_left_out(agentic: Agentic, server: FakeVLLM, home: Path, work: Path) -> None:
    same = ToolCall("same", "read_file", '{"path": "a"}')
    turn = [Message("assistant", tool_calls=(same, same)), *(Message("tool", f"r{i}", tool_call_id="same") for i in range(3))]
    with closing(SessionStore(sessions(home)).new(work)) as session:
        for message in (Message("user", "hi"), *turn, *turn, Message("assistant", "ok")):
            session.append("message", to_record(message))
        assert_accepted(ConversationHistory(session).get_messages_for_llm())
    server.script(answer(tool_calls=[*tool_call("list_files", {}, 0, "x"), *tool_call("list_files", {}, 1, "x")]), answer("ok"))
    assert run(agentic, server, "--continue").code == 0
    assert_accepted(sent(server))


def in_a_small(
    folder: Path, size: str, arguments: list[str], env: dict[str, str], work: Path
) -> "subprocess.CompletedProcess[str]":
    """Runs `agentic` where `folder` is a file system of that size."""
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("a small file system takes root to make")
    mount = f'mount -t tmpfs -o size={size} none "$1" && shift && exec "$@"'
    command = ["unshare", "-m", "/bin/sh", "-c", mount, "sh", str(folder), sys.executable, "-m", "agentic", *arguments]
    return subprocess.run(command, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_f23_a_state_disk_that_fills_up_is_told_when_it_does(server: FakeVLLM, env: dict[str, str], home: Path, work: Path) -> None:
    state = home / ".local" / "state"
    state.mkdir(parents=True)
    server.models = ScriptedAnswer(
        [b'{"data": [{"id": "fake", "max_model_len": 1000000}]}'], content_type="application/json", chunked=False
    )
    server.window = 1_000_000
    server.script(*(call("run", f"c{i}", command=f"seq {i} 3000") for i in range(8)), answer("done"))
    done = in_a_small(state, "400k", ["run", "x", "--endpoint", server.url, *JSONL, "--approve", "all"], env, work)
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines() if "warning" in line or "tool_result" in line]
    assert done.returncode == 0 and kinds.count("warning") == 1, done.stderr
    assert 0 < kinds.index("warning") < len(kinds) - 1


def test_f23_ask_says_that_nothing_is_kept(server: FakeVLLM, env: dict[str, str], home: Path, work: Path) -> None:
    state = home / ".local" / "state"
    state.mkdir(parents=True)
    server.say("hi")
    done = in_a_small(state, "4k", ["ask", "x", "--endpoint", server.url], env, work)
    assert (done.returncode, done.stdout) == (0, "hi\n") and "no session is kept" in done.stderr + done.stdout


def test_f24_agents_side_by_side_have_sessions_of_their_own(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], home: Path, work: Path
) -> None:
    server.otherwise = lambda request: answer([f"w{i} " for i in range(30)], pause=0.02)
    command = [sys.executable, "-m", "agentic", "ask", "x", "--endpoint", server.url]
    both = [
        subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(3)
    ]
    assert [process.wait(60) for process in both] == [0, 0, 0]
    assert len(list(sessions(home).glob("*.db"))) == 3
    server.otherwise = lambda request: answer("begun", fault="stall", fault_after=2)
    with subprocess.Popen(
        [*command, "--continue"], cwd=work, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        assert server.wait_for(lambda: server.running == 1, 30)
        second = agentic("ask", "x", "--continue", "--endpoint", server.url)
        assert second.code == 2 and f"is in use by process {first.pid}" in second.err
        assert agentic("sessions").out.count("\n") == 3
        first.terminate()


def test_f24_a_file_system_without_locks_is_no_other_process(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS without its lock service: a run goes on, with or without a session, and the message tells the cause."""

    def no_locks(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with closing(SessionStore(tmp_path / "sessions").new(work)) as session:
        assert not session.fault or "No locks available" in session.fault


def test_low_continue_takes_what_was_said_last_whoever_touched_the_files(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    server.say("one", "two", "three")
    agentic("ask", "first", "--endpoint", server.url)
    (first,) = sessions(home).glob("*.db")
    agentic("ask", "second", "--endpoint", server.url)
    for path in sessions(home).glob(f"{first.stem}.*"):
        os.utime(path, (time.time() + 5, time.time() + 5))
    agentic("ask", "go on", "--continue", "--endpoint", server.url)
    assert sent(server)[0].content == "second"


# F25, F26: the wire.
def dripping() -> Iterator[bytes]:
    for byte in b"".join(answer("hello there").pieces):
        time.sleep(0.1)
        yield bytes([byte])


def only_usage() -> Iterator[bytes]:
    while True:
        time.sleep(0.01)
        yield b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}\n\n'


def empty_deltas() -> Iterator[bytes]:
    while True:
        time.sleep(0.01)
        yield piece(content="")


WIRES: dict[str, tuple[Callable[[], ScriptedAnswer], str]] = {
    "a byte at a time": (lambda: ScriptedAnswer(Stream(dripping)), "the first token was due"),
    "nothing but empty pieces": (lambda: ScriptedAnswer(Stream(empty_deltas)), "kept silent"),
    "nothing but usage": (lambda: ScriptedAnswer(Stream(only_usage)), "kept silent"),
    "a line of 10 MB": (lambda: ScriptedAnswer([b"data: " + b"x" * 10_000_000]), "an event of more than"),
    "10 MB that are no event": (lambda: ScriptedAnswer([b"x" * 10_000_000, b"\n\n"]), "an event of more than"),
}


@pytest.mark.parametrize("name", WIRES)
def test_f25_it_ends_when_it_is_due_with_one_line(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    make, cause = WIRES[name]
    server.otherwise = lambda request: make()
    done = agentic("ask", "x", "--endpoint", server.url, *FAST, seconds=20)
    assert done.code == 3 and cause in done.err


def test_f25_a_flood_of_interim_answers_is_no_answer(server: FakeVLLM, agentic: Agentic) -> None:
    server.models = ScriptedAnswer([b""], 100, chunked=False)
    server.otherwise = lambda request: ScriptedAnswer(
        Stream(lambda: iter([b"HTTP/1.1 100 Continue\r\n\r\n"] * 100_000)), 100, chunked=False
    )
    assert agentic("ask", "x", "--endpoint", server.url, *FAST, seconds=20).code == 3


@pytest.mark.parametrize(
    "command",
    [
        "ask",
        "run",
    ],
)
def test_f25_what_came_before_it_broke_is_in_the_conversation(agentic: Agentic, server: FakeVLLM, command: str) -> None:
    server.otherwise = lambda request: answer("one two three four", fault="reset", fault_after=3)
    assert agentic(command, "x", "--endpoint", server.url, *FAST, *(NATIVE if command == "run" else ())).code == 3
    server.otherwise = lambda request: answer("ok")
    agentic(command, "go on", "--continue", "--endpoint", server.url, *(NATIVE if command == "run" else ()))
    assert any(message.role == "assistant" and "one two" in message.text for message in sent(server))


def test_f26_a_server_that_stays_busy_is_asked_a_few_times(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: error(503, "The engine is currently busy", "ServiceUnavailableError")
    done = agentic("ask", "x", "--endpoint", server.url, "-c", "llm.transport=vllm", seconds=40)
    assert done.code == 3 and "busy" in done.err and 2 <= len(server.chats) <= 10


def test_f26_a_server_that_is_started_again_is_used_again_in_the_same_chat(env: dict[str, str], work: Path) -> None:
    with FakeVLLM() as first:
        first.say("hello")
        url = first.url
        with terminal(["--endpoint", url, *NATIVE], env, work) as shown:
            turn(shown, "hi", lambda: "hello" in shown.text)
            first.close()
            turn(shown, "there?", lambda: "no endpoint answered" in shown.text)
            with _again(url) as second:
                second.say("back again")
                turn(shown, "now?", lambda: "back again" in shown.text)
                assert "hello" in [message.content for message in sent(second)]
            shown.type("\x04")
            shown.until_ended()


def _again(url: str) -> FakeVLLM:
    """On the same port, which the system may keep for a moment."""
    end = time.monotonic() + 20
    while True:
        try:
            return FakeVLLM(port=int(url.rpartition(":")[2].partition("/")[0]))
        except OSError:
            assert time.monotonic() < end


def turn(shown: Terminal, text: str, condition: Callable[[], bool]) -> None:
    shown.until(lambda: shown.is_ready)
    shown.type(text + "\r")
    shown.until(condition)


# F27 to F29, F33: what models write.
ARGUMENTS = {
    "a key twice": '{"path": "a", "path": "b"}',
    "a number without end": '{"path": "a", "line_start": ' + "9" * 5000 + "}",
    "infinity": '{"path": "a", "line_start": 1e400}',
    "an object in a string": '"{\\"path\\": \\"a\\"}"',
    "NUL": '{"path": "a\\u0000b"}',
    "objects 20,000 deep": '{"path": ' + '{"a":' * 20_000,
    **{
        f"{depth} deep": '{"path": ' + "[" * depth + "]" * depth + "}"
        for depth in (98, 101, 490, 975, 979, 980, 981, 985, 1000, 5000)
    },
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_f27_arguments_of_any_kind_leave_a_history_of_valid_json(agentic: Agentic, server: FakeVLLM, work: Path, name: str) -> None:
    (work / "a").write_text("A")
    (work / "b").write_text("B")
    server.script(answer(tool_calls=tool_call("read_file", ARGUMENTS[name])), answer("sorry"))
    done = run(agentic, server)
    assert done.code == 0 and len(server.chats) == 2, done.err
    assert_accepted(sent(server))


def test_f28_a_prompt_that_never_fits_is_given_up_after_a_few_tries(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.otherwise = lambda request: error(400, OVERFLOW, param="input_tokens")
    done = run(agentic, server)
    assert done.code == 1 and len(server.chats) <= 3 and "serve a larger" in done.err


@pytest.mark.parametrize("task", ["x", "data and more data " * 1500])
def test_f28_a_window_smaller_than_the_server_says_is_told(agentic: Agentic, server: FakeVLLM, task: str) -> None:
    """Also where it is the request that shortens which does not fit."""
    server.models = ScriptedAnswer(
        [b'{"data": [{"id": "fake", "max_model_len": 32768}]}'], content_type="application/json", chunked=False
    )
    server.window = 256
    done = agentic("run", task, "--endpoint", server.url, *JSONL)
    assert done.code == 1 and len(server.chats) <= 4 and "Traceback" not in done.err and "→" in done.err


def test_f28_a_chat_lives_on(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.say("hello")
    with terminal(["--endpoint", server.url, *NATIVE], env, work) as shown:
        turn(shown, "hi", lambda: "hello" in shown.text)
        server.otherwise = lambda request: error(400, OVERFLOW, param="input_tokens")
        turn(shown, "more", lambda: "window" in shown.text and len(server.chats) > 1)
        server.otherwise = lambda request: answer("alive")
        turn(shown, "again", lambda: "alive" in shown.text)
        shown.type("\x04")
        shown.until_ended()


def new_text() -> Iterator[bytes]:
    number = 0
    while True:
        number += 2000
        yield piece(content=" ".join(map(str, range(number, number + 2000))))


def endless(**delta: Any) -> Callable[[], Iterator[bytes]]:
    def make() -> Iterator[bytes]:
        while True:
            yield piece(**delta)

    return make


ENDLESS: dict[str, tuple[Callable[[], Iterator[bytes]], str]] = {
    "new text": (new_text, "more than 16,000,000 characters"),
    "one token": (endless(content="a"), "repeats itself"),
    "one thought": (endless(reasoning="hmm. "), "repeats itself"),
    "arguments": (
        endless(tool_calls=[{"index": 0, "id": "a", "function": {"name": "run", "arguments": "x" * 50_000}}]),
        "16,000,000",
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_f29_an_answer_without_an_end_is_ended(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    """By what it is, long before its time is over."""
    make, cause = ENDLESS[name]
    server.otherwise = lambda request: ScriptedAnswer(Stream(make))
    done = agentic("ask", "x", "--endpoint", server.url, "-c", "llm.transport=vllm", seconds=60)
    assert done.code == 1 and cause in done.err


REPLIES: dict[str, tuple[ScriptedAnswer, int]] = {
    "nothing": (answer(""), 1),
    "a refusal": (answer("I'm sorry, but I can't help with that."), 0),
    "a refusal in its own field": (ScriptedAnswer([piece(refusal="no"), *answer("").pieces]), 0),  # which is what it has to say
}


@pytest.mark.parametrize("name", REPLIES)
def test_f29_a_reply_that_is_none_is_bounded(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    reply, code = REPLIES[name]
    server.otherwise = lambda request: reply
    assert run(agentic, server).code == code
    assert len(server.chats) <= 3


def test_f33_the_same_edit_that_fails_the_same_way_ends_the_loop(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a.txt").write_text("x\n")
    server.otherwise = lambda request: call("edit_file", f"c{len(server.chats)}", path="a.txt", old="nowhere", new="y")
    assert run(agentic, server).of_type("run_finished")[0]["status"] == "gave_up"
    assert len(server.chats) <= 4


def test_f33_writing_one_thing_and_then_the_other_is_a_loop_too(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: call(
        "write_file", f"c{len(server.chats)}", path="a.txt", content=f"{len(server.chats) % 2}\n"
    )
    assert run(agentic, server).of_type("run_finished")[0]["status"] == "gave_up"
    assert len(server.chats) <= 10


# F30, F31: commands.
SANDBOXES = {
    "bubblewrap": ("-c", "sandbox.launcher=bubblewrap"),
    "landlock": ("-c", "sandbox.launcher=landlock"),
    "none": ("--no-sandbox",),
}
WAITING = {
    "an editor": "vim a.txt",
    "an editor of git's": "git init -q; git commit --allow-empty",
    "python -i": "python3 -i",
    "bash -i": "bash -i",
    "a pager": "seq 100000 | less",
    "ssh": "ssh -o ConnectTimeout=30 nosuchhost.invalid",
    "sudo": "sudo true",
    "the terminal": "stty -echo </dev/tty",
}
LEAVING = {
    "sleep inf": "sleep inf & echo hi",
    "tee behind": "bash -c 'exec > >(tee f); echo hi'",
    "no outputs": "exec 1>&- 2>&-; sleep 60",
    "all of its folder": "rm -rf ./* ./.[!.]*",
    "its parent": "kill -9 $PPID; sleep 2",
    "its parent, stopped": "kill -STOP $PPID; sleep 2",
    "its parent's parent": "kill -9 $(ps -o ppid= -p $PPID); sleep 2",
}


def assert_it_ends_and_the_next_one_works(agentic: Agentic, server: FakeVLLM, command: str, *more: str) -> None:
    server.script(call("run", "1", command=command, timeout=1), call("run", "2", command="echo next works"), answer("done"))
    run(agentic, server, "--no-floor", *more, seconds=25)
    assert len(results(server)) == 2 and results(server)[1] == "next works\n(exit code 0)"


@pytest.mark.parametrize("name", WAITING)
def test_f30_a_command_that_waits_for_a_user_ends_in_its_time(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    """In the sandbox that this machine has: nothing of it depends on which that is."""
    assert_it_ends_and_the_next_one_works(agentic, server, WAITING[name])


@pytest.mark.parametrize(
    ("name", "sandbox"),
    [
        (name, sandbox)
        for name in LEAVING
        for sandbox in SANDBOXES
        if (name, sandbox) != ("its parent's parent", "none")  # sometimes the next command is lost with it
    ],
)
def test_f30_a_command_ends_in_its_time_and_the_next_one_works(agentic: Agentic, server: FakeVLLM, name: str, sandbox: str) -> None:
    """Each sandbox has process namespaces and parents of its own."""
    if sandbox != "none":
        require_launcher(sandbox)
    assert_it_ends_and_the_next_one_works(agentic, server, LEAVING[name], *SANDBOXES[sandbox])


@pytest.mark.parametrize("sandbox", ["landlock", "none"])
def test_f30_a_fork_bomb_ends_in_its_time(server: FakeVLLM, env: dict[str, str], home: Path, work: Path, sandbox: str) -> None:
    """As a user of its own, since the kernel does not count root's processes; in a process namespace that ends with the test."""
    if os.getuid() != 0 or subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("it takes root to become a user who has no other process")
    for folder in (home, work):
        os.chown(folder, 54_321, 54_321)
    server.script(
        call("run", "1", command="b() { b | b & }; b; sleep 60", timeout=3),
        call("run", "2", command="echo next works"),
        answer("done"),
    )
    reads = "+dac_override,+dac_read_search"
    other = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", f"--inh-caps={reads}", f"--ambient-caps={reads}"]
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *other, sys.executable, "-m", "agentic", "run", "x"]
    more = [
        "--endpoint",
        server.url,
        *JSONL,
        "--approve",
        "all",
        "--no-floor",
        "-c",
        "sandbox.processes=150",
        *SANDBOXES[sandbox],
    ]
    started = time.monotonic()
    done = subprocess.run(
        [*command, *more], cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and results(server)[1] == "next works\n(exit code 0)", done.stderr + str(results(server))
    assert time.monotonic() - started < 25


OUTPUTS = {
    "300 MB": ("head -c 300000000 /dev/zero | tr '\\0' x", "left out"),
    "NULs": ("head -c 100000 /dev/zero", "left out"),
    "no UTF-8": ("printf '\\377\\376\\200abc'", "abc"),
    "no newline": ("printf abc", "abc\n(exit code 0)"),
    "a progress bar": ("for i in $(seq 1 300); do printf '\\r%d%%' $i; done; echo", "300%\n(exit code 0)"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_f31_any_output_is_a_text_of_bounded_size(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    command, expected = OUTPUTS[name]
    server.script(call("run", command=command), answer("done"))
    assert run(agentic, server, seconds=60).code == 0
    assert expected in results(server)[0] and len(results(server)[0].encode()) <= 32 * 1024


def test_f31_the_omitted_bytes_are_counted_exactly(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(call("run", command="head -c 50000000 /dev/zero | tr '\\0' x"), answer("done"))
    run(agentic, server)
    text = results(server)[0]
    assert int(text.partition("\n... ")[2].partition(" bytes")[0]) + text.count("x") - text.count("exit") == 50_000_000


# F34: Ctrl-C and TERM in phases that no other test has.
PHASES: dict[str, tuple[list[str], Callable[[FakeVLLM, Terminal], bool], ScriptedAnswer | None]] = {
    "finding the model": (["run", "x", *NATIVE], lambda server, shown: bool(server.requests), None),
    "finding the protocol": (["run", "x"], lambda server, shown: bool(server.chats), answer("", fault="stall")),
    "thinking": (
        ["run", "x", *NATIVE],
        lambda server, shown: "hmm" in shown.text,
        answer("", "hmm " * 3, fault="stall", fault_after=3),
    ),
    "in a call": (
        ["run", "x", *NATIVE],
        lambda server, shown: server.running == 1,
        ScriptedAnswer(call("run", command="touch x").pieces[:4], fault="stall", fault_after=4),
    ),
    "between two pages": (
        ["run", "x", *NATIVE],
        lambda server, shown: "more lines" in shown.text,
        call("run", command="echo\n" * 80),
    ),
    "in a deaf command": (
        ["run", "x", *NATIVE, "--approve", "all"],
        lambda server, shown: "run trap" in shown.text,
        call("run", command="trap '' INT TERM; sleep 60"),
    ),
    "told to wait": (
        ["run", "x", *NATIVE, "-c", "llm.retry_seconds=60"],
        lambda server, shown: "trying again in 20" in shown.text,
        error(503, "busy", headers={"retry-after": "20"}),
    ),
    "asking": (["ask", "x"], lambda server, shown: "w1" in shown.text, answer("w0 w1 w2", fault="stall", fault_after=3)),
    "in doctor": (["doctor"], lambda server, shown: bool(server.requests), None),
    "in batch": (
        ["batch", "in.jsonl", "-o", "out.jsonl"],
        lambda server, shown: server.running > 0,
        answer("a", fault="stall", fault_after=1),
    ),
}


@pytest.mark.parametrize("key", ["ctrl-c", "term"])
@pytest.mark.parametrize("phase", PHASES)
def test_f34_every_phase_ends_at_once_and_leaves_the_terminal_as_it_was(
    server: FakeVLLM, env: dict[str, str], work: Path, phase: str, key: str
) -> None:
    arguments, ready, scripted = PHASES[phase]
    (work / "in.jsonl").write_text('{"prompt": "a"}\n' * 20)
    if scripted is None:
        server.models = ScriptedAnswer([], fault="stall", fault_after=-1)
    else:
        server.otherwise = lambda request: scripted
    with terminal([*arguments, "--endpoint", server.url], env, work) as shown:
        shown.until(lambda: ready(server, shown))
        started = time.monotonic()
        if key == "ctrl-c":
            shown.type("\x03")
        else:
            shown.process.send_signal(signal.SIGTERM)
        assert shown.until_ended() in ((130, -2) if key == "ctrl-c" else (143, -15))
        assert time.monotonic() - started < 3
        assert shown.restored()


CHAT_PHASES: dict[str, tuple[ScriptedAnswer, str]] = {
    "at a question": (call("run", command="touch x"), "Allow once"),
    "between two pages": (call("run", command="echo\n" * 120), "Show all of it"),
    "thinking": (answer("", "hmm " * 3, fault="stall", fault_after=3), "hmm"),
    "waiting": (answer("", fault="stall"), "waiting"),
}


@pytest.mark.parametrize("phase", CHAT_PHASES)
def test_f34_ctrl_c_in_a_chat_gives_the_prompt_back(server: FakeVLLM, env: dict[str, str], work: Path, phase: str) -> None:
    scripted, sign = CHAT_PHASES[phase]
    server.script(scripted, answer("still here"))
    with terminal(["--endpoint", server.url, *NATIVE], env, work) as shown:
        turn(shown, "go", lambda: sign in shown.text)
        shown.type("\x03")
        shown.until(lambda: "interrupted" in shown.text.replace("\n", "") and shown.is_ready, 5)
        turn(shown, "there?", lambda: "still here" in shown.text)
        shown.type("\x04")
        assert shown.until_ended() == 0 and shown.restored()
    assert not (work / "x").exists()


# F36: surroundings.
SURROUNDINGS = {
    "no HOME": "unset HOME",
    "an empty HOME": "export HOME=",
    "a HOME that is a file": "touch f; export HOME=$PWD/f",
    "no PATH": "export PATH=/nonexistent",
    "nothing at all": "unset PATH LANG TERM HOME",
    "no temporary folder": "export TMPDIR=/nonexistent",
    "folders that are none": "export XDG_STATE_HOME=/dev/null XDG_CONFIG_HOME=/dev/null XDG_CACHE_HOME=/proc",
    "no such locale": "export LC_ALL=xx_YY.none TZ=No/Where",
    "no size": "export COLUMNS=0 LINES=0 TERM=nonsense",
    "few files": "ulimit -n 32",
    "no such umask": "umask 777; umask 000",
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_f36_it_works_or_says_in_one_line_why_not(server: FakeVLLM, env: dict[str, str], work: Path, name: str) -> None:
    server.script(call("write_file", "1", path="a.txt", content="x\n"), call("run", "2", command="echo ok"), answer("done"))
    command = ["/bin/sh", "-c", f'{SURROUNDINGS[name]}; exec "$@"', "sh", sys.executable, "-m", "agentic", "run", "x"]
    done = subprocess.run(
        [*command, "--endpoint", server.url, *NATIVE, "--approve", "all"],
        cwd=work,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr and "mistake in agentic" not in done.stderr, done.stderr
    if done.returncode == 2:
        assert done.stderr.startswith("agentic: ") and done.stderr.count("\n") <= 2
    else:
        assert (
            done.returncode == 0
            and (work / "a.txt").read_text() == "x\n"
            and done.stdout == "done\nEdited a.txt; nothing here tests it.\n"
        ), done.stderr


@pytest.mark.parametrize("command", [("--help",), ("plugins",), ("config", "show"), ("doctor", "--sandbox")])
def test_f36_an_output_that_is_full_is_one_clear_line(env: dict[str, str], work: Path, command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agentic", *command], cwd=work, env=env, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["agentic: the output cannot be written: No space left on device"]


@pytest.mark.parametrize("command", [("--help",), ("plugins",), ("config", "show"), ("doctor", "--sandbox")])
def test_f36_an_output_that_nobody_reads_to_its_end_is_no_mistake(
    env: dict[str, str], work: Path, command: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "agentic", *command], cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        assert done.stdout is not None and done.stderr is not None
        done.stdout.close()
        assert (done.stderr.read(), done.wait()) == ("", 141)


@pytest.mark.skipif(os.getuid() != 0, reason="only root is told")
def test_f36_root_is_warned(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("ok")
    assert any("root" in event["message"] for event in run(agentic, server, "--no-sandbox").of_type("warning"))


def test_f36_with_any_umask_what_is_kept_is_the_users_alone(server: FakeVLLM, env: dict[str, str], home: Path, work: Path) -> None:
    server.script(call("run", command="echo x > a.txt"), answer("done"))
    command = [
        "/bin/sh",
        "-c",
        'umask 000; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "agentic",
        "run",
        "x",
        "--endpoint",
        server.url,
    ]
    subprocess.run(
        [*command, *NATIVE, "--approve", "all"], cwd=work, env=env, stdin=subprocess.DEVNULL, check=True, capture_output=True
    )
    kept = sorted(sessions(home).iterdir())
    assert kept and not [path for path in [sessions(home), *kept] if path.stat().st_mode & 0o077]


def test_f36_links_that_wait_in_the_temporary_folder_are_not_followed(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "tmp").mkdir()
    for name in ("agentic", f"agentic-{os.getuid()}", f"agentic-{os.getpid()}", "agentic.log"):
        (tmp_path / "tmp" / name).symlink_to(tmp_path / "victim")
    server.script(call("run", command="echo x > $TMPDIR/y; cat $TMPDIR/y"), answer("done"))
    more = {"TMPDIR": str(tmp_path / "tmp")}
    assert agentic("run", "x", "--endpoint", server.url, *JSONL, "--approve", "all", more=more).code == 0
    assert results(server)[0].startswith("x\n") and (tmp_path / "victim").read_text() == "precious"
    assert len(os.listdir(tmp_path / "tmp")) == 4  # nothing stays


def test_f36_a_clock_beyond_2038_and_files_from_the_future(
    fresh_agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "sitecustomize.py").write_text(
        "import time\nnow = time.time\ntime.time = lambda: now() + 2_000_000_000\n"
    )
    more = {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path / "later"), os.environ.get("PYTHONPATH", "")]))}
    (work / "a.txt").write_text("x\n")
    os.utime(work / "a.txt", (5e9, 5e9))
    server.script(call("edit_file", path="a.txt", old="x", new="y"), answer("done"), answer("more"))
    arguments = ("--endpoint", server.url, *JSONL, "--approve", "edits")
    assert fresh_agentic("run", "x", *arguments, more=more).code == 0 and (work / "a.txt").read_text() == "y\n"
    assert fresh_agentic("run", "x", "--continue", *arguments, more=more).code == 0


def test_f36_a_folder_that_goes_away_in_the_middle_is_no_traceback(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    def gone(request: Request) -> ScriptedAnswer:
        if work.exists():
            work.rmdir()
            return call("write_file", path="a.txt", content="x\n")
        return answer("done")

    server.otherwise = gone
    command = [sys.executable, "-m", "agentic", "run", "x", "--endpoint", server.url, *NATIVE, "--approve", "edits"]
    done = subprocess.run(command, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert "Traceback" not in done.stderr and "mistake in agentic" not in done.stderr, done.stderr


# Low findings of the red team.
def test_low_a_full_disk_ends_batch_with_one_line_and_whole_results(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    (work / "in.jsonl").write_text("".join(json.dumps({"prompt": str(number)}) + "\n" for number in range(200)))
    server.otherwise = lambda request: answer("x" * 300)
    command = [sys.executable, "-m", "agentic", "batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", server.url]
    full = subprocess.run(
        ["/bin/bash", "-c", 'ulimit -f 16; exec "$@"', "sh", *command],
        cwd=work,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert full.returncode == 1 and "mistake in agentic" not in full.stderr and "cannot be written" in full.stderr
    assert (work / "out.jsonl").read_bytes().endswith(b"\n")


def test_low_batch_goes_on_after_a_full_disk(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    (work / "in.jsonl").write_text("".join(json.dumps({"prompt": str(number)}) + "\n" for number in range(200)))
    server.otherwise = lambda request: answer("x" * 300)
    command = [sys.executable, "-m", "agentic", "batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", server.url]
    for limit in ("16", "unlimited"):
        subprocess.run(
            ["/bin/bash", "-c", f'ulimit -f {limit}; exec "$@"', "sh", *command],
            cwd=work,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
    assert [json.loads(line)["line"] for line in (work / "out.jsonl").read_text().splitlines()] == list(range(1, 201))


def test_a_pipe_that_does_not_end_is_told_of(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    command = [sys.executable, "-m", "agentic", "ask", "--endpoint", server.url, "review this"]
    with subprocess.Popen(
        command, cwd=work, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "reading the standard input" in process.stderr.readline()
        out, _ = process.communicate("the rest", timeout=60)
    assert process.returncode == 0
    assert "the rest" in sent(server)[-1].text, out
