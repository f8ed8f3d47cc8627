"""Which endpoints a run has: what names them, a DNS record or a configuration file, may change while it lasts."""

import asyncio
import logging
from functools import partial

from agentic.config import Settings
from agentic.config.schema import EndpointSettings
from agentic.core.roles import with_roles
from agentic.hooks.transport import FollowsEndpoints
from agentic.lib.threads import on_daemon_thread
from agentic.lib.wire.addresses import address_urls

LOOK_SECONDS = 30.0
_log = logging.getLogger("agentic.endpoints")


class Endpoints:
    """The endpoints named, also by roles: `settings` has them all. With `all_addresses` each address of a name is one."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings
        self.settings = with_roles(settings)
        self._urls: dict[str, list[str]] = {}  # of addresses, by the name's
        self._followers: tuple[object, ...] = ()
        self._now: tuple[EndpointSettings, ...] = ()
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> Settings:
        """The settings with the endpoints as they are now. Raises ConfigError."""
        llm = self.settings.llm
        if not any(llm.of(url).all_addresses for url in llm.endpoints):
            return self.settings
        tables = [each for url in llm.endpoints for each in await self._addressed(llm.of(url))]
        return self.settings.changed("llm.endpoint", tables, self.settings.origins["llm.endpoints"])

    async def _addressed(self, named: EndpointSettings) -> list[EndpointSettings]:
        """Returns an endpoint for each address.

        Where its name cannot be looked up, these are the addresses known before, or at first the name itself.
        """
        if not named.all_addresses:
            return [named]
        try:
            self._urls[named.url] = await on_daemon_thread(partial(address_urls, named.url))
        except (OSError, UnicodeError) as error:
            _log.warning("%s cannot be looked up: %s", named.url, error)
        own = {name: value for name, value in named.table().items() if name != "all_addresses"}
        return [EndpointSettings(**{**own, "url": url}) for url in self._urls.get(named.url) or [named.url]]

    def follow(self, *followers: object) -> None:
        """Tells those of them that follow when endpoints come or go, until `aclose`. The transport comes before the batcher."""
        self._followers = followers
        llm = self.settings.llm
        if any(llm.of(url).all_addresses for url in llm.endpoints):
            self._task = asyncio.ensure_future(self._follow())

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._take_up()

    async def reread(self) -> None:
        """Takes up what the configuration files say now. Raises ConfigError: what was known stays then."""
        self._given = self._given.again()
        self.settings = with_roles(self._given)
        await self._take_up()

    async def _take_up(self) -> None:
        settings = await self.look()
        for follower in self._followers:
            if isinstance(follower, FollowsEndpoints):
                follower.follow(settings.llm)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
