"""Bytes as text and back, without a change that nobody asked for."""

import codecs
import re
from collections.abc import Callable

from agentic.errors import ToolError
from agentic.lib.record import record

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


# Compiled when a text needs them: few files are in an encoding of a region.
_EASTERN = r"[^\x00-\x7f]+"
_HANGUL = r"[\uac00-\ud7a3\u3000-\u303f\u00b0-\u00b7\uff00-\uff60]+"
_KANA = r"[\u3041-\u30ff]"
_JAPANESE = r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff60\u2010-\u203b]+"
_HAN = r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uff60\u2010-\u203b]+"


def _all(pattern: str, runs: list[str]) -> bool:
    return all(re.fullmatch(pattern, run) for run in runs)


def _has_kana(runs: list[str]) -> bool:
    return any(re.search(_KANA, run) for run in runs)


# What a text has to look like to be taken for one in that encoding; detectors go wrong on texts as short as source files.
_REGIONAL: dict[str, Callable[[list[str]], bool]] = {
    "cp949": lambda runs: _all(_HANGUL, runs),
    "euc_jp": lambda runs: _all(_JAPANESE, runs) and _has_kana(runs),
    "cp932": lambda runs: _all(_JAPANESE, runs) and _has_kana(runs),
    "gb2312": lambda runs: _all(_HAN, runs),
    "big5": lambda runs: _all(_HAN, runs),
}


@record(frozen=True, slots=True)
class Text:
    """A file's text with how it was stored; `encode` gives the very bytes back for the very text."""

    text: str
    encoding: str
    mark: bytes

    @property
    def newline(self) -> str:
        """Returns the line ending that most lines have."""
        crlf = self.text.count("\r\n")
        if self.text.count("\r") > 2 * max(crlf, self.text.count("\n")):
            return "\r"
        return "\r\n" if crlf * 2 > self.text.count("\n") else "\n"

    def encode(self, text: str) -> bytes:
        """Raises ToolError for a character that the file's encoding does not have."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            character = text[error.start]
            raise ToolError(f"the file is stored as {self.encoding}, which has no {character!r}") from error


def is_notebook(name: str) -> bool:
    """True for the name of a Jupyter notebook."""
    return name.endswith(".ipynb")


def decode(data: bytes, name: str) -> Text:
    """The text of a file, of a Jupyter notebook that of its cells. Raises ToolError for what is no text."""
    file = _text_of(data, name)
    if not is_notebook(name):
        return file
    from agentic.lib.files.notebook import notebook

    return notebook(file)


def encode_new(text: str, name: str) -> bytes:
    """The bytes of a file that is not there yet. Raises ToolError for a notebook that would be none."""
    if not is_notebook(name):
        return text.encode("utf-8", "replace")
    from agentic.lib.files.notebook import new_notebook

    return new_notebook(text)


def _text_of(data: bytes, name: str) -> Text:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            try:
                return Text(data.removeprefix(mark).decode(encoding), encoding, mark)
            except UnicodeDecodeError:
                break
    if b"\0" in data:
        if wide := _wide(data):
            return wide
        raise ToolError(f"{name} is a binary file ({len(data)} bytes)")
    return _exact(data, "utf-8") or regional(data) or Text(data.decode("latin-1"), "latin-1", b"")


def _exact(data: bytes, encoding: str) -> Text | None:
    """The text, where it gives these very bytes back."""
    try:
        text = data.decode(encoding)
        return Text(text, encoding, b"") if text.encode(encoding) == data else None
    except UnicodeError:
        return None


def _wide(data: bytes) -> Text | None:
    """UTF-16 without a mark: the zeros of its ASCII letters stand at one side only."""
    sides = [b"\0" in data[side::2] for side in (0, 1)]
    if sides[0] == sides[1]:
        return None
    found = _exact(data, "utf-16-le" if sides[1] else "utf-16-be")
    return found if found and re.sub(r"[\t\n\r\f]", "", found.text).isprintable() else None


def regional(data: bytes) -> Text | None:
    """Korean, Japanese and Chinese encodings; two such characters in a row on average, since one may be two accented letters."""
    for encoding, looks_so in _REGIONAL.items():
        found = _exact(data, encoding)
        runs = re.findall(_EASTERN, found.text) if found else []
        if runs and sum(map(len, runs)) >= 2 * len(runs) and looks_so(runs):
            return found
    return None
