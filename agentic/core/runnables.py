"""The things in a folder that would run, as the plugins find them, and those that the user has not decided about yet."""

from collections.abc import Callable
from pathlib import Path

from agentic.lib.listing import first_few
from agentic.plugins import Host
from agentic.trust import Runnable, Trust

MAX_NAMED = 10
Report = Callable[[str], None]


def runnables_of(host: Host, root: Path, report: Report = lambda text: None) -> list[Runnable]:
    """Returns the runnables of all kinds. A finder that fails adds none, and `report` is told."""
    found = host.in_folder(
        "agentic_runnables",
        "find",
        root,
        lambda offer, why: report(f"{host.owner(offer.plugin)}: cannot look for {offer.record.name}: {why}"),
    )
    return [each for _, each in found]


def undecided(host: Host, root: Path, report: Report = lambda text: None) -> list[Runnable]:
    """Returns the runnables to which the user said neither yes nor no."""
    return Trust(root).undecided(runnables_of(host, root, report))


def left_out(host: Host, root: Path, report: Report) -> str:
    """A line that says what is not used because nobody was asked about it, "" for nothing."""
    unknown = undecided(host, root, report)
    if not unknown:
        return ""
    named = first_few([f"{each.kind} {each.name} ({each.file})" for each in unknown], MAX_NAMED)
    return f"not used, since this folder is not trusted with it: {named}; `agentic trust` shows what it would run, and asks"
