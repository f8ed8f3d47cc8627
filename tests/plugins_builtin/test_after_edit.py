"""What happens to a file after an edit, with the real ruff, a language server of our own that says what it is told to, and none."""

import os
import sys
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic, Done

NATIVE = ("-c", "tools.protocol=native", "--approve", "edits")
BIN = str(Path(sys.executable).parent)  # where ruff is
UGLY = "x = {  'a':1 }\n"
CLEAN = 'x = {"a": 1}\n'
SERVER = """
import json, sys
def read():
    size = 0
    while (line := sys.stdin.buffer.readline().strip()):
        if line.lower().startswith(b"content-length:"): size = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(size)) if size else None
def send(message):
    data = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(data) + data); sys.stdout.buffer.flush()
def diagnose(uri, version, text):
    if "DIE" in text: sys.exit(3)
    found = [{"range": {"start": {"line": n, "character": 0}, "end": {"line": n, "character": 1}}, "message": f"bad: {line}", "severity": 1}
             for n, line in enumerate(text.splitlines()) if "bad" in line]
    send({"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "version": version, "diagnostics": found}})
while (message := read()) is not None:
    params = message.get("params", {})
    if message.get("method") == "initialize":
        send({"id": 77, "method": "workspace/configuration", "params": {"items": [{}]}})
        send({"id": message["id"], "result": {"capabilities": {}}})
    elif message.get("method") == "textDocument/didOpen":
        document = params["textDocument"]; diagnose(document["uri"], document["version"], document["text"])
    elif message.get("method") == "textDocument/didChange":
        diagnose(params["textDocument"]["uri"], params["textDocument"]["version"], params["contentChanges"][0]["text"])
"""


@pytest.fixture
def path() -> dict[str, str]:
    return {"PATH": os.pathsep.join([BIN, os.environ.get("PATH", "")])}


def edit(
    agentic: Agentic, server: FakeVLLM, *edits: tuple[str, str, str], more: dict[str, str], options: tuple[str, ...] = ()
) -> tuple[Done, list[str]]:
    calls = [
        answer(tool_calls=tool_call("edit_file", {"path": name, "old": old, "new": new}, 0, str(number)))
        for number, (name, old, new) in enumerate(edits)
    ]
    server.script(*calls, answer("done"), answer("done"), answer("done"))
    done = agentic("run", "change it", "--endpoint", server.url, *NATIVE, *options, more=more)
    return done, [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


def test_a_formatted_file_stays_formatted(agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]) -> None:
    (work / "a.py").write_text(CLEAN)
    _, (told,) = edit(agentic, server, ("a.py", 'x = {"a": 1}', "x = {  'a':2 }"), more=path)
    assert (work / "a.py").read_text() == 'x = {"a": 2}\n' and "(a.py was formatted with ruff.)" in told


def test_a_file_that_was_not_keeps_its_own_form(agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]) -> None:
    (work / "a.py").write_text(UGLY + "y = 1\n")
    _, (told,) = edit(agentic, server, ("a.py", "y = 1", "y = 2"), more=path)
    assert (work / "a.py").read_text() == UGLY + "y = 2\n" and "formatted" not in told


def test_what_is_asked_about_is_what_is_written(agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]) -> None:
    (work / "a.py").write_text(CLEAN)
    allow = ("--approve", "ask", "-c", "permissions.allow=edit(a.py)")
    edit(agentic, server, ("a.py", 'x = {"a": 1}', UGLY.strip()), more=path, options=allow)
    assert (work / "a.py").read_text() == UGLY


@pytest.mark.parametrize(
    ("form", "before", "after"), [("never", CLEAN, UGLY), ("always", UGLY + "\n\n\n\ny=1\n", CLEAN + "\n\ny = 1\n")]
)
def test_never_and_always(
    agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str], form: str, before: str, after: str
) -> None:
    (work / "a.py").write_text(before)
    old, new = (CLEAN.strip(), UGLY.strip()) if form == "never" else ("y=1", "y= 1")
    edit(agentic, server, ("a.py", old, new), more=path, options=("-c", f"plugin.after_edit.format={form}"))
    assert (work / "a.py").read_text() == after


def test_a_formatter_of_the_users(agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]) -> None:
    (work / "a.txt").write_text("one\n")
    edit(agentic, server, ("a.txt", "one", "two"), more=path, options=("-c", "plugin.after_edit.formatters=*.txt=tr a-z A-Z"))
    assert (work / "a.txt").read_text() == "TWO\n"


def test_a_formatter_that_lies_in_the_project_is_not_run(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    program = work / "bin" / "ruff"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ntouch CANARY\n")
    program.chmod(0o755)
    (work / "a.py").write_text(CLEAN)
    edit(agentic, server, ("a.py", "1", "2"), more={"PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]])})
    assert not (work / "CANARY").exists() and (work / "a.py").read_text() == 'x = {"a": 2}\n'


def test_errors_that_the_edit_added_come_back_and_old_ones_do_not(
    agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]
) -> None:
    (work / "a.py").write_text("import os\n\nx = 1\n")
    _, (told,) = edit(agentic, server, ("a.py", "x = 1", "x = nothing_known\ny = 1"), more=path)
    assert "a.py:3: Undefined name `nothing_known` (ruff F821)" in told and "F401" not in told


def test_a_language_server_of_the_users_is_asked_on_each_edit(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (work / "a.zz").write_text("bad old\nfine\nmore\n")
    option = ("-c", f"plugin.after_edit.servers=*.zz={sys.executable} {tmp_path}/server.py")
    edits = (
        ("a.zz", "fine", "bad new"),
        ("a.zz", "bad new", "good"),
        ("a.zz", "more", "bad again"),
        ("a.zz", "good", "DIE"),
        ("a.zz", "DIE", "bad unseen"),
    )
    done, told = edit(agentic, server, *edits, more={}, options=option)
    assert "a.zz:2: bad: bad new" in told[0] and "bad old" not in told[0]
    assert "bad" not in told[1].replace("bad new", "") and "a.zz:3: bad: bad again" in told[2]
    assert "bad:" not in told[3] + told[4] and done.err.count("is not used") == 1


def test_one_that_refuses_says_why(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    refusing = SERVER.replace('"result": {"capabilities": {}}', '"error": {"code": 1, "message": "no licence"}')
    (tmp_path / "server.py").write_text(refusing)
    (work / "a.zz").write_text("one\n")
    option = ("-c", f"plugin.after_edit.servers=*.zz={sys.executable} {tmp_path}/server.py")
    done, _ = edit(agentic, server, ("a.zz", "one", "two"), more={}, options=option)
    assert "is not used: no licence" in done.err and (work / "a.zz").read_text() == "two\n"


def test_one_that_cannot_be_started_costs_one_warning(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a.zz").write_text("one\n")
    option = ("-c", "plugin.after_edit.servers=*.zz=/bin/false")
    done, _ = edit(agentic, server, ("a.zz", "one", "two"), ("a.zz", "two", "three"), more={}, options=option)
    assert (work / "a.zz").read_text() == "three\n" and done.err.count("is not used") == 1


def test_a_project_cannot_name_programs(agentic: Agentic, server: FakeVLLM, work: Path, path: dict[str, str]) -> None:
    (work / "agentic.toml").write_text(
        '[plugin.after_edit]\nformat = "always"\nformatters = ["*=touch CANARY"]\nservers = ["*=touch CANARY"]\n'
    )
    (work / "a.txt").write_text("one\n")
    edit(agentic, server, ("a.txt", "one", "two"), more=path)
    assert (work / "a.txt").read_text() == "two\n" and not (work / "CANARY").exists()
