"""The fixtures for plugin authors, and a plugin that is tried without being installed."""

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from agentic import (
    ConfigError,
    Grant,
    Launcher,
    LauncherSetup,
    Provider,
    Tool,
    ToolOutput,
    ToolSetup,
    ToolSpec,
    Workspace,
    hookimpl,
)
from agentic.events import ToolResult
from agentic.lib.children import Child
from agentic.testing import FakeVLLM, answer, run_in_process, tool_call
from tests.modules import module_with

SHOUT = [answer(tool_calls=tool_call("shout", {"text": "hi"})), "done"]


class Shout:
    spec = ToolSpec("shout", "Says it louder.", {"type": "object", "properties": {"text": {"type": "string"}}}, "read")

    def __init__(self, setup: ToolSetup) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        return ToolOutput(arguments["text"].upper())


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("shout", "upper case", Shout)


def test_a_module_is_a_plugin_for_one_run(agentic_run: Any, fake_vllm: FakeVLLM) -> None:
    shout = module_with("shouting", agentic_tools=agentic_tools)
    events = agentic_run("shout hi", SHOUT, plugins=[shout])
    assert [event.text for event in events if isinstance(event, ToolResult)] == ["HI"]
    assert len(fake_vllm.chats) == 2
    (result,) = [event for event in agentic_run("shout hi", SHOUT) if isinstance(event, ToolResult)]
    assert "HI" not in result.text


class Echo:
    spec = ToolSpec("shout", "Says it twice.", {"type": "object", "properties": {"text": {"type": "string"}}}, "read")

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        workspace.call.progress("half of it")
        return ToolOutput(f"{workspace.call.agent} says {arguments['text']}, granted {workspace.call.grant}")


def test_a_tool_knows_the_context_of_its_call(agentic_run: Any) -> None:
    @hookimpl
    def agentic_tools() -> Iterable[Provider[Tool]]:
        yield Provider("shout", "twice", lambda setup: Echo())

    events = agentic_run("shout hi", SHOUT, plugins=[module_with("echoing", agentic_tools=agentic_tools)])
    assert [event.text for event in events if isinstance(event, ToolResult)] == [f"main says hi, granted {Grant()}"]
    assert asyncio.run(Echo().run({"text": "x"}, Workspace(Path.cwd()))).text.startswith("main says x")


class Watching:
    """The builtin sandbox, with a note of what each command is granted."""

    def __init__(self, setup: LauncherSetup, grants: list[Grant]) -> None:
        self._inner, self._grants = setup.provider("sandbox"), grants

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def start(self, argv: Sequence[str], folder: Path, output: int, grant: Grant) -> Child:
        self._grants.append(grant)
        child: Child = await self._inner.start(argv, folder, output, grant)
        return child


class Twice:
    """The tool `run`, and beside it a command of its own that nobody granted anything."""

    def __init__(self, setup: ToolSetup) -> None:
        self._run, self._start = setup.provider("run"), setup.start
        self.spec: ToolSpec = self._run.spec

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        output: ToolOutput = await self._run.run(arguments, workspace)
        with open(os.devnull, "wb") as nothing:
            await (await self._start(["true"], workspace.root, nothing.fileno())).wait()
        return output


def test_a_grant_goes_with_the_call_through_what_wraps_a_tool_and_no_further(agentic_run: Any, tmp_path: Path) -> None:
    grants: list[Grant] = []

    @hookimpl
    def agentic_tools() -> Iterable[Provider[Tool]]:
        yield Provider("run", "twice", Twice, replaces="tools")

    @hookimpl
    def agentic_launchers() -> Iterable[Provider[Launcher]]:
        yield Provider("sandbox", "notes", lambda setup: cast(Launcher, Watching(setup, grants)), default=True, replaces="sandbox")

    plugins = [module_with("wrapping", agentic_tools=agentic_tools, agentic_launchers=agentic_launchers)]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / ".env").write_text("KEY=1\n")
    calls = [{"command": "curl --version"}, {"command": "true"}]
    script = [*(answer(tool_calls=tool_call("run", call)) for call in calls), "done"]
    rules = {"permissions.allow": ["run(true)", "run(curl --version)", "network(curl --version)"]}
    agentic_run("x", script, {**rules, "sandbox.mode": "off"}, plugins=plugins, root=folder)
    assert [grant.network for grant in grants] == [True, False, False, False]
    private = (folder / ".env",)
    assert all(grant.hidden == private for grant in grants)  # also where a tool forgot the grant


def test_a_broken_module_is_named() -> None:
    def agentic_tools() -> list[Any]:
        """Lacks its mark."""
        return []

    with pytest.raises(ConfigError, match="shouting"):
        run_in_process("shout hi", SHOUT, plugins=[module_with("my.shouting", agentic_tools=agentic_tools)])
    assert run_in_process("x")


def test_what_is_installed_already_is_given_in_vain() -> None:
    from plugins_builtin import batch

    assert run_in_process("x", plugins=[batch])


def test_a_command_is_a_process_of_a_user_who_has_set_nothing(
    agentic_command: Any, agentic_work: Any, agentic_home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_LLM_MODEL", "mine")
    done = agentic_command("ask", "hi")
    assert (done.returncode, done.stdout) == (0, "ok\n") and "[fake " in done.stderr and os.listdir(agentic_work) == []
