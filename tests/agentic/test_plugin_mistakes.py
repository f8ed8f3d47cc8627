"""What plugin authors get wrong, at each door: the plugin, its distribution and a remedy are named, and what can go on goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic, put
from tests.terminal import terminal

HEAD = """\
import asyncio, sys, time
from agentic import *
from agentic import hookimpl
"""
NAMED = "faulty (of agentic-faulty)"


@dataclass(frozen=True)
class Mistake:
    """`code` of the plugin, `select` options that choose it, `says` what stands in the message, `code_` the exit code."""

    code: str
    says: str
    select: tuple[str, ...] = ()
    exit_code: int = 0


def provider(hook: str, make: str, name: str = "mine", more: str = "") -> str:
    return f"{more}\n@hookimpl\ndef {hook}():\n    yield Provider({name!r}, 'a mistake', {make})\n"


def method(hook: str, body: str, name: str = "mine") -> str:
    """A provider whose class has the lines of `body`."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return provider(hook, "lambda setup: Mine()", name, f"class Mine:\n{lines}\n")


def event(hook: str, arguments: str, body: str) -> str:
    return f"@hookimpl\nasync def {hook}({arguments}):\n    {body}\n"


SPEC = "spec = ToolSpec('mine', 'Mine.', {'type': 'object', 'properties': {}}, 'read')\n"
RUN = "async def run(self, arguments, workspace):\n    "
TRANSPORT = (
    "endpoints = ('mine:here',)\nasync def probe(self, endpoint):\n    return EndpointInfo(endpoint, 'm', 8192)\n"
    "async def aclose(self):\n    pass\n"
)
STREAM = "async def stream(self, request, endpoint):\n    "
BATCHER = (
    "async def info(self):\n    return EndpointInfo('x', 'm', 8192)\nasync def gather(self, requests, lane=None):\n    return []\n"
)
SUBMIT = "async def submit(self, request, lane=None):\n    "
T, B, C = ("-c", "llm.transport=mine"), ("-c", "batching.strategy=mine"), ("-c", "context.strategy=mine")
E, D, F = ("-c", "complexity.estimator=mine"), ("-c", "decomposition.strategy=mine"), ("-c", "sub_agents.fan_out=mine")
LAUNCHER = "confines, gaps = False, ()\n"
R, L = ("--output", "mine"), ("-c", "sandbox.launcher=mine", "--no-sandbox")

BROKEN = {
    "a module that cannot be imported": ("import no_such_module\n", "no_such_module"),
    "a hook without its mark": (
        "async def agentic_before_tool(call, arguments, tool, agent, setup):\n    return None\n",
        "it has no hook: does @hookimpl stand before each?",
    ),
    "a hook without its mark, beside another": (
        "async def agentic_before_tool(call, arguments, tool, agent, setup):\n    return None\n"
        "@hookimpl\ndef agentic_tools():\n    return []\n",
        "agentic_before_tool of faulty lacks its @hookimpl",
    ),
    "a hook without its mark, misspelt, beside another": (
        "async def agentic_befor_tool(call, arguments, tool, agent, setup):\n    return None\n"
        "@hookimpl\ndef agentic_tools():\n    return []\n",
        "agentic_befor_tool of faulty lacks its @hookimpl",
    ),
    "nothing in it": ("", "it has no hook"),
    "a syntax error": ("def broken(:\n", "SyntaxError"),
    "an exit on import": ("sys.exit(7)\n", "SystemExit: 7"),
    "an interrupt on import": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "an import that never ends": ("time.sleep(30)\n", "longer than 3 s"),
    "a hook that there is not": ("@hookimpl\ndef agentic_nonsense():\n    return []\n", "agentic_nonsense"),
    "an argument that a hook does not have": ("@hookimpl\nasync def agentic_before_tool(tool_call):\n    pass\n", "tool_call"),
    "an argument of a provider hook": ("@hookimpl\ndef agentic_tools(setup):\n    return []\n", "setup"),
    "an order of its own": ("@hookimpl(tryfirst=True)\nasync def agentic_on_event(event):\n    pass\n", "tryfirst"),
    "a wrapper": ("@hookimpl(wrapper=True)\ndef agentic_tools():\n    return (yield)\n", "wrapper"),
    "a provider hook that raises": ("@hookimpl\ndef agentic_tools():\n    raise KeyError('oops')\n", "oops"),
    "a provider hook that exits": ("@hookimpl\ndef agentic_tools():\n    sys.exit(3)\n", "SystemExit: 3"),
    "a provider hook that never ends": ("@hookimpl\ndef agentic_tools():\n    time.sleep(30)\n", "longer than 3 s"),
    "an async provider hook": ("@hookimpl\nasync def agentic_tools():\n    return []\n", "plain function"),
    "a provider hook that gives nothing": ("@hookimpl\ndef agentic_tools():\n    pass\n", "plain function"),
    "a text for a record": ("@hookimpl\ndef agentic_tools():\n    return ['a tool']\n", "no Provider"),
    "a command among tools": ("@hookimpl\ndef agentic_tools():\n    yield Command('x', '', 'm:a')\n", "no Provider"),
    "a provider among commands": ("@hookimpl\ndef agentic_commands():\n    yield Provider('x', '', print)\n", "no Command"),
    "a name that no server takes": (provider("agentic_tools", "print", "bad tool!"), "cannot be a name"),
    "a name that is no text": ("@hookimpl\ndef agentic_tools():\n    yield Provider(7, '', print)\n", "cannot be a name"),
    "a factory that cannot be called": (provider("agentic_tools", "None"), "factory"),
    "a summary that is no text": ("@hookimpl\ndef agentic_tools():\n    yield Provider('x', None, print)\n", "summary"),
    "a slash in a slash command": (
        "async def run(a, c):\n    pass\n@hookimpl\ndef agentic_chat_commands():\n    yield ChatCommand('/x', '', run)\n",
        "cannot be a name",
    ),
    "a section without sizes": (
        "@hookimpl\ndef agentic_prompt_sections():\n    yield PromptSection('x', '', lambda setup: '', 400)\n",
        "tokens",
    ),
    "a section with a size for no tier": (
        "@hookimpl\ndef agentic_prompt_sections():\n    yield PromptSection('x', '', lambda setup: '', {'medium': 30})\n",
        "'medium'",
    ),
    "a number for records": ("@hookimpl\ndef agentic_tools():\n    return 5\n", "not iterable"),
    "a question that is none": (
        "@hookimpl\ndef agentic_plugin():\n    return PluginInfo(before=5)\n",
        "the before of its PluginInfo is 5, which it cannot be",
    ),
    "options that are none": ("@hookimpl\ndef agentic_options():\n    return 'm:Model'\n", "no Options"),
    "a section of somebody else's": (
        "@hookimpl\ndef agentic_options():\n    return Options('m:Model', section='llm')\n",
        "somebody else's",
    ),
}

AT_WORK = {
    # tools: the model is told, and the run goes on
    "a tool's factory that raises": Mistake(provider("agentic_tools", "lambda setup: 1 / 0"), "ZeroDivisionError", exit_code=2),
    "a tool's factory that exits": Mistake(provider("agentic_tools", "lambda setup: sys.exit(3)"), "SystemExit", exit_code=2),
    "a tool's factory that never ends": Mistake(provider("agentic_tools", "lambda setup: time.sleep(30)"), "3 s", exit_code=2),
    "a tool's factory without an argument": Mistake(provider("agentic_tools", "lambda: 1"), "TypeError", exit_code=2),
    "a tool without a spec": Mistake(method("agentic_tools", RUN + "pass"), "no spec", exit_code=2),
    "a tool without run": Mistake(method("agentic_tools", SPEC), "no run()", exit_code=2),
    "a tool whose run takes nothing": Mistake(
        method("agentic_tools", SPEC + "async def run(self):\n    pass"),
        "cannot be called with (arguments, workspace)",
        exit_code=2,
    ),
    "a spec that is no spec": Mistake(method("agentic_tools", "spec = {}\n" + RUN + "pass"), "no ToolSpec", exit_code=2),
    "a spec of another name": Mistake(
        method("agentic_tools", SPEC.replace("'mine'", "'read_file'") + RUN + "pass"), "one name", exit_code=2
    ),
    "an effect that there is not": Mistake(
        method("agentic_tools", SPEC.replace("'read'", "'destroy'") + RUN + "pass"), "destroy", exit_code=2
    ),
    "parameters that are no schema": Mistake(
        method("agentic_tools", SPEC.replace("'type': 'object', ", "") + RUN + "pass"), 'type "object"', exit_code=2
    ),
    "parameters that are no JSON": Mistake(
        method("agentic_tools", SPEC.replace("'properties': {}", "'properties': {1j}") + RUN + "pass"), "JSON", exit_code=2
    ),
    "a tool that raises": Mistake(method("agentic_tools", SPEC + RUN + "1 / 0"), "ZeroDivisionError"),
    "a tool that exits": Mistake(method("agentic_tools", SPEC + RUN + "sys.exit(3)"), "SystemExit"),
    "a tool that interrupts": Mistake(method("agentic_tools", SPEC + RUN + "raise KeyboardInterrupt"), "KeyboardInterrupt"),
    "a tool that gives a text": Mistake(method("agentic_tools", SPEC + RUN + "return 'x'"), "no ToolOutput"),
    "a tool that gives nothing": Mistake(method("agentic_tools", SPEC + RUN + "pass"), "returned None"),
    "an output without a text": Mistake(method("agentic_tools", SPEC + RUN + "return ToolOutput(None)"), "no ToolOutput"),
    "a tool that is not async": Mistake(
        method("agentic_tools", SPEC + "def run(self, arguments, workspace):\n    return ToolOutput('x')"), "has to be async"
    ),
    "two tools of one name": Mistake(provider("agentic_tools", "print", "read_file"), "offered by", exit_code=2),
    "a provider that replaces somebody else": Mistake(
        "@hookimpl\ndef agentic_tools():\n    yield Provider('run', '', print, replaces='nobody')\n", "offered by", exit_code=2
    ),
    # gates deny, request hooks end the request, the others leave things as they are
    "a gate that raises": Mistake(event("agentic_before_tool", "call", "1 / 0"), "ZeroDivisionError"),
    "a gate that exits": Mistake(event("agentic_before_tool", "call", "sys.exit(3)"), "SystemExit"),
    "a gate that says True": Mistake(event("agentic_before_tool", "call", "return True"), "no Verdict"),
    "a verdict with a capital": Mistake(event("agentic_before_tool", "call", "return Verdict('Deny')"), "not 'Deny'"),
    "a gate that changes arguments to nonsense": Mistake(
        event("agentic_before_tool", "call", "return Verdict('allow', arguments={'nonsense': 1})"), "changed its arguments"
    ),
    "a request hook that raises": Mistake(event("agentic_before_request", "request", "1 / 0"), "ZeroDivisionError", exit_code=2),
    "a request hook that gives a dict": Mistake(
        event("agentic_before_request", "request", "return {}"), "no ChatRequest", exit_code=2
    ),
    "an observer that raises": Mistake(event("agentic_on_event", "event", "1 / 0"), "ZeroDivisionError"),
    "an observer that exits": Mistake(event("agentic_on_event", "event", "sys.exit(3)"), "SystemExit"),
    "an after-tool hook that raises": Mistake(event("agentic_after_tool", "output", "1 / 0"), "ZeroDivisionError"),
    "an after-tool hook that gives a text": Mistake(event("agentic_after_tool", "output", "return 'x'"), "no ToolOutput"),
    # transports and batchers: nothing stands in
    "a transport without a stream": Mistake(method("agentic_transports", TRANSPORT), "no stream()", T, 2),
    "endpoints that are a text": Mistake(
        method("agentic_transports", TRANSPORT.replace("('mine:here',)", "'mine'") + STREAM + "yield"), "endpoints", T, 2
    ),
    "a probe that gives a dict": Mistake(
        method("agentic_transports", TRANSPORT.replace("EndpointInfo(endpoint, 'm', 8192)", "{}") + STREAM + "yield"),
        "no EndpointInfo",
        T,
        2,
    ),
    "a stream that raises": Mistake(method("agentic_transports", TRANSPORT + STREAM + "yield 1 / 0"), "ZeroDivisionError", T, 2),
    "a stream of texts": Mistake(method("agentic_transports", TRANSPORT + STREAM + "yield 'x'"), "no Delta", T, 2),
    "a delta without a text": Mistake(method("agentic_transports", TRANSPORT + STREAM + "yield Delta(None)"), "no Delta", T, 2),
    "a stream without yield": Mistake(method("agentic_transports", TRANSPORT + STREAM + "return []"), "async generator", T, 2),
    "a transport's factory that raises": Mistake(provider("agentic_transports", "lambda setup: 1 / 0"), "ZeroDivisionError", T, 2),
    "a batcher without gather": Mistake(
        method("agentic_batchers", BATCHER.replace("gather", "collect") + SUBMIT + "yield"), "no gather()", B, 2
    ),
    "a batcher that raises": Mistake(method("agentic_batchers", BATCHER + SUBMIT + "yield 1 / 0"), "ZeroDivisionError", B, 2),
    "a batcher whose info is nothing": Mistake(
        method("agentic_batchers", BATCHER.replace("return EndpointInfo('x', 'm', 8192)", "pass") + SUBMIT + "yield"),
        "no EndpointInfo",
        B,
        2,
    ),
    # something stands in
    "a renderer's factory that raises": Mistake(provider("agentic_renderers", "lambda setup: 1 / 0"), "takes its place", R),
    "a renderer without close": Mistake(
        method("agentic_renderers", "def handle(self, event):\n    pass"), "no close(), which Renderer needs", R
    ),
    "a renderer that raises": Mistake(
        method("agentic_renderers", "def handle(self, event):\n    1 / 0\ndef close(self):\n    pass"), "plain takes its place", R
    ),
    "a renderer that is async": Mistake(
        method("agentic_renderers", "async def handle(self, event):\n    pass\ndef close(self):\n    pass"),
        "returned <coroutine",
        R,
    ),
    "a strategy that raises": Mistake(
        method("agentic_context_strategies", "def fit(self, history, budget, count):\n    1 / 0"), "window takes its place", C
    ),
    "a strategy that gives nothing": Mistake(
        method("agentic_context_strategies", "def fit(self, history, budget, count):\n    pass"), "returned None", C
    ),
    "a strategy without count": Mistake(
        method("agentic_context_strategies", "def fit(self, history, budget):\n    return history"), "cannot be called with", C
    ),
    "an estimator that raises": Mistake(
        method("agentic_complexity_estimators", "async def estimate(self, task, llm):\n    1 / 0"), "rules takes its place", E
    ),
    "a score above one": Mistake(
        method("agentic_complexity_estimators", "async def estimate(self, task, llm):\n    return Complexity(7, True)"),
        "from 0 to 1",
        E,
    ),
    "a decomposer that raises": Mistake(
        method("agentic_decomposers", "async def decompose(self, task, llm):\n    1 / 0"),
        "ZeroDivisionError",
        (*D, "--sub-agents"),
        0,
    ),
    "a fan-out that raises": Mistake(
        method("agentic_fan_outs", "async def run(self, plan, spawn):\n    1 / 0"), "ZeroDivisionError", F, 1
    ),
    "a renderer that gives up": Mistake(
        method("agentic_renderers", "def handle(self, event):\n    raise ConfigError('odd')\ndef close(self):\n    pass"),
        "plain takes its place",
        R,
    ),
    "an estimator that gives up": Mistake(
        method("agentic_complexity_estimators", "async def estimate(self, task, llm):\n    raise ConfigError('odd')"),
        "rules takes its place",
        E,
    ),
    "a gate that blocks": Mistake(event("agentic_before_tool", "call", "time.sleep(6)"), "took longer than 5 s"),
    "a gate that writes into the arguments": Mistake(
        event("agentic_before_tool", "call, arguments", "arguments['path'] = 'b'"), "does not support item assignment"
    ),
    "a launcher that raises": Mistake(
        method("agentic_command_launchers", LAUNCHER + "def wrap(self, argv, policy):\n    1 / 0"), "ZeroDivisionError", L
    ),
    "a launcher that gives a text": Mistake(
        method("agentic_command_launchers", LAUNCHER + "def wrap(self, argv, policy):\n    return 'sh'"), "returned 'sh'", L
    ),
    "a source that raises": Mistake(
        method(
            "agentic_tool_sources",
            "async def open(self):\n    1 / 0\ndef tools(self):\n    return []\nasync def close(self):\n    pass",
        ),
        "ZeroDivisionError",
    ),
    "a section that raises": Mistake(
        "@hookimpl\ndef agentic_prompt_sections():\n    yield PromptSection('x', '', lambda setup: 1 / 0, {'nano': 50})\n",
        "the prompt section 'x' is left out",
    ),
    "a section that gives nothing": Mistake(
        "@hookimpl\ndef agentic_prompt_sections():\n    yield PromptSection('x', '', lambda setup: None, {'nano': 50})\n",
        "no text",
    ),
}

Install = Callable[[str], dict[str, str]]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Installs a plugin of that code; what the environment needs for it."""

    def place(code: str) -> dict[str, str]:
        folder = tmp_path / "plugins"
        info = folder / "agentic_faulty-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "agentic_faulty.py").write_text(HEAD + code)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-faulty\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[agentic]\nfaulty = agentic_faulty\n")
        return {"PYTHONPATH": str(folder)}

    return place


def test_the_tables_are_as_long_as_promised() -> None:
    assert len(BROKEN) + len(AT_WORK) >= 60


UNKNOWN = tuple(name for name in BROKEN if name.startswith(("a module", "a syntax", "an exit", "an interrupt", "an import")))
MISSPELT = (
    "a hook that there is not",
    "an argument that a hook does not have",
    "an argument of a provider hook",
    "an order of its own",
    "a wrapper",
    "a hook without its mark",
    "a hook without its mark, beside another",
    "a hook without its mark, misspelt, beside another",
    "nothing in it",
)


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_cannot_be_used_is_named_and_what_may_be_a_guard_is_not_gone_on_without(
    agentic: Agentic, server: FakeVLLM, work: Path, install: Install, name: str
) -> None:
    code, says = BROKEN[name]
    more = install(code)
    server.script(answer(tool_calls=tool_call("list_files", {})), answer("still works"))
    done = agentic("run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native", more=more)
    warned = [line for line in done.err.splitlines() if NAMED in line]
    assert any(says in line for line in warned), done.err
    assert "-c plugins.disabled=faulty" in done.err
    if name in (*UNKNOWN, *MISSPELT):
        assert done.code == 2 and server.chats == [] and "may be there to guard you" in done.err, done.err
        options = ("--endpoint", server.url, "-c", "tools.protocol=native", "-c", "plugins.disabled=faulty")
        assert agentic("run", "hi", *options, more=more).code == 0
    else:
        assert done.code == 0 and "still works" in done.out, done.err
    for command in (("plugins",), ("--help",), ("--version",)):
        listed = agentic(*command, more=more)
        assert listed.code == 0 and ("broken" in listed.out or command != ("plugins",))
    required = agentic("ask", "hi", "--endpoint", server.url, "-c", "plugins.require=agentic-faulty", more=more)
    assert required.code == 2
    assert "plugins.require" in required.err and "→" in required.err


GATE = "@hookimpl\nasync def agentic_before_tool(call):\n    return None\n"


@pytest.mark.parametrize(
    "code", ["def broken(:\n", GATE.replace("before_tool", "befor_tool"), GATE + BROKEN["a text for a record"][0]]
)
def test_a_file_of_the_users_that_may_be_a_gate_is_not_gone_on_without(
    agentic: Agentic, server: FakeVLLM, work: Path, home: Path, code: str
) -> None:
    """Also where its gate is whole and only something else of it is not: it is not called any more."""
    path = home / ".config/agentic/plugins/mine.py"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + code)
    options = ("--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native")
    done = agentic("run", "hi", *options)
    assert (done.code, server.chats) == (2, []) and "mine" in done.err and "plugins.disabled=mine" in done.err
    required = agentic("ask", "hi", *options, "-c", "plugins.require=mine")
    assert required.code == 2 and "plugins.require: " in required.err and "pip" not in required.err
    path.write_text(HEAD + GATE)
    server.say("ok")
    assert agentic("run", "hi", *options, "-c", "plugins.require=mine").code == 0


@pytest.mark.parametrize("name", AT_WORK)
def test_a_mistake_at_work_is_named_and_what_can_go_on_goes_on(
    agentic: Agentic, server: FakeVLLM, work: Path, install: Install, name: str
) -> None:
    mistake = AT_WORK[name]
    more = install(mistake.code)
    tool = "run" if mistake.select == L else "mine" if "agentic_tools" in mistake.code else "list_files"
    tool = "delegate" if mistake.select == F else tool
    arguments = {"run": {"command": "true"}, "delegate": {"tasks": ["write a.txt"]}}.get(tool, {})
    server.script(answer(tool_calls=tool_call(tool, arguments)), answer("went on"))
    options = ("--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native", *mistake.select)
    done = agentic("run", "hi", *options, more=more)
    said = done.out + done.err
    assert done.code == mistake.exit_code, said
    if mistake.says:
        assert NAMED in said, said
        assert mistake.says in said, said
    assert "mistake in agentic" not in said
    assert "-c plugins.disabled=faulty" in said or "→" in done.err, said
    if mistake.exit_code != 2:
        assert "went on" in said


COMMAND = "import click\n@click.command()\ndef fails():\n    1 / 0\n@hookimpl\ndef agentic_commands():\n    yield Command('fails', '', {!r})\n"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("agentic_faulty:fails", "fails failed: ZeroDivisionError"),
        ("agentic_faulty:nothing", "cannot be loaded"),
        ("no_such_module:x", "cannot be loaded"),
        ("agentic_faulty:COMMANDS", "cannot be loaded"),
        ("agentic_faulty:sys", "no click command"),
    ],
)
def test_a_commands_mistakes_are_its_plugins(agentic: Agentic, install: Install, target: str, says: str) -> None:
    done = agentic("fails", more=install(COMMAND.format(target)))
    assert done.code == 2
    assert NAMED in done.err and says in done.err and "-c plugins.disabled=faulty" in done.err


MODELS = {
    "a module that is not there": ("nowhere:X", "", "cannot be imported"),
    "no model": ("agentic_faulty:sys", "", "neither an agentic.Section nor a pydantic model"),
    "a default that TOML does not know": (
        "agentic_faulty:Model",
        "import pathlib, pydantic\nclass Model(pydantic.BaseModel):\n    path: pathlib.Path = pathlib.Path('/x')\n",
        "/x",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_one_plugins_options_keep_nobody_elses_from_being_shown(agentic: Agentic, install: Install, name: str) -> None:
    path, code, says = MODELS[name]
    more = install(f"{code}\n@hookimpl\ndef agentic_options():\n    return Options({path!r})\n")
    done = agentic("config", "show", more=more)
    assert done.code == 0
    assert "llm.model" in done.out
    assert says in done.out + done.err
    assert agentic("config", "init", more=more).code == 0


def test_a_late_tool_that_fails_is_its_plugins(agentic: Agentic, server: FakeVLLM, install: Install) -> None:
    tool = "class Late:\n    spec = ToolSpec('late', 'Late.', {'type': 'object'}, 'read')\n    async def run(self, arguments, workspace):\n        1 / 0\n"
    body = "async def open(self):\n    pass\ndef tools(self):\n    return [Late()]\nasync def close(self):\n    pass"
    more = install(tool + method("agentic_tool_sources", body))
    server.script(answer(tool_calls=tool_call("call_tool", {"name": "late", "arguments": {}})), answer("went on"))
    done = agentic("run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native", more=more)
    assert NAMED in done.err and "ZeroDivisionError" in done.err and "-c plugins.disabled=faulty" in done.err
    assert "went on" in done.out


@pytest.mark.parametrize("given", ["../secret.txt", "~/.ssh/id", "{home}/elsewhere", ".env"])
def test_a_path_is_judged_before_a_tool_opens_it_past_the_workspace(
    agentic: Agentic, server: FakeVLLM, install: Install, work: Path, home: Path, given: str
) -> None:
    for path in (work.parent / "secret.txt", home / ".ssh/id", home / "elsewhere", work / ".env"):
        put(path, "SECRET=canary")
    spec = "spec = ToolSpec('peek', 'Peeks.', {'type': 'object', 'properties': {'path': {'type': 'string'}}}, 'read')\n"
    body = "import os\n    return ToolOutput(open(os.path.expanduser(arguments['path'])).read())"
    more = install(method("agentic_tools", f"{spec}{RUN}{body}", "peek"))
    call = tool_call("peek", {"path": given.format(home=home)})
    server.script(answer(tool_calls=call), answer("went on"))
    agentic("run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native", more=more)
    (told,) = [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]
    assert "canary" not in told and "nobody can give" in told


@pytest.mark.parametrize(
    ("ask", "says"), [("nowhere_at_all:ask", "nowhere_at_all"), ("math:tau", "TypeError"), ("statistics:mean", "TypeError")]
)
def test_a_question_before_a_run_that_fails_is_its_plugins(
    env: dict[str, str], server: FakeVLLM, home: Path, work: Path, ask: str, says: str
) -> None:
    code = f"from agentic import PluginInfo, hookimpl\n@hookimpl\ndef agentic_plugin():\n    return PluginInfo(before={ask!r})\n"
    put(home / ".config" / "agentic" / "plugins" / "faulty.py", code)
    with terminal(["ask", "hi", "--endpoint", server.url], env, work, columns=300) as shown:
        assert shown.until_ended() == 2
    said = " ".join(shown.text.split())
    assert "plugin faulty (of your plugins folder): what it asks before a run" in said and says in said
    assert "-c plugins.disabled=faulty" in said and not server.chats
