"""How many tokens a prompt may have, and how many it has."""

from collections.abc import Iterable

from agentic.types import Message, ToolSpec
from agentic.wire.request import encode_tool

DEFAULT_WINDOW = 4096
MAX_ANSWER = 16_384
_BYTES_PER_TOKEN = 3.0  # an upper estimate: code has about 3.3 characters a token
_TOKENS_PER_MESSAGE = 8


class Budget:
    """`window` tokens, `answer` of them kept for the answer (in proportion to `reserved` of 4096), the rest for the prompt."""

    def __init__(self, window: int, reserved: int) -> None:
        self.window = window or DEFAULT_WINDOW
        share = min(0.5, reserved / DEFAULT_WINDOW)
        self.answer = max(1, min(MAX_ANSWER, int(self.window * share)))
        self.prompt = self.window - self.answer
        self._scale = 1.0

    def count(self, message: Message) -> int:
        """A message's tokens, estimated from above, and held to what the server counted before."""
        text = message.content + message.reasoning + "".join(call.name + call.arguments for call in message.tool_calls)
        return int((len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN + _TOKENS_PER_MESSAGE) * self._scale) + 1

    def count_all(self, messages: Iterable[Message], tools: Iterable[ToolSpec] = ()) -> int:
        """A prompt's tokens, estimated."""
        return sum(map(self.count, messages)) + sum(self.count(Message("system", str(encode_tool(tool)))) for tool in tools)

    def learn(self, estimated: int, counted: int) -> None:
        """`counted` is the server's own count for a prompt that was estimated at `estimated`; only upwards, and a margin stays."""
        if estimated and counted > estimated:
            self._scale *= 1.02 * counted / estimated

    def shrink(self, estimated: int) -> None:
        """The server found a prompt too long that was estimated at `estimated`: the like of it is cut to 60 % from now on."""
        self._scale *= max(1.0, self.prompt / max(1, estimated)) / 0.6
