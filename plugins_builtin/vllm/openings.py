"""Openings that end at a border of a server's cache, where it has long blocks: a prefix that ends there is found completely.

A hybrid model's state is kept at the ends of blocks, of 528 to 2,048 tokens, and of prompts: the next session or sub-agent finds
nothing of an opening that is shorter than a block, however finely prompts are matched. Measured with blocks of 1,024 on vLLM 0.32:
of a second session's first prompt 1,024 of 2,003 tokens came from the cache, and 2,048 of 2,090 with 87 tokens filled in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import takewhile

from agentic import AgenticError, ChatRequest, EndpointInfo, EndpointLoad, Message, ToolSpec

LONG_UNIT = 64  # tokens; shorter steps lose less than a filling costs
MOST = 4  # at most that part of a block is filled
ROOM = 24_000  # tokens of a window that has room for it
NEAR = 16  # tokens behind the border that are as good as none
_FILLING = " ."  # a token in the vocabularies of all families
MOST_KNOWN = 64
_Opening = tuple[str, Message, tuple[ToolSpec, ...]]
Ids = Callable[[ChatRequest, str], Awaitable[Sequence[int]]]
"""A call: the prompt that an endpoint makes of a request, in tokens."""


class Openings:
    """Knows for each opening, a system text and tools, what fills it up. `load` tells how long a server's blocks are."""

    def __init__(self, ids: Ids, load: Callable[[str], Awaitable[EndpointLoad]]) -> None:
        self._ids = ids
        self._load = load
        self._blocks: dict[str, asyncio.Future[int]] = {}
        self._known: list[tuple[_Opening, asyncio.Future[str]]] = []

    async def filled(self, request: ChatRequest, info: EndpointInfo) -> ChatRequest:
        """The request with its opening filled up, where that saves a block; the same text each time."""
        opening = next(iter(request.messages), None)
        if opening is None or opening.role != "system" or not request.session or info.window < ROOM:
            return request
        if info.url not in self._blocks:
            self._blocks[info.url] = asyncio.ensure_future(self._block(info.url))
        block = await asyncio.shield(self._blocks[info.url])
        if block <= LONG_UNIT:
            return request
        key = info.url, opening, request.tools
        found = next((found for known, found in self._known if known == key), None)
        if found is None:  # all that begin at once wait for one answer
            found = asyncio.ensure_future(self._filling(request, info.url, block))
            self._known = [*self._known[-MOST_KNOWN:], (key, found)]
        filling = await asyncio.shield(found)
        return replace(request, messages=(_with(opening, filling), *request.messages[1:])) if filling else request

    async def _filling(self, request: ChatRequest, endpoint: str, block: int) -> str:
        try:
            return await self._search(request, endpoint, block)
        except AgenticError:
            return ""

    async def _search(self, request: ChatRequest, endpoint: str, block: int) -> str:
        shared = await self._shared(request, endpoint)
        missing = count = -shared % block
        for _ in range(3):  # by what it came to before, where a vocabulary cuts it otherwise
            if not 0 < missing <= block // MOST:
                return ""
            filling = "\n" + _FILLING * count
            opening = _with(request.messages[0], filling)
            gained = await self._shared(replace(request, messages=(opening,)), endpoint) - shared
            if missing <= gained < missing + NEAR:
                return filling
            count = -(-count * missing // max(1, gained))
        return ""

    async def _block(self, endpoint: str) -> int:
        try:
            load = await self._load(endpoint)
        except AgenticError:
            return 0
        return load.block if load.cache == "hybrid" else 0

    async def _shared(self, request: ChatRequest, endpoint: str) -> int:
        """The tokens that all conversations with this opening begin with."""
        asked = (replace(request, messages=(request.messages[0], Message("user", word))) for word in ("alpha", "7"))
        one, other = [await self._ids(each, endpoint) for each in asked]
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _with(opening: Message, filling: str) -> Message:
    return opening.with_text(opening.text + filling)
