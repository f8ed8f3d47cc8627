"""Tool calls: resolved, approved, run, remembered. Whatever goes wrong is an output for the model."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from agentic.core.agent_services import AgentServices
from agentic.core.approval import difference
from agentic.core.guards import GRANT, NOTHING
from agentic.core.kinds import refused
from agentic.core.questions import Edited
from agentic.core.service import Emit
from agentic.core.work import Work
from agentic.errors import AgenticError, PluginError, ToolError
from agentic.events import ToolCalled, ToolProgress, ToolResult
from agentic.hooks.agents import AgentKind
from agentic.hooks.tools import CALLER, PROGRESS, Tool
from agentic.lib.arguments import check, parse
from agentic.lib.safeguards import MASKED
from agentic.lib.workspace import Edit, NotGranted, OutsideWorkspace, Workspace
from agentic.plugins.dispatcher import Ruling
from agentic.types import ToolCall, ToolOutput

PROGRESS_SECONDS = 0.1
MAX_PROGRESS = 4_000  # characters
PATHS = {"path", "paths", "file", "files", "filename", "file_path", "filepath", "folder", "directory", "dir"}
"""What tools call the argument that is a path."""
MAX_GRANTS = 8  # paths that one call may ask for


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
        self._why = ""
        self._diff = ""  # what the call changed
        self._check = ""  # a checker's command, where the call is one of those
        self._progress = ""  # what it gave out and was not shown yet
        self._progress_shown = 0.0
        self._seconds = 0.0  # that it took, without what the user took to answer
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

    async def call_all(self, calls: tuple[ToolCall, ...]) -> list[tuple[ToolCall, ToolOutput]]:
        """Each call with its output, one after the other."""
        refused = self._refused
        done = [(call, await self.call(call)) for call in calls]
        if done:
            self.blocked = self._refused > refused and all(output.failed for _, output in done)
        return done

    async def call(self, call: ToolCall, own: bool = True) -> ToolOutput:
        """A call's output; what is not the agent's `own` is no work of its."""
        GRANT.set(NOTHING)
        self._diff, self._seconds = "", 0.0
        self._check = self._check if not own else ""
        arguments: dict[str, Any] = {}
        try:
            call, tool, arguments = await self._resolve(call)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
        else:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments=arguments))
            if own and tool.spec.effect != "read":
                await self._proofs.before_change()
            output = await self._watched(call, tool, arguments) if own else await self._guarded(call, tool, arguments)
        await self._emit(
            ToolResult(
                id=call.id,
                name=call.name,
                text=output.for_model,
                failed=output.failed,
                exit_code=output.exit_code,
                seconds=round(self._seconds, 3),
                changes=tuple(asdict(change) for change in output.changes),
                diff=self._diff,
            )
        )
        return output

    async def run_command(self, command: str, check: str = "") -> ToolOutput:
        """A command that is not the model's, under the same approval. Raises ToolError where no tool runs commands.

        `check` is the part of it that a checker's question names, without the words that make its report.
        """
        tool = self._toolbox.that("runs")
        if tool is None:
            raise ToolError("no tool runs commands here")
        self._check = check
        return await self.call(ToolCall("check", tool.spec.name, json.dumps({tool.spec.runs: command})), own=False)

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

    async def _run(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> tuple[dict[str, Any], ToolOutput]:
        """The output, and the arguments that it is of: plugins and the user may change them."""
        CALLER.set(self._agent)
        self._progress = ""
        PROGRESS.set(partial(self._show_progress, call.id))
        ruling = await self._plugins.before_tool(call, arguments, tool.spec, self._agent)
        if ruling.arguments is not arguments:
            try:
                arguments = check(dict(ruling.arguments), tool.spec.parameters)
            except ToolError as error:
                why = f"{call.name} was not run: {self._plugins.owner(ruling.changed_by)} changed its arguments, and {error}"
                remedy = f"switch the plugin off: -c plugins.disabled={ruling.changed_by}"
                return arguments, self._failed(PluginError(why, remedy))
        try:
            run = self._staged if tool.spec.staged else self._at_once
            output = await run(call, tool, arguments, ruling)
        except Edited as edited:  # a command: gates and rules have not seen this one
            (command,) = edited.texts.values()
            arguments, output = await self._run(call, tool, {**arguments, tool.spec.runs: command})
            return arguments, replace(output, text=f"(The user changed the command to: {command})\n{output.text}")
        if output is None:
            return arguments, ToolOutput(f"{call.name} was not run: {self._why}.", failed=True)
        output = self._masked(call, output)
        return arguments, await self._plugins.after_tool(call, arguments, tool.spec, output, self._agent, self._workspace)

    def _show_progress(self, number: str, text: str) -> None:
        """Shows the output of a running call, on the screen alone: the end of it, a few times a second."""
        self._progress = (self._progress + text)[-MAX_PROGRESS:]
        if time.monotonic() - self._progress_shown > PROGRESS_SECONDS:
            self._progress_shown = time.monotonic()
            shown, self._progress = self._without_secrets(self._progress), ""
            self._plugins.show(ToolProgress(id=number, text=shown, agent=self._agent))

    async def _at_once(self, call: ToolCall, tool: Tool, arguments: dict[str, Any], ruling: Ruling) -> ToolOutput | None:
        """Asks, then runs the tool; None where the answer is no."""
        if tool.spec.runs:
            why, allowed = await self._approver.may_run(tool.spec, ruling, self._workspace.written, call.recovered, self._check)
            GRANT.set(allowed if allowed.secrets else replace(allowed, hidden=GRANT.get().hidden))
        else:
            why = await self._approver.may_call(tool.spec, ruling, call.recovered)
        if self._is_refused(why, ruling):
            return None
        return await self._output(call, tool, arguments, self._workspace)

    async def _staged(self, call: ToolCall, tool: Tool, arguments: dict[str, Any], ruling: Ruling) -> ToolOutput | None:
        """Runs the tool where nothing it does counts yet, asks, then makes its changes; None where the answer is no."""
        if ruling.decision == "deny" and self._is_refused(await self._approver.may_call(tool.spec, ruling), ruling):
            return None
        stage = self._workspace.stage()
        output = await self._output(call, tool, arguments, stage)
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
            edits, why = await self._approved(edits, tool, ruling, call.recovered)
            if self._is_refused(why, ruling):
                return None
            self._workspace.commit(edits)
        except AgenticError as error:
            return self._failed(error)
        if edits is not stage.edits:
            changed = difference({path: replace(edit, before=stage.edits[path].after) for path, edit in edits.items()})
            output = replace(output, text=f"{output.text}\n(The user changed what you wrote, before it was written:)\n{changed}")
        self._diff = self._without_secrets(difference(edits))
        return output

    async def _approved(
        self, edits: Mapping[str, Edit], tool: Tool, ruling: Ruling, recovered: bool
    ) -> tuple[Mapping[str, Edit], str]:
        """(the changes as they were agreed on, "" or why they may not be made)."""
        while True:
            try:
                return edits, await self._approver.may_change(edits, tool.spec, ruling, recovered)
            except Edited as edited:
                new = {path: text.encode("utf-8", "surrogateescape") for path, text in edited.texts.items() if path in edits}
                edits = {path: replace(edit, after=new.get(path, edit.after)) for path, edit in edits.items()}

    def _is_refused(self, why: str, ruling: Ruling) -> bool:
        self._why = why
        self._refused += bool(why) and ruling.decision != "deny"
        return bool(why)

    async def _output(self, call: ToolCall, tool: Tool, arguments: dict[str, Any], space: Workspace) -> ToolOutput:
        """Runs the tool; again where the user grants a path, as long as nothing has happened by then."""
        before = self._workspace.changes
        for _ in range(MAX_GRANTS):
            started = time.monotonic()
            try:
                if tool.spec.effect == "read":
                    _require_granted(arguments, space)
                return await tool.run(arguments, space)
            except NotGranted as wanted:
                if why := await self._approver.may_touch(wanted, isinstance(wanted, OutsideWorkspace)):
                    self._refused += 1
                    return ToolOutput(f"{wanted}: {why}.", failed=True)
                self._workspace.grant(wanted.path, wanted.access)
                if tool.spec.effect == "execute" or self._workspace.changes != before:
                    return ToolOutput(f"{wanted}. The user allows it: call {call.name} again for what is left.", failed=True)
            except AgenticError as error:
                return self._failed(error)
            finally:
                self._seconds = time.monotonic() - started
        return ToolOutput(f"{call.name} wants more than {MAX_GRANTS} paths at once.", failed=True)

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

    async def _watched(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        """Runs the tool and remembers what it did; what a command does to the files is seen on the files."""
        if tool.spec.effect != "execute":
            arguments, output = await self._run(call, tool, arguments)
        else:
            await self._watches.before()
            GRANT.set(replace(NOTHING, hidden=self._watches.private))
            try:
                arguments, output = await self._run(call, tool, arguments)
            except BaseException:  # the command is over, and may have changed as much
                await self._watches.after(GRANT.get().protected)
                raise
            changes, note = await self._watches.after(GRANT.get().protected)
            for change in changes:
                self.work.changed(change)
            if note:
                output = replace(output, problems=(*output.problems, note))
        self._remember(tool, arguments, output)
        return output

    async def _guarded(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        """A command that is not the model's own: what it does can be taken back, and counts as nobody's work."""
        await self._watches.before()
        try:
            _, output = await self._run(call, tool, arguments)
        finally:
            await self._watches.after(GRANT.get().protected)
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


def _require_granted(arguments: Mapping[str, Any], space: Workspace) -> None:
    """Raises NotGranted for a path that needs a word, also where the tool would open it past the workspace."""
    for name in PATHS & arguments.keys():
        values = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        for value in values:
            try:
                space.relative(str(value))
            except NotGranted:
                raise
            except ToolError:  # it is no path: the tool knows what it is
                continue
