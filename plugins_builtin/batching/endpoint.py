"""An endpoint as the scheduler sees it: slots, load, what its prefix cache should hold, whether it answers."""

import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace

from agentic import ChatRequest, Delta, EndpointInfo, EndpointLoad, Lane
from agentic.config.schema import EndpointSettings as Settings
from agentic.events import EndpointSeen
from plugins_builtin.batching.limit import MOST, Limit

USUAL = Settings()
URGENCY = {Lane.INTERACTIVE: 0, Lane.SUB_AGENT: 1, Lane.BACKGROUND: 2}
MAX_REMEMBERED = 4096
MAX_SILENCE_SECONDS = 30.0
MANY_WAITING = 2
ANSWER_TOKENS = 512  # of an answer without a limit, for want of knowledge
ANSWER_WEIGHT = 8  # answers are made side by side, so their tokens delay others less than a prompt's
BYTES_A_TOKEN = 4
BLOCK = 16  # tokens, where the server does not tell
MANY_TIMES, LONG_SECONDS = 4.0, 1.0  # times the usual time to the first token, and what nobody calls short


class Cost:
    """The cost of a request, in tokens of prompt; `keys` are its prefixes that a cache may hold, the longest first."""

    def __init__(self, request: ChatRequest) -> None:
        head = [message.text for message in request.messages if message.role == "system"][:1]
        tools = sum(len(tool.name) + len(tool.description) + len(str(tool.parameters)) for tool in request.tools)
        fixed = (tools + sum(map(len, head))) // BYTES_A_TOKEN
        size = sum(len(message.text) + len(message.reasoning) for message in request.messages)
        self.prompt = (tools + size) // BYTES_A_TOKEN + 1
        self.answer = (request.max_tokens or ANSWER_TOKENS) // ANSWER_WEIGHT
        prefix = f"{request.model}\0{''.join(head)}\0{','.join(tool.name for tool in request.tools)}"
        self.keys = ([(f"{prefix}\0{request.session}", self.prompt)] if request.session else []) + [(prefix, fixed)]


class Endpoint:
    """`lanes` counts our requests in flight there, `outstanding` what they still cost in tokens."""

    def __init__(
        self,
        url: str,
        slots: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
        settings: Settings = USUAL,
    ) -> None:
        self.url = url
        self.weight = settings.weight
        self._most = most = settings.max_in_flight or max(1, round(most * self.weight))
        self._batch = max(1, min(most, round(slots * self.weight)))
        self.limit = Limit(self._batch, clock, most)
        self.info: EndpointInfo | None = None
        self.load: EndpointLoad | None = None
        self.hit_rate: float | None = None
        self.lanes: Counter[Lane] = Counter()
        self.outstanding = 0
        self.ttft = 0.0
        self.tokens = 0
        self._clock = clock
        self._cached: OrderedDict[str, int] = OrderedDict()
        self._failures = 0
        self._silent_until = 0.0
        self._rest_until = 0.0
        self._looked = 0.0
        self._tells = True
        self._is_routed = self._refused = False
        self._rate_of = (clock(), 0)

    @property
    def in_flight(self) -> int:
        return self.lanes.total()

    @property
    def closed(self) -> bool:
        """True if it did not answer lately: it is asked whether it is back before a request goes there."""
        return self._failures > 0

    @property
    def due_for_probe(self) -> bool:
        return self.closed and self._clock() >= self._silent_until

    @property
    def resting(self) -> float:
        """Seconds until it may be asked again after it said that it is overloaded."""
        return max(0.0, self._rest_until - self._clock())

    def has_slot(self, lane: Lane) -> bool:
        """Requests of a less urgent lane take no slot from a more urgent one."""
        rivals = sum(count for other, count in self.lanes.items() if URGENCY[other] <= URGENCY[lane])
        return rivals < self.places and not self.resting

    @property
    def places(self) -> int:
        """The requests that it may have at once: as many as it says that it has places for, else as many as paid so far."""
        return min(self._slots, self._most) if self._slots else self.limit.value

    @property
    def _slots(self) -> int:
        """0 where it does not tell how many it has, or has refused what it should have had one for."""
        return self.info.places if self.info is not None and not self._refused else 0

    @property
    def window(self) -> int:
        """In tokens; 0 where it is not known."""
        return self.info.window if self.info else 0

    def serves(self, model: str) -> bool:
        """True if it has this model, "" being any."""
        return self.info is not None and (not model or model == self.info.model or model in self.info.served)

    def fits(self, work: Cost) -> bool:
        return not self.window or work.prompt <= self.window

    def is_cold(self, work: Cost) -> bool:
        """True if the fixed part of a prompt, if longer than a block, would be worth computing before it is needed."""
        block = self.load.block if self.load and self.load.block else BLOCK
        idle = self.info is not None and not self.closed and not self.in_flight
        return idle and work.keys[-1][1] > block and not self.saved(work)

    def saved(self, work: Cost) -> int:
        """Tokens of the prompt that its prefix cache should still hold."""
        return next((min(tokens, self._cached[key]) for key, tokens in work.keys if key in self._cached), 0)

    def welcomes(self, work: Cost) -> bool:
        """True if it holds the conversation, or where that begins and its batch is not full yet."""
        return work.keys[0][0] in self._cached or (self.saved(work) > 0 and self.in_flight < self._batch)

    def enter(self, work: Cost, lane: Lane) -> int:
        """Takes a slot. Returns what the request costs there, for `leave`."""
        cost = work.prompt - self.saved(work) + work.answer
        self.lanes[lane] += 1
        self.outstanding += cost
        for key, tokens in work.keys:
            self._cached[key] = tokens
            self._cached.move_to_end(key)
        while len(self._cached) > MAX_REMEMBERED:
            self._cached.popitem(last=False)
        return cost

    def leave(self, cost: int, lane: Lane) -> None:
        self.lanes[lane] -= 1
        self.outstanding -= cost

    def began(self, seconds: float, others_wait: bool) -> None:
        """An answer's first piece has come. A server that shows no metrics tells by this that it has more than it can do."""
        usual, self.ttft = self.ttft, seconds if not self.ttft else 0.7 * self.ttft + 0.3 * seconds
        if not self._tells and not self._slots and usual and seconds > max(LONG_SECONDS, MANY_TIMES * usual) and self.in_flight > 1:
            self.limit.trouble(0)
        elif others_wait:
            self.limit.first_token()

    def received(self, delta: Delta) -> Delta:
        """Counts it. Its usage says then in which unit the server's cache finds prompts again."""
        count = len(delta.token_ids) or 1
        self.tokens += count
        self.limit.token(count)
        if delta.usage is None or self.load is None or not self.load.unit:
            return delta
        return replace(delta, usage=replace(delta.usage, block=self.load.unit))

    def answered(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        """Silence for longer and longer, with jitter, lest all clients come back at once. What it had cached may be gone."""
        self._failures += 1
        self._silent_until = self._clock() + min(MAX_SILENCE_SECONDS, 0.5 * 2**self._failures) * random.uniform(0.8, 1.2)
        self._cached.clear()
        self.load = None  # its counters may begin anew

    def overloaded(self, asked: float, refusals: int) -> None:
        """It refused a request. With others of ours there one that ends makes room, else it is left alone for a while."""
        self._refused = True
        self.limit.trouble(self.in_flight)
        if asked or not self.in_flight:
            self._rest_until = self._clock() + max(asked, random.uniform(0.05, 0.2) * 2**refusals)

    def probing(self) -> None:
        """It is asked; not again while the answer is due."""
        self._silent_until = self._clock() + MAX_SILENCE_SECONDS

    def due_for_look(self, seconds: float) -> bool:
        """True if it is time to ask how busy it is."""
        due = self.in_flight > 0 and not self.closed and self._clock() - self._looked >= seconds
        if due:
            self._looked = self._clock()
        return due

    def tells_nothing(self) -> None:
        self._tells, self.load, self.hit_rate = False, None, None

    def seen(self) -> EndpointSeen:
        """For the screen."""
        (before, tokens), self._rate_of = self._rate_of, (self._clock(), self.tokens)
        seconds = self._rate_of[0] - before
        load = self.load
        return EndpointSeen(
            endpoint=self.url,
            running=load.running if load else self.in_flight,
            waiting=load.waiting if load else 0,
            kv_usage=load.kv_usage if load else None,
            hit_rate=self.hit_rate,
            ttft=round(self.ttft, 3),
            tokens_per_second=round((self.tokens - tokens) / seconds, 1) if seconds > 0 else 0.0,
            places=self.places,
            cache=load.cache if load else "",
            block=load.unit if load else 0,
            lanes={lane.value: count for lane, count in self.lanes.items() if count},
        )

    def saw(self, load: EndpointLoad) -> None:
        """Takes in the load that the server reports.

        Counters that run backwards are another server's: a router is in between, which tells nothing.
        """
        if self._is_routed:
            return
        before, self.load = self.load, load
        if before is None:
            return
        if any(now < then for now, then in zip(_counters(load), _counters(before), strict=True)):
            self._is_routed = True
            self.tells_nothing()
            self.limit.begin_again()
            return
        asked = load.prompt_tokens - before.prompt_tokens
        if asked > 0:
            self.hit_rate = (load.cached_tokens - before.cached_tokens) / asked
        if load.preemptions > before.preemptions or load.waiting > MANY_WAITING:
            self.limit.trouble(min(load.running, self.in_flight))


def _counters(load: EndpointLoad) -> tuple[int, ...]:
    """Returns the counters that only grow while a server lives."""
    return load.preemptions, load.prompt_tokens, load.cached_tokens, load.generated_tokens
