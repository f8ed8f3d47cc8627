"""The things to keep safe that depend on the tools people use: names, folders, variables, the looks of secrets."""

from collections.abc import Iterable

from agentic.hooks import hookspec
from agentic.lib.safeguards import Safeguard as Safeguard


@hookspec
def agentic_safeguards() -> Iterable[Safeguard]:
    """Offers safeguards; all of them count. No project may switch off a plugin that does."""
    raise NotImplementedError
