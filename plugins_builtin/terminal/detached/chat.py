"""A chat that leaves its terminal, because the user says so or because the terminal is gone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from agentic import ConfigError
from agentic.lib.terminal.attention import Attention
from plugins_builtin.terminal.detached.leaving import now
from plugins_builtin.terminal.region import Region

LEAVE = "/detach"


class ChatLeaving:
    """`works()`: a turn is going on."""

    def __init__(self, region: Region, attention: Attention, works: Callable[[], bool]) -> None:
        self._region = region
        self._attention = attention
        self._works = works
        now.came, now.tells_itself = lambda: setattr(attention, "has_focus", None), True

    def leave(self) -> None:
        """The shell goes on, and so does the session, without this terminal. Raises ConfigError."""
        if now.host is not None:
            now.host.let_go()
            return
        if now.leash is None:
            raise ConfigError(
                "this chat cannot leave its terminal: threads ran when it began", "agentic run --detach begins without one"
            )
        self._attention.has_focus = False
        now.rows_above, now.in_session = self._region.app.rows_above, asyncio.get_running_loop().call_soon_threadsafe
        self._region.move(now.leave)

    def is_typed(self, text: str) -> bool:
        """Leaves at once where the text says so, whatever goes on."""
        if text.strip() != LEAVE:
            return False
        self._region.draft = ""
        self.leave_by_key()
        return True

    def leave_by_key(self) -> None:
        """The same, and says why where that cannot be."""
        try:
            self.leave()
        except ConfigError as error:
            self._region.write([error.with_remedy])

    def hung_up(self) -> bool:
        """The terminal is gone. True where the session goes on: there is work in it."""
        if self._works() and now.leash is not None and not self._region.app.is_lent:
            with suppress(ConfigError):  # it ends then, as it would
                self.leave()
        return now.host is not None
