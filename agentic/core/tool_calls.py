"""Tool calls: resolved, approved, run, remembered. Whatever goes wrong is an output for the model."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agentic.core.agent_services import AgentServices
from agentic.core.kinds import refused
from agentic.core.running import Running, require_granted, result_of
from agentic.core.service import Emit
from agentic.core.work import Work
from agentic.errors import AgenticError, PluginError, ToolError
from agentic.events import ToolCalled, ToolProgress
from agentic.hooks.agents import AgentKind
from agentic.hooks.tools import CALLER, Tool
from agentic.lib.arguments import check, parse
from agentic.lib.calls import Grant
from agentic.lib.edits import difference
from agentic.lib.safeguards import MASKED
from agentic.lib.turns import Edited
from agentic.lib.workspace import Edit, NotGranted, OutsideWorkspace, Workspace
from agentic.plugins.dispatcher import Ruling
from agentic.types import Change, ToolCall, ToolOutput, ToolSpec

MAX_GRANTS = 8  # paths that one call may ask for
CarryOut = Callable[[Running], Awaitable[ToolOutput]]


class ToolCaller:
    """An agent's hands. `work` is what its calls really did; `blocked` whether the last ones all lacked an approval."""

    def __init__(self, services: AgentServices, emit: Emit, agent: str = "main") -> None:
        self._toolbox = services.toolbox
        self._workspace = services.workspace
        self._approver = services.approver
        self._plugins = services.events
        self._proofs = services.proofs
        self._watches = services.watches(services.workspace)
        self._emit = emit
        self._agent = agent
        self._refused = 0
        self._safeguards = services.safeguards
        self._without_secrets = services.masked
        self._told: set[str] = set()
        self.kind: AgentKind | None = None
        self.work = Work()
        self.blocked = False

    def begin(self) -> None:
        """A new task: what was done for the one before proves nothing of it."""
        self.work = Work()
        self.blocked = False

    @property
    def can_ask(self) -> bool:
        """True if there is somebody who can be asked about a call."""
        return self._approver.has_user

    @property
    def may_run(self) -> bool:
        """True if commands need no question here."""
        return self._toolbox.that("runs") is not None and self._approver.free("execute")

    async def call_all(self, calls: tuple[ToolCall, ...]) -> list[tuple[ToolCall, ToolOutput]]:
        """Each call with its output, one after the other."""
        refused = self._refused
        done = [(call, await self.call(call)) for call in calls]
        if done:
            self.blocked = self._refused > refused and all(output.failed for _, output in done)
        return done

    async def call(self, call: ToolCall) -> ToolOutput:
        """Returns the output of a call of the agent's own."""
        return await self._call(call, self._watched)

    async def _call(self, call: ToolCall, carry_out: CarryOut, check: str = "") -> ToolOutput:
        try:
            running = Running(*await self._resolve(call), check)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
            await self._emit(result_of(call, output))
            return output
        await self._emit(ToolCalled(id=running.call.id, name=running.call.name, arguments=running.arguments))
        output = await carry_out(running)
        await self._emit(result_of(running.call, output, running.diff, running.seconds))
        return output

    async def run_command(self, command: str, check: str = "") -> ToolOutput:
        """A command that is not the model's, under the same approval. Raises ToolError where no tool runs commands.

        `check` is the part of it that a checker's question names, without the words that make its report.
        """
        tool = self._toolbox.that("runs")
        if tool is None:
            raise ToolError("no tool runs commands here")
        call = ToolCall("check", tool.spec.name, json.dumps({tool.spec.runs: command}))
        return await self._call(call, self._guarded, check)

    async def run_unasked(self, command: str) -> ToolOutput | None:
        """The same where it needs no question; None where it needs one."""
        return await self.run_command(command) if self._approver.is_free(command) else None

    async def _resolve(self, call: ToolCall) -> tuple[ToolCall, Tool, dict[str, Any]]:
        """The call that is meant, its tool and its arguments: a call of a tool that calls others is a call of that other one."""
        tool = await self._toolbox.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; the tools are {', '.join(sorted(self._toolbox.listed))}")
        if not tool.spec.calls and (why := refused(self.kind, tool.spec)):
            raise ToolError(why)
        arguments = parse(call.arguments, tool.spec.parameters, partial(self._tell_schema, tool.spec.name))
        if not tool.spec.calls:
            return call, tool, arguments
        name, inner = (arguments.get(parameter) for parameter in tool.spec.calls)
        if name == call.name:
            raise ToolError(f"{call.name} cannot call itself")
        return await self._resolve(replace(call, name=str(name), arguments=json.dumps(inner or {})))

    def _tell_schema(self, name: str, why: str) -> None:
        """Whose schema it is that cannot be checked, once."""
        told = f"schema of {name}"
        if told not in self._told:
            self._told.add(told)
            whose = self._plugins.owner_of("agentic_tools", name)
            what = f"{whose}the schema of the tool {name} cannot be checked ({why.partition(chr(10))[0]})"
            self._plugins.warn(f"{what}; it gets its arguments as they are")

    async def _run(self, running: Running) -> ToolOutput:
        """Runs it as plugins and the user leave it: both may change its arguments."""
        CALLER.set(self._agent)
        call, tool = running.call, running.tool
        ruling = await self._plugins.before_tool(
            call, running.arguments, tool.spec, self._agent, self._workspace, self._approver.policy.reading
        )
        if ruling.arguments is not running.arguments:
            try:
                running.arguments = check(dict(ruling.arguments), tool.spec.parameters)
            except ToolError as error:
                why = f"{call.name} was not run: {self._plugins.owner(ruling.changed_by)} changed its arguments, and {error}"
                remedy = f"switch the plugin off: -c plugins.disabled={ruling.changed_by}"
                return self._failed(PluginError(why, remedy))
        try:
            output = await (self._staged if tool.spec.staged else self._at_once)(running, ruling)
        except Edited as edited:  # a command: gates and rules have not seen this one
            (command,) = edited.texts.values()
            running.arguments = {**running.arguments, tool.spec.runs: command}
            output = await self._run(running)
            return replace(output, text=f"(The user changed the command to: {command})\n{output.text}")
        if output is None:
            return ToolOutput(f"{call.name} was not run: {running.refused}.", failed=True)
        output = self._masked(call, output)
        given = {"agent": self._agent, "workspace": self._workspace, "run": self.run_unasked}
        return await self._plugins.after_tool(call, running.arguments, tool.spec, output, **given)

    def _show(self, number: str, text: str) -> None:
        self._plugins.show(ToolProgress(id=number, text=self._without_secrets(text), agent=self._agent))

    async def _at_once(self, running: Running, ruling: Ruling) -> ToolOutput | None:
        """Asks, then runs the tool; None where the answer is no."""
        spec, recovered = running.tool.spec, running.call.recovered
        if spec.runs:
            why, allowed = await self._approver.may_run(spec, ruling, self._workspace.written, recovered, running.check)
            running.allow(allowed)
        else:
            why = await self._approver.may_call(spec, ruling, recovered)
        return None if self._is_refused(running, why, ruling) else await self._output(running, self._workspace)

    async def _staged(self, running: Running, ruling: Ruling) -> ToolOutput | None:
        """Runs the tool where nothing it does counts yet, asks, then makes its changes; None where the answer is no."""
        spec = running.tool.spec
        if ruling.decision == "deny" and self._is_refused(running, await self._approver.may_call(spec, ruling), ruling):
            return None
        stage = self._workspace.stage()
        output = await self._output(running, stage)
        if not stage.edits:
            return output
        if marked := [
            path for path, edit in stage.edits.items() if MASKED.search(edit.after or b"") and not MASKED.search(edit.before or b"")
        ]:
            return ToolOutput(
                f"{marked[0]} was not written: the text has a masked secret in it. Change only the lines around it.", failed=True
            )
        edits: Mapping[str, Edit] = stage.edits
        try:
            edits, why = await self._approved(edits, spec, ruling, running.call.recovered)
            if self._is_refused(running, why, ruling):
                return None
            self._workspace.commit(edits)
        except AgenticError as error:
            return self._failed(error)
        if edits is not stage.edits:
            changed = difference({path: replace(edit, before=stage.edits[path].after) for path, edit in edits.items()})
            output = replace(output, text=f"{output.text}\n(The user changed what you wrote, before it was written:)\n{changed}")
        running.diff = self._without_secrets(difference(edits))
        return output

    async def _approved(
        self, edits: Mapping[str, Edit], spec: ToolSpec, ruling: Ruling, recovered: bool
    ) -> tuple[Mapping[str, Edit], str]:
        """(the changes as they were agreed on, "" or why they may not be made)."""
        while True:
            try:
                return edits, await self._approver.may_change(edits, spec, ruling, recovered)
            except Edited as edited:
                new = {path: text.encode("utf-8", "surrogateescape") for path, text in edited.texts.items() if path in edits}
                edits = {path: replace(edit, after=new.get(path, edit.after)) for path, edit in edits.items()}

    def _is_refused(self, running: Running, why: str, ruling: Ruling) -> bool:
        running.refused = why
        self._refused += bool(why) and ruling.decision != "deny"
        return bool(why)

    async def _output(self, running: Running, space: Workspace) -> ToolOutput:
        """Runs the tool; again where the user grants a path, as long as nothing has happened by then."""
        before, name, effect = self._workspace.changes, running.call.name, running.tool.spec.effect
        space = space.during(running.context(self._agent, partial(self._show, running.call.id)))
        for _ in range(MAX_GRANTS):
            started = time.monotonic()
            try:
                if effect == "read":
                    require_granted(running.arguments, space)
                return await running.tool.run(running.arguments, space)
            except NotGranted as wanted:
                if why := await self._approver.may_touch(wanted, isinstance(wanted, OutsideWorkspace)):
                    self._refused += 1
                    return ToolOutput(f"{wanted}: {why}.", failed=True)
                self._workspace.grant(wanted.path, wanted.access)
                if effect == "execute" or self._workspace.changes != before:
                    return ToolOutput(f"{wanted}. The user allows it: call {name} again for what is left.", failed=True)
            except AgenticError as error:
                return self._failed(error)
            finally:
                running.seconds = time.monotonic() - started
        return ToolOutput(f"{name} wants more than {MAX_GRANTS} paths at once.", failed=True)

    def _masked(self, call: ToolCall, output: ToolOutput) -> ToolOutput:
        """The output without the secrets in it, which no model has to see; the user is told once of each kind."""
        text, found = self._safeguards.masked(output.text) if self._safeguards is not None else (output.text, [])
        for what in sorted(set(found) - self._told):
            self._told.add(what)
            self._plugins.warn(f"masked for the model, in what {call.name} gave: {what} (tools.mask_secrets = false shows it)")
        return replace(output, text=text) if found else output

    def _failed(self, error: AgenticError) -> ToolOutput:
        """The model is told; of what is a plugin's fault, the user too."""
        if isinstance(error, PluginError):
            self._plugins.complain(error)
        return ToolOutput(str(error), failed=True)

    async def _watched(self, running: Running) -> ToolOutput:
        """Runs the tool and remembers what it did; what a command does to the files is seen on the files."""
        effect = running.tool.spec.effect
        if effect != "read":
            await self._proofs.before_change()
        if effect == "execute":
            output, changes, note = await self._command(running)
            for change in changes:
                self.work.changed(change)
            output = replace(output, problems=(*output.problems, note)) if note else output
        else:
            output = await self._run(running)
        self._remember(running, output)
        return output

    async def _command(self, running: Running) -> tuple[ToolOutput, list[Change], str]:
        """(a command's output, what it changed, a line about what was put back)"""
        await self._watches.before()
        running.grant = Grant(hidden=self._watches.private)
        try:
            output = await self._run(running)
        except BaseException:  # the command is over, and may have changed as much
            await self._watches.after(running.grant.protected)
            raise
        return output, *await self._watches.after(running.grant.protected)

    async def _guarded(self, running: Running) -> ToolOutput:
        """A command that is not the model's own: what it does can be taken back, and counts as nobody's work."""
        output, _, _ = await self._command(running)
        return output

    def _remember(self, running: Running, output: ToolOutput) -> None:
        work, spec = self.work, running.tool.spec
        if output.exit_code is not None:
            command = str(running.arguments.get(spec.runs, spec.name))
            work.ran.pop(command, None)
            work.ran[command] = output
        for change in output.changes:
            work.changed(change)
        if spec.effect == "write" and output.failed and not output.changes:
            work.write_failed = True
