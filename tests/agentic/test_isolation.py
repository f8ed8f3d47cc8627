"""Plugins that fail in every way (F35): the program starts, works, and says whose fault it is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM
from tests.conftest import Agentic

IMPL = "from agentic import Provider, hookimpl\n"
FAULTS = {
    "ImportError": ("import no_such_module_at_all\n", "broken", "no_such_module_at_all"),
    "SyntaxError": ("def broken(:\n", "broken", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(7)\n", "broken", "SystemExit: 7"),
    "raising hook": (IMPL + "@hookimpl\ndef agentic_tools():\n    raise KeyError('oops')\n", "broken", "oops"),
    "wrong signature": (IMPL + "@hookimpl\ndef agentic_tools(nonsense):\n    return []\n", "broken", "nonsense"),
    "unknown hook": (IMPL + "@hookimpl\ndef agentic_nonsense():\n    return []\n", "broken", "agentic_nonsense"),
    "wrong record": (IMPL + "@hookimpl\ndef agentic_tools():\n    return ['a tool']\n", "broken", "no Provider"),
    "sleeping import": ("import time; time.sleep(30)\n", "broken", "longer than 3 s"),
    "sleeping hook": (IMPL + "import time\n@hookimpl\ndef agentic_tools():\n    time.sleep(30)\n", "broken", "longer than 3 s"),
    "prints": (IMPL + "print('NOISE')\n@hookimpl\ndef agentic_tools():\n    print('NOISE')\n    return []\n", "loaded", ""),
    "interrupts": ("raise KeyboardInterrupt\n", "broken", "KeyboardInterrupt"),
}
Install = Callable[..., None]


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


@pytest.fixture
def more(plugins: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(plugins)}


@pytest.fixture
def install(plugins: Path) -> Install:
    """A distribution as installed: a module and its metadata."""

    def place(code: str, name: str = "faulty", distribution: str = "agentic-faulty", requires: str = "") -> None:
        module = distribution.replace("-", "_")
        (plugins / f"{module}.py").write_text(code)
        info = plugins / f"{module}-1.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
        (info / "entry_points.txt").write_text(f"[agentic]\n{name} = {module}\n")

    return place


def status(agentic: Agentic, more: dict[str, str], name: str = "faulty") -> list[dict[str, object]]:
    done = agentic("plugins", "--output", "jsonl", more=more)
    assert done.code == 0
    return [plugin for plugin in map(json.loads, done.out.splitlines()) if plugin["name"] == name]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_plugin_is_listed_and_the_rest_works(
    agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str], fault: str
) -> None:
    code, state, cause = FAULTS[fault]
    install(code)
    (plugin,) = status(agentic, more)
    assert plugin["state"] == state
    assert cause in str(plugin["error"])
    assert agentic("--version", more=more).code == 0
    assert agentic("--help", more=more).code == 0
    server.say("still works")
    done = agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert (done.code, done.out) == (0, "still works\n")


def test_a_faulty_plugin_is_named_in_a_run(agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]) -> None:
    install(FAULTS["ImportError"][0])
    done = agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert "plugin faulty (of agentic-faulty) is broken" in done.err


@pytest.mark.parametrize(
    ("requires", "cause"),
    [("agentic-vllm>=99", "needs agentic-vllm>=99, have agentic-vllm"), ("no-such-distribution>=1", "is not installed")],
)
def test_unmet_requirements_are_seen_before_the_import(
    agentic: Agentic, install: Install, more: dict[str, str], tmp_path: Path, requires: str, cause: str
) -> None:
    marker = tmp_path / "imported"
    install(f"open({str(marker)!r}, 'w')\n", requires=requires)
    (plugin,) = status(agentic, more)
    assert plugin["state"] == "unsupported"
    assert cause in str(plugin["error"])
    assert not marker.exists()


def test_a_duplicate_plugin_name(agentic: Agentic, install: Install, more: dict[str, str]) -> None:
    install(IMPL + "@hookimpl\ndef agentic_tools():\n    return []\n", distribution="agentic-one")
    install(IMPL + "@hookimpl\ndef agentic_tools():\n    return []\n", distribution="agentic-two")
    first, second = status(agentic, more)
    assert (first["state"], second["state"]) == ("loaded", "duplicate")
    assert "agentic-one" in str(second["error"])


def test_two_plugins_offering_one_name(agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]) -> None:
    install(IMPL + "@hookimpl\ndef agentic_transports():\n    yield Provider('vllm', '', lambda setup: None)\n")
    done = agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert done.code == 2
    assert "vllm (of agentic-vllm)" in done.err
    assert "faulty (of agentic-faulty)" in done.err
    settled = agentic("ask", "hi", "--endpoint", server.url, "-c", "plugins.disabled=faulty", more=more)
    assert settled.code == 0


def test_an_unknown_name_lists_the_choices(agentic: Agentic) -> None:
    done = agentic("ask", "hi", "-c", "llm.transport=carrier-pigeon")
    assert done.code == 2
    assert "choose from: local (agentic-vllm), openai (agentic-vllm), vllm (agentic-vllm)" in done.err


OBSERVERS = {
    "raises": "raise ValueError('oops')",
    "exits": "import sys; sys.exit(3)",
}


@pytest.mark.parametrize("kind", ["raises", "exits"])
@pytest.mark.parametrize("shape", ["async def", "def"])
def test_a_failing_observer_never_reaches_the_run(
    agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str], kind: str, shape: str
) -> None:
    install(f"{IMPL}@hookimpl\n{shape} agentic_on_event(event):\n    {OBSERVERS[kind]}\n")
    server.say("fine")
    done = agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert (done.code, done.out) == (0, "fine\n")
    assert "plugin faulty (of agentic-faulty)" in done.err


def test_a_gate_that_fails_denies(agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str], work: Path) -> None:
    from agentic.testing import answer, tool_call

    install(f"{IMPL}@hookimpl\nasync def agentic_before_tool(call):\n    raise ValueError('oops')\n")
    server.script(answer(tool_calls=tool_call("write_file", {"path": "made", "content": "x"})), answer("ok"))
    agentic("run", "x", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native", more=more)
    assert not (work / "made").exists()


def test_a_sleeping_observer_costs_a_moment_at_the_end_only(
    agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]
) -> None:
    install(f"{IMPL}import time\n@hookimpl\ndef agentic_on_event(event):\n    time.sleep(300)\n")
    done = agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert done.code == 0
    assert "is too slow for the events it observes: it did not see" in done.err


def test_a_plugin_that_changes_requests(agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]) -> None:
    change = "from dataclasses import replace\n@hookimpl\nasync def agentic_before_request(request):\n    return replace(request, max_tokens=7)\n"
    install(IMPL + change)
    agentic("ask", "hi", "--endpoint", server.url, more=more)
    assert server.chats[0].json["max_tokens"] == 7


def test_a_plugin_file_is_tried_without_installing_it(agentic: Agentic, server: FakeVLLM, tmp_path: Path) -> None:
    path = tmp_path / "shout.py"
    path.write_text(
        "from agentic import hookimpl\n@hookimpl\nasync def agentic_before_task(task, session, first, setup):\n"
        "    from agentic import Addition\n    return Addition('SHOUT')\n"
    )
    options = ("--endpoint", server.url, "-c", "tools.protocol=native")
    assert agentic("run", "hi", *options, "-e", str(path)).code == 0
    assert "SHOUT" in server.chats[-1].json["messages"][-1]["content"]
    assert agentic("run", "hi", *options).code == 0 and "SHOUT" not in json.dumps(server.chats[-1].json)
    path.write_text("import nothing_like_it\n")
    done = agentic("run", "hi", *options, "-e", str(path))
    assert done.code == 2 and "plugin shout (of the command line) is broken" in done.err
    assert agentic("run", "hi", *options, "-e", str(tmp_path / "none.py")).code == 2
