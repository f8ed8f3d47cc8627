"""Pictures in messages, and words in place of them."""

import hashlib
from dataclasses import replace

from agentic.types import ChatRequest, ImagePart, Message, TextPart


def pictures(request: ChatRequest) -> dict[str, ImagePart]:
    """The pictures of a request by their names."""
    return {name_of(image): image for message in request.messages for image in message.images}


def name_of(image: ImagePart) -> str:
    """The same for the same bytes."""
    return hashlib.sha256(image.data).hexdigest()


def without_pictures(message: Message, words: dict[str, str]) -> Message:
    """The message with words in place of its pictures."""
    if isinstance(message.content, str):
        return message
    parts = [part if isinstance(part, TextPart) else TextPart(f"(A picture: {words[name_of(part)]})") for part in message.content]
    return replace(message, content="\n\n".join(part.text for part in parts))
