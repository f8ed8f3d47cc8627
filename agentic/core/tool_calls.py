"""Tool calls: resolved, approved, run, remembered. Whatever goes wrong is an output for the model."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from agentic.core.agent_services import AgentServices
from agentic.core.arguments import check, parse
from agentic.core.service import Emit
from agentic.core.work import Work, changes_between, stamps
from agentic.errors import AgenticError, PluginError, ToolError
from agentic.events import ToolCalled, ToolResult
from agentic.hooks.tools import CALLER, Tool
from agentic.threads import on_daemon_thread
from agentic.types import ToolCall, ToolOutput
from agentic.workspace import OutsideWorkspace


class ToolCaller:
    """One agent's hands. `work` is what its calls really did; `blocked` whether the last ones all lacked an approval."""

    def __init__(self, services: AgentServices, emit: Emit, agent: str = "main") -> None:
        self._toolbox = services.toolbox
        self._workspace = services.workspace
        self._approver = services.approver
        self._plugins = services.events
        self._proofs = services.proofs
        self._emit = emit
        self._agent = agent
        self._refused = 0
        self.work = Work()
        self.blocked = False

    def begin(self) -> None:
        """A new task: what was done for the one before proves nothing of it."""
        self.work = Work()
        self.blocked = False

    async def call_all(self, calls: tuple[ToolCall, ...]) -> list[tuple[ToolCall, ToolOutput]]:
        """Each call with its output, one after the other."""
        refused = self._refused
        done = [(call, await self.call(call)) for call in calls]
        if done:
            self.blocked = self._refused > refused and all(output.failed for _, output in done)
        return done

    async def call(self, call: ToolCall, own: bool = True) -> ToolOutput:
        """One call's output; what is not the agent's `own` is no work of its."""
        started = time.monotonic()
        arguments: dict[str, Any] = {}
        try:
            call, tool, arguments = self._resolve(call)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
        else:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments=arguments))
            if own and tool.spec.effect != "read":
                await self._proofs.before_change()
            output = await self._watched(call, tool, arguments) if own else await self._run(call, tool, arguments)
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
        """A checker's command, under the same approval. Raises ToolError where no tool runs commands."""
        tool = self._toolbox.that("runs")
        if tool is None:
            raise ToolError("no tool runs commands here")
        return await self.call(ToolCall("check", tool.spec.name, json.dumps({tool.spec.runs: command})), own=False)

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

    async def _watched(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        """Runs the tool and remembers what it did; what a command does to the files is seen on the files."""
        root, executes = self._workspace.root, tool.spec.effect == "execute"
        before = await on_daemon_thread(partial(stamps, root)) if executes else {}
        output = await self._run(call, tool, arguments)
        for change in changes_between(before, await on_daemon_thread(partial(stamps, root))) if executes else ():
            self.work.changed(change)
        self._remember(tool, arguments, output)
        return output

    def _remember(self, tool: Tool, arguments: Mapping[str, Any], output: ToolOutput) -> None:
        work = self.work
        if output.exit_code is not None:
            command = str(arguments.get(tool.spec.runs, tool.spec.name))
            work.ran.pop(command, None)
            work.ran[command] = output
        for change in output.changes:
            work.changed(change)
        if tool.spec.effect == "write" and output.failed and not output.changes:
            work.write_failed = True
