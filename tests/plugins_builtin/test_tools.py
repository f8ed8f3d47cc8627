"""Tools on real files and real processes."""

import asyncio
import os
import re
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import ToolError, ToolOutput, ToolSetup, Workspace
from agentic.lib.files.text import decode
from agentic.testing import make_setup, settings_with
from plugins_builtin.syntax import agentic_after_tool
from plugins_builtin.tools.edit import EditFile, replace
from plugins_builtin.tools.files import ListFiles, ReadFile, WriteFile
from plugins_builtin.tools.search import Search
from plugins_builtin.tools.shell import LEAST_BYTES, Output, Run, shell
from tests.processes import sleepers


def do(tool: Any, work: Path | Workspace, **arguments: object) -> ToolOutput:
    space = work if isinstance(work, Workspace) else Workspace(work)
    given: Mapping[str, Any] = arguments
    output: ToolOutput = asyncio.run(tool.run(given, space))
    return output


def command(seconds: int) -> Run:
    return Run(make_setup(ToolSetup, settings=settings_with({"tools.command_timeout": seconds})))


STORED = {
    "LF": b"one\ntwo\nthree\n",
    "CRLF": b"one\r\ntwo\r\nthree\r\n",
    "mixed": b"one\r\ntwo\nthree\r\n",
    "no final newline": b"one\ntwo\nthree",
    "BOM": b"\xef\xbb\xbfone\ntwo\nthree\n",
    "UTF-16": "one\ntwo\nthree\n".encode("utf-16"),
    "Latin-1": "one\ntwo\nth\xe4ree\n".encode("latin-1"),
    "tabs and trailing spaces": b"one \t\ntwo\n\tthree  \n",
    "CR only around": b"one\rtwo\rthree",
}


@pytest.mark.parametrize("name", STORED)
def test_an_edit_changes_its_hunk_and_no_other_byte(work: Path, name: str) -> None:
    (work / "f").write_bytes(STORED[name])
    do(EditFile(), work, path="f", old="two", new="2")
    encoding = "utf-16-le" if name == "UTF-16" else "latin-1"
    assert (work / "f").read_bytes() == STORED[name].replace("two".encode(encoding), "2".encode(encoding))


@pytest.mark.parametrize(("tool", "arguments"), [(WriteFile(), {"content": "mine\n"}), (EditFile(), {"old": "one", "new": "mine"})])
def test_a_file_that_changed_since_the_model_read_it_is_refused_until_it_is_read_again(
    work: Path, tool: Any, arguments: dict[str, str]
) -> None:
    space = Workspace(work)
    (work / "f").write_text("one\n")
    do(ReadFile(), space, path="f")
    (work / "f").write_text("one\nthe user's\n")
    with pytest.raises(ToolError, match="changed since it was read; read it again"):
        do(tool, space, path="f", **arguments)
    assert (work / "f").read_text() == "one\nthe user's\n"
    do(ReadFile(), space, path="f")
    do(tool, space, path="f", **arguments)
    assert "mine" in (work / "f").read_text()


def test_a_multi_line_edit_takes_the_files_line_ends(work: Path) -> None:
    (work / "f").write_bytes(b"a\r\nb\r\nc\r\n")
    do(EditFile(), work, path="f", old="a\nb", new="x\ny\nz")
    assert (work / "f").read_bytes() == b"x\r\ny\r\nz\r\nc\r\n"


def test_white_space_may_differ_and_the_indent_follows(work: Path) -> None:
    (work / "f.py").write_text("class A:\n    def f(self):\n        return 1\n")
    do(EditFile(), work, path="f.py", old="def f(self):\n    return  1", new="def f(self):\n    return 2")
    assert (work / "f.py").read_text() == "class A:\n    def f(self):\n        return 2\n"


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [("x", "y", "occurs 2 times"), ("nowhere at all", "y", "nearest lines"), ("x", "x", "the same"), ("", "y", "is empty")],
)
def test_an_edit_that_cannot_be_made_says_why_and_changes_nothing(work: Path, old: str, new: str, cause: str) -> None:
    (work / "f").write_text("x\nx\nsomewhere at all\n")
    with pytest.raises(ToolError, match=cause):
        do(EditFile(), work, path="f", old=old, new=new)
    assert (work / "f").read_text() == "x\nx\nsomewhere at all\n"


def test_a_character_that_the_encoding_lacks_is_refused_before_anything_is_written(work: Path) -> None:
    (work / "f").write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(ToolError, match="latin-1"):
        do(EditFile(), work, path="f", old="caf", new="→")
    assert (work / "f").read_bytes() == "caf\xe9\n".encode("latin-1")


def test_binary_files_are_refused(work: Path) -> None:
    (work / "f").write_bytes(b"\x7fELF\0\0two")
    for tool, arguments in ((ReadFile(), {}), (EditFile(), {"old": "two", "new": "2"}), (WriteFile(), {"content": "x"})):
        with pytest.raises(ToolError, match="binary"):
            do(tool, work, path="f", **arguments)


lines = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=12)


@given(st.lists(lines, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
def test_any_edit_keeps_every_byte_outside_the_hunk(rows: list[str], newline: str, final: bool, data: st.DataObject) -> None:
    marked = [*rows, "@@unique@@"]
    place = data.draw(st.integers(0, len(rows)))
    marked = [*rows[:place], "@@unique@@", *rows[place:]]
    text = newline.join(marked) + (newline if final else "")
    stored = decode(text.encode(), "f") if b"\0" not in text.encode() else None
    if stored is None or stored.text != text:
        return
    after = stored.encode(replace(stored.text, "@@unique@@", "new", stored.newline))
    assert after == text.replace("@@unique@@", "new").encode()


@given(st.text(max_size=200), st.text(max_size=30), st.text(max_size=30))
def test_replace_never_raises_anything_but_a_tool_error(text: str, old: str, new: str) -> None:
    try:
        replace(text, old, new, "\n")
    except ToolError:
        pass


def test_write_takes_fences_off_and_keeps_line_ends(work: Path) -> None:
    (work / "f.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    do(WriteFile(), work, path="f.py", content="```python\na = 3\nb = 2\n```")
    assert (work / "f.py").read_bytes() == b"a = 3\r\nb = 2\r\n"
    do(WriteFile(), work, path="n.md", content="```\nx\n```\n")
    assert (work / "n.md").read_text() == "```\nx\n```\n"


def test_write_refuses_to_leave_something_out(work: Path) -> None:
    (work / "f.py").write_text("a = 1\nb = 2\n")
    with pytest.raises(ToolError, match="leaves something out"):
        do(WriteFile(), work, path="f.py", content="a = 3\n# ... rest of the code\n")


def test_python_that_does_not_parse_is_a_problem_behind_the_tools_output(work: Path) -> None:
    space = Workspace(work)
    written = do(WriteFile(), space, path="f.py", content="def f(:\n")
    checked = asyncio.run(agentic_after_tool(written, space))
    assert checked is not None
    assert "It is not valid Python: invalid syntax in line 1." in checked.for_model
    assert asyncio.run(agentic_after_tool(do(WriteFile(), space, path="f.txt", content="def f(:\n"), space)) is None


def test_reading_some_lines(work: Path) -> None:
    (work / "f").write_text("".join(f"{n}\n" for n in range(1, 11)))
    assert do(ReadFile(), work, path="f", line_start=3, line_end=4).text == "3\n4\n(lines 3 to 4 of 10)"


def test_listing_and_searching(work: Path) -> None:
    for name in ("b/x.py", "a.py", ".git/config", "node_modules/m.js"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("needle here\n")
    (work / "bin").write_bytes(b"\0needle")
    (work / "out").symlink_to("/etc/hostname")
    assert do(ListFiles(), work).text.split() == ["a.py", "bin", "out", "b/x.py"]
    assert do(Search(), work, query="ne+dle").text == "a.py:1: needle here\nb/x.py:1: needle here"
    assert do(Search(), work, query="[").text == "(nothing found)"


COMMANDS = {
    "cat": 0,
    "read x </dev/tty": None,
    "git commit --allow-empty": None,
    "sleep 7777 &": 0,
    "setsid sleep 7777 &": 0,
    "setsid sh -c 'sleep 7777 & sleep 7777' &": 0,
    "nohup sleep 7777 >/dev/null 2>&1 &": 0,
    "exit 3": 3,
    "kill -9 $$": -9,
    'rm -rf "$PWD"; mkdir -p "$PWD"': 0,
}


MINE = str(100_000 + os.getpid())  # seconds that nobody else sleeps: tests run side by side


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_ends_and_leaves_nothing_running(work: Path, line: str) -> None:
    started = time.monotonic()
    output = do(command(5), work, command=line.replace("7777", MINE))
    assert time.monotonic() - started < 5
    assert COMMANDS[line] in (None, output.exit_code)
    assert sleepers(MINE) == []


@pytest.mark.parametrize("line", ["sleep 7777", "setsid sleep 7777 & sleep 7777", "trap '' TERM; sleep 7777", "yes"])
def test_a_command_that_takes_too_long_is_stopped(work: Path, line: str) -> None:
    output = do(command(1), work, command=line.replace("7777", MINE))
    assert (output.exit_code, output.failed) == (124, True)
    assert "stopped after 1 s" in output.text
    assert sleepers(MINE) == []


def test_long_output_keeps_head_and_tail_with_the_exact_count(work: Path) -> None:
    output = do(command(20), work, command="seq 1 100000")
    total = sum(len(f"{n}\n") for n in range(1, 100001))
    assert output.text.startswith("1\n2\n")
    assert "99999\n100000\n(exit code 0)" in output.text
    shown = output.text.removesuffix("(exit code 0)")
    ((marker, left_out),) = re.findall(r"(\n?\.\.\. (\d+) bytes left out \.\.\.\n?)", shown)
    assert int(left_out) + len(shown) - len(marker) == total


@given(st.lists(st.binary(max_size=3000).map(lambda data: data.replace(b"\r", b"\n")), max_size=12))
def test_head_tail_and_count_add_up(chunks: list[bytes]) -> None:
    output = Output()
    for chunk in chunks:
        output.add(chunk)
    output.text()
    whole = b"".join(chunks)
    if len(whole) <= LEAST_BYTES:
        assert bytes(output._head + output._tail) == whole
    else:
        assert bytes(output._head) == whole[: LEAST_BYTES // 2]
        assert bytes(output._tail) == whole[-(LEAST_BYTES // 2) :]


def test_a_progress_bar_leaves_its_last_state_and_takes_no_room(work: Path) -> None:
    bar = "for n in $(seq 1 3000); do printf '\\rdone %d of 3000' $n; done; printf '\\nready\\n'"
    output = do(command(20), work, command=f"echo begin; {bar}")
    assert output.text == "begin\ndone 3000 of 3000\nready\n(exit code 0)"


@pytest.mark.skipif(not shell().endswith("bash"), reason="there is no bash here")
def test_a_command_is_read_by_bash(work: Path) -> None:
    text = do(command(20), work, command="set -o pipefail; [[ abc == a* ]] && cat <(echo {1..3})").text
    assert text == "1 2 3\n(exit code 0)"


def test_output_in_the_encoding_of_a_region_is_read_as_a_file_in_it_is(work: Path) -> None:
    (work / "words.txt").write_bytes("한국어 문장입니다\n".encode("cp949"))
    assert do(command(20), work, command="cat words.txt").text == "한국어 문장입니다\n(exit code 0)"
    (work / "bytes").write_bytes(b"\377\376 abc\n")
    assert "abc" in do(command(20), work, command="cat bytes").text


def test_a_program_that_wants_input_is_told_apart_from_one_that_fails(work: Path) -> None:
    assert "no mistake in the program" in do(command(5), work, command="python3 -c 'input()'").text


RG = Path(sysconfig.get_path("scripts"), "rg")


@pytest.mark.skipif(not RG.exists(), reason="ripgrep is not in this environment: pip install ripgrep==14.1.0")
@pytest.mark.parametrize(
    ("query", "where", "most"),
    [("def", ".", 50), ("DEF", ".", 50), ("x = \\d+", "src", 50), ("(", ".", 50), ("(?<=de)f", ".", 50), ("nothing", ".", 50),
     ("e", ".", 2), ("-e", ".", 50), ("한글", ".", 50), ("def", "src/a.py", 50)],
)  # fmt: skip
def test_ripgrep_finds_what_we_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, where: str, most: int) -> None:
    """The same lines in the same words; an expression that only one of both can read is read by ours."""
    files = {
        "src/a.py": "def f():\n    x = 12\n", "b.txt": "de def -e\n한글 e\n", ".hidden/c.txt": "def\n", "ignored.log": "def\n",
        ".gitignore": "*.log\n", "src/.gitignore": "gen/\n", "src/gen/d.py": "def\n", "node_modules/m.js": "def\n", "bin": "def\0",
        ".ignore": "b.txt\n", ".git/config": "def\n", "config": "--ignore-case\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    arguments = {"query": query, "path": where, "max_results": most}
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", "/nonexistent")
    ours = asyncio.run(Search().run(arguments, Workspace(tmp_path))).text.splitlines()
    monkeypatch.setenv("PATH", str(RG.parent))
    theirs = asyncio.run(Search().run(arguments, Workspace(tmp_path))).text.splitlines()
    assert len(ours) == len(theirs)
    if most == 50:  # of more than are shown, each shows those that it finds first
        assert sorted(theirs) == sorted(ours)


@pytest.mark.parametrize(
    "before, old, new, after",
    [
        ("a\nb\r\nc\nd\n", "b\nc", "b\nx\nc", "a\nb\r\nx\nc\nd\n"),
        ("a\nb\r\nc\nd\n", "a\nb\nc", "a\nB\nc", "a\nB\r\nc\nd\n"),
        ("a\r\nb\r\nc\nd\r\n", "b\nc\nd", "b\r\nd", "a\r\nb\r\nd\r\n"),
        ("  a\r\n  b\n  c\n", "a\nb\nc", "a\nb\nC", "  a\r\n  b\n  C\n"),
    ],
)
def test_a_line_that_stays_keeps_its_end(before: str, old: str, new: str, after: str) -> None:
    assert replace(before, old, new, "\r\n" if before.count("\r\n") * 2 > before.count("\n") else "\n") == after
