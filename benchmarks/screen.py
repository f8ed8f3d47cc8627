"""What showing one reply costs: 8,000 characters of Markdown in 2,000 chunks, beside rich.Live rendering it anew at 10 Hz.

    python benchmarks/screen.py

The reply takes 20 s to arrive in both cases (a model at 100 tokens/s); the clock is simulated, the work is real. Then 16 sub-agents
at 60 tokens/s each, for 20 s as well.
"""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from agentic.events import Event, LlmChunk, SubAgentStarted
from agentic.lib.palette import palette_for
from agentic.testing import settings_with
from plugins_builtin.terminal import below, lanes, pace, screen, status

SECONDS, REFRESH = 20.0, 10
PALETTE = palette_for("dark", "utf-8", environment={"TERM": "xterm-256color"})
RATE = 60  # tokens a second
LANES, LANE_RATE = 16, 60
PARAGRAPH = (
    "## Part\n\nSome **bold** words and `code`, then a list:\n\n- one item\n- another item\n\n```python\nprint('hello')\n```\n\n"
)


def main() -> None:
    print(f"{'characters':>10} {'chunks':>7} {'ours ms':>8} {'Live ms':>8} {'ratio':>6}")
    for size in (2000, 4000, 8000, 16000):
        text = (PARAGRAPH * (size // len(PARAGRAPH) + 1))[:size]
        pieces = [text[i : i + 4] for i in range(0, size, 4)]
        mine, theirs = ours(pieces), live(pieces)
        print(f"{size:10} {len(pieces):7} {mine * 1000:8.1f} {theirs * 1000:8.1f} {mine / theirs:6.3f}")
    print("reach: ratio at most 0.1 at 8,000 characters; ours grows linearly")
    text = (PARAGRAPH * 40)[: int(SECONDS * RATE * 4)]
    cost = ours([text[i : i + 4] for i in range(0, len(text), 4)])
    print(f"one stream at {RATE} tokens/s: {100 * cost / SECONDS:.2f} % of a core (reach 3)")
    for count in (4, LANES):
        print(
            f"{count} lanes at {LANE_RATE} tokens/s each: {100 * side_by_side(count) / SECONDS:.1f} % of a core (reach for 16: 10)"
        )


def ours(pieces: list[str]) -> float:
    """CPU seconds."""
    return handled([LlmChunk(text=piece) for piece in pieces])


def side_by_side(count: int) -> float:
    """CPU seconds of that many sub-agents' streams."""
    words = PARAGRAPH.split(" ")
    names = [f"sub-{number}" for number in range(count)]
    begun: list[Event] = [SubAgentStarted(task="x", title=f"part {name}", agent=name) for name in names]
    rounds = int(SECONDS * LANE_RATE)
    return handled(begun + [LlmChunk(text=f"{words[i % len(words)]} ", agent=name) for i in range(rounds) for name in names])


def handled(events: Sequence[Event]) -> float:
    """CPU seconds for showing these, evenly over the time."""
    out = io.StringIO()
    clock = SimpleNamespace(now=0.0)
    modules: list[Any] = [pace, lanes, status]
    real, soon = modules[0].time, pace.FramePace.soon

    def in_time(self: pace.FramePace) -> None:
        """Draws a frame once it is time for one, as a running loop has it drawn."""
        if clock.now - self._last >= pace.FRAME_SECONDS:
            self.now()

    for module in modules:
        module.time = SimpleNamespace(monotonic=lambda: clock.now)
    setattr(pace.FramePace, "soon", in_time)  # noqa: B010 - a method, to type checkers
    try:
        shown = screen.TerminalScreen(settings_with(), Path(), PALETTE, below.Below(out))
        started = time.process_time()
        for event in events:
            clock.now += SECONDS / len(events)
            shown.handle(event)
        shown.close()
        return time.process_time() - started
    finally:
        setattr(pace.FramePace, "soon", soon)  # noqa: B010
        for module in modules:
            module.time = real


def live(pieces: list[str]) -> float:
    """CPU seconds."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    refreshes = int(SECONDS * REFRESH)
    step = max(1, len(pieces) // refreshes)
    shown = ""
    started = time.process_time()
    with Live(console=console, auto_refresh=False) as region:
        for number, piece in enumerate(pieces):
            shown += piece
            if number % step == 0:
                region.update(Markdown(shown), refresh=True)
    return time.process_time() - started


if __name__ == "__main__":
    main()
