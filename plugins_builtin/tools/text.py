"""Bytes as text and back, without a change that nobody asked for."""

import codecs
from dataclasses import dataclass

from agentic import ToolError

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text with how it was stored; `encode` gives the very bytes back for the very text."""

    text: str
    encoding: str
    mark: bytes

    @property
    def newline(self) -> str:
        """What most lines end with."""
        crlf = self.text.count("\r\n")
        return "\r\n" if crlf * 2 > self.text.count("\n") else "\n"

    def encode(self, text: str) -> bytes:
        """Raises ToolError for a character that the file's encoding does not have."""
        try:
            return self.mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            character = text[error.start]
            raise ToolError(f"the file is stored as {self.encoding}, which has no {character!r}") from error


def decode(data: bytes, name: str) -> Text:
    """Raises ToolError for what is no text."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            try:
                return Text(data.removeprefix(mark).decode(encoding), encoding, mark)
            except UnicodeDecodeError:
                break
    if b"\0" in data:
        raise ToolError(f"{name} is a binary file ({len(data)} bytes)")
    try:
        return Text(data.decode("utf-8"), "utf-8", b"")
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "latin-1", b"")
