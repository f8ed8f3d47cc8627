"""The live region: always there, drawn whole, below what stays."""

import fcntl
import os
import re
import signal
import struct
import termios
import threading
from pathlib import Path

import pyte
import pytest

from agentic.lib.palette import without_codes
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.terminal.codes import BEGIN_FRAME, END_FRAME
from tests.conftest import Agentic
from tests.terminal import Terminal, terminal

OPTIONS = ("-c", "tools.protocol=native", "-c", "ui.notify=false", "--no-sandbox")
WORDS = [f"word{number} " for number in range(240)]


def typed_while_it_streams(shown: Terminal) -> None:
    shown.until(lambda: shown.is_ready)
    shown.type("go\r")
    shown.until(lambda: "word9" in shown.text)
    shown.type("my draft")
    shown.until(lambda: shown.draft == "my draft")


def test_each_frame_is_whole(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """After each write the draft, the status line and the footer are on the screen; nothing is written outside of frames."""
    server.script(answer(WORDS, pause=0.005))
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 80) as shown:
        typed_while_it_streams(shown)
        start = len(shown.raw)
        shown.until(lambda: "word230" in shown.text)
        raw = shown.raw[start:].decode("utf-8", "replace")
    emulated = pyte.Screen(80, 24)
    stream = pyte.Stream(emulated)
    stream.feed(shown.raw[:start].decode())
    frames = raw.split(BEGIN_FRAME)
    assert len(frames) > 10
    for frame in frames[1:-1]:
        text, end, rest = frame.partition(END_FRAME)
        assert end and not rest, repr(rest)
        stream.feed(text)
        seen = "\n".join(emulated.display)
        assert "› my draft" in seen and "Esc stops" in seen and "% of 6,144" in seen, seen


def test_what_was_written_above_is_never_written_again(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(WORDS, pause=0.002))
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 60) as shown:
        typed_while_it_streams(shown)
        shown.until(lambda: "✓ done" in shown.text)
        flat = " ".join(shown.text.split())
        assert "".join(WORDS).strip() in flat
        assert len(re.findall(r"\bword17\b", flat)) == 1
        assert not [line for line in shown.text.split("\n") if "Esc stops" in line]


def resized(shown: Terminal, columns: int) -> None:
    fcntl.ioctl(shown.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown.screen.resize(24, columns)
    shown.columns = columns
    os.kill(shown.process.pid, signal.SIGWINCH)


def test_a_wider_terminal_in_a_stream_leaves_one_region(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(WORDS, pause=0.02))
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 60) as shown:
        typed_while_it_streams(shown)
        resized(shown, 90)
        shown.until(lambda: "✓ done" in shown.text and shown.draft == "my draft" and not shown.works)
        assert shown.text.count("my draft") == 1 and "Esc stops" not in shown.text


def test_what_a_plugin_prints_stays_above(server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "agentic_loud.py"
    plugin.write_text(
        "import sys\nfrom agentic import hookimpl\n\n\n@hookimpl\nasync def agentic_before_task(task):\n"
        "    print('printed by a plugin')\n    print('and its error', file=sys.stderr)\n"
    )
    server.script(answer("fine"))
    with terminal(["--endpoint", server.url, *OPTIONS, "-e", str(plugin)], env, work, 80) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("go\r")
        shown.until(lambda: "fine" in shown.text and shown.is_ready)
        lines = shown.text.split("\n")
        assert "printed by a plugin" in lines and "and its error" in lines


@pytest.mark.parametrize("accessible", [True, False])
def test_a_screen_reader_hears_lines_only(server: FakeVLLM, env: dict[str, str], work: Path, accessible: bool) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x"})), answer("Done."))
    more = ("-c", f"ui.accessible={str(accessible).lower()}")
    with terminal(["--endpoint", server.url, *OPTIONS, *more], env, work, 80) as shown:
        shown.until(lambda: shown.draft == "")
        shown.type("go\r")
        shown.until(lambda: "No, and tell it why" in shown.text)
        shown.type("y")
        shown.until(lambda: "Done." in shown.text and shown.is_ready)
        assert ("Allow once (y)" in shown.text) is accessible, "the answers are lines that stay"
        assert ("% of 6,144" in shown.text) is not accessible
        assert (work / "a.txt").exists()


def test_keys_of_ones_own(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal(["--endpoint", server.url, *OPTIONS, "-c", 'ui.keys={mode = "f2"}'], env, work, 80) as shown:
        shown.until(lambda: shown.is_ready and "· ask ·" in shown.text)
        shown.type("\x1bOQ")
        shown.until(lambda: "· edits ·" in shown.text)


WRONG = {
    '{nosuch = "f2"}': "there is no action 'nosuch'",
    '{mode = "nosuchkey"}': "ui.keys.mode",
    '{mode = "c-o"}': "stands for",
}


@pytest.mark.parametrize("keys", WRONG)
def test_keys_that_cannot_be_are_told_with_a_remedy(server: FakeVLLM, env: dict[str, str], work: Path, keys: str) -> None:
    with terminal(["--endpoint", server.url, *OPTIONS, "-c", f"ui.keys={keys}"], env, work, 100) as shown:
        assert shown.until_ended() == 2
        assert WRONG[keys] in shown.text and "→" in shown.text


STATUS = (
    """import json, sys; facts = json.load(sys.stdin); print(facts["model"], "in", facts["mode"], facts["context"]["tokens"] > 0)"""
)


def test_rows_of_the_users_own_below_the_footer(server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    program = tmp_path / "status.py"
    program.write_text(STATUS)
    server.script(answer("fine"))
    more = ("-c", f"ui.status_command=python3 {program}")
    with terminal(["--endpoint", server.url, *OPTIONS, *more], env, work, 80) as shown:
        shown.until(lambda: "fake in ask False" in shown.text)
        shown.type("go\r")
        shown.until(lambda: "fake in ask True" in shown.text)
        assert shown.screen.display[-1].strip() in ("", "fake in ask True")


def test_a_command_for_the_footer_that_fails_says_so_there(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal(["--endpoint", server.url, *OPTIONS, "-c", "ui.status_command=echo oh >&2; exit 3"], env, work, 80) as shown:
        shown.until(lambda: "(ui.status_command: exit code 3, oh)" in shown.text)


def test_no_repository_has_a_command_run_for_the_footer(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    (work / "agentic.toml").write_text('[ui]\nstatus_command = "touch CANARY"\n')
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 80) as shown:
        shown.until(lambda: "status_command" in shown.text or shown.is_ready)
        shown.type("\x04")
        shown.until_ended()
    assert not (work / "CANARY").exists()


def test_a_terminal_that_goes_away_leaves_a_command_running_and_keeps_the_draft(
    server: FakeVLLM, env: dict[str, str], work: Path, agentic: Agentic
) -> None:
    server.script(answer("hello"))
    began = work / "began"
    with terminal(["--endpoint", server.url, *OPTIONS], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("hi\r")
        shown.until(lambda: "✓ done" in shown.text and shown.is_ready)
        shown.type(f"!echo $$ > {began}; sleep 600\r")
        shown.until(lambda: began.exists() and began.read_text().strip() != "")
        shown.type("keep me")
        shown.until(lambda: shown.draft == "keep me")
        os.close(shown.master)
        shown.process.wait(20)
        shown.master = os.open(os.devnull, os.O_RDONLY)
    assert Path(f"/proc/{began.read_text().strip()}/stat").exists()
    assert agentic("stop", agentic("ps").out.split()[0]).code == 0
    assert not Path(f"/proc/{began.read_text().strip()}/stat").exists()
    with terminal(["--continue", "--endpoint", server.url, *OPTIONS], env, work) as shown:
        shown.until(lambda: shown.draft == "keep me")


def test_a_command_of_the_users_is_shown_whole_however_its_output_comes(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal(["--endpoint", server.url, *OPTIONS], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("!printf loading; sleep .2; echo ' over'; printf '\\303'; sleep .2; printf '\\251t\\303\\251'\r")
        shown.until(lambda: "(exit code 0)" in shown.text)
        rows = [row.strip() for row in shown.text.split("\n")]
    assert "loading over" in rows and "été" in rows


def test_a_terminal_of_few_rows_has_the_input_still(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal(["--endpoint", server.url, *OPTIONS], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        fcntl.ioctl(shown.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 80, 0, 0))
        shown.screen.resize(10, 80)
        shown.process.send_signal(signal.SIGWINCH)
        shown.type("/")
        shown.until(lambda: shown.draft == "/" and any("/" in row and "›" not in row for row in shown.screen.display))
        assert "too small" not in shown.text


def test_an_editor_has_the_screen_for_itself(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    editor = work.parent / "editor"
    editor.write_text("#!/bin/sh\nprintf '\\033[2J\\033[H<<EDITOR>>\\n'; sleep 1; printf '<<LEAVES>>\\n'\n")
    editor.chmod(0o755)
    server.script(answer(WORDS, pause=0.01))
    with terminal(["--endpoint", server.url, *OPTIONS], {**env, "EDITOR": str(editor), "VISUAL": ""}, work) as shown:
        typed_while_it_streams(shown)
        shown.type("\x07")
        shown.until(lambda: "<<LEAVES>>" in shown.raw.decode("utf-8", "replace"))
        there = shown.raw.decode("utf-8", "replace").partition("<<EDITOR>>")[2].partition("<<LEAVES>>")[0]
        assert not re.search(r"word\d", there), there
        shown.until(lambda: "✓ done" in shown.text)
        assert "word239" in shown.text


def test_an_edit_that_is_not_asked_about_is_a_row_with_its_difference(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "new.txt", "content": "words"})), answer("written"))
    with terminal(["--endpoint", server.url, *OPTIONS, "--approve", "edits"], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("go\r")
        shown.until(lambda: "new.txt" in shown.text and "unchecked" in shown.text and shown.is_ready)
        rows = [row.strip() for row in shown.text.split("\n")]
    assert [row for row in rows if row.startswith("● write_file")] == ["● write_file new.txt +1"]
    assert any(re.search(r"\+ ?words$", row) for row in rows), rows


class Held:
    """A model whose first answer waits for `go`."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> ScriptedAnswer:
        self.asked.set()
        self.go.wait(20)
        return answer("ok")


def test_one_types_while_it_is_tried_how_a_model_calls_tools(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = held = Held()
    with terminal(["--endpoint", server.url, "-c", "ui.notify=false", "--no-sandbox"], env, work, 80) as shown:
        shown.until(lambda: "trying how" in shown.text and held.asked.is_set())
        shown.type("first\rthen thi")
        shown.until(lambda: shown.draft == "then thi" and "queued: first" in shown.text)
        held.go.set()
        shown.until(lambda: "window 8,192 · 127.0.0.1" in shown.text and "› first" in shown.text and shown.draft == "then thi")
        assert "queued" not in "\n".join(shown.screen.display)


def test_ctrl_c_ends_a_start_that_waits(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = held = Held()
    with terminal(["--endpoint", server.url, "-c", "ui.notify=false", "--no-sandbox"], env, work, 80) as shown:
        shown.until(lambda: "trying how" in shown.text and held.asked.is_set())
        shown.type("\x03")
        assert shown.until_ended() == 130
        assert shown.restored()
        held.go.set()


def test_in_plan_mode_a_message_is_planned_first(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = lambda request: answer("1. Read it. 2. Change it.")
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 80) as shown:
        shown.until(lambda: shown.is_ready and "· ask ·" in shown.text)
        for mode in ("edits", "plan"):
            shown.type("\x1b[Z")
            shown.until(lambda mode=mode: f"· {mode} ·" in "\n".join(shown.screen.display))  # type: ignore[misc]
        shown.type("make it quick\r")
        shown.until(lambda: "carry this plan out" in shown.text)


CODE = "def f(value):\n\n    if value:\n\treturn 'a very long line that no terminal of forty columns can hold in one row' + value\n"
SCENES_TO_COPY = {
    "a fence": f"So:\n\n```python\n{CODE}```\n",
    "a fence in a language nobody knows": f"```nosuch\n{CODE}```",
    "a fence without a language": f"Words before.\n```\n{CODE}```\nand after",
    "a fence in tildes": f"~~~\n{CODE}~~~",
    "a fence that does not end": f"```python\n{CODE}",
    "a fence after a list": f"- one\n- two\n\n```python\n{CODE}```",
    "two fences": f"```python\n{CODE}```\n\n```sh\n{CODE}```",
}


def rows_of(shown: Terminal) -> list[str]:
    """The rows as whoever selects them gets them: a line that the terminal itself broke is one."""
    written = shown.raw.decode().replace("\x1b[J", "\n")  # after which what stays is written
    return [line.rstrip() for line in without_codes(written).replace("\r", "").split("\n")]


@pytest.mark.parametrize("scene", SCENES_TO_COPY)
@pytest.mark.parametrize("columns", [40, 80])
def test_code_is_copied_as_it_was_written(scene: str, columns: int, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(SCENES_TO_COPY[scene]))
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, columns) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("go\r")
        shown.until(lambda: "✓ done" in shown.text)
        rows = rows_of(shown)
    for line in CODE.expandtabs(4).removesuffix("\n").split("\n"):
        assert line in rows


def test_a_command_a_path_and_a_difference_are_copied_as_they_are(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    command = "printf '%s\\n' 'an argument with  two  spaces that is longer than a row of forty' >/dev/null"
    path, line = "a folder/with a long name of which nobody knows why it is so long.txt", "x = 'a line  that is longer than a row'"
    server.script(
        answer("", tool_calls=tool_call("run_command", {"command": command})),
        answer("", tool_calls=tool_call("write_file", {"path": path, "content": f"{line}\n"}, "2")),
        answer(f"It is in\n{path.replace(' ', '_')}\nnow."),
    )
    with terminal(["--endpoint", server.url, *OPTIONS], env, work, 40) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("go\r")
        shown.until(lambda: shown.menu("Allow once"))
        shown.type("y")
        shown.until(lambda: path in " ".join(rows_of(shown)) and shown.menu("Allow once"))
        shown.type("y")
        shown.until(lambda: shown.is_ready and "unchecked" in shown.text)
        rows = rows_of(shown)
    assert command in rows
    assert any(path in row for row in rows)
    assert any(row.endswith(f"+{line}") for row in rows)
    assert any(path.replace(" ", "_") in row for row in rows)


def test_a_server_that_does_not_answer_is_told_on_the_first_screen(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with FakeVLLM() as other:
        gone = other.url
    with terminal(["--endpoint", server.url, "--endpoint", gone, *OPTIONS], env, work, 120) as shown:
        shown.until(lambda: f"{gone}: " in shown.text and f"{gone.split(':')[2].removesuffix('/v1')} ✗" in shown.text)
