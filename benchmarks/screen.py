"""What showing one reply costs: 8,000 characters of Markdown in 2,000 chunks, beside rich.Live rendering it anew at 10 Hz.

    python benchmarks/screen.py

The reply takes 20 s to arrive in both cases (a model at 100 tokens/s); the clock is simulated, the work is real.
"""

import io
import time
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from agentic.events import LlmChunk
from plugins_builtin.screen import rich_screen

SECONDS, REFRESH = 20.0, 10
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


def ours(pieces: list[str]) -> float:
    """CPU seconds."""
    out = io.StringIO()
    clock = SimpleNamespace(now=0.0)
    module: Any = rich_screen
    real = module.time
    module.time = SimpleNamespace(monotonic=lambda: clock.now)
    try:
        screen = rich_screen.RichScreen(out)
        started = time.process_time()
        for piece in pieces:
            clock.now += SECONDS / len(pieces)
            screen.handle(LlmChunk(text=piece))
        screen.close()
        return time.process_time() - started
    finally:
        module.time = real


def live(pieces: list[str]) -> float:
    """CPU seconds."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    refreshes = int(SECONDS * REFRESH)
    step = max(1, len(pieces) // refreshes)
    shown = ""
    started = time.process_time()
    with Live(console=console, auto_refresh=False) as screen:
        for number, piece in enumerate(pieces):
            shown += piece
            if number % step == 0:
                screen.update(Markdown(shown), refresh=True)
    return time.process_time() - started


if __name__ == "__main__":
    main()
