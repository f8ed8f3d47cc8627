"""Markdown tables, lined up."""

import io
import re
from collections.abc import Sequence

from rich.text import Text

from agentic.lib.palette import RESET, Palette
from plugins_builtin.terminal.inline import pieces_of

_DELIMITER = re.compile(r"^\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")


def is_table(rows: Sequence[str]) -> bool:
    """True if these lines are one: a head, a line of dashes, rows."""
    return len(rows) > 1 and bool(_DELIMITER.match(rows[1]))


def table(rows: Sequence[str], columns: int, palette: Palette) -> str:
    """The table within so many columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shape = box.ASCII2 if palette.ascii else box.ROUNDED
    shown = Table(box=shape, border_style="dim" if palette.dim else "", header_style="bold" if palette.bold else "")
    head, dashes = _cells(rows[0]), _cells(rows[1])
    for name, dash in zip(head, [*dashes, *("-" for _ in head)], strict=False):
        justify = "center" if dash[:1] == dash[-1:] == ":" else "right" if dash.endswith(":") else "left"
        shown.add_column(_text(name, palette), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows[2:]:
        cells = [_text(cell, palette) for cell in _cells(row)][: len(head)]
        shown.add_row(*cells)
    out = io.StringIO()
    Console(file=out, width=columns, force_terminal=True, color_system="256", highlight=False, legacy_windows=False).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def _cells(row: str) -> list[str]:
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))]


def _text(cell: str, palette: Palette) -> Text:
    pieces, _ = pieces_of(cell, palette, is_over=True)
    return Text.from_ansi("".join(f"{piece.style}{piece.text}{RESET}" if piece.style else piece.text for piece in pieces))
