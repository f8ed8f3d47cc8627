"""Plugins by metadata alone: nothing is imported here."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from agentic.hooks import PROJECT
from agentic.plugins.status import PluginStatus


@dataclass(slots=True)
class Candidate:
    """An entry point in the group `agentic`, and whether it may be imported (status.state is "loaded")."""

    entry_point: EntryPoint
    distribution: Distribution
    status: PluginStatus

    @property
    def builtin(self) -> bool:
        return self.status.distribution == PROJECT


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
        elif status.name in owners:
            status.state, status.error = "duplicate", f"{owners[status.name]} has a plugin of this name already"
        else:
            owners[status.name] = status.distribution
            if not candidate.builtin:
                _check_requirements(candidate)
    return found


def _candidates() -> Iterator[Candidate]:
    seen = set()
    for distribution in distributions():
        entry_points = [point for point in distribution.entry_points if point.group == PROJECT]
        if not entry_points or distribution.name in seen:  # a distribution may stand on the path twice
            continue
        seen.add(distribution.name)
        for point in entry_points:
            yield Candidate(point, distribution, PluginStatus(point.name, distribution.name, distribution.version))


def _check_requirements(candidate: Candidate) -> None:
    """Marks a plugin whose distribution needs another host version, or something that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement

    for text in candidate.distribution.requires or ():
        try:
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            have = version(requirement.name)
        except InvalidRequirement:
            continue
        except PackageNotFoundError:
            candidate.status.state, candidate.status.error = "unsupported", f"needs {requirement}, which is not installed"
            return
        if not requirement.specifier.contains(have, prereleases=True):
            candidate.status.state = "unsupported"
            candidate.status.error = f"needs {requirement}, have {requirement.name} {have}"
            return
