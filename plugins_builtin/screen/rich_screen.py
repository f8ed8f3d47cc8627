"""For terminals: colours, one line for each tool call, and a status line below the text that is rewritten in place."""

import asyncio
import time
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from agentic.events import (
    ApprovalAnswered,
    ApprovalAsked,
    EndpointSeen,
    Event,
    Failover,
    LlmChunk,
    LlmRequest,
    PlanFinished,
    ReasoningChunk,
    Retrying,
    RunFinished,
    RunStarted,
    SandboxReady,
    SubAgentFinished,
    SubAgentStarted,
    ToolCalled,
    ToolResult,
    Typed,
    UsageReported,
    Warned,
)
from agentic.sanitize import sanitize
from plugins_builtin.screen.ink import DIM, RESET, Ink
from plugins_builtin.screen.lanes import Lanes
from plugins_builtin.screen.questions import Questions
from plugins_builtin.screen.words import describe, how_busy, one_line, speaker

STATUS_SECONDS = 0.1
TICK_SECONDS = 0.5
PREFILL_SHOWN_SECONDS = 1.0
WAITING = "waiting for the first token"
RETRYING = "trying again"
# Lines below the cursor: make sure that they are there (IND scrolls and keeps the column), go there, write, come back.
_LINE_BELOW, _SAVE, _NEXT, _RESTORE = "\x1bD", "\x1b7", "\x1b[B\r", "\x1b8"
_ERASE_LINE, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class RichScreen:
    def __init__(self, stdout: TextIO) -> None:
        self._out = stdout
        self._console = Console(file=stdout, highlight=False, markup=False, emoji=False)
        self._ink = Ink()
        self._column = 0
        self._dim = False
        self._status = Status()
        self._lanes = Lanes()
        self._questions = Questions()
        self._report = ""
        self._drawn_at = 0.0
        self._ticker: asyncio.TimerHandle | None = None
        self._calls: dict[tuple[str, str], str] = {}

    def handle(self, event: Event) -> None:
        self._status.note(event)
        self._lanes.note(event)
        for each in self._questions.in_turn(event):
            self._show(each)

    def _show(self, event: Event) -> None:
        name = speaker(event)
        who = f"{name}: " if name else ""
        match event:
            case LlmChunk() | ReasoningChunk() if name:
                self._draw_status_if_due()  # its stream is a lane there
            case LlmChunk():
                self._stream(event.text, reasoning=False)
            case ReasoningChunk():
                self._stream(event.text, reasoning=True)
            case ToolCalled():
                self._calls[event.agent, event.id] = who + describe(event)
            case ToolResult():
                self._tool_line(event)
            case ApprovalAsked():
                self._hold_status()  # the host asks
                self._end_text()
            case SubAgentStarted():
                self._draw_status_if_due()  # it has a lane now
            case PlanFinished():
                self._report = event.report
                self._line(sanitize(event.report), "default")
            case SubAgentFinished():
                self._line(one_line(self._lanes.ended.pop(event.agent, f"{name} ends: {event.status}")), "dim")
            case RunFinished():
                self._hold_status()
                self._finish(event)
            case _:
                if text := describe(event):
                    shown = sanitize(who + text) if isinstance(event, Warned) else one_line(who + text)
                    self._line(shown, "yellow" if isinstance(event, Warned | Failover | Retrying) else "dim")
        if isinstance(event, LlmRequest | ToolCalled | Typed | ApprovalAnswered) and not self._questions.open:
            self._tick()

    def _stream(self, text: str, reasoning: bool) -> None:
        if reasoning != self._dim:
            self._end_text()
            self._dim = reasoning
        safe = sanitize(text)
        self._write(f"{DIM}{safe}{RESET}" if reasoning else self._ink.feed(safe))
        self._move(safe)
        self._draw_status_if_due()

    def _move(self, text: str) -> None:
        """Keeps count of the column that `text` leaves the cursor in."""
        rest = text.rpartition("\n")[2]
        self._column = cell_len(rest) + (0 if "\n" in text else self._column)

    def _tool_line(self, event: ToolResult) -> None:
        call = self._calls.pop((event.agent, event.id), event.name)
        line = Text("✗ " if event.failed else "● ", "red" if event.failed else "green")
        line.append(one_line(call, 80)).append("  ").append(one_line(describe(event), 120), "dim")
        self._print(line, whole=False)

    def _line(self, text: str, style: str) -> None:
        self._print(Text(text, style))

    def _print(self, line: Text, whole: bool = True) -> None:
        """A line above the status. Below it the lanes are written over, never erased first: that would flicker."""
        self._end_text()
        with self._console.capture() as captured:
            self._console.print(line, overflow="fold" if whole else "ellipsis", no_wrap=not whole)
        if self._lanes and not self._questions.open:
            self._out.write(captured.get().replace("\n", f"{_ERASE_LINE}\n") + _ERASE_LINE)
            self._draw_status()
        else:
            self._write(captured.get())

    def _finish(self, event: RunFinished) -> None:
        if event.status == "done":
            files = f" · {', '.join(event.files)}" if event.files else ""
            summary = self._status.summary()
            self._line(one_line(f"✓ done{files}{summary}"), "green")
        else:
            rest = event.result.removeprefix(self._report).strip()  # the report stands above already
            self._line(f"✗ {event.status}: {sanitize(rest)}" if rest else f"✗ {event.status}", "red")

    def _end_text(self) -> None:
        """Ends the streamed text: what the ink held back comes out, and the next line starts at the left."""
        if rest := self._ink.end() + ("\n" if self._column else ""):
            self._write(rest)
        self._column = 0

    def _write(self, text: str) -> None:
        self._out.write(_ERASE_BELOW + text)
        self._out.flush()

    def _draw_status(self) -> None:
        width = self._console.width
        if self._column and self._column % width == 0:
            return  # the cursor hangs behind the last column; moving it would lose that
        lanes = self._lanes.lines(width - 1, self._console.height - 2) if self._lanes else []
        status = self._status.line(self._lanes.summary() if self._lanes else "")
        lines = [*lanes, set_cell_size(status, width - 1).rstrip()]
        text = "".join(f"{_NEXT}{DIM}{line}{RESET}{_ERASE_LINE}" for line in lines)
        self._out.write(f"{_LINE_BELOW * len(lines)}\x1b[{len(lines)}A{_SAVE}{text}{_ERASE_BELOW}{_RESTORE}")
        self._out.flush()
        self._drawn_at = time.monotonic()

    def _draw_status_if_due(self) -> None:
        if time.monotonic() - self._drawn_at > STATUS_SECONDS and not self._questions.open:
            self._draw_status()

    def _tick(self) -> None:
        """Draws the status line now and then while nothing else does."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._draw_status()
        try:
            self._ticker = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        except RuntimeError:
            self._ticker = None

    def _hold_status(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self._out.write(_ERASE_BELOW)
        self._out.flush()

    def close(self) -> None:
        self._hold_status()
        self._end_text()


class Status:
    """What the status line says: endpoint, tokens a second, context used, time since the start, how busy the servers are."""

    def __init__(self) -> None:
        self._started = self._requested = time.monotonic()
        self._first_chunk = 0.0
        self._chunks = 0
        self._endpoint = self._doing = ""
        self._prompt = self._budget = 0
        self._completion = 0
        self._typed = ""
        self._uncached = 0
        self._waited = 0.0
        self._prefill_rate = 0.0
        self._seen: dict[str, EndpointSeen] = {}
        self._sandbox = ""
        self._retry_at = 0.0

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
                self._endpoint, self._prompt, self._budget = event.endpoint, event.prompt_tokens, event.budget
                self._doing = WAITING
            case Failover():
                self._endpoint = event.to
            case Retrying():
                self._doing, self._retry_at = RETRYING, now + event.seconds
            case UsageReported():
                self._prompt = event.prompt_tokens
                computed = event.prompt_tokens - (event.cached_tokens or 0)
                self._prefill_rate = computed / self._waited if self._waited and computed > 0 else self._prefill_rate
                self._completion += event.completion_tokens
            case ToolCalled():
                self._doing = one_line(describe(event), 60)
            case ToolResult():
                self._doing = ""
            case Typed():
                self._typed = event.text
            case EndpointSeen():
                self._seen[event.endpoint] = event
            case SandboxReady():
                self._sandbox = f"sandbox: {event.name or 'none'}"
            case RunStarted():
                self._started, self._completion, self._doing, self._typed = now, 0, "", ""

    def line(self, others: str = "") -> str:
        """`others` are the sub-agents that work while the agent itself waits."""
        now = time.monotonic()
        seconds = now - self._first_chunk if self._first_chunk else 0.0
        own = [
            self._endpoint.removeprefix("http://"),
            f"{self._chunks / seconds:.0f} tok/s" if seconds > 0.2 else "",
            f"context {100 * self._prompt // self._budget} %" if self._budget else "",
        ]
        doing = self._waiting(now) if self._doing == WAITING else self._doing
        if self._doing == RETRYING:
            doing = f"{RETRYING} in {self._retry_at - now:.0f} s" if self._retry_at > now else RETRYING
        parts = [
            self._typed,
            *([others] if others else own),
            f"{now - self._started:.0f} s",
            "" if others else doing,
            self._sandbox,
            *(f"[{url.rpartition(':')[2].removesuffix('/v1')}: {how_busy(seen)}]" for url, seen in sorted(self._seen.items())),
        ]
        return " · ".join(part for part in parts if part)

    def _waiting(self, now: float) -> str:
        """What the server is doing before the first token, as far as it can be told."""
        queue = self._seen[self._endpoint].waiting if self._endpoint in self._seen else 0
        line = f", {queue} waiting" if queue else ""
        if now - self._requested < PREFILL_SHOWN_SECONDS:
            return WAITING + line
        left = self._uncached / self._prefill_rate - (now - self._requested) if self._prefill_rate else 0.0
        return f"prefilling {self._uncached:,} tokens{line}" + (f", about {left:.0f} s" if left > 0 else "")

    def summary(self) -> str:
        """What stays on the screen at the end."""
        tokens = f" · {self._completion} tokens" if self._completion else ""
        return f"{tokens} · {time.monotonic() - self._started:.1f} s"
