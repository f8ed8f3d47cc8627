"""Plugins by metadata alone: nothing is imported here."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from agentic import index
from agentic.extras import DISTRIBUTION
from agentic.folders import config_folder
from agentic.hooks import PROJECT
from agentic.lib.imports import imported
from agentic.lib.record import record
from agentic.plugins.status import PluginStatus

OWN_FOLDER = "your plugins folder"
COMMAND_LINE = "the command line"
tried: list[Path | ModuleType] = []
"""The plugins that are tried in this process alone: files (`-e FILE`), and modules of a test."""


@record(slots=True)
class Candidate:
    """An entry point in the group `agentic`, or a file in the user's own folder; imported where status.state is "loaded"."""

    load: Callable[[], Any]
    requires: Iterable[str]
    status: PluginStatus

    @property
    def builtin(self) -> bool:
        return self.status.distribution == DISTRIBUTION


def discover(disabled: Collection[str]) -> list[Candidate]:
    """All plugins, the builtin ones first, each part sorted by name, with what metadata alone rules out."""
    only = os.environ.get("AGENTIC_PLUGINS")
    wanted = None if only is None else {name.strip() for name in only.split(",")}
    found = sorted(_candidates(), key=lambda c: (not c.builtin, c.status.name, c.status.distribution))
    owners: dict[str, str] = {}
    for candidate in found:
        status = candidate.status
        if status.name in disabled or status.distribution in disabled:
            status.state, status.error = "disabled", "switched off by plugins.disabled"
        elif wanted is not None and not candidate.builtin and not wanted & {status.name, status.distribution}:
            status.state, status.error = "disabled", "not named in AGENTIC_PLUGINS"
        elif status.state == "loaded" and status.name in owners:
            status.state, status.error = "duplicate", f"{owners[status.name]} has a plugin of this name already"
        elif status.state == "loaded":
            owners[status.name] = status.distribution
            if not candidate.builtin:
                _check_requirements(candidate)
    return found


def _candidates() -> Iterator[Candidate]:
    installed = index.entry_points(_entry_points)
    for name, target, distribution in installed:
        owner, version, *requires = distribution.split("\t")
        yield Candidate(partial(imported, target.partition("[")[0]), requires, PluginStatus(name, owner, version))
    targets = {target for _, target, _ in installed}
    for each in tried:
        if isinstance(each, Path):
            yield Candidate(partial(_load_file, each), (), PluginStatus(each.stem, COMMAND_LINE, ""))
        elif each.__name__ not in targets:
            yield candidate_here(each, each.__name__.rpartition(".")[2])
    for path in sorted(user_folder().glob("*.py")):
        candidate = Candidate(partial(_load_file, path), (), PluginStatus(path.stem, OWN_FOLDER, ""))
        if not _is_only_ours(path):
            candidate.status.state, candidate.status.error = "unsupported", f"others may write {path}: chmod go-w it"
        yield candidate


def _entry_points() -> list[tuple[str, str, str]]:
    """(name, target, distribution with its version and what it requires, tabs between) of all that is installed."""
    from importlib.metadata import distributions

    found, seen = [], set()
    for distribution in distributions():
        points = [point for point in distribution.entry_points if point.group == PROJECT]
        if not points:
            continue
        name, version = distribution.name, distribution.version  # each parses the metadata anew
        if name in seen:  # a distribution may stand on the path twice
            continue
        seen.add(name)
        requires = () if name == DISTRIBUTION else distribution.requires or ()
        about = "\t".join(" ".join(each.split()) for each in (name, version, *requires))
        found += [(point.name, point.value, about) for point in points]
    return found


def candidate_here(plugin: Any, name: str) -> Candidate:
    """Returns the candidate for a module, or any object with hooks, of this process."""
    return Candidate(lambda: plugin, (), PluginStatus(name, "this process", ""))


def user_folder() -> Path:
    """Returns the folder where a plugin may be a single file, without packaging: for the user's own policies."""
    return config_folder() / "plugins"


def _load_file(path: Path) -> Any:
    spec = spec_from_file_location(f"agentic_user_plugins.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is_only_ours(path: Path) -> bool:
    """True if neither the file nor its folder can be written by anybody else."""
    return all(info.st_uid in (0, os.getuid()) and not info.st_mode & 0o022 for info in (path.stat(), path.parent.stat()))


def _check_requirements(candidate: Candidate) -> None:
    """Marks a plugin whose distribution needs another host version, or something that is not installed."""
    from agentic.lib.requirements import name_of, unmet

    for text in candidate.requires:
        try:
            have = unmet(text)
        except ValueError:  # metadata that nobody can read rules nothing out
            continue
        if have is not None:
            what = f"have {name_of(text)} {have}" if have else "which is not installed"
            candidate.status.state, candidate.status.error = "unsupported", f"needs {text}, {what}"
            return
