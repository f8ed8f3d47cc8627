"""Answers that only announce what the model is going to do."""

import re

from agentic.lib.patterns import late_pattern

MAX_CHARACTERS = 600  # of a text that says no more than that
_SENTENCES = late_pattern(r"(?<=[.!?:])\s+")
_WILL = late_pattern(
    r"(?:(?:now|next|first|then|okay|ok|sure|so|and),? )?"
    r"(?:I will|I['\u2019]ll|I am going to|I['\u2019]m going to|let me|let['\u2019]s)(?: now| first| next| then)? "
    r"(?!(?:not|know|be|need|wait|leave|stop|let)\b)[a-z]+\b",
    re.IGNORECASE,
)


def asks_back(text: str) -> bool:
    """True if a text ends with a question, whatever closes behind it.

    >>> asks_back("Which file? "), asks_back("어느 파일인가요？"), asks_back("I fixed it.")
    (True, True, False)
    """
    return text.rstrip(" \t\r\n*_`)\"'\u2019\u201d").endswith(("?", "？"))


def announces(text: str) -> bool:
    """True if a short text ends by saying what comes next, and nothing came.

    >>> announces("The bug is in a.py. I'll fix it now."), announces("I fixed a.py. Let me know if that helps.")
    (True, False)
    """
    said = text.strip()
    last = _SENTENCES.split(said)[-1]
    return len(said) <= MAX_CHARACTERS and not last.endswith("?") and _WILL.match(last) is not None
