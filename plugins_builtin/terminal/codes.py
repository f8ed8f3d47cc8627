"""Codes of terminals that the screen uses."""

import re

BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""A synchronised update: what stands between is shown at once, by terminals that know it."""
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_codes(text: str) -> str:
    return _CODES.sub("", text)
