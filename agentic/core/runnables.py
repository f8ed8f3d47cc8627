"""What a folder brings that would run, as the plugins find it, and what the user has not said a word about yet."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from agentic.plugins import Host
from agentic.plugins.guard import FAULTS
from agentic.plugins.isolation import Failure, call_limited, describe
from agentic.trust import Runnable, Trust

HOOK = "agentic_runnables"


def runnables_of(host: Host, root: Path, report: Callable[[str], None] = lambda text: None) -> list[Runnable]:
    """Of all kinds; of a finder that fails nothing, and `report` is told."""
    found: list[Runnable] = []
    for name, offer in host.offers(HOOK).items():
        try:
            found += call_limited(partial(offer.record.find, root))
        except (Failure, *FAULTS) as error:
            said = str(error) if isinstance(error, Failure) else describe(error)
            report(f"{host.owner(offer.plugin)}: cannot look for {name}: {said}")
    return found


def left_out(host: Host, root: Path, report: Callable[[str], None]) -> str:
    """A line that says what is not used because nobody was asked about it, "" for nothing."""
    unknown = Trust(root).undecided(runnables_of(host, root, report))
    if not unknown:
        return ""
    named = ", ".join(f"{each.kind} {each.name} ({each.file})" for each in unknown)
    return f"not used, since this folder is not trusted with it: {named}; `agentic trust` shows what it would run, and asks"
