"""The hooks. Each file holds one concern: the hook specification and the Protocol of what it offers.

Provider hooks are sync, called once, and return named records; event hooks (`events.py`) are called while a run goes on.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pluggy

from agentic.lib.record import record

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from agentic.config import Settings
    from agentic.events import Event
    from agentic.hooks.trust import RunnableFinder
    from agentic.sessions import Session

PROJECT = "agentic"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T = TypeVar("T")


@record(frozen=True, slots=True, kw_only=True)
class Setup:
    """The setup that a plugin's code may use. Some hooks add to it: their `Setup` has a name of its own.

    `settings` are the host's, a frozen object per section (`setup.settings.llm.endpoints`). `root` is the folder that the run works
    in. `emit` shows an event. `provider(name)` makes another provider of the same hook, for one that wraps it; of the own name, the
    one that is replaced. `prompt(name, **words)` is the text of a template, as the user wants it, with the words put in.
    `hooks` are those that the plugin added. `run` is the run's id, as its events have it; "" outside one.
    """

    settings: "Settings"
    root: Path
    emit: "Callable[[Event], Awaitable[None]]"
    provider: Callable[[str], Any]
    prompt: Callable[..., str]
    section: str = ""
    hooks: "Hooks | None" = None
    run: str = ""

    @property
    def folder(self) -> Path:
        """A folder of the plugin's own in the user's state folder, where it may keep what it likes."""
        from agentic.folders import state_folder
        from agentic.lib.files import make_own

        folder = state_folder() / "plugins" / self.section.removeprefix("plugin.")
        make_own(folder)
        return folder

    @property
    def options(self) -> Any:
        """The plugin's own section: an instance of what its `PluginInfo` names, else a plain dict. Raises ConfigError."""
        return self.settings.section(self.section)


@record(frozen=True, slots=True)
class Provider(Generic[T]):
    """A named implementation. `factory(setup)` runs on the event loop's thread, only when `name` is selected.

    One provider of a hook is the `default`, selected where the settings name none; one that `stands_in` takes over where the
    selected one cannot be made or fails. `replaces` is the plugin whose provider of the same name this one takes the place of.
    `automatic` is its place among those that a `Chooser` tries, as `llm.transport = "auto"` does; 0 for never.
    """

    name: str
    summary: str
    factory: Callable[[Any], T]
    default: bool = False
    stands_in: bool = False
    replaces: str = ""
    automatic: int = 0


@record(frozen=True, slots=True)
class Hook:
    """A provider hook: what an implementation of it yields, records that have a `name`.

    `protocol` is what a `Provider`'s factory has to make, `optional` what the product may be able to do besides. `selected_by` is
    the setting that names one provider, "" where all are used; `names` a pattern for the records' names. `guards`: no project may
    switch off a plugin that has it. `spec` is the function that declares the hook, marked with `hookspec`: a plugin's own has one.
    `through` is the hook that such records come through, where it takes several kinds; they are told apart by their class.
    """

    record: type
    protocol: type | None = None
    optional: tuple[type, ...] = ()
    selected_by: str = ""
    names: str = r"\S+"
    guards: bool = False
    spec: Callable[..., Any] | None = None
    through: str = ""


class Hooks(Protocol):
    """The hooks that a plugin added (`agentic_add_hooks`), and what other plugins offer through them."""

    def offers(self, hook: str) -> Mapping[str, Any]:
        """Returns the records by name. Raises PluginError for a name that two plugins offer."""
        ...

    def build(self, hook: str, name: str, kind: "type[Setup]" = ..., **more: Any) -> Any:
        """Returns what that provider's factory makes from a `kind` of setup, with what that has besides. Raises AgenticError."""
        ...

    def owner(self, hook: str, name: str) -> str:
        """Names the plugin that offers it, as messages do."""
        ...


@record(frozen=True, slots=True)
class Options:
    """A plugin's own settings. `model` is an `agentic.Section` or a pydantic model, or "module:Class" of one, imported when needed.

    `section` is where they stand in the configuration, "" for `plugin.NAME`.
    """

    model: str | type
    section: str = ""


@record(frozen=True, slots=True)
class PluginInfo:
    """A plugin's word about itself. `options` are its own settings.

    `runnables` find what a folder would run. Its event hooks may take `seconds`. Where it `wants_chunks` (or that function of the
    `Setup` says so), its observer gets each piece of an answer. `session(setup)` is an async context manager around each session.
    `before` is "module:function" of what asks the user before any run, answer or chat begins in a terminal:
    `function(root, settings, has_tools) -> Settings`. `flags` are options of run, chat and ask: "KEY HELP" sets a key of the
    plugin's own, "module:function HELP" calls that before anything else, "module:function=NAME HELP" with the value NAME.
    """

    options: Options | None = None
    runnables: "Sequence[RunnableFinder]" = ()
    seconds: float = 5.0
    wants_chunks: bool | Callable[[Setup], bool] = False
    session: "Callable[[SessionSetup], AbstractAsyncContextManager[Any]] | None" = None
    before: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)


@record(frozen=True, slots=True, kw_only=True)
class SessionSetup(Setup):
    """`session` is the one that begins. `state()` is what the plugin kept in it, `keep(state)` replaces that: JSON."""

    session: "Session"

    def state(self) -> Any:
        """Returns what was kept, None at first."""
        import json

        kept = self.session.metadata(f"plugin:{self.section}")
        return json.loads(kept) if kept else None

    def keep(self, state: Any) -> None:
        """Keeps a state with the session, for whoever goes on with it."""
        import json

        self.session.set_metadata(f"plugin:{self.section}", json.dumps(state))


@hookspec
def agentic_plugin() -> PluginInfo:
    """Describes the plugin: its settings, what of a folder it would run, the time that its hooks take."""
    raise NotImplementedError


@hookspec
def agentic_add_hooks() -> Iterable[Hook]:
    """Declares hooks that this plugin fires itself, through `setup.hooks`."""
    raise NotImplementedError
