"""The thoughts of a model: the last line of one as it comes, then one row that can be unfolded; or all of it."""

from collections.abc import Callable, Sequence

from agentic.lib.palette import Palette
from plugins_builtin.terminal.blocks import cut
from plugins_builtin.terminal.prose import Prose


class Thoughts:
    """True while there is a thought that has not ended. Where it `folds`, `folded` are the rows of the last one."""

    def __init__(self, palette: Palette, width: Callable[[], int], wraps: bool, folds: bool) -> None:
        self._palette = palette
        self._prose = Prose(palette, width, wraps)
        self._texts: list[str] = []
        self.folds = folds
        self.folded: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self._texts)

    def feed(self, text: str) -> list[str]:
        """The rows that are final now."""
        self._texts.append(text)
        return [] if self.folds else self._dimmed(self._prose.feed(text))

    def end(self) -> list[str]:
        """The rows that were left; the one row of a thought that is folded."""
        text, self._texts = "".join(self._texts), []
        if not self.folds:
            return self._dimmed(self._prose.end())
        self.folded = self._dimmed(text.strip().split("\n"))
        count = len(text.split())
        return self._dimmed([f"(thought {count} {'word' if count == 1 else 'words'}: Ctrl-O)"])

    def tail(self, width: int) -> list[str]:
        """The rows that may still change."""
        if not self.folds:
            return self._dimmed(self._prose.tail())
        last = "".join(self._texts[-200:]).rstrip().rpartition("\n")[2][-4 * width :]
        return self._dimmed([cut(f"{self._palette.mark('∴', ':')} {last}", width)])

    def _dimmed(self, rows: Sequence[str]) -> list[str]:
        return [self._palette.paint("dim", row) for row in rows]
