"""A message that is too long for the window, said in fewer words."""

from collections.abc import Callable

from agentic import AgenticError, Llm, Message

MAX_CHUNKS = 16
MIN_TOKENS = 48  # fewer words say nothing
EDGE_SHARE = 0.25  # of the room: what was asked stands at the beginning or at the end of a long message
_ASK = "Say the following in at most {words} words for a programmer. Keep names, paths, numbers and errors as they are.\n\n"


async def shorter(message: Message, room: int, budget: int, count: Callable[[Message], int], llm: Llm) -> str:
    """`message`'s content in about `room` tokens. The requests to the model fit into `budget` tokens each, answer included."""
    text = message.text
    per_token = len(text) / max(1, count(message))
    edge = int(room * EDGE_SHARE * per_token)
    middle = text[edge : len(text) - edge]
    size = max(1, int(budget / 2 * per_token))
    chunks = [middle[start : start + size] for start in range(0, len(middle), size)]
    tokens = int(room * (1 - 3 * EDGE_SHARE)) // max(1, len(chunks))
    cut = _cut(text, int(room * per_token * 0.9))
    if not chunks or len(chunks) > MAX_CHUNKS or tokens < MIN_TOKENS:
        return cut
    ask = _ASK.format(words=tokens // 2)
    try:
        said = await llm.gather([[Message("user", ask + chunk)] for chunk in chunks], max_tokens=tokens)
    except AgenticError:
        return cut
    parts = [text[:edge], "(in short:)", *(part.strip() for part in said), "(to the letter again:)", text[len(text) - edge :]]
    short = "\n".join(parts)
    return short if len(short) < len(text) and count(Message(message.role, short)) <= room else cut


def _cut(text: str, length: int) -> str:
    """The beginning and the end."""
    notice = f"\n(… {max(0, len(text) - length)} characters left out …)\n"
    half = max(0, (length - len(notice)) // 2)
    return text[:half] + notice + text[len(text) - half :] if half else notice
