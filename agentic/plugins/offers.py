"""The offers of plugins: their records by name, one for each name, and their own settings."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from agentic import index
from agentic.config.options import PluginSection
from agentic.config.schema import PLUGIN_PREFIX, SECTIONS
from agentic.errors import PluginError
from agentic.hooks import PROJECT, Hook, Options, PluginInfo, Provider
from agentic.hooks.old import NEW
from agentic.lib.guard import FAULTS, conforms
from agentic.lib.isolation import CallFailure, call_limited, describe
from agentic.lib.record import record
from agentic.plugins.loaded import Implementation, Loaded, remedy_of

INFO = f"{PROJECT}_plugin"
MARKS = ("session", "before", "flags")  # the parts of a plugin's word about itself that the index knows the plugins of


@record(slots=True)
class Offer:
    """A record of a plugin's; `replaced` is the offer of the same name whose place it takes."""

    plugin: str
    record: Any
    replaced: "Offer | None" = None


@record(slots=True)
class Offers(Loaded):
    """The plugins with what they offer."""

    _offers: dict[str, dict[str, Offer]] = field(default_factory=dict)
    _given: dict[str, list[tuple[str, list[Any]]]] = field(default_factory=dict)
    _infos: dict[str, PluginInfo] = field(default_factory=dict)
    _sections: dict[str, PluginSection] | None = None

    def changed(self) -> None:
        self._offers.clear()
        self._given.clear()
        self._infos.clear()
        self._sections = None

    def endings(self) -> list[Implementation]:
        """The functions that plugins have asked before a task's end (`BeforeEnd`)."""
        offers = self.offers("agentic_checkers.before_end").values()
        return [Implementation(each.plugin, each.record.run, tuple(signature(each.record.run).parameters)) for each in offers]

    def sections(self) -> Mapping[str, PluginSection]:
        """The plugins' own sections of the configuration, by name."""
        if self._sections is None:
            self._sections = self._recalled_sections() if self._about else self._declared_sections()
        return self._sections

    def _recalled_sections(self) -> dict[str, PluginSection]:
        """The same from the index, where no plugin is imported for it."""
        found = {}
        for plugin, about in self._about.items():
            section, model, _ = about.split("\t")
            if section and self._by_name[plugin].state == "loaded":
                found[section] = PluginSection(section, model)
                self._by_name[plugin].section = section
        return found

    def remember(self) -> None:
        """Keeps in the index what each plugin is, where all of them can be used."""
        sections = self.sections()
        rows = []
        for status in self.statuses:
            if status.state == "disabled":
                continue
            if status.state != "loaded" or status.note:
                return
            section = sections.get(status.section)
            marks = [mark for mark in MARKS if getattr(self.info(status.name), mark)]
            about = [status.section, section.path if section else "", " ".join(marks)]
            rows.append((status.name, " ".join(status.hooks), "\t".join(about)))
        index.keep_plugins(rows, self.sources())

    def _declared_sections(self) -> dict[str, PluginSection]:
        found: dict[str, PluginSection] = {}
        for each in (*self.implementations(INFO), *self.implementations("agentic_options")):
            try:
                for options in self._options(each):
                    section = options.section or PLUGIN_PREFIX + each.plugin
                    if section in found or section in SECTIONS:
                        raise CallFailure(f"the section [{section}] is somebody else's")
                    found[section] = PluginSection(section, options.model)
                    self._by_name[each.plugin].section = section
            except CallFailure as failure:
                self.fail(each.plugin, f"{each.function.__name__}: {failure}")
        return found

    def _options(self, each: Implementation) -> list[Options]:
        """A plugin's own settings, by whichever hook it says so."""
        records = self._called(each)
        given = records[0] if len(records) == 1 else records
        if isinstance(given, PluginInfo):
            _require_conforming(given, "its PluginInfo")
            self._infos[each.plugin] = given
            given = given.options
            return [given] if given is not None else []
        if not isinstance(given, Options):
            raise CallFailure(f"gave {given!r:.80}, which is no {'PluginInfo' if each.function.__name__ == INFO else 'Options'}")
        return [given]

    def info(self, plugin: str) -> PluginInfo:
        """Returns a plugin's word about itself."""
        if plugin not in self._infos:
            self.plugin(plugin)
            for each in (each for each in self._implementations(INFO) if each.plugin == plugin):
                self._options(each)
        return self._infos.get(plugin) or PluginInfo()

    def infos(self, mark: str) -> dict[str, PluginInfo]:
        """Returns the word of each plugin that says something there, such as "session"; no other is imported for it."""
        names = (
            [name for name, about in self._about.items() if mark in about.split("\t")[2].split()] if self._about else self._by_name
        )
        return {name: info for name in names if getattr(info := self.info(name), mark)}

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

    def _collect(self, kind: str) -> dict[str, Offer]:
        """The records of one kind, which come through the hook of that name, or through one that takes several kinds."""
        offers: dict[str, list[Offer]] = {}
        self._know(kind)
        for name in dict.fromkeys((self.hooks.through(kind), kind)):
            for plugin, records in self._records(name):
                for each in records:
                    if self._kind_of(name, each) == kind:
                        offers.setdefault(each.name, []).append(Offer(plugin, each))
        return {name: self._resolve_conflict(kind, name, rivals) for name, rivals in offers.items()}

    def _records(self, hook: str) -> Iterator[tuple[str, list[Any]]]:
        """(plugin, records) of each that implements the hook; one that gives what is none of its kinds is broken."""
        if hook not in self._given:
            found: list[tuple[str, list[Any]]] = []
            for each in self.implementations(hook):
                try:
                    records = self._called(each)
                    if hook == INFO:
                        records = [finder for info in records for finder in info.runnables]
                    for record in records:
                        self._require_valid(hook, record)
                except CallFailure as failure:
                    self.fail(each.plugin, f"{hook}: {failure}")
                    continue
                found.append((each.plugin, records))
            self._given[hook] = found
        yield from self._given[hook]

    def _require_valid(self, hook: str, record: Any) -> None:
        """Raises CallFailure for what is no record of that hook."""
        kind = self._kind_of(hook, record)
        if not kind:
            kinds = [self.hooks[each].record.__name__ for each in self.hooks.kinds(hook)]
            raise CallFailure(f"gave {record!r:.80}, which is no {' or '.join(kinds)}")
        _require_valid(record, self.hooks[kind])

    def every_hook(self) -> Mapping[str, Hook]:
        """Returns the host's provider hooks and those that plugins add."""
        self.implementations("agentic_add_hooks")
        return self.hooks

    def _know(self, kind: str) -> None:
        """Has the plugins imported that add hooks, where this is one of theirs."""
        if kind not in self.hooks:
            self.implementations("agentic_add_hooks")

    def _kind_of(self, hook: str, record: Any) -> str:
        """Which kind a record of that hook is of, "" for none: that of its own class, else of one that it descends from."""
        if hook in NEW:  # under an old name there is one kind, whose providers had no class of their own
            own = self.hooks[hook].record
            return hook if isinstance(record, Provider if issubclass(own, Provider) else own) else ""
        kinds = [kind for kind in self.hooks.kinds(hook) if isinstance(record, self.hooks[kind].record)]
        return next(iter([kind for kind in kinds if type(record) is self.hooks[kind].record] or kinds), "")

    def _resolve_conflict(self, hook: str, name: str, rivals: list[Offer]) -> Offer:
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
                why = f"{hook}: {self.owner(first.plugin)} offers {name!r} twice"
                raise PluginError(why, remedy_of(self._by_name[first.plugin]))
            elif getattr(first.record, "replaces", "") == other.plugin and first.replaced is None:
                first.replaced = other
            else:
                raise PluginError(
                    f"{hook}: {name!r} is offered by {self.owner(first.plugin)} and {self.owner(other.plugin)}",
                    f"switch one off: -c plugins.disabled={other.plugin}, or in the file",
                )
        return first


def _require_valid(record: Any, door: Hook) -> None:
    """Raises CallFailure for a record that has something wrong in it."""
    if not isinstance(record.name, str) or not re.fullmatch(door.names, record.name):
        raise CallFailure(f"{record.name!r} cannot be a name there: it has to match {door.names}")
    _require_conforming(record, repr(record.name))


def _require_conforming(record: Any, what: str) -> None:
    hints = {name: hint for each in type(record).__mro__ for name, hint in vars(each).get("__annotations__", {}).items()}
    for name, hint in hints.items():
        if not isinstance(hint, TypeVar) and not conforms(getattr(record, name), hint):
            raise CallFailure(f"the {name} of {what} is {getattr(record, name)!r:.80}, which it cannot be")
