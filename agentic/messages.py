"""The messages of a conversation: who says what, with which pictures and which calls of tools."""

import hashlib
from dataclasses import replace
from typing import Literal

from agentic.lib.record import record

Role = Literal["system", "user", "assistant", "tool"]


@record(frozen=True)
class ToolCall:
    """A call that the model asked for; `arguments` is its JSON text, byte for byte (re-serialising it costs cached prefix).

    One that was `recovered` stood in the text of an answer: it may be a quotation, so the user is always asked.
    """

    id: str
    name: str
    arguments: str
    recovered: bool = False


@record(frozen=True)
class ToolNote:
    """A tool call and how it ended, in a few words: `did` is "run make test" or "edit_file a.py"."""

    did: str
    failed: bool = False
    exit_code: int | None = None


@record(frozen=True)
class TextPart:
    text: str


@record(frozen=True)
class ImagePart:
    """A picture's bytes as they are in its file."""

    data: bytes
    media_type: str = "image/png"


Content = str | tuple[TextPart | ImagePart, ...]


@record(frozen=True)
class Message:
    """`notes` say which tool results a message carries, whatever the tool protocol; they are never sent.

    `thought_as` is the name by which a server gave the reasoning, under which it goes back: "reasoning_content",
    "reasoning_details", "thinking" (a field) or "content" (parts of it); "" is "reasoning".
    """

    role: Role
    content: Content = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    notes: tuple[ToolNote, ...] = ()
    thought_as: str = ""

    @property
    def text(self) -> str:
        """The words of the content, without its pictures."""
        if isinstance(self.content, str):
            return self.content
        return "\n\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The pictures of the content."""
        return () if isinstance(self.content, str) else tuple(part for part in self.content if isinstance(part, ImagePart))

    def with_text(self, text: str) -> "Message":
        """The same message with other words and the same pictures."""
        return replace(self, content=(TextPart(text), *self.images) if self.images else text)

    def and_then(self, other: "Message") -> "Message":
        """This message with the other one's words, pictures and notes behind its own."""
        joined = self.with_text(f"{self.text}\n\n{other.text}" if self.text else other.text)
        if other.images:
            joined = replace(joined, content=(TextPart(joined.text), *self.images, *other.images))
        return replace(joined, notes=self.notes + other.notes)


def recall_id(text: str) -> str:
    """The name under which the `recall` tool finds a tool output that was left out of a prompt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
