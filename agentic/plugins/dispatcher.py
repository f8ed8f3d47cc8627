"""Events to plugins: each call under a timeout, with the plugin's name on whatever goes wrong.

pluggy has no async (a coroutine would land in the result list un-awaited), so this is our own.
"""

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from agentic.errors import AgenticError
from agentic.events import Event, Warned
from agentic.hooks import Setup
from agentic.hooks.command_readers import CommandReading
from agentic.hooks.events import Addition, Verdict
from agentic.hooks.screen import Renderer
from agentic.lib.guard import FAULTS, PluginFault, conforms
from agentic.lib.isolation import describe
from agentic.lib.record import record
from agentic.lib.threads import on_daemon_thread
from agentic.plugins.host import Host, Implementation
from agentic.plugins.observer import Observer
from agentic.types import ChatRequest, ToolCall, ToolOutput, ToolSpec

if TYPE_CHECKING:
    from agentic.lib.workspace import Workspace

MAX_FAULTS = 3
CLOSING_SECONDS = 1.0  # for all observers together, once a run is over
_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}


@record(frozen=True, slots=True)
class Ruling:
    """The ruling of all gates together on a call.

    `plugin` gave the `decision`; `granted`: no question is needed; `changed_by` is who changed the arguments last.
    """

    decision: str
    reason: str
    plugin: str
    granted: bool
    arguments: Mapping[str, Any]
    changed_by: str = ""


class Dispatcher:
    """Passes what happens to the renderer, the journal (all but what is transient) and the plugins."""

    def __init__(
        self,
        host: Host,
        renderer: Renderer,
        run: str,
        setup_of: Callable[[str], Setup],
        may_grant: tuple[str, ...] = (),
        sink: Callable[[Event], Awaitable[None]] | None = None,
    ) -> None:
        self._host = host
        self._renderer = renderer
        self._run = run
        self._setup_of = setup_of
        self._may_grant = may_grant
        self._sink = sink
        self._faults = Counter[tuple[str, str]]()
        self._journal: Callable[[Event], None] = lambda event: None
        self._observers = [Observer(self, each) for each in host.implementations("agentic_on_event")]
        host.report = self.warn

    async def emit(self, event: Event) -> None:
        """To the journal, then to the renderer at once: what was shown is kept. Then to the observers' queues.

        What is transient is not kept, and goes to no observer that did not ask.
        """
        event.run = event.run or self._run
        event.time = event.time or time.time()
        if not event.transient:
            self._journal(event)
        self.show(event)
        for observer in self._observers:
            if observer.wants_chunks or not event.transient:
                observer.put(event)
        if self._sink is not None:
            await self._sink(event)

    @contextmanager
    def kept_by(self, journal: Callable[[Event], None]) -> Iterator[None]:
        """Meanwhile `journal` gets every event that is not transient."""
        before, self._journal = self._journal, journal
        try:
            yield
        finally:
            self._journal = before

    def forget_observers(self) -> None:
        """None sees what happens here: it is passed on to where they do."""
        self._observers.clear()

    def show(self, event: Event) -> None:
        """To the renderer alone."""
        self._renderer.handle(event)

    def warn(self, message: str) -> None:
        """To the screen and the session; not to observers, whose faults it may tell of."""
        self.note(Warned(message=message, run=self._run, time=time.time()))

    def note(self, event: Event) -> None:
        """Keeps an event and shows it, without telling observers."""
        self._journal(event)
        self.show(event)

    def owner(self, plugin: str) -> str:
        """A plugin as messages name it."""
        return self._host.owner(plugin)

    def owner_of(self, hook: str, name: str) -> str:
        """Who offers that, as a message begins; "" where it is nobody's offer, as a server's tool."""
        offer = self._host.offers(hook).get(name)
        return f"{self.owner(offer.plugin)}: " if offer else ""

    def complain(self, error: AgenticError, more: str = "") -> None:
        """A warning that says what went wrong, what becomes of it, and the remedy."""
        self.warn("; ".join(part for part in (str(error), more, error.remedy) if part))

    async def aclose(self) -> None:
        """Gives the observers a moment for what they have not seen yet."""
        tasks = [observer.task for observer in self._observers if observer.task is not None]
        if tasks:
            for observer in self._observers:
                observer.end()
            _, late = await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
            for task in late:
                task.cancel()

    async def before_request(self, request: ChatRequest, stages: list[tuple[str, ChatRequest]]) -> ChatRequest:
        """The request as the plugins leave it; `stages` gets each plugin's name with what it made of it, where it changed it.

        Raises PluginFault: what a plugin was to take out of a request is not sent because it failed.
        """
        for each in self._host.implementations("agentic_before_request"):
            changed = await self._call(each, ChatRequest, request=request)
            if changed is not None and changed is not request:
                request = changed
                stages.append((each.plugin, request))
        return request

    async def before_tool(
        self,
        call: ToolCall,
        arguments: Mapping[str, Any],
        tool: ToolSpec,
        agent: str,
        workspace: "Workspace",
        read: Callable[[str], CommandReading],
    ) -> Ruling:
        """The strictest verdict; a gate that fails, or says what is no verdict, denies, however often it did."""
        given: dict[str, Any] = {"call": call, "tool": tool, "agent": agent, "workspace": workspace}
        strictest, granted = Verdict("allow"), False
        whose = changed_by = ""
        for each in self._host.implementations("agentic_before_tool"):
            try:
                if "reading" in each.arguments:
                    given["reading"] = _reading(tool, arguments, read)
                verdict = await self._call(each, Verdict, arguments=MappingProxyType(dict(arguments)), **given)
            except AgenticError as error:
                self.complain(error)
                verdict = Verdict("deny", f"its gate failed: {error}")
            if verdict is None:
                continue
            if verdict.arguments is not None:
                arguments, changed_by = verdict.arguments, each.plugin
            if verdict.decision == "allow":
                granted = granted or self._grants(each.plugin)
            elif _STRICTNESS[verdict.decision] > _STRICTNESS[strictest.decision]:
                strictest, whose = verdict, each.plugin
        return Ruling(strictest.decision, strictest.reason, whose, granted and strictest.decision == "allow", arguments, changed_by)

    def _grants(self, plugin: str) -> bool:
        return self._host.is_users_own(plugin) or plugin in self._may_grant

    async def after_tool(
        self, call: ToolCall, arguments: Mapping[str, Any], tool: ToolSpec, output: ToolOutput, **given: Any
    ) -> ToolOutput:
        """The output as the plugins leave it; one that fails leaves it as it was. `given`: agent, workspace, run."""
        given |= {"call": call, "arguments": arguments, "tool": tool}
        for each in self._host.implementations("agentic_after_tool"):
            output = await self._tried(each, ToolOutput, output=output, **given) or output
        return output

    async def before_task(self, task: str, session: str, first: bool) -> Addition:
        """Returns the additions of all plugins to the task, joined; or the first refusal."""
        texts = []
        for each in self._host.implementations("agentic_before_task"):
            addition = await self._tried(each, Addition, task=task, session=session, first=first) or Addition()
            if addition.refused:
                return addition
            texts.append(addition.text)
        return Addition("\n\n".join(filter(None, texts)))

    async def before_end(self, **given: Any) -> str:
        """Returns the text that the model gets instead of coming to an end, "" where it may end.

        `given`: task, result, times, agent, workspace, changes.
        """
        asked = [*self._host.implementations("agentic_before_end"), *self._host.endings()]
        return "\n\n".join(filter(None, [await self._tried(each, str, **given) for each in asked]))

    async def _tried(self, each: Implementation, kind: type, **values: Any) -> Any:
        """Returns the hook's result; None where the hook is off or fails. A failure is told, and counted."""
        if self._is_off(each):
            return None
        try:
            return await self._call(each, kind, **values)
        except AgenticError as error:
            self.complain(error, self._count(each))
            return None

    def wants_chunks(self, each: Implementation) -> bool:
        """True if an observer asked for what is transient too."""
        wants = self._host.info(each.plugin).wants_chunks or getattr(self._host.plugin(each.plugin), "agentic_wants_chunks", False)
        try:
            return bool(wants(self._setup_of(each.plugin)) if callable(wants) else wants)
        except FAULTS:
            return False

    async def observe(self, each: Implementation, event: Event) -> None:
        await self._tried(each, object, event=event)

    def lost(self, each: Implementation, count: int) -> None:
        """Says that an observer did not see everything."""
        self.warn(f"{self._host.owner(each.plugin)} is too slow for the events it observes: it did not see {count} of them")

    async def _call(self, each: Implementation, kind: type, **values: Any) -> Any:
        """Returns the hook's result: None, or one of that kind. Raises PluginFault for anything else, or when it is late."""
        if "setup" in each.arguments:
            values["setup"] = self._setup_of(each.plugin)
        given = {name: values[name] for name in each.arguments}
        started = time.monotonic()
        own = self._host.info(each.plugin).seconds
        seconds = float(getattr(self._host.plugin(each.plugin), "agentic_hook_seconds", own))
        too_long = f"took longer than {seconds:g} s"
        try:
            async with asyncio.timeout(seconds) as limit:
                if inspect.iscoroutinefunction(each.function):
                    result = await each.function(**given)
                else:
                    result = await on_daemon_thread(lambda: each.function(**given))
                    result = await result if isinstance(result, Awaitable) else result
        except FAULTS as error:
            late = limit.expired()
            raise self._fault(each, too_long if late else f"failed: {describe(error)}", None if late else error) from error
        if time.monotonic() - started > seconds:  # one that blocked the loop could not be stopped
            raise self._fault(each, too_long)
        if result is not None and not conforms(result, kind):
            raise self._fault(each, f"returned {result!r:.80}, which is no {kind.__name__}")
        return result

    def _fault(self, each: Implementation, what: str, error: BaseException | None = None) -> PluginFault:
        return PluginFault(self._host.owner(each.plugin), each.plugin, f"{each.function.__name__} {what}", error)

    def _is_off(self, each: Implementation) -> bool:
        return self._faults[each.plugin, each.function.__name__] >= MAX_FAULTS

    def _count(self, each: Implementation) -> str:
        """Counts a fault of the hook; what becomes of it."""
        self._faults[each.plugin, each.function.__name__] += 1
        return "it is not called again in this run" if self._is_off(each) else ""


def _reading(tool: ToolSpec, arguments: Mapping[str, Any], read: Callable[[str], CommandReading]) -> CommandReading | None:
    """The reading of the command that a call would run; None where the tool runs none."""
    if not tool.runs:
        return None
    command = arguments.get(tool.runs)
    return read(command) if isinstance(command, str) else CommandReading(unclear="it is no command")
