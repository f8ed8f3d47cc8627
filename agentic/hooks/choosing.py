"""Choosers: ways to select one of a hook's providers where the user names none, as "auto" is one."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agentic.hooks import Provider, Setup
from agentic.lib.record import record


@record(frozen=True, slots=True, kw_only=True)
class ChoiceSetup(Setup):
    """`offers` are the hook's providers by name; `provider(name)` makes what one of them offers, to try it.

    What was made of the one that is chosen is used; the chooser closes what it made of others.
    """

    offers: Mapping[str, Provider[Any]]

    @property
    def automatic(self) -> list[str]:
        """The names of the providers that are tried, in their order."""
        return [name for _, name in sorted((offer.automatic, name) for name, offer in self.offers.items() if offer.automatic)]


@record(frozen=True, slots=True)
class Chooser:
    """Selected by its name like a provider: `await choose(setup)` gives the name of a provider, and why that one ("" for nothing).

    The setup is a `ChoiceSetup` with what the hook adds to it. `choose` may raise AgenticError. A chooser of a protocol may
    `learn(info, name, counts)`: how many answers of that model to that protocol were "readable" and "unreadable" in a run.
    """

    name: str
    summary: str
    choose: Callable[[Any], Awaitable[tuple[str, str]]]
    learn: Callable[..., Any] | None = None
    replaces: str = ""
