"""Gates, grants and questions: fail closed, ask in every mode, and what a project cannot take away."""

import json
import os
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic
from tests.terminal import terminal

NATIVE = ("-c", "tools.protocol=native")
GATE = "from agentic import Verdict, hookimpl\n@hookimpl\nasync def agentic_before_tool({arguments}):\n    {body}\n"


def place(folder: Path, body: str, arguments: str = "call, arguments, tool, agent", name: str = "guard") -> dict[str, str]:
    """A gate in a distribution of its own; the environment that has it."""
    info = folder / f"agentic_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"agentic_{name}.py").write_text(GATE.format(arguments=arguments, body=body))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: agentic-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[agentic]\n{name} = agentic_{name}\n")
    return {"PYTHONPATH": str(folder)}


def own(home: Path, body: str) -> Path:
    """The same as a file in the user's own folder."""
    folder = home / ".config" / "agentic" / "plugins"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(GATE.format(arguments="call", body=body))
    return folder / "mine.py"


@pytest.fixture
def touch(server: FakeVLLM) -> FakeVLLM:
    server.script(answer(tool_calls=tool_call("run", {"command": "touch made"})), answer("done"))
    return server


def test_a_denial_shows_reason_and_plugin(agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path) -> None:
    more = place(tmp_path / "p", "return Verdict('deny', 'not on a Friday')")
    agentic("run", "x", "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    told = touch.chats[1].json["messages"][-1]["content"]
    assert told == "run was not run: denied by plugin guard: not on a Friday."
    assert not (work / "made").exists()


def test_an_allow_grants_nothing_by_itself(agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path) -> None:
    more = place(tmp_path / "p", "return Verdict('allow')")
    done = agentic("run", "x", "--endpoint", touch.url, *NATIVE, more=more)
    assert done.code == 4
    assert not (work / "made").exists()


def test_it_grants_where_the_user_says_so_and_a_project_cannot(
    agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    more = place(tmp_path / "p", "return Verdict('allow')")
    (work / "agentic.toml").write_text('[plugins]\nmay_grant = ["guard"]\n')
    refused = agentic("run", "x", "--endpoint", touch.url, *NATIVE, more=more)
    assert refused.code == 4
    assert "plugins.may_grant is not a project's to set" in refused.err
    touch.script(answer(tool_calls=tool_call("run", {"command": "touch made"})), answer("done"))
    agentic("run", "x", "--endpoint", touch.url, "-c", "plugins.may_grant=guard", *NATIVE, more=more)
    assert (work / "made").exists()


def test_a_file_in_the_users_own_folder_is_a_plugin_and_grants(agentic: Agentic, touch: FakeVLLM, work: Path, home: Path) -> None:
    own(home, "return Verdict('allow') if 'touch' in call.arguments else None")
    listed = agentic("plugins", "--output", "jsonl").out
    assert '"name": "mine"' in listed
    agentic("run", "x", "--endpoint", touch.url, *NATIVE)
    assert (work / "made").exists()


def test_one_that_others_may_write_is_not_loaded(agentic: Agentic, touch: FakeVLLM, work: Path, home: Path) -> None:
    os.chmod(own(home, "return Verdict('allow')"), 0o666)
    done = agentic("run", "x", "--endpoint", touch.url, *NATIVE)
    assert "others may write" in done.err
    assert not (work / "made").exists()


def test_nobody_else_outvotes_a_denial(agentic: Agentic, touch: FakeVLLM, work: Path, home: Path, tmp_path: Path) -> None:
    own(home, "return Verdict('allow')")
    more = place(tmp_path / "p", "return Verdict('deny', 'no')")
    agentic("run", "x", "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    assert not (work / "made").exists()


def test_a_gate_may_change_the_arguments(agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path) -> None:
    more = place(tmp_path / "p", "return Verdict('allow', arguments={'command': 'touch other'})")
    agentic("run", "x", "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    assert [path.name for path in work.iterdir()] == ["other"]


def test_an_ask_without_a_terminal_is_a_no_that_says_who_asked(
    agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    more = place(tmp_path / "p", "return Verdict('ask', 'it writes')")
    agentic("run", "x", "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    assert "plugin guard wants it asked: it writes" in touch.chats[1].json["messages"][-1]["content"]
    assert not (work / "made").exists()


@pytest.mark.parametrize(
    ("output", "key", "made"), [("rich", "y", True), ("plain", "y", True), ("jsonl", "y", True), ("jsonl", "n", False)]
)
def test_an_ask_is_put_by_the_host_in_every_mode_and_on_every_renderer(
    touch: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path, output: str, key: str, made: bool
) -> None:
    more = place(tmp_path / "p", "return Verdict('ask', 'it writes') if tool.runs else None")
    arguments = ["run", "x", "--endpoint", touch.url, "--approve", "all", "--output", output, *NATIVE]
    with terminal(arguments, env | more, work) as shown:
        shown.until(lambda: "allow? [y/N" in shown.text)
        assert "run touch made" in shown.text
        assert "plugin guard wants you to decide: it writes" in shown.text.replace("\n", "")
        shown.type(key + "\r")
        shown.until_ended()
    assert (work / "made").exists() is made


@pytest.mark.parametrize("hook", ["agentic_before_tool(call)", "agentic_before_request(request)", "agentic_on_event(event)"])
def test_a_project_cannot_switch_off_what_guards(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path, hook: str) -> None:
    more = place(tmp_path / "p", "return None")
    path = tmp_path / "p" / "agentic_guard.py"
    path.write_text(path.read_text().replace("agentic_before_tool(call, arguments, tool, agent)", hook))
    (work / "agentic.toml").write_text('[plugins]\ndisabled = ["guard", "syntax"]\n')
    states = {
        item["name"]: item["state"] for item in map(json.loads, agentic("plugins", "--output", "jsonl", more=more).out.splitlines())
    }
    assert (states["guard"], states["syntax"]) == ("loaded", "disabled")
    assert "it guards you" in agentic("ask", "hi", "--endpoint", server.url, more=more).err
    mine = agentic("plugins", "--output", "jsonl", more=more | {"AGENTIC_PLUGINS_DISABLED": "guard"}).out
    assert '"name": "guard"' in mine and '"state": "disabled", "hooks": []' in mine


def test_faults_of_one_hook_switch_off_no_other(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    """An observer that fails three times is not called again; the same plugin's gate still denies."""
    more = place(tmp_path / "p", "return Verdict('deny', 'no') if 'touch' in call.arguments else None")
    path = tmp_path / "p" / "agentic_guard.py"
    path.write_text(path.read_text() + "@hookimpl\nasync def agentic_on_event(event):\n    1 / 0\n")
    calls = [answer(tool_calls=tool_call("list_files", {"path": "."}, call_id=f"c{n}")) for n in range(1)]
    server.script(*calls, answer(tool_calls=tool_call("run", {"command": "touch made"})), answer("done"))
    done = agentic("run", "x", "--endpoint", server.url, "--approve", "all", *NATIVE, more=more)
    assert "it is not called again in this run" in done.err
    assert not (work / "made").exists()


def test_an_observer_is_never_waited_for(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    """One that takes a second for each event: the answer is there while the first one is still being observed."""
    more = place(tmp_path / "p", "return None")
    path = tmp_path / "p" / "agentic_guard.py"
    path.write_text(
        "import asyncio\nfrom agentic import hookimpl\n@hookimpl\nasync def agentic_on_event(event):\n"
        "    await asyncio.sleep(3600)\n"
    )
    server.say("there already")
    done = agentic("ask", "hi", "--endpoint", server.url, more=more, seconds=30)
    assert (done.code, done.out) == (0, "there already\n")
    assert "did not see" in done.err


def test_require_means_loaded(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    more = place(tmp_path / "p", "return None", arguments="nonsense")
    done = agentic("ask", "hi", "--endpoint", server.url, "-c", "plugins.require=agentic-guard>=1", more=more)
    assert done.code == 2
    assert "plugin guard (of agentic-guard) is broken" in done.err
    assert server.chats == []


def test_a_gate_gets_the_line_as_the_host_reads_it_and_the_agents_folder(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    """Whatever a command is wrapped in, and as a gate before it has left it."""
    body = (
        "return Verdict('deny', f'{[list(each.words) for each in reading.commands]} in {workspace.root.name}') if reading else None"
    )
    more = place(tmp_path / "p", body, "reading, workspace")
    lines = ["true && env A=1 sh -c 'rm -rf /tmp/x'", "echo $(whoami)"]
    server.script(*(answer(tool_calls=tool_call("run", {"command": line})) for line in lines))
    server.script(answer(tool_calls=tool_call("write", {"path": "a", "content": "a"})), answer("done"))
    agentic("run", "x", "--endpoint", server.url, "--approve", "all", *NATIVE, more=more)
    told = [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]
    assert "['rm', '-rf', '/tmp/x']" in told[0] and f"in {work.name}" in told[0]
    assert "['whoami']" in told[1]
    assert (work / "a").read_text() == "a"  # what runs no command has no reading


def test_without_a_reader_a_gate_is_told_that_nothing_is_known(
    agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    more = place(tmp_path / "p", "return Verdict('deny', reading.unclear)", "reading")
    agentic("run", "x", "--endpoint", touch.url, *NATIVE, "-c", "plugins.disabled=permissions", more=more)
    assert "nothing here can read commands" in touch.chats[1].json["messages"][-1]["content"]


def test_a_reading_is_one_or_the_gate_fails(agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path) -> None:
    """The host alone tells a gate that a call runs no command."""
    more = place(tmp_path / "p", "return None", "reading")
    code = "class Guard(Permissions):\n    def reading(self, command): return None\n"
    code = f"from agentic import Judgement, Permissions, Provider, hookimpl\n{code}"
    for name in ("of_command", "of_path", "of_host", "of_tool"):
        code += f"    def {name}(self, *given, **more): return Judgement()\n"
    code += "@hookimpl\ndef agentic_permissions(): yield Provider('aa', 'x', lambda setup: Guard())\n"
    (work.parent / "home").mkdir(exist_ok=True)
    folder = tmp_path / "q"
    folder.mkdir()
    (folder / "aa.py").write_text(code)
    agentic("run", "x", "-e", str(folder / "aa.py"), "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    told = touch.chats[1].json["messages"][-1]["content"]
    assert "its gate failed" in told and "reading() returned None" in told, told
    assert not (work / "made").exists()


def test_an_earlier_gate_that_leaves_no_command_leaves_nothing_that_is_known(
    agentic: Agentic, touch: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    more = place(tmp_path / "p", "return Verdict('allow', arguments={'command': None})", "arguments", "first")
    more = {
        "PYTHONPATH": more["PYTHONPATH"]
        + ":"
        + place(tmp_path / "q", "return Verdict('deny', reading.unclear)", "reading")["PYTHONPATH"]
    }
    agentic("run", "x", "--endpoint", touch.url, "--approve", "all", *NATIVE, more=more)
    assert "run was not run" in touch.chats[1].json["messages"][-1]["content"]
