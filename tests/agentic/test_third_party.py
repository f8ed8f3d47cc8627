"""A real third-party distribution, built and installed into an environment of its own, in no way known to the host."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from agentic.hooks.old import NEW
from agentic.plugins import Host
from agentic.testing import FakeVLLM, answer, tool_call

NINE = ["read_file", "write_file", "edit_file", "list_files", "search", "recall", "share", "delegate", "run"]
SOURCE = Path(__file__).parents[1] / "third_party"


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with agentic (and what it needs) and the third party's distribution; gives its `agentic`."""
    folder = tmp_path_factory.mktemp("parrot")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "host.pth").write_text(
        f"{sysconfig.get_path('purelib')}\nimport site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*install, "--target", site, SOURCE], check=True, cwd=folder)
    return folder / "venv" / "bin" / "python"


def run(python: Path, env: dict[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "agentic", *arguments],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_is_listed_with_its_distribution_and_hooks(parrot: Path, env: dict[str, str], work: Path) -> None:
    listed = [json.loads(line) for line in run(parrot, env, work, "plugins", "--output", "jsonl").stdout.splitlines()]
    (mine,) = [plugin for plugin in listed if plugin["name"] == "parrot"]
    assert (mine["distribution"], mine["version"], mine["state"]) == ("agentic-parrot", "1.2.3", "loaded")
    assert {"agentic_transports", "agentic_tools", "agentic_on_event"} <= set(mine["hooks"])


def test_its_transport_tool_and_observer_are_used(parrot: Path, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    select = ("-c", "llm.transport=parrot", "-c", "tools.protocol=native", "--output", "jsonl")
    done = run(parrot, env | {"PARROT_LOG": str(log)}, work, "run", "hello", *select)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["text"] for e in events if e["type"] == "tool_result"] == ["SQUAWK polly\nthe parrot laughs"]
    assert events[-1]["result"] == "polly: SQUAWK polly\nthe parrot laughs"
    assert {"run_started", "tool_call", "run_finished"} <= set(log.read_text().split())
    assert "llm_chunk" not in log.read_text()


def test_its_options_are_validated_by_its_own_model(parrot: Path, env: dict[str, str], work: Path) -> None:
    good = run(parrot, env, work, "ask", "hi", "-c", "llm.transport=parrot", "-c", 'plugin.parrot.word="ara"')
    assert good.stdout == "ara: hi\n"
    bad = run(parrot, env, work, "ask", "hi", "-c", "llm.transport=parrot", "-c", "plugin.parrot.wrod=1")
    assert bad.returncode == 2
    assert "[plugin.parrot] wrod" in bad.stderr


def test_its_gate_denies(parrot: Path, env: dict[str, str], work: Path) -> None:
    select = (
        "-c",
        "llm.transport=parrot",
        "-c",
        "tools.protocol=native",
        "--output",
        "jsonl",
        "-c",
        "plugin.parrot.word=forbidden",
    )
    done = run(parrot, env, work, "run", "hello", *select)
    result = next(json.loads(line) for line in done.stdout.splitlines() if '"tool_result"' in line)
    assert "parrots are not allowed to" in result["text"]


def test_its_command_runs(parrot: Path, env: dict[str, str], work: Path) -> None:
    assert run(parrot, env, work, "parrot").stdout == "hello from the parrot\n"


def run_on(python: Path, env: dict[str, str], cwd: Path, server: FakeVLLM, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        python, env, cwd, "run", "hello", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native", *arguments
    )


def test_every_door_is_used(parrot: Path, env: dict[str, str], work: Path) -> None:
    listed = [json.loads(line) for line in run(parrot, env, work, "plugins", "--output", "jsonl").stdout.splitlines()]
    mine = [plugin for plugin in listed if plugin["distribution"] == "agentic-parrot"]
    used = {hook for plugin in mine for hook in plugin["hooks"]}
    events = {"agentic_plugin", "agentic_on_event", "agentic_before_request", "agentic_before_tool", "agentic_after_tool"}
    events |= {"agentic_before_task"}
    hooks = {hook.through or name for name, hook in Host().every_hook().items()}
    assert {NEW.get(name, name) for name in used} == {*hooks, *events}


def test_it_takes_the_place_of_a_tool_and_wraps_it(parrot: Path, env: dict[str, str], work: Path, server: FakeVLLM) -> None:
    """The launcher is used by the tool that is wrapped, and the other eight tools are there."""
    server.script(answer(tool_calls=tool_call("run", {"command": "echo perch $PERCH"})), answer("done"))
    done = run_on(parrot, env, work, server, "-c", "sandbox.launcher=perch", "--no-sandbox")
    assert done.returncode == 0, done.stderr
    assert server.chats[1].json["messages"][-1]["content"].startswith("(caged) perch 1\n")
    assert len(server.chats[0].json["tools"]) == len(NINE) + 3
    assert "instead of tools's" in run(parrot, env, work, "plugins", "show", "parrot-cage").stdout


def test_it_wraps_a_transport_batches_and_renders(parrot: Path, env: dict[str, str], work: Path, server: FakeVLLM) -> None:
    server.say("hello")
    select = (
        "-c",
        "llm.transport=squawking",
        "-c",
        "batching.strategy=one",
        "--output",
        "loud",
        "-c",
        "context.strategy=everything",
    )
    assert run_on(parrot, env, work, server, *select).stdout == "HELLO SQUAWK"
    assert "Be polite to parrots." in server.chats[0].json["messages"][0]["content"]


def test_its_late_tools_move_no_prompt(parrot: Path, env: dict[str, str], work: Path, server: FakeVLLM) -> None:
    call = answer(tool_calls=tool_call("call_tool", {"name": "ring_bell", "arguments": {}}, call_id="c2"))
    server.script(answer(tool_calls=tool_call("find_tools", {"query": "bell"})), call, answer("done"))
    run_on(parrot, env, work, server)
    first, second, third = server.chats
    assert "ring_bell" in second.json["messages"][-1]["content"]
    assert third.json["messages"][-1]["content"] == "ding"
    assert first.json["tools"] == third.json["tools"]
    assert "ring_bell" not in json.dumps(first.json)


def test_it_estimates_plans_and_fans_out(parrot: Path, env: dict[str, str], work: Path, server: FakeVLLM) -> None:
    select = ("-c", "complexity.estimator=large", "-c", "decomposition.strategy=parrots", "-c", "sub_agents.fan_out=in-turn")
    done = run_on(parrot, env, work, server, *select, "--output", "jsonl")
    kinds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["agent"] for event in kinds if event["type"] == "sub_agent_finished"] == ["sub-polly", "sub-kiki"]
    done = run_on(parrot, env, work, server, *select, "-c", "sub_agents.runner=flown", "--output", "jsonl")
    finished = [event for event in map(json.loads, done.stdout.splitlines()) if event["type"] == "sub_agent_finished"]
    assert [event["status"] for event in finished] == ["done", "done"]


@pytest.mark.parametrize("way", ["safe mode", "disabled"])
def test_it_can_be_switched_off_without_being_imported(parrot: Path, env: dict[str, str], work: Path, way: str) -> None:
    more = {"AGENTIC_PLUGINS": ""} if way == "safe mode" else {"AGENTIC_PLUGINS_DISABLED": "parrot"}
    listed = run(parrot, env | more, work, "plugins", "--output", "jsonl").stdout.splitlines()
    (mine,) = [json.loads(line) for line in listed if '"parrot"' in line]
    assert (mine["state"], mine["load_ms"]) == ("disabled", 0.0)
    refused = run(parrot, env | more, work, "ask", "hi", "-c", "llm.transport=parrot")
    assert refused.returncode == 2
    assert "choose from" in refused.stderr


def test_a_project_may_require_it(parrot: Path, env: dict[str, str], work: Path) -> None:
    (work / "agentic.toml").write_text('[plugins]\nrequire = ["agentic-parrot>=2"]\n')
    done = run(parrot, env, work, "ask", "hi", "-c", "llm.transport=parrot")
    assert done.returncode == 2
    assert "1.2.3 is installed" in done.stderr
    assert os.linesep.join(done.stderr.splitlines()[1:]).strip().startswith("→ pip install")


def test_its_protocol_checker_and_prompts_are_used(parrot: Path, env: dict[str, str], work: Path, server: FakeVLLM) -> None:
    """The protocol is chosen because it fits; the checker's command decides; another's prompt is replaced."""
    server.model = "parrot-7b"
    (work / "feathers").touch()
    ruffle = answer(tool_calls=tool_call("run", {"command": "touch ruffled"}))
    smooth = answer(tool_calls=tool_call("run", {"command": "rm ruffled; touch smooth"}))
    server.script(answer(""), ruffle, answer("done (squawk)"), smooth, answer("done (squawk)"))
    options = ("run", "ruffle a feather", "--endpoint", server.url, "--approve", "all", "--output", "jsonl")
    done = run(parrot, env, work, *options)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[-1]["status"], events[-1]["result"]) == ("done", "done")
    first, second, *_, last = (request.json for request in server.chats)
    assert "Polly says: one call at a time." in first["messages"][0]["content"]
    assert first["temperature"] == 0.25
    assert "apply_patch" in str(first["tools"])
    assert second["messages"][-1]["content"] == "Say a word, Polly."
    assert "a feather is ruffled" in str(last["messages"])
    assert last["messages"][-1]["role"] == "tool"


def test_what_it_offers_to_be_told_is_shown(parrot: Path, env: dict[str, str], work: Path) -> None:
    listed = run(parrot, env, work, "prompts").stdout
    assert "plugin parrot-nest (of agentic-parrot)" in next(line for line in listed.splitlines() if line.startswith("turn.empty "))
    assert run(parrot, env, work, "prompts", "show", "turn.empty").stdout == "Say a word, Polly.\n"
