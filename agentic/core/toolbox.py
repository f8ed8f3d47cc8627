"""The tools of a run: those that stand in the prompt, and those that come and go while it runs."""

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from typing import cast

from agentic.errors import AgenticError
from agentic.hooks.tools import Announces, Tool, ToolSource
from agentic.lib.families import Family
from agentic.lib.guard import Guard, problem_with, problem_with_spec
from agentic.plugins.dispatcher import Dispatcher
from agentic.types import ToolSpec

FIND_SECONDS = 20.0  # for sources that are still opening, when tools are looked for
CLOSE_SECONDS = 3.0
MAX_FOUND = 8


def about_of(name: str, source: ToolSource) -> str:
    """Returns what a source announces tools for: its provider's name where it does not say, "" where it has none."""
    return source.about if isinstance(source, Announces) else name


class Toolbox:
    """`listed` tools are told to the model, the same all session long; `all` are those and the ones that another model is told.

    Late ones are found by words, and called by name.
    """

    def __init__(self, events: Dispatcher) -> None:
        self._events = events
        self._sources: Mapping[str, ToolSource] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._refused: set[str] = set()
        self.about = ""
        self.all: dict[str, Tool] = {}
        self.listed: dict[str, Tool] = {}

    def open(self, tools: Mapping[str, Tool], sources: Mapping[str, ToolSource], about: str = "") -> None:
        """Begins to open the sources, in the background; `about` is what all of them are about."""
        self.all, self._sources, self.about = dict(tools), sources, about
        self._opening = {asyncio.ensure_future(self._open(name, source)) for name, source in sources.items()}

    async def _open(self, name: str, source: ToolSource) -> None:
        try:
            await source.open()
        except AgenticError as error:
            self._events.complain(error, f"the tool source {name} could not be opened")

    def list_for(self, family: Family, named: Collection[str], has_room: bool = True) -> None:
        """Settles which tools the model is told: those that the user `named`, else what its family knows and has room."""

        def is_listed(tool: Tool) -> bool:
            name = tool.spec.name
            if tool.spec.roomy and not has_room:
                return name in named
            return name in named or (name in family.tools if tool.spec.opt_in else name not in family.instead_of)

        self.listed = {name: tool for name, tool in self.all.items() if is_listed(tool)}

    async def aclose(self) -> None:
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for name, source in self._sources.items():
            try:
                await asyncio.wait_for(source.close(), CLOSE_SECONDS)
            except AgenticError as error:
                self._events.complain(error, f"the tool source {name} could not be closed")
            except TimeoutError:
                self._events.warn(f"the tool source {name} took longer than {CLOSE_SECONDS:g} s to close")

    async def get(self, name: str) -> Tool | None:
        """The tool of that name, whether or not the model was told of it; sources that still open are waited for."""
        if name not in self.all and name not in self._late():
            await self._opened()
        return self.all.get(name) or self._late().get(name)

    async def _opened(self) -> None:
        if self._opening:
            await asyncio.wait(self._opening, timeout=FIND_SECONDS)

    def that(self, capability: str) -> Tool | None:
        """The listed tool whose spec declares a capability, such as "runs"."""
        return next((tool for tool in self.listed.values() if getattr(tool.spec, capability)), None)

    async def find(self, words: str) -> list[ToolSpec]:
        """Late tools whose name or description has one of the words, the most of them first; all for "", as far as they are few."""
        await self._opened()
        wanted = set(re.findall(r"\w+", words.lower()))

        def score(spec: ToolSpec) -> int:
            text = f"{spec.name} {spec.description}".lower()
            return sum(word in text for word in wanted) + 100 * (spec.name.lower() in words.lower())

        specs = sorted((tool.spec for tool in self._late().values()), key=lambda spec: (-score(spec), spec.name))
        return [spec for spec in specs if not wanted or score(spec)][:MAX_FOUND]

    def _late(self) -> dict[str, Tool]:
        """Returns the tools that the sources have now, without those in `all`. What is no tool is left out, with one warning."""
        found: dict[str, Tool] = {}
        for name, source in self._sources.items():
            for tool in self._tools_of(name, source):
                found.setdefault(tool.spec.name, tool)
        return {name: tool for name, tool in found.items() if name not in self.all}

    def _tools_of(self, name: str, source: ToolSource) -> Iterable[Tool]:
        try:
            tools = source.tools()
        except AgenticError as error:
            self._complain(name, str(error))
            return
        for tool in tools:
            problem = problem_with(tool, Tool) or problem_with_spec(tool.spec, tool.spec.name)
            if problem:
                self._complain(f"{name}: {tool!r:.60}", problem)
            else:
                yield cast(Guard, source).guard_another(tool, Tool)

    def _complain(self, what: str, problem: str) -> None:
        if what not in self._refused:
            self._refused.add(what)
            self._events.warn(f"the tool source {what} is of no use: {problem}")
