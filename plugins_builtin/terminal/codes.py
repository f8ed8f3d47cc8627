"""Codes of terminals that the screen uses."""

BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""A synchronised update: what stands between is shown at once, by terminals that know it."""

_ASCII = str.maketrans({"·": "-", "›": ">", "…": "...", "─": "-", "⏎": "|", "→": "->", "●": "*", "▸": ">", "×": "x"})


def in_ascii(text: str) -> str:
    """The text with signs that an output has which knows no others; what is left is the output's own matter."""
    return text.translate(_ASCII)
