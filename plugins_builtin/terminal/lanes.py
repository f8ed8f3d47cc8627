"""Sub-agents side by side: a line for each while it works. Nothing is drawn here, so a token costs no more with sixteen of them."""

import time

from rich.cells import cell_len, set_cell_size

from agentic.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    LlmChunk,
    LlmRequest,
    ReasoningChunk,
    SubAgentFinished,
    SubAgentStarted,
    ToolCalled,
    ToolResult,
    WorkflowEvent,
)
from plugins_builtin.terminal.words import describe, one_line, speed_of

TITLE_CELLS = 24
TAIL_CHARACTERS = 200
MIN_SECONDS = 0.5  # of a stream, before its speed means anything


class ScreenLane:
    """A sub-agent: what it is about, what it does, the last line of what it says, how fast, for how long."""

    def __init__(self, title: str, started: float) -> None:
        self.title = one_line(title, TITLE_CELLS)
        self.tokens = 0
        self._started = started
        self._state = "begins"
        self._tail = ""
        self._streamed = 0.0
        self._since = 0.0

    def note(self, event: Event, now: float) -> None:
        match event:
            case LlmChunk() | ReasoningChunk():
                self.tokens += 1
                self._since = self._since or now
                self._state = ""
                self._tail = (self._tail + event.text)[-TAIL_CHARACTERS:]
            case LlmRequest():
                self._pause(now)
                self._state = "waits for the first token"
            case ToolCalled():
                self._pause(now)
                self._state = describe(event)
            case ApprovalAsked():
                self._state = "waits for your word"
            case WorkflowEvent() if event.message:
                self._state = event.message
            case ToolResult() | ApprovalAnswered():
                self._state = "goes on"

    def _pause(self, now: float) -> None:
        """The model says nothing for a while: that is no slow token."""
        if self._since:
            self._streamed += now - self._since
            self._since = 0.0
        self._tail = ""

    def rate(self, now: float) -> float:
        """Tokens a second while it streams."""
        seconds = self._streamed + (now - self._since if self._since else 0.0)
        return self.tokens / seconds if seconds > MIN_SECONDS else 0.0

    def line(self, now: float, width: int) -> str:
        title = self.title + " " * (TITLE_CELLS - cell_len(self.title))
        rate = self.rate(now)
        speed = speed_of(rate) if rate else ""
        what = self._state or self._tail.rstrip().rpartition("\n")[2].lstrip()
        head = f"▸ {title} {now - self._started:4.0f} s {speed:>9}  "
        room = max(0, width - cell_len(head))
        return head + _end_of(one_line(what, TAIL_CHARACTERS), room)

    def ended(self, event: SubAgentFinished, now: float) -> str:
        """Returns the line that stays when the sub-agent has finished."""
        files = f" · {', '.join(event.files)}" if event.files else ""
        return f"{self.title}: {event.status} · {now - self._started:.1f} s · {self.tokens} tokens{files}"


class Lanes:
    """All that work now, in the order they began."""

    def __init__(self) -> None:
        self._lanes: dict[str, ScreenLane] = {}
        self._done = 0
        self.ended: dict[str, str] = {}  # the lines that stay, until they are shown
        self.titles: dict[str, str] = {}  # of every agent that has begun

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def note(self, event: Event) -> None:
        """Takes the event in, whoever's it is."""
        now = time.monotonic()
        if isinstance(event, SubAgentStarted):
            self._lanes[event.agent] = lane = ScreenLane(event.title or event.task, now)
            self.titles[event.agent] = lane.title
        elif isinstance(event, SubAgentFinished):
            if gone := self._lanes.pop(event.agent, None):
                self.ended[event.agent] = gone.ended(event, now)
            self._done = self._done + 1 if self._lanes else 0
        elif event.agent in self._lanes:
            self._lanes[event.agent].note(event, now)

    def lines(self, width: int, most: int) -> list[str]:
        """Returns one line for each lane, as many as there is room for."""
        now = time.monotonic()
        shown = [lane.line(now, width) for lane in list(self._lanes.values())[: max(0, most)]]
        return [set_cell_size(line, width).rstrip() for line in shown]

    def summary(self) -> str:
        """All of them in a few words."""
        now = time.monotonic()
        rate = sum(lane.rate(now) for lane in self._lanes.values())
        speed = speed_of(rate) if rate else ""
        done = f"{self._done} done" if self._done else ""
        return " · ".join(part for part in (f"{len(self._lanes)} sub-agents", done, speed) if part)


def _end_of(text: str, cells: int) -> str:
    """The last words of a text that is too long."""
    if cell_len(text) <= cells:
        return text
    while text and cell_len(text) >= cells:
        text = text[max(1, (cell_len(text) - cells) // 2) :]
    return f"…{text}" if cells else ""
