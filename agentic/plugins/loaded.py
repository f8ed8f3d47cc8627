"""The plugins of a process: found, imported when they are used, checked; and what is known of each."""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from types import ModuleType
from typing import Any

import pluggy

from agentic import index
from agentic.errors import PluginError
from agentic.extras import DISTRIBUTION
from agentic.hooks import PROJECT, Hook, Options, PluginInfo
from agentic.hooks.old import NEW
from agentic.lib.guard import FAULTS
from agentic.lib.isolation import CallFailure, call_isolated, describe
from agentic.lib.record import record
from agentic.plugins.discovery import OWN_FOLDER, Candidate, candidate_here, discover
from agentic.plugins.doors import HookTable, is_known, specification
from agentic.plugins.status import PluginStatus


class _Manager(pluggy.PluginManager):
    """Looks at the marked functions of a module alone: at each of its other names pluggy looks slowly."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if isinstance(plugin, ModuleType) and not hasattr(vars(plugin).get(name), f"{PROJECT}_impl"):
            return None
        return super().parse_hookimpl_opts(plugin, name)


others: set[str] = set()
"""The plugins of others that were imported in this process, by name."""
_ATTRIBUTES = (f"{PROJECT}_hook_seconds", f"{PROJECT}_wants_chunks")  # a plugin's, beside its hooks


@record(frozen=True, slots=True)
class Implementation:
    """An event hook of a plugin's: the function and the names of the arguments that it wants."""

    plugin: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]


@record(slots=True)
class Loaded:
    """The plugins that were found. `statuses` lists every one, the broken and the disabled too.

    What a project alone `disabled_by_project` stays loaded where it guards the user. `report` is told of faults as they happen.
    One that `recalls` takes from the index what each plugin is, and imports it when it is used.
    """

    disabled: Collection[str] = ()
    disabled_by_project: Collection[str] = ()
    statuses: list[PluginStatus] = field(default_factory=list)
    report: Callable[[str], None] | None = None
    recalls: bool = False
    hooks: HookTable = field(default_factory=HookTable)
    added_by: dict[str, str] = field(default_factory=dict)
    _untold: list[str] = field(default_factory=list)
    manager: pluggy.PluginManager = field(default_factory=lambda: _Manager(PROJECT))
    _by_name: dict[str, PluginStatus] = field(default_factory=dict)
    _waiting: dict[str, Candidate] = field(default_factory=dict)
    _about: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        candidates = list(discover(set(self.disabled) - set(self.disabled_by_project)))
        if self.recalls and self._recall(candidates):
            return
        self._take(candidates)
        if self.recalls:
            self.remember()

    def add(self, plugin: Any, name: str) -> None:
        """Registers an object of this process as a plugin. Raises PluginError where it is broken."""
        candidate = candidate_here(plugin, name)
        self._take([candidate])
        self.changed()
        if candidate.status.state != "loaded":
            raise PluginError(f"{self.owner(name)} is {candidate.status.state}: {candidate.status.error}")

    def _recall(self, candidates: Sequence[Candidate]) -> bool:
        """Takes from the index what each plugin is, and imports none before it is used; False where all have to be asked."""
        rows = index.plugins()
        if rows is None or [each.status.name for each in candidates if each.status.state == "loaded"] != [row[0] for row in rows]:
            return False
        known = {name: (hooks.split(), about) for name, hooks, about in rows}
        for each in candidates:
            self.statuses.append(each.status)
            if each.status.state == "loaded":
                self._by_name[each.status.name] = each.status
                self._waiting[each.status.name] = each
                each.status.hooks, self._about[each.status.name] = known[each.status.name]
                self._respect_project(each.status)
        return True

    def remember(self) -> None:
        """Keeps in the index what each plugin is, where all of them can be used."""

    def _take(self, candidates: Sequence[Candidate]) -> None:
        """Loads plugins; what a hook of theirs is stands only when all of them have added their own."""
        for each in candidates:
            self.statuses.append(each.status)
            if each.status.state == "loaded":
                self._by_name[each.status.name] = each.status
                self._load(each)
        self._settle([each.status.name for each in candidates if each.status.state == "loaded"])

    def _wake(self, is_wanted: Callable[[str], bool]) -> None:
        """Imports the plugins that wait and are wanted now."""
        woken = [name for name in self._waiting if is_wanted(name)]
        for name in woken:
            self._load(self._waiting.pop(name))
        self._settle([name for name in woken if self._by_name[name].state == "loaded"])

    def _settle(self, names: Sequence[str]) -> None:
        for adder in self._implementations("agentic_add_hooks"):
            if adder.plugin in names:
                self._add_hooks(adder)
        for name in names:
            self._check(self._by_name[name])

    def _load(self, candidate: Candidate) -> None:
        status = candidate.status
        started = time.perf_counter()
        try:
            others.update([] if candidate.builtin else [status.name])
            plugin = candidate.load() if candidate.builtin else call_isolated(candidate.load)
            self.manager.register(plugin, status.name)
        except (CallFailure, *FAULTS) as error:
            self.fail(status.name, describe(error))
        status.load_ms = round((time.perf_counter() - started) * 1000, 1)

    def _add_hooks(self, adder: Implementation) -> None:
        """Declares the hooks that a plugin fires itself; a name that is taken breaks it."""
        try:
            for hook in self._called(adder):
                self._add_hook(hook, adder.plugin)
        except CallFailure as failure:
            self.fail(adder.plugin, f"agentic_add_hooks: {failure}")

    def _add_hook(self, hook: Any, plugin: str) -> None:
        name = getattr(getattr(hook, "spec", None), "__name__", "")
        if not isinstance(hook, Hook) or not name.startswith(f"{PROJECT}_"):
            raise CallFailure(f"gave {hook!r:.80}, which is no Hook with a spec whose name begins with {PROJECT}_")
        if is_known(name) or name in self.hooks:
            raise CallFailure(f"the hook {name} is somebody else's")
        self.manager.add_hookspecs(type(name, (), {name: hook.spec}))
        self.hooks.add(name, hook)
        self.added_by[name] = plugin

    def _check(self, status: PluginStatus) -> None:
        if status.state != "loaded":
            return
        plugin = self.manager.get_plugin(status.name)
        try:
            self._refuse_unknown(plugin, status.name)
            self._refuse_ordering(status.name)
            self._refuse_unmarked(plugin, status.name)
        except (CallFailure, pluggy.PluginValidationError) as error:
            self.fail(status.name, describe(error))
            return
        status.hooks = sorted(caller.name for caller in self.manager.get_hookcallers(plugin) or [])
        if old := [name for name in status.hooks if name in NEW]:
            moved = ", ".join(f"{name} is part of {NEW[name]} now" for name in old)
            status.note = f"{moved}; the old name goes with the next minor version"
        self._respect_project(status)

    def _refuse_unknown(self, plugin: Any, name: str) -> None:
        """Ours are tested; another's hooks have to be hooks, and to take what those give."""
        for caller in self.manager.get_hookcallers(plugin) or []:
            if caller.has_spec():
                continue
            if is_known(caller.name):
                if not self._is_builtin(name):
                    self.manager.add_hookspecs(type(caller.name, (), {caller.name: specification(caller.name)}))
            elif any(each.plugin_name == name and not each.optionalhook for each in caller.get_hookimpls()):
                raise CallFailure(f"unknown hook {caller.name!r} in plugin {plugin!r}, or one of a plugin that is switched off")

    def _refuse_ordering(self, name: str) -> None:
        """Wrappers and an order of one's own are pluggy's, not ours: nothing would come of them."""
        for caller in self.manager.get_hookcallers(self.manager.get_plugin(name)) or []:
            for implementation in caller.get_hookimpls():
                options = ("wrapper", "hookwrapper", "tryfirst", "trylast")
                if implementation.plugin_name == name and (used := [each for each in options if getattr(implementation, each)]):
                    raise CallFailure(f"{caller.name}: hookimpl({used[0]}=True) has no effect here: plugins are called by name")

    def _refuse_unmarked(self, plugin: Any, name: str) -> None:
        """A hook that lacks its mark is never called, and may be there to guard; so may a plugin that has none."""
        marked = {caller.name for caller in self.manager.get_hookcallers(plugin) or []}
        if not marked:
            raise CallFailure("it has no hook: does @hookimpl stand before each?")
        for hook in [each for each in dir(plugin) if each.startswith(f"{PROJECT}_") and each not in (*marked, *_ATTRIBUTES)]:
            value = getattr(plugin, hook)
            is_theirs = getattr(value, "__module__", "") == getattr(plugin, "__name__", None)
            if (callable(value) and is_theirs) or hook in vars(self.manager.hook) or is_known(hook):
                raise CallFailure(f"{hook} of {name} lacks its @hookimpl")

    def _respect_project(self, status: PluginStatus) -> None:
        if not {status.name, status.distribution} & set(self.disabled_by_project):
            return
        if set(status.hooks) & self.hooks.guarding():
            status.note = "the project would switch it off, but it guards you: only your own settings can"
        else:
            status.state, status.error = "disabled", "switched off by the project's plugins.disabled"
            self._waiting.pop(status.name, None)
            if self.manager.has_plugin(status.name):
                self.manager.unregister(name=status.name)

    def fail(self, name: str, error: str) -> None:
        """Marks a plugin broken; none of its hooks is called again."""
        status = self._by_name[name]
        status.state, status.error = "broken", error
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        if self.report is not None:  # else it is among the notices
            self.report(f"{self.owner(name)} is broken: {error}; {remedy_of(status)}")

    def _tell(self, message: str) -> None:
        (self.report or self._untold.append)(message)

    def notices(self) -> list[str]:
        """Returns the messages about the plugins that a user has to see before anything begins."""
        bad = [status for status in self.statuses if status.state not in ("loaded", "disabled")]
        untold, self._untold = self._untold, []
        told = [f"{display_name(status)} is {status.state}: {status.error}; {remedy_of(status)}" for status in bad]
        return untold + told + [f"{display_name(status)}: {status.note}" for status in self.statuses if status.note]

    def changed(self) -> None:
        """There is another plugin: what was asked of all is asked anew."""

    def plugin(self, name: str) -> Any:
        """The registered plugin object."""
        self._wake(lambda each: each == name)
        return self.manager.get_plugin(name)

    def sources(self) -> list[str]:
        """The files of the plugins' code, as far as it is imported, or was when the index was made."""
        roots = {str(getattr(self.manager.get_plugin(name), "__name__", "")) for name in self._by_name}
        modules = [
            module for name, module in sorted(sys.modules.items()) if any(f"{name}.".startswith(f"{root}.") for root in roots)
        ]
        found = [str(module.__file__) for module in modules if getattr(module, "__file__", None)]
        return [*dict.fromkeys((*index.sources(), *found))] if self._about else found

    def owner(self, plugin: str) -> str:
        """A plugin as messages name it."""
        return display_name(self._by_name[plugin])

    def distribution(self, plugin: str) -> str:
        """The distribution that brought a plugin."""
        return self._by_name[plugin].distribution

    def is_users_own(self, plugin: str) -> bool:
        """True if it is a file in the user's own folder."""
        return self.distribution(plugin) == OWN_FOLDER

    def implementations(self, hook: str) -> list[Implementation]:
        """Each implementation in the order of loading: builtins first, then by name."""
        self._wake(lambda name: hook in self._by_name[name].hooks)
        return self._implementations(hook)

    def _implementations(self, hook: str) -> list[Implementation]:
        if not hasattr(self.manager.hook, hook):
            return []
        order = {status.name: place for place, status in enumerate(self.statuses)}
        found = sorted(getattr(self.manager.hook, hook).get_hookimpls(), key=lambda each: order[each.plugin_name])
        return [Implementation(each.plugin_name, each.function, (*each.argnames, *each.kwargnames)) for each in found]

    def _called(self, each: Implementation) -> Any:
        """Calls a sync hook and returns its result, iterables as a list. Raises CallFailure."""

        def call() -> Any:
            given = each.function()
            if given is None or hasattr(given, "__await__") or hasattr(given, "__anext__"):
                raise TypeError(f"gave {given!r:.80}; it has to be a plain function that gives records")
            return [given] if isinstance(given, Options | PluginInfo) else list(given)

        try:
            return call() if self._is_builtin(each.plugin) else call_isolated(call)
        except TypeError as error:
            raise CallFailure(describe(error)) from error

    def _is_builtin(self, plugin: str) -> bool:
        return self.distribution(plugin) == DISTRIBUTION


def display_name(status: PluginStatus) -> str:
    return f"plugin {status.name} (of {status.distribution})"


def remedy_of(status: PluginStatus) -> str:
    return f"mend it, or switch it off: -c plugins.disabled={status.name}"
