"""The hooks that a plugin added, for that plugin: `setup.hooks`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from agentic.errors import PluginError
from agentic.hooks import Setup
from agentic.plugins.host import Host


class OwnHooks:
    """Gives what other plugins offer through the hooks that `plugin` added. `make_setup` makes the setups of their factories."""

    def __init__(self, host: Host, plugin: str, make_setup: Callable[..., Any]) -> None:
        self._host = host
        self._plugin = plugin
        self._make_setup = make_setup

    def offers(self, hook: str) -> Mapping[str, Any]:
        """Returns the records by name. Raises PluginError for a name that two plugins offer."""
        self._require_own(hook)
        return {name: offer.record for name, offer in self._host.offers(hook).items()}

    def owner(self, hook: str, name: str) -> str:
        """Names the plugin that offers it, as messages do."""
        self._require_own(hook)
        return self._host.owner(self._host.offer(hook, name).plugin)

    def build(self, hook: str, name: str, kind: type[Setup] = Setup, **more: Any) -> Any:
        """Returns what that provider's factory makes, that of the default one for "". Raises AgenticError."""
        self._require_own(hook)
        return self._host.build(hook, name, partial(self._make_setup, kind=kind, **more))

    def _require_own(self, hook: str) -> None:
        if self._host.added_by.get(hook) != self._plugin:
            raise PluginError(f"{self._host.owner(self._plugin)} did not add the hook {hook}", "agentic_add_hooks declares it")
