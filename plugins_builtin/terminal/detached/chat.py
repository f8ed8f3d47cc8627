"""A chat that leaves its terminal, because the user says so or because the terminal is gone."""

from collections.abc import Callable

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
        now.came = lambda: setattr(attention, "has_focus", None)

    def leave(self) -> None:
        """The shell goes on, and so does the session, without this terminal. Raises ConfigError."""
        if now.leash is None:
            raise ConfigError("this chat has no terminal to leave", "Ctrl-\\\\ leaves it where `agentic attach` shows it")
        self._attention.has_focus = False
        now.rows_above = self._region.app.rows_above
        self._region.move(now.leave)

    def is_typed(self, text: str) -> bool:
        """Leaves at once where the text says so, whatever goes on."""
        if text.strip() != LEAVE or now.leash is None:
            return False
        self._region.draft = ""
        self.leave()
        return True

    def hung_up(self) -> bool:
        """The terminal is gone. True where the session goes on: there is work in it."""
        if self._works() and now.leash is not None and not self._region.app.is_lent:
            self.leave()
        return now.host is not None
