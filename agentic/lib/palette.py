"""The colours of the terminal, by what they mean: one place for the questions of the host and for renderers."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentic.lib.patterns import late_pattern
from agentic.lib.record import record

RESET = "\x1b[0m"
_CODES = late_pattern(r"\x1b\[[0-9;?]*[A-Za-z]")
THEMES = ("auto", "dark", "light", "colorblind", "mono")


@record(frozen=True, slots=True)
class Palette:
    """The codes to write before a piece of text, "" for none; `RESET` ends it. `ascii`: the output has no other characters."""

    bold: str = ""
    dim: str = ""
    italic: str = ""
    good: str = ""
    bad: str = ""
    warning: str = ""
    added: str = ""
    removed: str = ""
    added_back: str = ""
    removed_back: str = ""
    added_word: str = ""
    removed_word: str = ""
    user_back: str = ""
    accent: str = ""
    heading: str = ""
    code: str = ""
    link: str = ""
    keyword: str = ""
    string: str = ""
    comment: str = ""
    number: str = ""
    name: str = ""
    ascii: bool = False

    def paint(self, role: str, text: str) -> str:
        """The text in the colour of that field (in none where there is no such field), as it was behind it."""
        start = getattr(self, role, "")
        return f"{start}{text}{RESET}" if start and text else text

    def mark(self, character: str, instead: str) -> str:
        """A character for an output that has it, `instead` for one that has only ASCII."""
        return instead if self.ascii else character


def _sgr(code: str) -> str:
    return f"\x1b[{code}m"


PLAIN = Palette()
_MONO = Palette(
    bold=_sgr("1"), dim=_sgr("2"), italic=_sgr("3"), heading=_sgr("1"), link=_sgr("4"), keyword=_sgr("1"), comment=_sgr("2")
)
# The sixteen colours are the terminal's own, which fit its background; those of 256 are the same everywhere.
_PALETTES: Mapping[str, Palette] = {
    "mono": _MONO,
    "dark": replace(
        _MONO, good=_sgr("32"), bad=_sgr("31"), warning=_sgr("33"), added=_sgr("32"), removed=_sgr("31"), heading=_sgr("1;35"),
        code=_sgr("36"), link=_sgr("4;36"), keyword=_sgr("95"), string=_sgr("92"), comment=_sgr("90"), number=_sgr("96"),
        name=_sgr("94"), added_back=_sgr("48;5;22"), removed_back=_sgr("48;5;52"), added_word=_sgr("1;48;5;28"),
        removed_word=_sgr("1;48;5;88"), user_back=_sgr("48;5;236"), accent=_sgr("38;5;75"),
    ),
    "light": replace(
        _MONO, good=_sgr("32"), bad=_sgr("31"), warning=_sgr("38;5;130"), added=_sgr("38;5;22"), removed=_sgr("38;5;124"),
        heading=_sgr("1;35"), code=_sgr("34"), link=_sgr("4;34"), keyword=_sgr("38;5;90"), string=_sgr("38;5;22"),
        comment=_sgr("38;5;243"), number=_sgr("38;5;24"), name=_sgr("34"), added_back=_sgr("48;5;194"),
        removed_back=_sgr("48;5;224"), added_word=_sgr("1;48;5;157"), removed_word=_sgr("1;48;5;217"),
        user_back=_sgr("48;5;254"), accent=_sgr("38;5;25"),
    ),
    # Blue and orange instead of green and red: the colours of Okabe and Ito, as near as the 256 have them.
    "colorblind": replace(
        _MONO, good=_sgr("38;5;32"), bad=_sgr("1;38;5;166"), warning=_sgr("38;5;172"), added=_sgr("38;5;32"),
        removed=_sgr("38;5;166"), heading=_sgr("1;38;5;32"), code=_sgr("38;5;74"), link=_sgr("4;38;5;32"),
        keyword=_sgr("38;5;32"), string=_sgr("38;5;172"), comment=_sgr("38;5;245"), number=_sgr("38;5;175"), name=_sgr("38;5;74"),
        accent=_sgr("38;5;74"),
    ),
}  # fmt: skip


# Softer than any of the 256, for terminals that have all colours.
_BACKGROUNDS: Mapping[str, Mapping[str, Any]] = {
    "dark": {
        "added_back": _sgr("48;2;18;51;31"), "removed_back": _sgr("48;2;61;26;31"), "added_word": _sgr("1;48;2;31;107;58"),
        "removed_word": _sgr("1;48;2;122;42;51"), "user_back": _sgr("48;2;38;42;49"),
    },
    "light": {
        "added_back": _sgr("48;2;218;251;225"), "removed_back": _sgr("48;2;255;235;233"), "added_word": _sgr("1;48;2;172;238;187"),
        "removed_word": _sgr("1;48;2;255;201;196"), "user_back": _sgr("48;2;240;242;245"),
    },
}  # fmt: skip


def palette_for(theme: str, encoding: str, is_light: bool | None = None, environment: Mapping[str, str] = os.environ) -> Palette:
    """The palette of `ui.theme`; "auto" is dark or light, as the terminal's background `is_light`. NO_COLOR takes all colours."""
    if environment.get("TERM", "dumb") == "dumb":
        chosen = PLAIN
    elif environment.get("NO_COLOR"):
        chosen = _MONO
    else:
        name = theme if theme != "auto" else "light" if is_light else "dark"
        chosen = _PALETTES[name]
        if environment.get("COLORTERM") in ("truecolor", "24bit"):
            chosen = replace(chosen, **_BACKGROUNDS.get(name, {}))
    return chosen if encoding.lower().replace("-", "").startswith("utf") else replace(chosen, ascii=True)


def without_codes(text: str) -> str:
    """The text as it is read, without colours and other codes."""
    return _CODES.sub("", text)
