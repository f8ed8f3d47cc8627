"""Raises the number of requests in flight for as long as it pays, within the seconds that there are."""

import time
from collections.abc import AsyncIterator, Sequence

from agentic import EndpointInfo
from plugins_builtin.vllm.bench.load import Step, step
from plugins_builtin.vllm.bench.shapes import SHAPES
from plugins_builtin.vllm.transport import VllmTransport

PAYS = 1.05  # times the tokens a second that doubling the requests must bring; twice not is the end
ROUNDS, NAMED_ROUNDS = 2, 6  # answers that each client gets in a step: of a sweep, of levels that the user named
SHARE_OF_WINDOW = 0.4  # that a prompt may take
TOKENS_A_WORD = 1.3


class Sweep:
    """Over one group of endpoints after the other. `levels` are requests in flight at each endpoint; without any they are found."""

    def __init__(
        self, transport: VllmTransport, infos: Sequence[EndpointInfo], levels: Sequence[int], most: int, prompt: int, tokens: int
    ) -> None:
        self._transport = transport
        self._levels = levels
        self._most = most
        self._tokens = tokens
        windows = [info.window for info in infos if info.window]
        room = int(SHARE_OF_WINDOW * min(windows)) if windows else prompt
        self._words = int(min(prompt, room) / TOKENS_A_WORD)
        urls = [info.url for info in infos]
        self._groups = [[url] for url in urls] + ([urls] if len(urls) > 1 else [])
        self._seed = int(time.time())

    async def steps(self, shapes: Sequence[str], seconds: float) -> AsyncIterator[Step]:
        """Each as it is done. Each group and shape gets its share of the time; what one leaves goes to those that follow."""
        end, left = time.monotonic() + seconds, len(self._groups) * len(shapes)
        for group in self._groups:
            for shape in shapes:
                share = (end - time.monotonic()) / left
                async for each in self._rise(group, shape, time.monotonic() + share):
                    yield each
                left -= 1

    async def _rise(self, group: Sequence[str], shape: str, end: float) -> AsyncIterator[Step]:
        await self._do(group, shape, 1, len(group))  # what is compiled or loaded with the first request
        best, idle, spent = 0.0, 0, 0.0
        for level in self._levels or _doubling(self._most):
            count = level * len(group)
            if not self._levels and best and (idle == 2 or time.monotonic() + spent > end):
                return
            started = time.monotonic()
            done = await self._do(group, shape, count, max(4, (NAMED_ROUNDS if self._levels else ROUNDS) * count))
            spent = 1.5 * (time.monotonic() - started)
            yield done
            if done.failed and not done.requests:
                return
            idle = 0 if done.tokens_per_second > best * PAYS else idle + 1
            best = max(best, done.tokens_per_second)

    async def _do(self, group: Sequence[str], shape: str, count: int, requests: int) -> Step:
        self._seed += 1000
        clients = [SHAPES[shape](self._words, self._tokens, self._seed + number) for number in range(count)]
        return await step(self._transport, group, shape, clients, requests)


def _doubling(most: int) -> Sequence[int]:
    levels = [1]
    while levels[-1] * 2 <= most:
        levels.append(levels[-1] * 2)
    return levels
