"""The doors. Each file holds one concern: the hook specification and the Protocol of what it offers.

Provider hooks are sync, called once at start, and return named records; event hooks (`events.py`) are async.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TextIO, TypeVar

import pluggy

if TYPE_CHECKING:
    from agentic.events import Event
    from agentic.hooks.tools import Delegate, Memory
    from agentic.hooks.transport import Transport

PROJECT = "agentic"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a factory may use.

    `settings` maps dotted keys ("llm.endpoints") to resolved values; `options` is the plugin's own `[plugin.NAME]` table,
    an instance of `Provider.options` where that is set, else a plain dict. `transport` is set for batchers only,
    `stdout` (the real one; `sys.stdout` is redirected while plugins run) for renderers, `memory` and `delegate` for tools.
    """

    settings: Mapping[str, Any]
    emit: "Callable[[Event], Awaitable[None]]"
    options: Any = None
    transport: "Transport | None" = None
    stdout: TextIO | None = None
    memory: "Memory | None" = None
    delegate: "Delegate | None" = None


@dataclass(frozen=True, slots=True)
class Provider(Generic[T]):
    """A named implementation. `factory` runs only when `name` is selected; `options` is a pydantic model for `[plugin.NAME]`.

    `automatic` is a transport's place in what `llm.transport = "auto"` tries, 0 for never.
    """

    name: str
    summary: str
    factory: Callable[[Setup], T]
    options: Any = None
    automatic: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command `agentic NAME`; `target` is "module:attribute" of a click command, imported when it is called."""

    name: str
    summary: str
    target: str
