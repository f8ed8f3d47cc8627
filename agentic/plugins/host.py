"""The plugin host: requires what has to be there, and makes what is selected."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from agentic.errors import AgenticError, ConfigError, PluginError
from agentic.extras import DISTRIBUTION
from agentic.hooks import Setup
from agentic.lib.guard import FAULTS, Guard, PluginFault, contract_of, problem_with, problem_with_spec
from agentic.lib.isolation import CallFailure, call_limited, describe
from agentic.lib.record import record
from agentic.lib.requirements import name_of, unmet
from agentic.plugins.discovery import OWN_FOLDER
from agentic.plugins.loaded import Implementation as Implementation, display_name, remedy_of
from agentic.plugins.offers import Offer as Offer, Offers
from agentic.plugins.status import PluginStatus


@record(frozen=True, slots=True)
class Selected:
    """A provider by name; `why` it was chosen, "" where it was named; what the chooser `made` of it, None for nothing."""

    name: str
    why: str = ""
    made: Any = None


MakeSetup = Callable[..., Setup]
"""`make_setup(plugin, provider)`: the plugin's setup, whose `provider` is that; more by name for a kind of setup that has more."""


class Host(Offers):
    """Plugins, loaded once: what they offer, and what is made of it."""

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
            if unusable and (not status.hooks or set(status.hooks) & self.hooks.guarding()):
                why = f"{display_name(status)} is {status.state}, and may be there to guard you: {status.error}"
                raise ConfigError(why, remedy_of(status))

    def _require_loaded(self, meant: Iterable[PluginStatus]) -> None:
        self.inspect()
        for status in meant:
            if status.state != "loaded":
                why = f"plugins.require: {display_name(status)} is {status.state}: {status.error}"
                raise ConfigError(why, "mend it, or take it out of plugins.require")

    def inspect(self) -> list[str]:
        """Asks every plugin for everything, so that one that fails there is known; the conflicts that were found."""
        conflicts = []
        self._wake(lambda name: True)
        self._sections = None if self._about else self._sections
        self._about.clear()
        self.sections()
        for hook in list(self.hooks):
            try:
                self.offers(hook)
            except PluginError as error:
                conflicts.append(f"{error}\n  → {error.remedy}")
        return conflicts

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

    async def select(self, hook: str, name: str, make_setup: MakeSetup, **more: Any) -> Selected:
        """The provider of that name, or what a chooser of that name chooses; its setup has `more`. Raises AgenticError."""
        offer, made, owner = self.offers(f"{hook}.choosers").get(name), dict[str, Any](), ""
        if offer is None:
            self.offer(hook, name)
            return Selected(name)

        def provider(other: str) -> Any:
            made[other] = self.build(hook, other, make_setup)
            return made[other]

        owner, offers = self.owner(offer.plugin), {other: each.record for other, each in self.offers(hook).items()}
        try:
            chosen, why = await offer.record.choose(make_setup(offer.plugin, provider, offers=offers, **more))
            if chosen not in offers:
                raise ValueError(f"{chosen!r} is none of {', '.join(offers)}")
        except AgenticError:
            raise
        except FAULTS as error:
            raise PluginFault(owner, offer.plugin, f"{name!r} cannot choose: {describe(error)}", error) from error
        return Selected(chosen, why, made.get(chosen))

    def learn(self, hook: str, *seen: Any) -> None:
        """Tells the choosers of a hook how what they may choose went."""
        for offer in self.offers(f"{hook}.choosers").values():
            try:
                if offer.record.learn is not None:
                    offer.record.learn(*seen)
            except FAULTS as error:
                self._tell(f"{self.owner(offer.plugin)}: {offer.record.name!r} cannot learn: {describe(error)}")

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
            self._tell_stand_in(hook, fault)
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

        report = partial(self._tell_stand_in, hook)
        return Guard(made, contract_of(door.protocol, *door.optional), owner, offer.plugin, substitute, report)

    def _tell_stand_in(self, hook: str, fault: PluginFault) -> None:
        self._tell(f"{fault}; {self.stand_in(hook)} takes its place; {fault.remedy}")
