"""Scripts of sed and awk: whether they only read, change and print text. Anything else they can do is not told apart."""

import re

from agentic.lib.patterns import late_pattern

_ADDRESS = r"(?:\d+(?:~\d+)?|\$|/(?:[^/\\\n]|\\.)*/I?)"
_SED = late_pattern(
    rf"[ \t]*(?:{_ADDRESS}(?:[ \t]*,[ \t]*(?:[+~]?\d+|{_ADDRESS}))?)?[ \t]*!?[ \t]*"
    r"(?:(?P<block>[{}])|(?P<plain>[pdDPnNhHgGxl=]|q\d*|Q\d*)(?=[ \t]*(?:[;\n}]|$))"
    r"|(?P<text>[aic])(?:\\\n|\\?[ \t]*(?=[^\s\\]))[^\n]*"
    r"|(?P<label>[bt:])[ \t]*\w*(?=[ \t]*(?:[;\n}]|$))|(?P<change>[sy])(?P<mark>[^\w\s\\;]))"
)
_FLAGS = late_pattern(r"(?:[gpiIM]|\d+)*(?=[ \t]*(?:[;\n}]|$))")


def sed_is_good(script: str) -> bool:
    """True if each of its commands prints, deletes or replaces text and nothing more."""
    if re.search(r"\[[^\]]*[/|,#!:@%_]", script):  # a mark within brackets: not every sed reads it alike
        return False
    place = 0
    while (place := _blank(script, place)) < len(script):
        found = _SED.match(script, place)
        if found is None:
            return False
        place = found.end()
        if found["change"]:
            for _ in range(2):
                place = _behind(script, place, found["mark"])
            flags = _FLAGS.match(script, place) if place else None
            if flags is None or (found["change"] == "y" and flags[0]):
                return False
            place = flags.end()
    return True


def _blank(script: str, place: int) -> int:
    while place < len(script) and script[place] in " \t\n;":
        place += 1
    return place


def _behind(script: str, place: int, mark: str) -> int:
    """The place behind the next mark that is not escaped; the end where there is none, which no flags follow."""
    if not place:
        return 0
    while place < len(script):
        if script[place] == "\\":
            place += 2
        elif script[place] == mark:
            return place + 1
        else:
            place += 1
    return 0


def awk_is_good(program: str) -> bool:
    """True if it starts nothing, loads nothing and writes no file: it pipes nowhere, and `>` only compares."""
    if re.search(r"[@`]|\b(?:system|getline|load|include|fflush|close)\b", program):
        return False
    bare = program.replace("||", "")
    if "|" in bare or ">>" in bare:
        return False
    return ">" not in bare or not re.search(r"\bprintf?\b", bare)
