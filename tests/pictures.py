"""Pictures of a terminal: SVG for people, and text to compare."""

import re
from html import escape

import pyte
from rich.cells import cell_len

WIDTH, HEIGHT, SIZE = 8.4, 18, 14  # of a cell, and of the letters, in pixels
DARK, LIGHT = ("#14171b", "#d6dae0"), ("#ffffff", "#24292f")  # (background, letters)
_NAMED = {
    "red": "#ff7b72", "green": "#56d364", "brown": "#e3b341", "blue": "#79c0ff", "magenta": "#d2a8ff", "cyan": "#76e3ea",
    "white": "#d6dae0", "black": "#484f58", "brightblack": "#8b949e", "brightgreen": "#7ee787", "brightblue": "#a5d6ff",
    "brightmagenta": "#e2c5ff", "brightcyan": "#b3f0ff", "brightbrown": "#f2cc60", "brightred": "#ffa198", "brightwhite": "#ffffff",
}  # fmt: skip
_WIDE = "\u00a0\u00a0"  # of spaces side by side many viewers show one
# What differs from run to run: ports, times, speeds, sessions.
_VARIES = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8001"),
    (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "20261130-120000-abcd"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-11-30 12:00"),
    (r" · \d+(\.\d+)? tok/s", ""),  # which a loaded machine has no time to measure
    (r"\b\d+(\.\d+)? s\b", "1 s"),
    (r" [▁▂▃▄▅▆▇█]", ""),
    (r"\b\d{5}( \d)?$", "8001"),
)


def text_of(screen: pyte.Screen) -> str:
    """The rows that are there, without what differs from run to run, and what stands behind it."""
    rows = "\n".join(line.rstrip() for line in screen.display).rstrip()
    for pattern, instead in _VARIES:
        rows = re.sub(pattern, instead, rows, flags=re.MULTILINE)
    return f"{rows}\n"


def svg_of(screen: pyte.Screen, light: bool = False) -> str:
    """The screen as it looks, cell by cell."""
    back, fore = LIGHT if light else DARK
    width, height = screen.columns * WIDTH + 40, screen.lines * HEIGHT + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">'
        f'<rect width="100%" height="100%" rx="8" fill="{back}"/><g transform="translate(20 20)" '
        f"font-family='ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace' font-size='{SIZE}' xml:space='preserve'>"
    ]
    parts += (f'<g transform="translate(0 {y * HEIGHT})">{row_of(screen, y, fore)}</g>' for y in range(screen.lines))
    return "".join(parts) + "</g></svg>\n"


def row_of(screen: pyte.Screen, y: int, fore: str) -> str:
    """A row of the screen in SVG, at the top; "" for an empty one."""
    backs, letters = [], []
    x = 0
    while x < screen.columns:
        cell, start, text = screen.buffer[y][x], x, ""
        while x < screen.columns and screen.buffer[y][x]._replace(data="") == cell._replace(data=""):
            text += screen.buffer[y][x].data
            x += 1
        if cell.bg != "default":
            backs.append(f'<rect x="{start * WIDTH:.1f}" width="{(x - start) * WIDTH:.1f}" height="{HEIGHT}" '
                         f'fill="{_colour(cell.bg, fore)}"/>')  # fmt: skip
        if text.strip():
            lead = len(text) - len(text.lstrip())
            shown = text.strip()
            weight = ' font-weight="bold"' if cell.bold else ""
            style = ' font-style="italic"' if cell.italics else ""
            letters.append(
                f'<text x="{(start + lead) * WIDTH:.1f}" y="{SIZE}" fill="{_colour(cell.fg, fore)}"{weight}{style} '
                f'textLength="{cell_len(shown) * WIDTH:.1f}">{escape(shown).replace("  ", _WIDE)}</text>'
            )
    return "".join([*backs, *letters])


def _colour(name: str, fore: str) -> str:
    return _NAMED.get(name, f"#{name}" if len(name) == 6 else fore)
