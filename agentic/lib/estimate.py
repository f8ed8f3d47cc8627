"""A length in tokens that hardly any vocabulary needs more than."""

import re
from functools import lru_cache

# Four letters, a digit, a sign, more than one space, a control character: hardly any vocabulary needs more tokens; and one for
# each byte of the rest.
_PIECES = re.compile(r"[A-Za-z]{1,4}|[0-9]|[!-/:-@\[-`{-~]|\s{2,}|\n|[\x00-\x08\x0e-\x1b\x7f]")


@lru_cache(maxsize=4096)
def upper_estimate(text: str) -> int:
    """About twice the tokens of English or code; what is not ASCII counts by its bytes."""
    rest = 0 if text.isascii() else len(text.encode("utf-8", "replace")) - sum(map(str.isascii, text))
    return len(_PIECES.findall(text)) + rest
