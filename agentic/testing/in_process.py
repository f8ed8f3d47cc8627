"""A plugin tried in this process: a host that has loaded it, a setup for its factories, a model that says what it is told."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic.config import Settings
from agentic.config.layers import Layer
from agentic.config.options import PluginSection
from agentic.errors import ConfigError, ModelOutputError, ToolError
from agentic.events import Event
from agentic.hooks import Setup
from agentic.lib.calls import Grant
from agentic.lib.children import Child, Children
from agentic.lib.children.jobs import Jobs
from agentic.plugins import Host
from agentic.plugins.prompts import Prompts
from agentic.types import Message, Outcome, Plan, ToolSpec


def host_with(plugin: Any, name: str = "mine", disabled: Sequence[str] = ()) -> Host:
    """A host with the installed plugins and this one, a module or any object with hooks. Raises PluginError where it is broken."""
    host = Host(tuple(disabled))
    host.add(plugin, name)
    return host


def settings_with(values: Mapping[str, Any] | None = None, sections: Mapping[str, str] | None = None) -> Settings:
    """The defaults with some values by dotted key. `sections` maps a plugin's section to its model, "module:Class"."""
    models = {name: PluginSection(name, model) for name, model in (sections or {}).items()}
    return Settings([Layer("test", values or {})]).with_plugins(models, ())


def make_setup(
    kind: type[Setup] = Setup, root: Path = Path(), settings: Settings | None = None, section: str = "", **more: Any
) -> Any:
    """A `Setup`, or what a hook makes of it: `make_setup(ToolSetup)`. Events go to nobody unless `emit` is given."""

    async def nobody(event: Event) -> None:
        """Nobody listens."""

    def no_provider(name: str) -> Any:
        raise ConfigError(f"there is no provider {name!r} in this test: make_setup(provider=...)")

    given = {
        "emit": nobody,
        "provider": no_provider,
        "prompt": _own_texts,
        **(_TOOL_DEFAULTS | {"jobs": Jobs()} if "memory" in kind.__dataclass_fields__ else {}),
        **more,
    }
    return kind(settings=settings or settings_with(), root=root, section=section, **given)


def _own_texts(name: str, **words: str) -> str:
    """The text of a template, as the installed plugins offer it."""
    return Prompts(Host(), {})(name, **words)


class ScriptedLlm:
    """An `agentic.Llm` that gives these answers in order; `asked` are the prompts it got. Raises ModelOutputError at their end."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[list[Message]] = []

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        self.asked.append(list(messages))
        if not self._answers:
            raise ModelOutputError("the script of this test is over")
        return self._answers.pop(0)

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        return [await self.complete(messages, schema, max_tokens) for messages in prompts]


class EmptyMemory:
    """A session's memory with nothing in it but what is shared."""

    def __init__(self) -> None:
        self.shared: dict[str, str] = {}

    def share(self, key: str, value: str, by: str) -> None:
        self.shared[key] = value

    def recall(self, name: str) -> str | None:
        return None


async def _no_sub_agents(plan: Plan) -> Outcome:
    raise ToolError("there are no sub-agents in this test")


async def _no_late_tools(words: str) -> list[ToolSpec]:
    return []


async def _nobody_to_ask(question: str, choices: Sequence[str]) -> str:
    raise ToolError("nobody can be asked in this test")


class _Alone(Child):
    """A command without a sandbox; its keeper ends with it."""

    async def wait(self) -> int:
        code = await super().wait()
        await self._children.aclose()
        return code


async def _start(argv: Sequence[str], folder: Path, output: int, grant: Grant | None = None) -> Child:
    child = await Children().start(argv, folder, os.environ, output)
    child.__class__ = _Alone
    return child


_TOOL_DEFAULTS: dict[str, Any] = {
    "memory": EmptyMemory(),
    "delegate": _no_sub_agents,
    "start": _start,
    "late_about": "",
    "sees": ScriptedLlm(),
    "late_tools": _no_late_tools,
    "ask": _nobody_to_ask,
}
