"""The status line: what the agent does now, for how long, how fast."""

import time

from agentic.events import (
    ApprovalAsked,
    EndpointSeen,
    Event,
    Failover,
    LlmChunk,
    LlmRequest,
    Prefilling,
    ReasoningChunk,
    Retrying,
    RunStarted,
    ToolCalled,
    ToolResult,
    UsageReported,
)
from plugins_builtin.terminal.words import describe, one_line, speaker, speed_of

PREFILL_SHOWN_SECONDS = 1.0
MOSTLY = 0.95
MIN_SECONDS = 0.2  # of a stream, before its speed means anything
WAITING = "waiting for the first token"
RETRYING = "trying again"


class Status:
    """The state of a turn: what goes on, tokens a second, time since the start; at the end what it took."""

    def __init__(self) -> None:
        self._prompts = self._cached = self._measured = self._possible = self._found = 0
        self._streamed = 0.0
        self.started = self._requested = time.monotonic()
        self._first_chunk = 0.0
        self._chunks = 0
        self._endpoint = self._doing = ""
        self._prompt = 0
        self._completion = 0
        self._uncached = 0
        self._waited = 0.0
        self._prefill_rate = 0.0
        self._seen: dict[str, EndpointSeen] = {}
        self._retry_at = 0.0
        self._prefilled = 0, 0  # tokens of the prompt that are computed, of how many

    def note(self, event: Event) -> None:
        now = time.monotonic()
        if speaker(event):
            self._completion += event.completion_tokens if isinstance(event, UsageReported) else 0
            return
        match event:
            case LlmChunk() | ReasoningChunk():
                self._first_chunk = self._first_chunk or now
                if self._waited == 0.0:
                    self._waited = now - self._requested
                self._chunks += 1
                self._doing = ""
            case LlmRequest():
                self._requested, self._first_chunk, self._chunks, self._waited = now, 0.0, 0, 0.0
                self._uncached = event.prompt_tokens - (self._prompt if event.prompt_tokens > self._prompt else 0)
                self._endpoint, self._prompt = event.endpoint, event.prompt_tokens
                self._doing = WAITING
                self._prefilled = (0, 0)
            case Prefilling():
                self._prefilled = event.done, event.total or self._prompt
            case Failover():
                self._endpoint = event.to
            case Retrying():
                self._doing, self._retry_at = RETRYING, now + event.seconds
            case UsageReported():
                self._prompt = event.prompt_tokens
                self._prompts += event.prompt_tokens
                self._cached += event.cached_tokens or 0
                if event.possible_tokens:
                    self._possible += event.possible_tokens
                    self._found += min(event.possible_tokens, event.cached_tokens or 0)
                if self._first_chunk and self._chunks > 1:
                    self._measured += event.completion_tokens
                    self._streamed += now - self._first_chunk
                computed = event.prompt_tokens - (event.cached_tokens or 0)
                self._prefill_rate = computed / self._waited if self._waited and computed > 0 else self._prefill_rate
                self._completion += event.completion_tokens
            case ToolCalled():
                self._doing, self._first_chunk = one_line(describe(event), 60), 0.0
            case ApprovalAsked():
                self._doing = "waits for your answer"
            case ToolResult():
                self._doing = ""
            case EndpointSeen():
                self._seen[event.endpoint] = event
            case RunStarted():
                self.started, self._completion, self._doing = now, 0, ""
                self._prompts = self._cached = self._measured = self._possible = self._found = 0
                self._streamed = 0.0

    @property
    def rate(self) -> float:
        """Tokens a second of what streams now, 0 where nothing does."""
        seconds = time.monotonic() - self._first_chunk if self._first_chunk else 0.0
        return self._chunks / seconds if seconds > MIN_SECONDS else 0.0

    def line(self, others: str = "", hint: str = "") -> str:
        """`others` are the sub-agents that work while the agent itself waits, `hint` stands at the end."""
        now = time.monotonic()
        doing = self._waiting(now) if self._doing == WAITING else self._doing
        if self._doing == RETRYING:
            doing = f"{RETRYING} in {self._retry_at - now:.0f} s" if self._retry_at > now else RETRYING
        speed = speed_of(self.rate) if self.rate and not others else ""
        return " · ".join(filter(None, [others or doing or "writing", f"{now - self.started:.0f} s", speed, hint]))

    def _waiting(self, now: float) -> str:
        """Says what the server is doing before the first token, as far as it can be told."""
        queue = self._seen[self._endpoint].waiting if self._endpoint in self._seen else 0
        line = f", {queue} waiting" if queue else ""
        if now - self._requested < PREFILL_SHOWN_SECONDS:
            return WAITING + line
        done, total = self._prefilled
        if total:
            left = (total - done) * (now - self._requested) / done if done else 0.0
            return f"prefilling {done:,} of {total:,} tokens{line}" + (f", about {left:.0f} s" if left >= 1 else "")
        left = self._uncached / self._prefill_rate - (now - self._requested) if self._prefill_rate else 0.0
        return f"prefilling {self._uncached:,} tokens{line}" + (f", about {left:.0f} s" if left > 0 else "")

    def summary(self) -> str:
        """Returns the text that stays on the screen at the end."""
        parts = [
            f"{time.monotonic() - self.started:.1f} s",
            f"{self._completion} tokens" if self._completion else "",
            speed_of(self._measured / self._streamed) if self._streamed > MIN_SECONDS else "",
            self._from_cache(),
        ]
        return "".join(f" · {part}" for part in parts if part)

    def _from_cache(self) -> str:
        """How much of the prompts came from the cache; and of what was computed before, where that is not all of it."""
        if not self._prompts or not (self._cached or self._possible):
            return ""
        missed = self._possible and self._found < MOSTLY * self._possible
        of_possible = f" ({100 * self._found // self._possible} % of the possible)" if missed else ""
        return f"{100 * self._cached // self._prompts} % from the cache{of_possible}"
