"""Exact lengths through the server's `/tokenize`: a conversation's whole prompt once, then only the messages that it adds."""

from collections.abc import Awaitable, Callable, Sequence

from agentic import ChatRequest, Message
from agentic.lib.record import record

Ask = Callable[[ChatRequest, str], Awaitable[int]]
"""A call: the tokens of a prompt, by the tokenizer behind an endpoint."""


@record(slots=True)
class _Counted:
    request: ChatRequest
    tokens: int


class ConversationCounter:
    """Asks for what is new only. That holds for templates that render message by message: the first time is checked."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._last: dict[tuple[str, str], _Counted] = {}
        self._stubs: dict[tuple[str, int], int] = {}
        self._additive: dict[str, bool] = {}

    async def count(self, request: ChatRequest, endpoint: str) -> int:
        last = self._last.get((endpoint, request.session))
        tokens = await self._grown(last, request, endpoint) if last else None
        if tokens is None:
            tokens = await self._ask(request, endpoint)
        self._last[endpoint, request.session] = _Counted(request, tokens)
        return tokens

    async def _grown(self, last: _Counted, request: ChatRequest, endpoint: str) -> int | None:
        length = len(last.request.messages)
        grew = request.messages[:length] == last.request.messages and request.tools == last.request.tools
        if not grew or not self._additive.get(endpoint, True):
            return None
        tail = request.messages[length:]
        tokens = last.tokens + (await self._alone(tail, endpoint) if tail else 0)
        if tail and endpoint not in self._additive:
            whole = await self._ask(request, endpoint)
            self._additive[endpoint] = whole == tokens
            return whole
        return tokens

    async def _alone(self, tail: Sequence[Message], endpoint: str) -> int:
        """count(stub + new messages) - count(stub), the stub being the shortest beginning that they may follow."""
        stub = (Message("user", "."),) if tail[0].role != "user" else (Message("user", "."), Message("assistant", "."))
        key = (endpoint, len(stub))
        if key not in self._stubs:
            self._stubs[key] = await self._ask(ChatRequest(stub), endpoint)
        return await self._ask(ChatRequest((*stub, *tail)), endpoint) - self._stubs[key]
