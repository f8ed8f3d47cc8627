"""Sessions without a terminal: left by /detach or a lost connection, begun by --detach, shown by `attach`, and what they cost nobody."""

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.terminal.detached.shown import BEGIN_ROWS, END_ROWS, Shown
from tests.conftest import Agentic
from tests.terminal import Terminal, terminal

WORDS = 150
CHAT = ["-c", "tools.protocol=native", "--no-sandbox"]
SAID = [f"word{number} " for number in range(WORDS)]


@pytest.fixture(autouse=True)
def nothing_left(agentic: Agentic) -> Iterator[None]:
    """No session outlives its test."""
    yield
    for state in states(agentic):
        agentic("stop", state["name"])


def states(agentic: Agentic) -> list[dict[str, Any]]:
    return [json.loads(line) for line in agentic("ps", "--output", "jsonl").out.splitlines()]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def streaming(shown: Terminal, server: FakeVLLM) -> None:
    """A turn is going on, whose answer comes word by word."""
    server.otherwise = lambda request: answer(SAID, pause=0.03)
    shown.until(lambda: shown.is_ready)
    shown.type("say many words\r")
    shown.until(lambda: "word9" in shown.text)


def left(shown: Terminal) -> str:
    """Leaves the session; its name."""
    shown.type("/detach\r")
    assert shown.until_ended() == 0
    found = re.search(r"agentic attach (\w+)", shown.text)
    assert found is not None, shown.text
    return found[1]


def lost(shown: Terminal) -> None:
    os.close(shown.master)
    os.close(shown.slave)
    shown.process.wait()


def words_in(shown: Terminal) -> list[int]:
    """The words on the screen and above it; a row that is full goes on in the next."""
    rows = shown.text.split("\n")
    return [
        int(found) for found in re.findall(r"word(\d+)", "".join(row if len(row) == shown.columns else f"{row} " for row in rows))
    ]


@pytest.mark.parametrize("columns", [60, 45, 100])
def test_a_session_that_is_left_goes_on_and_is_shown_as_it_was(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path, columns: int
) -> None:
    """In a terminal of any width, without a word lost or doubled."""
    with terminal([*CHAT, "--endpoint", server.url], env, work) as shown:
        streaming(shown, server)
        name = left(shown)
        assert shown.restored()
    with terminal(["attach", name], env, work, columns) as again:
        again.until(lambda: again.works and "word1 " in again.text)
        again.type("a draft")
        again.until(lambda: again.draft == "a draft")
        again.until(lambda: not again.works and f"word{WORDS - 1}" in again.text)
        assert words_in(again) == list(range(WORDS))
        again.type("\x03/quit\r")
        assert again.until_ended() == 0
        assert f"({name} has ended" in again.text and again.restored()
    assert states(agentic) == []
    assert "say many words" in agentic("sessions", "show").out


def test_a_lost_terminal_leaves_what_works_and_ends_what_does_not(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    idle = Terminal([*CHAT, "--endpoint", server.url], env, work)
    idle.until(lambda: idle.is_ready)
    lost(idle)
    assert states(agentic) == []
    working = Terminal([*CHAT, "--endpoint", server.url], env, work)
    streaming(working, server)
    lost(working)
    until(lambda: bool(states(agentic)))
    until(lambda: states(agentic)[0]["state"] == "idle")
    assert f"word{WORDS - 1}" in agentic("sessions", "show").out


def test_a_question_waits_and_the_user_is_told_by_a_command_of_theirs(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    told = work.parent / "told"
    server.otherwise = lambda request: (
        answer("done", pause=0.1)
        if request.json["messages"][-1]["role"] == "tool"
        else answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "new\n"}), pause=0.3)
    )
    more = ["-c", f'ui.notify_command=printf "%s\\n" "$AGENTIC_SAYS" >> {told}', "--approve", "ask"]
    with terminal([*CHAT, *more, "--endpoint", server.url], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("write it\r/detach\r")
        name = left(shown) if "agentic attach" not in shown.text and not shown.until_ended() else ""
        name = name or re.findall(r"agentic attach (\w+)", shown.text)[0]
    until(lambda: states(agentic)[0]["state"] == "question")
    assert f"{name}  question for" in agentic("ps").out
    until(told.exists)
    with terminal(["attach"], env, work) as again:
        again.until(lambda: again.menu("Allow once"))
        time.sleep(0.5)  # a key that comes at once was meant for something else
        again.type("y")
        again.until(lambda: (work / "a.txt").exists() and not again.works)
        again.type("\x1c")
        again.until_ended()
        assert f"({name} goes on: agentic attach {name})" in again.text
    assert "write_file a.txt" in told.read_text() or "a.txt" in told.read_text()


def test_several_look_and_one_answers(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal([*CHAT, "--endpoint", server.url], env, work) as shown:
        streaming(shown, server)
        left(shown)
    with ExitStack() as stack:
        first = stack.enter_context(terminal(["attach"], env, work))
        first.until(lambda: "word1 " in first.text)
        second = stack.enter_context(terminal(["attach"], env, work))
        second.until(lambda: "this one looks on" in second.text)
        second.type("nothing")
        first.type("mine")
        second.until(lambda: second.draft == "mine")
        assert states(agentic)[0]["clients"] == 2
        third = stack.enter_context(terminal(["attach", "--take"], env, work))
        third.until(lambda: third.draft == "mine")
        first.type("not")
        third.type("!")
        fourth = stack.enter_context(terminal(["attach", "--look"], env, work))
        fourth.until(lambda: fourth.draft == "mine!")


def test_a_run_without_a_terminal(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """Its name is for scripts; it ends by itself, and leaves nothing but what it did."""
    server.otherwise = lambda request: answer(SAID[:40], pause=0.05)
    told = work.parent / "told"
    notify = ["-c", f'ui.notify_command=echo "$AGENTIC_SAYS" >> {told}']
    begun = agentic("run", "--detach", "say many words", *CHAT, *notify, "--endpoint", server.url)
    assert begun.code == 0 and re.fullmatch(r"\w+\n", begun.out), begun.err
    until(lambda: states(agentic)[0]["state"] == "working")
    (state,) = states(agentic)
    assert (state["name"], state["folder"], state["task"]) == (begun.out.strip(), str(work), "say many words")
    assert state["session"]
    until(lambda: states(agentic) == [])
    until(told.exists)
    until(lambda: told.read_text() == "agentic is done with: say many words\n")
    assert "word39" in agentic("sessions", "show").out


def test_stop_ends_it_and_keeps_what_it_did(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = lambda request: answer(SAID * 20, pause=0.05)
    name = agentic("run", "--detach", "say many words", *CHAT, "--endpoint", server.url).out.strip()
    assert server.wait_for(lambda: server.running > 0, 30)
    folder = Path(env["HOME"], ".local/state/agentic/detached")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]
    assert agentic("stop", name[:3]).out == f"{name} has ended\n"
    assert server.wait_for(lambda: server.running == 0, 10)
    assert list(folder.iterdir()) == []
    assert "say many words" in agentic("sessions", "show").out


def test_one_that_was_killed_is_forgotten(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer(SAID * 20, pause=0.05)
    name = agentic("run", "--detach", "say many words", *CHAT, "--endpoint", server.url).out.strip()
    (state,) = states(agentic)
    os.kill(state["pid"], 9)
    until(lambda: states(agentic) == [])
    refused = agentic("stop", name)
    assert refused.code == 2 and "no session runs without a terminal" in refused.err


def test_a_chat_dies_with_the_process_that_the_shell_waits_for(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    with terminal([*CHAT, "--endpoint", server.url], env, work) as shown:
        streaming(shown, server)
        shown.process.kill()
        assert server.wait_for(lambda: server.running == 0, 10)
    assert states(agentic) == []


def test_what_cannot_be_shown_is_said(agentic: Agentic, env: dict[str, str], work: Path) -> None:
    nothing = agentic("attach")
    assert nothing.code == 2 and "agentic run --detach TASK starts one" in nothing.err
    assert agentic("ps").out == ""
    assert agentic("stop", "").code == 2
    refused = agentic("run", "--detach", "-", stdin="a task")
    assert refused.code == 2 and "takes no task from the standard input" in refused.err and refused.out == ""
    folder = Path(env["HOME"], ".local/state/agentic/detached")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")
    refused = agentic("run", "--detach", "a task")
    assert refused.code == 2 and "no folder of yours" in refused.err and refused.out == ""


def test_what_else_is_in_the_folder_of_sockets_is_left_alone(agentic: Agentic, server: FakeVLLM, env: dict[str, str]) -> None:
    folder = Path(env["HOME"], ".local/state/agentic/detached")
    folder.mkdir(parents=True, mode=0o777)
    (folder / "dddd.sock").mkdir()
    (folder / "ffff.sock").write_text("mine")
    server.otherwise = lambda request: answer(SAID * 20, pause=0.05)
    name = agentic("run", "--detach", "say many words", *CHAT, "--endpoint", server.url).out.strip()
    assert [state["name"] for state in states(agentic)] == [name]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and (folder / "ffff.sock").read_text() == "mine"


def test_one_whose_folder_is_gone_or_that_was_begun_without_a_standard_input(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    server.otherwise = lambda request: answer(SAID * 20, pause=0.05)
    gone = work / "gone"
    gone.mkdir()
    words = [sys.executable, "-m", "agentic", "run", "--detach", "say many words", *CHAT, "--endpoint", server.url]
    subprocess.run(words, cwd=gone, env=env, check=True, capture_output=True)
    assert server.wait_for(lambda: server.running == 1, 30)
    gone.rmdir()
    subprocess.run(["bash", "-c", f"exec {shlex.join(words)} <&-"], cwd=work, env=env, check=True, capture_output=True)
    found = states(agentic)
    assert len(found) == 2 and found[0]["folder"] == str(gone)
    for state in found:
        assert agentic("stop", state["name"]).code == 0


def test_a_menu_is_left_by_a_key_and_an_attached_terminal_by_detach(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    server.otherwise = lambda request: (
        answer("then not")
        if request.json["messages"][-1]["role"] == "tool"
        else answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "new\n"}))
    )
    with terminal([*CHAT, "--approve", "ask", "--endpoint", server.url], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("write it\r")
        shown.until(lambda: shown.menu("Allow once"))
        shown.type("\x1c")
        assert shown.until_ended() == 0 and "agentic attach" in shown.text
    with terminal(["attach"], env, work) as again:
        again.until(lambda: again.menu("Allow once"))
        time.sleep(0.5)  # a key that comes at once was meant for something else
        again.type("n")
        again.until(lambda: not again.menu("Allow once"))
        again.type("\r")
        again.until(lambda: "then not" in again.text and not again.works)
        again.type("/detach\r")
        again.until_ended()
        assert "goes on: agentic attach" in again.text and again.restored()
    assert not (work / "a.txt").exists()


def test_a_command_that_is_typed_while_a_turn_works_waits_for_its_end(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal([*CHAT, "--endpoint", server.url], env, work) as shown:
        streaming(shown, server)
        shown.type("/status\r")
        shown.until(lambda: "after this turn: /status" in shown.text)
        shown.until(lambda: not shown.works and "session " in shown.text.split(f"word{WORDS - 1}")[-1])
    assert not any("/status" in str(chat.json["messages"]) for chat in server.chats)


def test_a_folder_with_a_long_path(agentic: Agentic, server: FakeVLLM, tmp_path: Path) -> None:
    """A socket's address has 108 bytes."""
    more = {"XDG_STATE_HOME": str(tmp_path / ("long" * 30))}
    server.otherwise = lambda request: answer(SAID * 20, pause=0.05)
    begun = agentic("run", "--detach", "say many words", *CHAT, "--endpoint", server.url, more=more)
    assert agentic("stop", begun.out.strip(), more=more).code == 0, begun.err


@given(st.lists(st.tuples(st.booleans(), st.text(st.sampled_from("ab\n"), max_size=9)), max_size=9), st.data())
def test_what_stays_is_kept_however_it_comes(pieces: list[tuple[bool, str]], data: st.DataObject) -> None:
    """And of what draws the region only that which stands below it."""
    stream = b"".join(BEGIN_ROWS + text.encode() + END_ROWS if stays else text.encode() for stays, text in pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    shown = Shown()
    got = b"".join(shown.add(stream[start:end]) for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True))
    assert got == "".join(text for _, text in pieces).encode()
    last = max((number for number, (stays, _) in enumerate(pieces) if stays), default=-1)
    drawn = "".join(text for _, text in pieces[last + 1 :])
    assert shown.replay() == ("".join(text for stays, text in pieces if stays) + drawn).encode()


def test_what_asks_a_terminal_or_calls_its_user_is_not_said_again() -> None:
    shown = Shown()
    shown.add(b"\x1b[6n\x1b]11;?\x07a\x07\x1b]9;look\x07\x07\x1b]52;c;QQ==\x07\x1b]0;title\x07\x1b[c\x1b[?2004hb\x1b[?2026h")
    assert shown.replay() == b"a\x1b]0;title\x07\x1b[?2004hb\x1b[?2026h\x1b[?2004h"


def test_only_the_newest_of_much_is_kept() -> None:
    shown = Shown(most=1_000)
    for number in range(1_000):
        shown.add(BEGIN_ROWS + b"%d\r\n" % number + END_ROWS)
    for _ in range(1_000):
        shown.add(b"drawn")
    assert (
        shown.replay().startswith(b"(earlier: agentic sessions show)\r\n8")
        and b"999\r\n" in shown.replay()
        and len(shown.replay()) <= 2_100
    )


def test_a_flag_of_a_plugins_own_is_one_without_a_value(agentic: Agentic) -> None:
    done = subprocess.run([sys.executable, "-m", "agentic", "run", "--help"], capture_output=True, text=True, check=True)
    assert "--detach " in done.stdout and "prints a name" in done.stdout


def test_the_next_window_of_a_chat_ends_with_its_terminal_as_the_first_does(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    server.otherwise = lambda request: answer("said")
    with terminal([*CHAT, "--endpoint", server.url], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("a word\r")
        shown.until(lambda: "said" in shown.text and shown.is_ready)
        shown.type("/clear\r")
        shown.until(lambda: shown.text.count("for commands") == 2 and shown.is_ready)
        os.kill(shown.process.pid, signal.SIGHUP)
        assert shown.until_ended() in (129, -1)
    assert states(agentic) == []
