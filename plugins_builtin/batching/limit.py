"""How many requests an endpoint should have in flight: as many as make it faster, and no more."""

import time
from collections.abc import Callable

MOST = 256
STAGE_SECONDS = 0.5  # how long a doubled limit is watched before it may double again; less, where answers are short:
TURN_SECONDS = 0.1  # once every slot has been given away anew
PAYS = 1.1  # times the tokens a second that doubling the limit must bring
REST_SECONDS = 20.0  # without growth after it did not pay, or after trouble


class Limit:
    """Grows by one with every first token while others wait, in stages that double it; a stage that does not pay is taken back."""

    def __init__(self, first: int, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self.value = first
        self._most = max(most, first)
        self._clock = clock
        self._stage = first
        self._stage_rate = 0.0
        self._full_since = 0.0
        self._tokens = self._begun = 0
        self._rest_until = 0.0

    def token(self, count: int) -> None:
        self._tokens += count

    def first_token(self) -> None:
        """A request's answer has begun, and others wait."""
        self._begun += 1
        if self._clock() < self._rest_until or self.value >= self._most:
            return
        if self.value < 2 * self._stage:
            self.value += 1
            self._watch()
        else:
            self.judge()

    def judge(self) -> None:
        """True if the stage paid; called now and then while others wait. The next one begins with this one's throughput to beat."""
        seconds = self._clock() - self._full_since
        enough = TURN_SECONDS if self._begun > self.value else STAGE_SECONDS
        if self._clock() < self._rest_until or self.value < 2 * self._stage or seconds < enough:
            return
        rate = self._tokens / seconds
        if rate < self._stage_rate * PAYS:
            self.value = self._stage
            self._rest_until = self._clock() + REST_SECONDS
            return
        self._stage, self._stage_rate = self.value, rate
        self.value = min(self._most, self.value + 1)
        self._watch()

    def _watch(self) -> None:
        self._full_since, self._tokens, self._begun = self._clock(), 0, 0

    def begin_again(self) -> None:
        """Grows from here: what kept it from that was about something else."""
        self._stage = self.value
        self._stage_rate = self._rest_until = 0.0

    def trouble(self, served: int) -> None:
        """The server refused, preempted or lets too many wait: half, but not below what it serves of ours at this moment."""
        self.value = max(1, self.value // 2, min(served, self.value))
        self._stage = max(1, self.value)
        self._stage_rate = 0.0
        self._rest_until = self._clock() + REST_SECONDS
