"""Questions show what would happen, byte for byte, and only an answer to the question answers it."""

import hashlib
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agentic.lib.edits import difference
from agentic.lib.questions import Question
from agentic.lib.terminal.asking import question_lines, visible
from agentic.lib.workspace import Edit
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.terminal import terminal


def call(name: str, **arguments: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call(name, arguments))


def command(server: FakeVLLM, *more: str) -> list[str]:
    return ["run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "-c", "complexity.estimator=rules", *more]


@pytest.mark.parametrize("output", ["rich", "plain", "jsonl"])
def test_the_whole_command_is_on_the_terminal_whatever_the_renderer(
    server: FakeVLLM, env: dict[str, str], work: Path, output: str
) -> None:
    hidden = "touch PWN\n" + "\n" * 30 + "echo hello"
    server.script(call("run", command=hidden), answer("then not"))
    with terminal(command(server, "--output", output), env, work) as seen:
        seen.until(lambda: "more lines" in seen.text)
        assert "│ touch PWN" in seen.text
        seen.type("\r")
        seen.until(lambda: "allow?" in seen.text)
        assert "│ echo hello" in seen.text and "it has 32 lines" in seen.text
        seen.type("n\r")
        seen.until_ended()
    assert not (work / "PWN").exists()


def test_blanks_and_returns_hide_nothing(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="echo hello" + " " * 6000 + "; touch PWN\r"), answer("then not"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        assert "6000 blanks" in seen.text and "touch PWN" in seen.text and "\\u{d}" in seen.text
        seen.type("n\r")
        seen.until_ended()


def test_what_was_typed_before_the_question_does_not_answer_it(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="touch PWN"), answer("then not"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: bool(server.chats))
        seen.type("y\r")
        seen.until(lambda: "allow?" in seen.text)
        seen.type("n\r")
        seen.until_ended()
    assert not (work / "PWN").exists()


def test_a_change_is_shown_as_a_diff_and_what_is_shown_is_what_is_written(
    server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    (work / "a.txt").write_text("one\ntwo\n")
    server.script(call("edit_file", path="a.txt", old="two", new="2"), answer("done"))
    with terminal(command(server, "--output", "jsonl"), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        assert "\n2 -two\n2 +2" in seen.text
        seen.type("y\r")
        seen.until_ended()
    assert (work / "a.txt").read_text() == "one\n2\n"


def test_a_file_that_the_user_saves_while_the_question_stands_is_not_overwritten(
    server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    (work / "a.txt").write_text("one\n")
    server.script(call("edit_file", path="a.txt", old="one", new="1"), answer("ok"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        (work / "a.txt").write_text("one and the user's\n")
        seen.type("y\r")
        seen.until_ended()
    assert (work / "a.txt").read_text() == "one and the user's\n"


def test_what_is_approved_is_what_runs(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    line = "printf '%s' \"a  b\tc\" > out.txt"
    server.script(call("run", command=line), answer("done"))
    with terminal(command(server, "--output", "jsonl"), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("y\r")
        seen.until_ended()
        raw = seen.raw.decode().replace("\r", "")
    asked = next(
        json.loads(text) for text in raw.split("\n") if text.startswith('{"type": "approval"') or '"type": "approval",' in text
    )
    assert asked["body"] == line and asked["digest"] == hashlib.sha256(line.encode()).hexdigest()
    assert (work / "out.txt").read_text() == "a  b\tc"


def test_always_asks_once(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="make_nothing || true"), answer("done"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("a")
        seen.until(lambda: "always (edit, then Enter): run(make_nothing)" in seen.text.replace("\n", ""))
        seen.type("\x7f" * len("nothing)") + "*)\r")
        seen.until(lambda: "always (edit, then Enter): run(true)" in seen.text.replace("\n", ""))
        seen.type("\r")
        seen.until(lambda: "where?" in seen.text)
        seen.type("p")
        seen.until_ended()
    kept = json.loads((Path(env["HOME"]) / ".local" / "state" / "agentic" / "permissions.json").read_text())
    assert kept[os.path.realpath(work)] == ["run(make_*)", "run(true)"]


def test_what_is_no_rule_is_said_and_escape_goes_back_to_the_question(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="make_nothing"), answer("then not"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("a")
        seen.until(lambda: "always (edit, then Enter): run(make_nothing)" in seen.text)
        seen.type("(\r")
        seen.until(lambda: "is no rule" in seen.text.replace("\n", " "))
        seen.type("\x1b")
        seen.until(lambda: seen.text.count("allow?") == 2)
        seen.type("n\r")
        seen.until_ended()


def test_a_no_with_a_word_is_told_to_the_model(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="touch PWN"), answer("then with make"))
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("n")
        seen.until(lambda: "why?" in seen.text)
        seen.type("use make\r")
        seen.until_ended()
    assert server.chats[-1].json["messages"][-1]["content"] == "run was not run: the user said no: use make."


def editor(work: Path, env: dict[str, str], old: str, new: str) -> dict[str, str]:
    """An editor that replaces a piece of whatever it is given."""
    program = work.parent / "editor"
    program.write_text(f"#!/bin/sh\nsed -i 's/{old}/{new}/' \"$@\"\n")
    program.chmod(0o755)
    return env | {"EDITOR": str(program)}


def test_an_edited_command_is_asked_again_and_is_what_runs(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="echo theirs > out.txt"), answer("done"))
    with terminal(command(server), editor(work, env, "theirs", "mine"), work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("e")
        seen.until(lambda: "│ echo mine > out.txt" in seen.text and seen.text.count("allow?") == 2)
        assert not (work / "out.txt").exists()
        seen.type("y")
        seen.until_ended()
    assert (work / "out.txt").read_text() == "mine\n"
    assert server.chats[-1].json["messages"][-1]["content"].startswith("(The user changed the command to: echo mine > out.txt)")


def test_an_edited_command_is_under_the_rules(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="echo theirs"), answer("done"))
    deny = ["-c", "permissions.deny=run(touch *)"]
    with terminal(command(server, *deny), editor(work, env, "echo theirs", "touch PWN"), work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("e")
        seen.until_ended()
    assert not (work / "PWN").exists()
    assert "says deny" in server.chats[-1].json["messages"][-1]["content"]


def test_an_edited_change_is_asked_again_and_is_what_is_written(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    (work / "a.txt").write_text("one\ntwo\n")
    server.script(call("edit_file", path="a.txt", old="two", new="2"), answer("done"))
    with terminal(command(server), editor(work, env, "2", "zwei"), work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("e")
        seen.until(lambda: "+zwei" in seen.text and seen.text.count("allow?") == 2)
        seen.type("y")
        seen.until_ended()
    assert (work / "a.txt").read_text() == "one\nzwei\n"
    assert "+zwei" in server.chats[-1].json["messages"][-1]["content"]


def test_an_editor_that_fails_changes_nothing(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="echo theirs > out.txt"), answer("done"))
    with terminal(command(server), env | {"EDITOR": "false"}, work) as seen:
        seen.until(lambda: "allow?" in seen.text)
        seen.type("e")
        seen.until(lambda: "exit code 1: nothing is changed" in seen.text and seen.text.count("allow?") == 2)
        seen.type("n\r")
        seen.until_ended()
    assert not (work / "out.txt").exists()


def test_the_question_says_what_was_changed_and_would_be_run(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(
        answer(tool_calls=tool_call("write_file", {"path": "conftest.py", "content": "x = 1\n"}, 0, "1")),
        answer(tool_calls=tool_call("run", {"command": "python3 -m pytest -q"}, 0, "2")),
        answer("done"),
    )
    with terminal(command(server), env, work) as seen:
        seen.until(lambda: "pytest runs it" in seen.text and "allow?" in seen.text)
        seen.type("y\r")
        seen.until(lambda: "changed in this session" in seen.text.replace("\n", " ") and seen.text.count("allow?") == 2)
        seen.type("n\r")
        seen.until_ended()


@given(st.text(max_size=200))
def test_any_body_is_shown_without_a_control_character(body: str) -> None:
    lines = list(question_lines(Question("run it", body=body, warnings=("w",))))
    assert not any(unicodedata.category(character) in ("Cc", "Cs") and character != "\t" for line in lines for character in line)
    assert sum(line.startswith("  │ ") for line in lines) == (body.removesuffix("\n").count("\n") + 1 if body else 0)


def test_look_alikes_are_pointed_at() -> None:
    from agentic.lib.questions import oddities

    assert any("cyrillic" in warning for warning in oddities("cаt file"))
    assert not list(oddities("cat file"))
    assert "⟨40 blanks⟩" in visible("a" + " " * 40 + "b")


def test_a_difference_of_what_is_no_text_says_how_much() -> None:
    assert "3 bytes" in difference({"a": Edit(None, b"\0\1\2")})
    assert difference({"a": Edit(b"x\n", None)}).startswith("--- a\n+++ /dev/null\n")
