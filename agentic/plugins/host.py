"""The plugin host: loads what discovery found, and is the one place that speaks to pluggy."""

import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from agentic.config.options import PluginSection
from agentic.config.schema import PLUGIN_PREFIX, SECTIONS
from agentic.errors import AgenticError, ConfigError, PluginError
from agentic.extras import DISTRIBUTION
from agentic.hooks import PROJECT, Hook, Options, Setup
from agentic.lib.record import record
from agentic.plugins.discovery import OWN_FOLDER, Candidate, candidate_here, discover
from agentic.plugins.doors import DOORS, guarding, specifications
from agentic.plugins.guard import FAULTS, Guard, PluginFault, conforms, contract_of, problem_with, problem_with_spec
from agentic.plugins.isolation import CallFailure, call_isolated, call_limited, describe
from agentic.plugins.requirements import name_of, unmet
from agentic.plugins.status import PluginStatus

MakeSetup = Callable[[str, Callable[[str], Any]], Setup]
"""A plugin's setup, from its name and what its `Setup.provider` is to be."""


class _Manager(pluggy.PluginManager):
    """Looks at the marked functions of a module alone: at each of its other names pluggy looks slowly."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if isinstance(plugin, ModuleType) and not hasattr(vars(plugin).get(name), f"{PROJECT}_impl"):
            return None
        return super().parse_hookimpl_opts(plugin, name)


_ATTRIBUTES = (f"{PROJECT}_hook_seconds", f"{PROJECT}_wants_chunks")  # a plugin's, beside its hooks


@record(slots=True)
class Offer:
    """A record of a plugin's; `replaced` is the offer of the same name whose place it takes."""

    plugin: str
    record: Any
    replaced: "Offer | None" = None


@record(frozen=True, slots=True)
class Implementation:
    """An event hook of a plugin's: the function and the names of the arguments that it wants."""

    plugin: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]


@record(slots=True)
class Host:
    """Plugins, loaded once. `statuses` lists every plugin found, the broken and the disabled too.

    What a project alone `disabled_by_project` stays loaded where it guards the user. `report` is told of faults as they happen.
    """

    disabled: Collection[str] = ()
    disabled_by_project: Collection[str] = ()
    statuses: list[PluginStatus] = field(default_factory=list)
    report: Callable[[str], None] | None = None
    hooks: dict[str, Hook] = field(default_factory=lambda: dict(DOORS))
    added_by: dict[str, str] = field(default_factory=dict)
    _untold: list[str] = field(default_factory=list)
    manager: pluggy.PluginManager = field(default_factory=lambda: _Manager(PROJECT))
    _by_name: dict[str, PluginStatus] = field(default_factory=dict)
    _offers: dict[str, dict[str, Offer]] = field(default_factory=dict)
    _sections: dict[str, PluginSection] | None = None

    def __post_init__(self) -> None:
        for module in specifications():
            self.manager.add_hookspecs(module)
        self._take(list(discover(set(self.disabled) - set(self.disabled_by_project))))

    def add(self, plugin: Any, name: str) -> None:
        """Registers an object of this process as a plugin. Raises PluginError where it is broken."""
        candidate = candidate_here(plugin, name)
        self._take([candidate])
        self._offers.clear()
        self._sections = None
        if candidate.status.state != "loaded":
            raise PluginError(f"{self.owner(name)} is {candidate.status.state}: {candidate.status.error}")

    def _take(self, candidates: Sequence[Candidate]) -> None:
        """Loads plugins; what a hook of theirs is stands only when all of them have added their own."""
        for each in candidates:
            self.statuses.append(each.status)
            if each.status.state == "loaded":
                self._by_name[each.status.name] = each.status
                self._load(each)
        new = {each.status.name for each in candidates if each.status.state == "loaded"}
        for adder in self.implementations("agentic_add_hooks"):
            if adder.plugin in new:
                self._add_hooks(adder)
        for name in new:
            self._check(self._by_name[name])

    def _load(self, candidate: Candidate) -> None:
        status = candidate.status
        started = time.perf_counter()
        try:
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
        if name in self.hooks or getattr(getattr(self.manager.hook, name, None), "spec", None) is not None:
            raise CallFailure(f"the hook {name} is somebody else's")
        self.manager.add_hookspecs(type(name, (), {name: hook.spec}))
        self.hooks[name], self.added_by[name] = hook, plugin

    def _check(self, status: PluginStatus) -> None:
        if status.state != "loaded":
            return
        plugin = self.manager.get_plugin(status.name)
        try:
            self._refuse_unknown(plugin, status.name)
            self._refuse_ordering(status.name)
            self._refuse_unmarked(plugin, status.name)
        except CallFailure as error:
            self.fail(status.name, describe(error))
            return
        status.hooks = sorted(caller.name for caller in self.manager.get_hookcallers(plugin) or [])
        self._respect_project(status)

    def _refuse_unknown(self, plugin: Any, name: str) -> None:
        for caller in self.manager.get_hookcallers(plugin) or []:
            mine = [each for each in caller.get_hookimpls() if each.plugin_name == name]
            if not caller.has_spec() and any(not each.optionalhook for each in mine):
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
            if (callable(value) and is_theirs) or hook in vars(self.manager.hook):
                raise CallFailure(f"{hook} of {name} lacks its @hookimpl")

    def _respect_project(self, status: PluginStatus) -> None:
        if not {status.name, status.distribution} & set(self.disabled_by_project):
            return
        if set(status.hooks) & guarding(self.hooks):
            status.note = "the project would switch it off, but it guards you: only your own settings can"
        else:
            status.state, status.error = "disabled", "switched off by the project's plugins.disabled"
            self.manager.unregister(name=status.name)

    def fail(self, name: str, error: str) -> None:
        """Marks a plugin broken; none of its hooks is called again."""
        status = self._by_name[name]
        status.state, status.error = "broken", error
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        if self.report is not None:  # else it is among the notices
            self.report(f"{self.owner(name)} is broken: {error}; {_remedy(status)}")

    def _tell(self, message: str) -> None:
        (self.report or self._untold.append)(message)

    def notices(self) -> list[str]:
        """Returns the messages about the plugins that a user has to see before anything begins."""
        bad = [status for status in self.statuses if status.state not in ("loaded", "disabled")]
        untold, self._untold = self._untold, []
        told = [f"{_named(status)} is {status.state}: {status.error}; {_remedy(status)}" for status in bad]
        return untold + told + [f"{_named(status)}: {status.note}" for status in self.statuses if status.note]

    def plugin(self, name: str) -> Any:
        """The registered plugin object."""
        return self.manager.get_plugin(name)

    def sources(self) -> list[str]:
        """The files of the loaded plugins' code, as far as it is imported."""
        roots = {str(getattr(self.manager.get_plugin(name), "__name__", "")) for name in self._by_name}
        modules = [
            module for name, module in sorted(sys.modules.items()) if any(f"{name}.".startswith(f"{root}.") for root in roots)
        ]
        return [str(module.__file__) for module in modules if getattr(module, "__file__", None)]

    def owner(self, plugin: str) -> str:
        """A plugin as messages name it."""
        return _named(self._by_name[plugin])

    def distribution(self, plugin: str) -> str:
        """The distribution that brought a plugin."""
        return self._by_name[plugin].distribution

    def is_users_own(self, plugin: str) -> bool:
        """True if it is a file in the user's own folder."""
        return self.distribution(plugin) == OWN_FOLDER

    def implementations(self, hook: str) -> list[Implementation]:
        """Each implementation in the order of loading: builtins first, then by name."""
        if not hasattr(self.manager.hook, hook):
            return []
        order = {status.name: place for place, status in enumerate(self.statuses)}
        found = sorted(getattr(self.manager.hook, hook).get_hookimpls(), key=lambda each: order[each.plugin_name])
        return [Implementation(each.plugin_name, each.function, (*each.argnames, *each.kwargnames)) for each in found]

    def require(self, requirements: Sequence[str]) -> None:
        """Raises ConfigError for the first of `requirements` that is not installed, or whose plugins are not all loaded."""
        for text in requirements:
            if own := [status for status in self.statuses if (status.name, status.distribution) == (text, OWN_FOLDER)]:
                self._require_loaded(own)
                continue
            try:
                have = unmet(text)
            except ValueError as error:
                raise ConfigError(f"plugins.require: {text!r} is no requirement", 'write it like "agentic-foo>=1"') from error
            if have is not None:
                state = f"{have} is installed" if have else "it is not installed"
                raise ConfigError(f"plugins.require: this configuration needs {text}, and {state}", f"pip install '{text}'")
            distribution = name_of(text)
            self._require_loaded([status for status in self.statuses if name_of(status.distribution) == distribution])

    def require_guards(self) -> None:
        """Raises ConfigError for a plugin that is installed, is not switched off, may guard the user, and cannot be used.

        What is known of one that cannot be loaded is its name: it may hold a gate.
        """
        if all(status.distribution == DISTRIBUTION for status in self.statuses):
            return
        self.inspect()
        for status in self.statuses:
            unusable = status.state not in ("loaded", "disabled") and status.distribution != DISTRIBUTION
            if unusable and (not status.hooks or set(status.hooks) & guarding(self.hooks)):
                why = f"{_named(status)} is {status.state}, and may be there to guard you: {status.error}"
                raise ConfigError(why, _remedy(status))

    def _require_loaded(self, meant: Iterable[PluginStatus]) -> None:
        self.inspect()
        for status in meant:
            if status.state != "loaded":
                why = f"plugins.require: {_named(status)} is {status.state}: {status.error}"
                raise ConfigError(why, "mend it, or take it out of plugins.require")

    def inspect(self) -> list[str]:
        """Asks every plugin for everything, so that one that fails there is known; the conflicts that were found."""
        conflicts = []
        self.sections()
        for hook in self.hooks:
            try:
                self.offers(hook)
            except PluginError as error:
                conflicts.append(f"{error}\n  → {error.remedy}")
        return conflicts

    def sections(self) -> Mapping[str, PluginSection]:
        """The plugins' own sections of the configuration, by name."""
        if self._sections is None:
            self._sections = self._declared_sections()
        return self._sections

    def _declared_sections(self) -> dict[str, PluginSection]:
        found: dict[str, PluginSection] = {}
        for each in self.implementations("agentic_options"):
            try:
                options = self._called(each)
                if not isinstance(options, Options):
                    raise CallFailure(f"gave {options!r:.80}, which is no Options")
                section = options.section or PLUGIN_PREFIX + each.plugin
                if section in found or section in SECTIONS:
                    raise CallFailure(f"the section [{section}] is somebody else's")
            except CallFailure as failure:
                self.fail(each.plugin, f"agentic_options: {failure}")
                continue
            found[section] = PluginSection(section, options.model)
            self._by_name[each.plugin].section = section
        return found

    def section_of(self, plugin: str) -> str:
        """Returns the name of the section that holds a plugin's own settings."""
        self.sections()
        return self._by_name[plugin].section or PLUGIN_PREFIX + plugin

    def offers(self, hook: str) -> Mapping[str, Offer]:
        """Returns the offers of plugins through a provider hook, by name. Raises PluginError for a name offered twice."""
        if hook not in self._offers:
            self._offers[hook] = self._collect(hook)
        return self._offers[hook]

    def in_folder(self, hook: str, field: str, root: Path, report: Callable[[Offer, str], None]) -> Iterator[tuple[Offer, Any]]:
        """(offer, record) for each that the function in `field` of the hook's records finds in a folder.

        Of one that fails, or gives what is no such record, `report` is told.
        """
        for offer in self.offers(hook).values():
            find = getattr(offer.record, field)
            try:
                found = list(call_limited(partial(find, root))) if find is not None else []
            except (CallFailure, *FAULTS) as error:
                report(offer, describe(error))
                continue
            yield from ((offer, each) for each in found)

    def _collect(self, hook: str) -> dict[str, Offer]:
        door = self.hooks[hook]
        offers: dict[str, list[Offer]] = {}
        for each in self.implementations(hook):
            try:
                records = self._called(each)
                for record in records:
                    _require_valid(record, door)
            except CallFailure as failure:
                self.fail(each.plugin, f"{hook}: {failure}")
                continue
            for record in records:
                offers.setdefault(record.name, []).append(Offer(each.plugin, record))
        return {name: self._settled(hook, name, rivals) for name, rivals in offers.items()}

    def _called(self, each: Implementation) -> Any:
        """Calls a sync hook and returns its result, iterables as a list. Raises CallFailure."""

        def call() -> Any:
            given = each.function()
            if given is None or hasattr(given, "__await__") or hasattr(given, "__anext__"):
                raise TypeError(f"gave {given!r:.80}; it has to be a plain function that gives records")
            return given if isinstance(given, Options) else list(given)

        try:
            return call() if self._is_builtin(each.plugin) else call_isolated(call)
        except TypeError as error:
            raise CallFailure(describe(error)) from error

    def _settled(self, hook: str, name: str, rivals: list[Offer]) -> Offer:
        """The one offer of that name that counts: each of the others is one that another one replaces on purpose.

        A command of agentic's own cannot be replaced.
        """
        first, *others = rivals
        if not hasattr(first.record, "replaces") and (own := [each for each in rivals if self._is_builtin(each.plugin)]):
            first, *others = own
        for other in others:
            if getattr(other.record, "replaces", "") == first.plugin:
                other.replaced = first
                first = other
            elif first.plugin == other.plugin:
                raise PluginError(f"{hook}: {self.owner(first.plugin)} offers {name!r} twice", _remedy(self._by_name[first.plugin]))
            elif getattr(first.record, "replaces", "") == other.plugin and first.replaced is None:
                first.replaced = other
            else:
                raise PluginError(
                    f"{hook}: {name!r} is offered by {self.owner(first.plugin)} and {self.owner(other.plugin)}",
                    f"switch one off: -c plugins.disabled={other.plugin}, or in the file",
                )
        return first

    def _is_builtin(self, plugin: str) -> bool:
        return self.distribution(plugin) == DISTRIBUTION

    def default(self, hook: str) -> str:
        """The name that is selected where the settings give none, "" where there is no default."""
        return next((name for name, offer in self.offers(hook).items() if offer.record.default), "")

    def stand_in(self, hook: str) -> str:
        """The name that takes over where the selected one cannot, "" where nothing does."""
        return next((name for name, offer in self.offers(hook).items() if offer.record.stands_in), "")

    def offer(self, hook: str, name: str) -> Offer:
        """The offer of that name. Raises ConfigError that lists the choices and who offers them."""
        offers = self.offers(hook)
        if name not in offers:
            choices = ", ".join(f"{choice} ({self.distribution(offer.plugin)})" for choice, offer in sorted(offers.items()))
            broken = [f"{s.name}: {s.error}" for s in self.statuses if s.state not in ("loaded", "disabled")]
            also = f"; not loaded: {'; '.join(broken)}" if broken else ""
            where = self.hooks[hook].selected_by or hook
            raise ConfigError(f"{where}: no plugin offers {name!r}", f"choose from: {choices or 'none'}{also}")
        return offers[name]

    def build(self, hook: str, name: str, make_setup: MakeSetup) -> Any:
        """The object that the named provider's factory makes, guarded; of the default one for "". Raises AgenticError."""
        name = name or self.default(hook)
        try:
            return self._build(hook, self.offer(hook, name), make_setup, self._substitute(hook, name, make_setup))
        except PluginFault as fault:
            substitute = self._substitute(hook, name, make_setup)
            if substitute is None:
                raise
            other = substitute()
            self._tell(f"{fault}; {self.stand_in(hook)} takes its place; {fault.remedy}")
            return other

    def _substitute(self, hook: str, name: str, make_setup: MakeSetup) -> Callable[[], Any] | None:
        other = self.stand_in(hook)
        if not other or other == name:
            return None
        return lambda: self._build(hook, self.offers(hook)[other], make_setup)

    def _build(self, hook: str, offer: Offer, make_setup: MakeSetup, substitute: Callable[[], Any] | None = None) -> Any:
        door, name, owner = self.hooks[hook], offer.record.name, self.owner(offer.plugin)
        assert door.protocol is not None

        def provider(other: str) -> Any:
            inner = offer.replaced if other == name else self.offer(hook, other)
            if inner is None:
                raise ConfigError(f"{owner}: {other!r} is its own provider, and replaces nobody's")
            return self._build(hook, inner, make_setup)

        try:
            setup = make_setup(offer.plugin, provider)
            factory = offer.record.factory
            made = factory(setup) if self._is_builtin(offer.plugin) else call_limited(lambda: factory(setup))
            problem = problem_with(made, door.protocol)
            if not problem and "spec" in contract_of(door.protocol):
                problem = problem_with_spec(made.spec, name)
        except AgenticError:
            raise
        except (CallFailure, *FAULTS) as error:
            raise PluginFault(owner, offer.plugin, f"cannot make {name!r}: {describe(error)}", error) from error
        if problem:
            raise PluginFault(owner, offer.plugin, f"cannot make {name!r}: {problem}")

        def report(fault: PluginFault) -> None:
            self._tell(f"{fault}; {self.stand_in(hook)} takes its place; {fault.remedy}")

        return Guard(made, contract_of(door.protocol, *door.optional), owner, offer.plugin, substitute, report)


def _require_valid(record: Any, door: Hook) -> None:
    """Raises Failure for what is no record of that door."""
    kind: Any = door.record
    if not isinstance(record, kind):
        raise CallFailure(f"gave {record!r:.80}, which is no {door.record.__name__}")
    if not isinstance(record.name, str) or not re.fullmatch(door.names, record.name):
        raise CallFailure(f"{record.name!r} cannot be a name there: it has to match {door.names}")
    for name, hint in kind.__annotations__.items():
        if not isinstance(hint, TypeVar) and not conforms(getattr(record, name), hint):
            raise CallFailure(f"the {name} of {record.name!r} is {getattr(record, name)!r:.80}, which it cannot be")


def _named(status: PluginStatus) -> str:
    return f"plugin {status.name} (of {status.distribution})"


def _remedy(status: PluginStatus) -> str:
    return f"mend it, or switch it off: -c plugins.disabled={status.name}"
