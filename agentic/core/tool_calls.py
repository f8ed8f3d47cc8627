"""Tool calls: resolved, approved, run, remembered. Whatever goes wrong is an output for the model."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agentic.core.approval import Approver
from agentic.core.outcome.evidence import Evidence
from agentic.core.protocols.arguments import check, parse
from agentic.core.service import Emit
from agentic.core.toolbox import Toolbox
from agentic.errors import AgenticError, PluginError, ToolError
from agentic.events import ToolCalled, ToolResult
from agentic.hooks.tools import CALLER, Tool
from agentic.plugins.dispatcher import Dispatcher
from agentic.types import ToolCall, ToolOutput
from agentic.workspace import OutsideWorkspace, Workspace


class ToolCaller:
    """One agent's hands. `evidence` is what its calls really did; `blocked` whether the last ones all lacked an approval."""

    def __init__(
        self, toolbox: Toolbox, workspace: Workspace, approver: Approver, plugins: Dispatcher, emit: Emit, agent: str = "main"
    ) -> None:
        self._toolbox = toolbox
        self._workspace = workspace
        self._approver = approver
        self._plugins = plugins
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
        arguments: dict[str, Any] = {}
        try:
            call, tool, arguments = self._resolve(call)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
        else:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments=arguments))
            output = await self._run(call, tool, arguments)
            self._remember(tool, arguments, output)
        await self._emit(
            ToolResult(
                id=call.id,
                name=call.name,
                text=output.for_model,
                failed=output.failed,
                exit_code=output.exit_code,
                seconds=round(time.monotonic() - started, 3),
                changes=tuple(asdict(change) for change in output.changes),
            )
        )
        return output

    async def run_command(self, command: str) -> ToolOutput:
        """A command that nobody's model asked for, under the same approval. Raises ToolError where no tool runs commands."""
        tool = self._toolbox.that("runs")
        if tool is None:
            raise ToolError("no tool runs commands here")
        return await self.call(ToolCall("check", tool.spec.name, json.dumps({tool.spec.runs: command})))

    def can_run(self) -> bool:
        """Whether a command could be approved at all."""
        tool = self._toolbox.that("runs")
        return tool is not None and self._approver.can(tool.spec.effect)

    def _resolve(self, call: ToolCall) -> tuple[ToolCall, Tool, dict[str, Any]]:
        """The call that is meant, its tool and its arguments: a call of a tool that calls others is a call of that other one."""
        tool = self._toolbox.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; the tools are {', '.join(sorted(self._toolbox.listed))}")
        arguments = parse(call.arguments, tool.spec.parameters)
        if not tool.spec.calls:
            return call, tool, arguments
        name, inner = (arguments.get(parameter) for parameter in tool.spec.calls)
        if name == call.name:
            raise ToolError(f"{call.name} cannot call itself")
        return self._resolve(ToolCall(call.id, str(name), json.dumps(inner or {})))

    async def _run(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        CALLER.set(self._agent)
        ruling = await self._plugins.before_tool(call, arguments, tool.spec, self._agent)
        if ruling.arguments is not arguments:
            try:
                arguments = check(dict(ruling.arguments), tool.spec.parameters)
            except ToolError as error:
                why = f"{call.name} was not run: {self._plugins.owner(ruling.changed_by)} changed its arguments, and {error}"
                return self._failed(PluginError(why, f"switch the plugin off: -c plugins.disabled={ruling.changed_by}"))
        if why := await self._approver.may_call(tool.spec, ruling):
            self._refused += ruling.decision != "deny"
            return ToolOutput(f"{call.name} was not run: {why}.", failed=True)
        output = await self._output(call, tool, arguments)
        return await self._plugins.after_tool(call, arguments, tool.spec, output, self._agent, self._workspace)

    async def _output(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        """Runs the tool; once more where the user grants a path outside, as long as nothing has happened by then."""
        before = self._workspace.changes
        try:
            return await tool.run(arguments, self._workspace)
        except OutsideWorkspace as outside:
            if why := await self._approver.may_leave(outside.path):
                self._refused += 1
                return ToolOutput(f"{outside}: {why}.", failed=True)
            self._workspace.grant(outside.path)
            if tool.spec.effect == "execute" or self._workspace.changes != before:
                return ToolOutput(f"{outside}. The user allows it: call {call.name} again for what is left.", failed=True)
        except AgenticError as error:
            return self._failed(error)
        try:
            return await tool.run(arguments, self._workspace)
        except AgenticError as error:
            return self._failed(error)

    def _failed(self, error: AgenticError) -> ToolOutput:
        """The model is told; of what is a plugin's fault, the user too."""
        if isinstance(error, PluginError):
            self._plugins.complain(error)
        return ToolOutput(str(error), failed=True)

    def _remember(self, tool: Tool, arguments: Mapping[str, Any], output: ToolOutput) -> None:
        evidence = self.evidence
        if not output.failed:
            evidence.not_done = ()
        if output.exit_code is not None:
            evidence.ran(str(arguments.get(tool.spec.runs, tool.spec.name)), output)
        for change in output.changes:
            if change.kind != "unchanged":
                evidence.wrote(change.path)
        if tool.spec.effect == "write" and output.failed and not output.changes:
            evidence.write_failed = True
