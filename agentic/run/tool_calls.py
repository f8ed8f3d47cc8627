"""Tool calls: resolved, approved, run, remembered. Whatever goes wrong is an output for the model."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agentic.errors import AgenticError, ToolError
from agentic.events import Event, ToolCalled, ToolResult
from agentic.hooks.events import Verdict
from agentic.hooks.tools import CALLER, Tool
from agentic.run.approval import Approver
from agentic.run.outcome.evidence import UNCHANGED, Evidence
from agentic.run.protocols.arguments import parse
from agentic.types import ToolCall, ToolOutput
from agentic.workspace import OutsideWorkspace, Workspace


class ToolCaller:
    """One agent's hands. `evidence` is what its calls really did; `blocked` whether the last ones all lacked an approval."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        workspace: Workspace,
        approver: Approver,
        gate: Callable[[ToolCall], Awaitable[Verdict]],
        emit: Callable[[Event], Awaitable[None]],
        agent: str = "main",
    ) -> None:
        self._tools = tools
        self._workspace = workspace
        self._approver = approver
        self._gate = gate
        self._emit = emit
        self._agent = agent
        self._refused = 0
        self.evidence = Evidence()
        self.blocked = False

    def begin(self) -> None:
        """A new task: what was done for the one before proves nothing of it."""
        self.evidence = Evidence()
        self.blocked = False

    async def call_all(self, calls: tuple[ToolCall, ...]) -> list[tuple[ToolCall, ToolOutput]]:
        """Each call with its output, one after the other."""
        refused = self._refused
        done = [(call, await self.call(call)) for call in calls]
        if done:
            self.blocked = self._refused > refused and all(output.failed for _, output in done)
        return done

    async def call(self, call: ToolCall) -> ToolOutput:
        """One call's output."""
        started = time.monotonic()
        try:
            tool, arguments = self._resolve(call)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
        else:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments=arguments))
            output = await self._run(call, tool, arguments)
            self._remember(tool, arguments, output)
        result = ToolResult(id=call.id, name=call.name, text=output.text, failed=output.failed, exit_code=output.exit_code)
        result.seconds = round(time.monotonic() - started, 3)
        await self._emit(result)
        return output

    async def run_command(self, command: str) -> ToolOutput:
        """A command that nobody's model asked for, under the same approval."""
        return await self.call(ToolCall("check", "run", json.dumps({"command": command})))

    def can_run(self) -> bool:
        """Whether a command could be approved at all."""
        return "run" in self._tools and self._approver.can("execute")

    def _resolve(self, call: ToolCall) -> tuple[Tool, dict[str, Any]]:
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; the tools are {', '.join(sorted(self._tools))}")
        return tool, parse(call.arguments, tool.spec.parameters)

    async def _run(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        CALLER.set(self._agent)
        verdict = await self._gate(call)
        if why := await self._approver.may_call(call.name, arguments, tool.spec.effect, verdict):
            self._refused += verdict.decision != "deny"
            return ToolOutput(f"{call.name} was not run: {why}.", failed=True)
        for _ in range(2):  # once more where the user grants a path outside
            try:
                return await tool.run(arguments, self._workspace)
            except OutsideWorkspace as outside:
                if why := await self._approver.may_leave(outside.path):
                    self._refused += 1
                    return ToolOutput(f"{outside}: {why}.", failed=True)
                self._workspace.grant(outside.path)
            except AgenticError as error:
                return ToolOutput(str(error), failed=True)
            except Exception as error:  # a tool may be anybody's
                return ToolOutput(f"{call.name} failed: {type(error).__name__}: {error}", failed=True)
        return ToolOutput(f"{call.name}: that path leads outside the folder.", failed=True)

    def _remember(self, tool: Tool, arguments: Mapping[str, Any], output: ToolOutput) -> None:
        if not output.failed:
            self.evidence.undone = ()
        if tool.spec.effect == "execute" and output.exit_code is not None:
            self.evidence.ran(str(arguments.get("command", tool.spec.name)), output)
        elif tool.spec.effect == "write" and output.failed:
            self.evidence.in_vain = self.evidence.in_vain or UNCHANGED not in output.text
        elif tool.spec.effect == "write":
            self.evidence.wrote(str(arguments.get("path", "")))
