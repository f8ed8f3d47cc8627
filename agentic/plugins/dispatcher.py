"""Events to plugins: one at a time, each under a timeout, with the plugin's name on whatever goes wrong.

pluggy has no async (a coroutine would land in the result list un-awaited), so this is our own.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agentic.events import Event, Warned
from agentic.hooks.events import Verdict
from agentic.hooks.screen import Renderer
from agentic.plugins.host import Host
from agentic.plugins.isolation import describe
from agentic.threads import on_daemon_thread
from agentic.types import ChatRequest, ToolCall

HOOK_SECONDS = 5.0
MAX_FAULTS = 3
_STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}


class Dispatcher:
    """Passes what happens to the renderer, the journal (all but chunks) and the plugins."""

    def __init__(self, host: Host, renderer: Renderer, run: str) -> None:
        self._host = host
        self._renderer = renderer
        self._run = run
        self._faults: dict[str, int] = {}
        self.journal: Callable[[Event], None] = lambda event: None
        observers = host.implementations("agentic_on_event")
        self._observers = [(name, function, arguments) for name, function, arguments in observers]
        self._chunk_observers = [o for o in self._observers if getattr(host.plugin(o[0]), "agentic_wants_chunks", False)]

    async def emit(self, event: Event) -> None:
        """To the renderer at once, then to the observers. Chunks, the hot path, go to no observer that did not ask."""
        event.run = event.run or self._run
        event.time = event.time or time.time()
        self._renderer.handle(event)
        if not event.passing:
            self.journal(event)
        for name, function, arguments in self._chunk_observers if event.passing else self._observers:
            try:
                await self._call(name, function, arguments, event=event)
            except HookFault as fault:
                self._warn(fault)

    def show(self, event: Event) -> None:
        """To the renderer alone."""
        self._renderer.handle(event)

    def _warn(self, fault: "HookFault") -> None:
        self._renderer.handle(Warned(message=str(fault), run=self._run))

    async def before_request(self, request: ChatRequest, stages: list[tuple[str, ChatRequest]] | None = None) -> ChatRequest:
        """The request as the plugins leave it. `stages` gets each plugin's name with what it made of it, where it changed it."""
        for name, function, arguments in self._host.implementations("agentic_before_request"):
            try:
                changed = await self._call(name, function, arguments, request=request)
            except HookFault as fault:
                self._warn(fault)
                continue
            if isinstance(changed, ChatRequest) and changed is not request:
                request = changed
                if stages is not None:
                    stages.append((name, request))
        return request

    async def before_tool(self, call: ToolCall) -> Verdict:
        """The strictest verdict; a gate that fails denies, however often it did."""
        strictest = Verdict("allow")
        for name, function, arguments in self._host.implementations("agentic_before_tool"):
            try:
                verdict = await self._call(name, function, arguments, gate=True, call=call)
            except HookFault as fault:
                verdict = Verdict("deny", str(fault))
            if isinstance(verdict, Verdict) and _STRICTNESS[verdict.decision] > _STRICTNESS[strictest.decision]:
                strictest = Verdict(verdict.decision, verdict.reason or f"plugin {name}")
        return strictest

    async def _call(
        self, name: str, function: Callable[..., Any], arguments: tuple[str, ...], gate: bool = False, **values: Any
    ) -> Any:
        if not gate and self._faults.get(name, 0) >= MAX_FAULTS:
            return None
        given = {argument: values[argument] for argument in arguments if argument in values}
        try:
            async with asyncio.timeout(HOOK_SECONDS):
                if inspect.iscoroutinefunction(function):
                    return await function(**given)
                result = await on_daemon_thread(lambda: function(**given))
                return await result if isinstance(result, Awaitable) else result
        except TimeoutError:
            reason = f"took longer than {HOOK_SECONDS:g} s"
        except (Exception, SystemExit) as error:
            reason = describe(error)
        self._faults[name] = self._faults.get(name, 0) + 1
        last = "; it is not called again in this run" if not gate and self._faults[name] == MAX_FAULTS else ""
        raise HookFault(f"plugin {name} (of {self._host.distribution(name)}): {reason}{last}")


class HookFault(Exception):
    """A hook failed; the text names the plugin."""
