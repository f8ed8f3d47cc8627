"""Plugins by metadata alone: nothing is imported here."""

import os
import re
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
    from agentic.plugins.requirements import unmet

    for text in candidate.distribution.requires or ():
        try:
            have = unmet(text)
        except ValueError:  # metadata that nobody can read rules nothing out
            continue
        if have is not None:
            name = re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0]
            what = f"have {name} {have}" if have else "which is not installed"
            candidate.status.state, candidate.status.error = "unsupported", f"needs {text}, {what}"
            return
