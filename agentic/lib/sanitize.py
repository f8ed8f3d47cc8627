"""The one place where text from models, tools and files is made safe for a terminal."""

import re

# Printable by their category, and nothing is seen of them: fillers, variation selectors, controls of one script, empty Braille.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U00013430-\U0001343f\U000e0100-\U000e01ef"
_FIRST_BLANK = _BLANK[0]
_UNSAFE = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    f"\ud800-\udfff\U000e0000-\U000e007f{_BLANK}]"  # lone surrogates, tags
)
_SYMBOL = "[\u00a9\u00ae\u203c-\u27ff\u2900-\u3299\U0001f000-\U0001faff]"
_EMOJI = f"(?<=[\u2600-\U0001faff])\u200d(?=[\u2600-\U0001faff])|(?<={_SYMBOL})[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)"


def sanitize(text: str) -> str:
    """`text` with every control, escape, bidi and invisible character written out as \\u{..}; tab and newline stay.

    A zero-width joiner or a variation selector that is part of an emoji stays too.
    """
    if max(text, default="") < _FIRST_BLANK and text.replace("\n", "").replace("\t", "").isprintable():
        return text  # the patterns below take milliseconds to compile, so that waits until they are needed
    return re.sub(f"(?P<emoji>{_EMOJI})|{_UNSAFE}", _spell_out, text)


def hide_login(url: str) -> tuple[str, str]:
    """(the URL with `***` in place of a user and password, these as they stand there, "" for none)"""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if "@" not in host and "@" in path and re.search(r":\D", host):  # a password with a slash in it
        before, _, behind = rest.rpartition("@")
        host, slash, path = f"{before}@{behind.partition('/')[0]}", *behind.partition("/")[1:]
    login, at, address = host.rpartition("@")
    if not (mark and at) or login == "***":
        return url, ""
    return f"{scheme}://***@{address}{slash}{path}", login


_LOGIN = re.compile(r"(://)(?:[^\s/@\"']+|[^\s/@:\"']+:(?!\d+/)[^\s@\"']+)@")  # a password may have a slash in it
_SECRET_FIELD = re.compile(r"(?i)([?&](?:api[_-]?key|key|token|access[_-]?token|secret)=)[^&\s\"')]+")


def hide_logins(text: str) -> str:
    """The text with `***` in place of what stands for a login in its URLs, and of keys in their queries."""
    text = _LOGIN.sub(r"\1***@", text) if "@" in text else text
    return _SECRET_FIELD.sub(r"\1***", text) if "=" in text else text


def _spell_out(match: re.Match[str]) -> str:
    if match["emoji"] is not None:
        return match[0]
    return "" if match[0] == "\r" else f"\\u{{{ord(match[0]):x}}}"
