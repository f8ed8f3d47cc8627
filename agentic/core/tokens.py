"""How many tokens a prompt has: counted where the transport can, else what the server counted before and an upper estimate."""

from collections.abc import Callable, Iterable

from agentic.errors import AgenticError, RequestRejected
from agentic.hooks.transport import CountsTokens, Transport
from agentic.lib.estimate import upper_estimate
from agentic.lib.prefix import tail_of
from agentic.lib.wire.request import encode_tool
from agentic.types import ChatRequest, Message, ToolSpec

MAX_FAILURES = 3
TOKENS_PER_IMAGE = 2_048  # what vision models make of a large picture; a server's own count of text tells nothing of it
_TOKENS_PER_MESSAGE = 8
_MARGIN = 1.08  # over the densest text seen so far
_PLAUSIBLE = 0.5  # a server that reports less of what was counted exactly leaves something out (what it had in its cache)


class TokenCounter:
    """Lengths of prompts, for all agents of a run.

    `method` says how the last one was found, `error` why no better way was taken. Without a transport all are estimates, by
    `tokens_of` a text where the model's vocabulary is known.
    """

    def __init__(self, transport: Transport | None, tokens_of: Callable[[str], int] | None = None, error: str = "") -> None:
        self._transport = transport if isinstance(transport, CountsTokens) else None
        self._tokens_of, self.error = tokens_of or upper_estimate, error
        self.method = "estimate"
        self._failures = 0
        self._offset = 0
        self._counted: dict[str, int] = {}
        self._known: dict[str, tuple[ChatRequest, int]] = {}  # the last prompt of a conversation whose length the server told
        self._densest = 0.0
        self._scale = 1.0

    async def count(self, request: ChatRequest, endpoint: str) -> int:
        """The prompt's tokens, tools and the start of the answer among them: exact, or never under."""
        total = await self._exact(request, endpoint)
        self._counted[request.session] = total or 0
        if total is None:
            total = self._estimated(request)
        if request.session:  # a question beside the conversations says little of their texts
            self._scale = max(0.1, total / self._raw(request))
        return total

    def estimate(self, request: ChatRequest) -> int:
        """The prompt's tokens without a call: never under."""
        self._counted[request.session] = 0
        return self._estimated(request)

    def learn(self, request: ChatRequest, tokens: int) -> None:
        """The server counted `tokens` for `request`."""
        counted = self._counted.get(request.session, 0)
        if tokens < _PLAUSIBLE * counted or tokens <= 0:
            return
        if counted:
            self._offset += tokens - counted
        before, tail = self._before(request)
        if before and tail:
            self._densest = max(self._densest, (tokens - before) / sum(map(self._raw_message, tail)))
        elif not before:
            self._densest = max(self._densest, tokens / self._raw(request))
        self._known[request.session] = request, tokens
        self._scale = max(0.1, tokens / self._raw(request))

    def _before(self, request: ChatRequest) -> tuple[int, tuple[Message, ...] | None]:
        """(the tokens of the conversation's last prompt, what the request adds to it: None where it does not go on from there)"""
        before, tokens = self._known.get(request.session, (None, 0))
        return tokens, tail_of(before, request) if before else None

    def computed(self, request: ChatRequest) -> int:
        """The tokens of its prompt that the server has computed before, as far as is known: those of the prompt that it goes on."""
        tokens, tail = self._before(request)
        return tokens if tail else 0

    def of(self, message: Message) -> int:
        """A message's share of a prompt, by what the last prompt came to: for choosing what to keep; `count` has the last word."""
        return int(self._raw_message(message) * self._scale) + 1

    def of_tools(self, tools: Iterable[ToolSpec]) -> int:
        """The tools' share of a prompt."""
        return int(sum(map(_raw_tool, tools)) * self._scale) + 1

    async def _exact(self, request: ChatRequest, endpoint: str) -> int | None:
        if self._transport is None or self._failures >= MAX_FAILURES or any(message.images for message in request.messages):
            return None
        try:
            counted = await self._transport.count_tokens(request, endpoint)
        except AgenticError as error:
            self._failures += MAX_FAILURES if isinstance(error, RequestRejected) or error.remedy else 1
            self.error = error.with_remedy
            return None
        self._failures = 0
        self.method, self.error = counted.method, ""
        return counted.tokens + self._offset

    def _estimated(self, request: ChatRequest) -> int:
        before, tail = self._before(request)
        self.method = "usage and estimate" if tail is not None else "estimate"
        factor = min(1.0, self._densest * _MARGIN) if self._densest else 1.0
        if tail is not None:
            return before + int(sum(map(self._raw_message, tail)) * factor) + 1
        return int(self._raw(request) * factor) + 1

    def _raw(self, request: ChatRequest) -> int:
        return sum(map(self._raw_message, request.messages)) + sum(map(_raw_tool, request.tools)) + _TOKENS_PER_MESSAGE

    def _raw_message(self, message: Message) -> int:
        texts = [message.text, message.reasoning, *(part for call in message.tool_calls for part in (call.name, call.arguments))]
        pictures = TOKENS_PER_IMAGE * len(message.images)
        return sum(map(self._tokens_of, texts)) + pictures + _TOKENS_PER_MESSAGE * (1 + len(message.tool_calls))


def _raw_tool(tool: ToolSpec) -> int:
    return upper_estimate(str(encode_tool(tool)))
