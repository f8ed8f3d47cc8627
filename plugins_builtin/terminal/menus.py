"""Menus of the region: options with their keys, or a list that is narrowed by typing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import field

from rich.cells import cell_len

from agentic.lib.palette import Palette
from agentic.lib.record import record
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.blocks import cut

MAX_SHOWN = 12  # items of a list at once


@record(frozen=True, slots=True)
class Option:
    """`key` chooses it at once; "" for one that only the arrows and Enter reach. `about` stands behind its label."""

    key: str
    label: str
    about: str = ""


@record(slots=True)
class Menu:
    """`head` are rows above the options. Where it `filters`, what is typed narrows the options, and no key chooses one at once.

    `options()` may change while the menu is open; `place` is the one that is marked.
    """

    head: Callable[[], Sequence[str]]
    options: Callable[[], Sequence[Option]]
    filters: bool = False
    typed: str = ""
    place: int = 0
    draft: str = ""  # in the line below, when it was opened
    result: "asyncio.Future[str]" = field(init=False)

    def matches(self) -> list[Option]:
        """The options that are shown, the best first where something was typed."""
        options = list(self.options())
        if not (self.filters and self.typed):
            return options
        ranked = [(rank, number, each) for number, each in enumerate(options) if (rank := _rank(self.typed, each)) >= 0]
        return [each for _, _, each in sorted(ranked, key=lambda known: known[:2])]

    def rows(self, width: int, most: int, palette: Palette) -> list[str]:
        """The menu in at most that many rows."""
        head, options = list(self.head()), self.matches()
        self.place = max(0, min(self.place, len(options) - 1))
        room = max(1, min(MAX_SHOWN, most - len(head) - self.filters))
        first = max(0, min(self.place - room // 2, len(options) - room))
        rows = [cut(row, width) if "\x1b" not in row else row for row in head]
        if self.filters:
            count = f"  ({self.place + 1 if options else 0} of {len(options)})"
            rows.append(f"{palette.mark('›', '>')} {sanitize(self.typed)}{palette.paint('dim', count)}")
        shown = options[first : first + room]
        wide = min(width // 2, max((cell_len(option.label) for option in shown if option.about), default=0)) if self.filters else 0
        for number, option in enumerate(shown, first):
            mark = palette.mark("❯", ">") if number == self.place else " "
            key = f" ({option.key})" if option.key and not self.filters else ""
            label = cut(f"{mark} {sanitize(option.label)}{key}", width)
            gap = " " * (2 + max(0, wide + 2 - cell_len(label)))
            about = cut(f"{gap}{sanitize(option.about)}", max(0, width - cell_len(label))) if option.about else ""
            rows.append(palette.paint("accent" if number == self.place else "plain", label) + palette.paint("dim", about))
        return rows

    def move(self, by: int) -> None:
        count = len(self.matches())
        self.place = (self.place + by) % count if count else 0

    def press(self, key: str) -> None:
        """A character that was typed."""
        if self.filters:
            self.typed, self.place = self.typed + key, 0
        elif any(option.key == key.lower() for option in self.options()):
            self.end(key.lower())

    def erase(self) -> None:
        self.typed, self.place = self.typed[:-1], 0

    def take(self) -> None:
        """Enter: the one that is marked."""
        found = self.matches()
        if found:
            chosen = found[max(0, min(self.place, len(found) - 1))]
            self.end(chosen.key if not self.filters else chosen.key or chosen.label)

    def end(self, key: str) -> None:
        if not self.result.done():
            self.result.set_result(key)


def _rank(typed: str, option: Option) -> int:
    """The lower the better: in the label, its letters in their order in the label, in the words behind it; -1 for none."""
    label, wanted = option.label.lower(), typed.lower()
    if (place := label.find(wanted)) >= 0:
        return place
    place = -1
    for letter in wanted.replace(" ", ""):
        place = label.find(letter, place + 1)
        if place < 0:
            break
    else:
        return 1000 + place
    place = option.about.lower().find(wanted)
    return 2000 + place if place >= 0 else -1
