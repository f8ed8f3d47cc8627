"""The one place where text from models, tools and files is made safe for a terminal."""

import re

_UNSAFE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates, tags
)
_JOINER = "(?<=[\u2600-\U0001faff\ufe0f])\u200d(?=[\u2600-\U0001faff])"
_KEEP = "\ue000"


def sanitize(text: str) -> str:
    """`text` with every control, escape, bidi and invisible character written out as \\u{..}; tab and newline stay.

    A zero-width joiner inside an emoji sequence is part of the emoji and stays too.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text  # the patterns below take milliseconds to compile, so that waits until they are needed
    if "\u200d" in text:
        text = re.sub(_JOINER, _KEEP, text)
        return re.sub(_UNSAFE, _spell_out, text).replace(_KEEP, "\u200d")
    return re.sub(_UNSAFE, _spell_out, text)


def _spell_out(match: re.Match[str]) -> str:
    return "" if match[0] == "\r" else f"\\u{{{ord(match[0]):x}}}"
