"""For terminals: colours, one line for each tool call, and a status line below the text that is rewritten in place."""

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from agentic.events import (
    ApprovalAnswered,
    ApprovalAsked,
    ComplexityEstimated,
    Event,
    Failover,
    Idle,
    LlmChunk,
    LlmRequest,
    PlanFinished,
    ReasoningChunk,
    Retrying,
    RunFinished,
    RunStarted,
    SubAgentFinished,
    SubAgentStarted,
    TodoChanged,
    ToolCalled,
    ToolProgress,
    ToolResult,
    Typed,
    Unfolded,
    UserSaid,
    Warned,
)
from agentic.lib.palette import PLAIN, RESET, Palette
from agentic.lib.sanitize import sanitize
from plugins_builtin.screen import blocks
from plugins_builtin.screen.ink import Ink
from plugins_builtin.screen.lanes import Lanes
from plugins_builtin.screen.questions import Questions
from plugins_builtin.screen.status import Status
from plugins_builtin.screen.words import describe, one_line, speaker

STATUS_SECONDS = 0.1
TICK_SECONDS = 0.5
MAX_TAIL = 4_000  # characters of a running command's output that are kept for its last lines
# Lines below the cursor: make sure that they are there (IND scrolls and keeps the column), go there, write, come back.
_LINE_BELOW, _SAVE, _NEXT, _RESTORE = "\x1bD", "\x1b7", "\x1b[B\r", "\x1b8"
_ERASE_LINE, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class RichScreen:
    """`parts` of the status line, all where there are none; `folds_reasoning`: what the model thinks becomes one line."""

    def __init__(
        self,
        stdout: TextIO,
        palette: Palette = PLAIN,
        parts: Collection[str] = (),
        folds_reasoning: bool = False,
        debug: bool = False,
    ) -> None:
        self._out = stdout
        self._palette = palette
        self._debug = debug
        self._folds_reasoning = folds_reasoning
        self._console = blocks.console(stdout)
        self._ink = Ink(palette, lambda: (self._console.width, self._console.height))
        self._thought_column = 0  # that the cursor is in, while the model thinks
        self._thinks, self._thought = False, list[str]()
        self._status = Status(parts)
        self._lanes = Lanes()
        self._questions = Questions()
        self._report = self._server = ""
        self._said: list[str] = []  # of the last answer
        self._drawn_at = 0.0
        self._ticker: asyncio.TimerHandle | None = None
        self._calls: dict[tuple[str, str], str] = {}
        self._tail = ""  # of what the running command gives out
        self._folded: Sequence[str] = ()
        self._is_idle = False
        self._asked = ""  # the difference that the user was asked about last
        self._todo_rows = 0  # of the list of steps, while it is what was written last
        self._current = self._shown_otherwise = ("", "")

    def handle(self, event: Event) -> None:
        self._status.note(event)
        self._lanes.note(event)
        self._is_idle = self._is_idle and not isinstance(event, RunStarted)
        for each in self._questions.in_turn(event):
            self._show(each)

    def _show(self, event: Event) -> None:
        name = speaker(event)
        who = f"{name}: " if name else ""
        match event:
            case LlmChunk() | ReasoningChunk() if name:
                self._draw_status_if_due()  # its stream is a lane there
            case LlmChunk():
                self._stream(event.text)
            case ReasoningChunk():
                self._think(event.text)
            case LlmRequest():
                self._said = []
            case ToolCalled():
                self._calls[event.agent, event.id] = who + describe(event)
                self._current = event.agent, event.id
                self._tail = "" if not name else self._tail
            case ToolProgress():
                self._progress(event, name)
            case TodoChanged() if not name:
                self._todo(event)
            case ToolResult() if (event.agent, event.id) == self._shown_otherwise and not event.failed:
                self._calls.pop((event.agent, event.id), None)
            case ToolResult():
                self._result(event, name)
            case ApprovalAsked():
                self._hold_status()  # the host asks
                self._end_text()
                self._asked = event.body if event.is_diff else ""
            case SubAgentStarted():
                self._draw_status_if_due()  # it has a lane now
            case PlanFinished():
                self._report = event.report
                self._line(sanitize(event.report), "plain")
            case SubAgentFinished():
                self._line(one_line(self._lanes.ended.pop(event.agent, f"{name} ends: {event.status}")), "dim")
            case UserSaid():
                self._line(sanitize(describe(event)), "bold")
            case Unfolded():
                self._unfold()
            case Idle():
                self._is_idle = True
                self._hold_status()
            case RunFinished():
                self._hold_status()
                self._finish(event)
            case ComplexityEstimated() if not self._debug:
                pass
            case RunStarted() if describe(event) == self._server:
                pass
            case RunStarted():
                self._server = describe(event)
                self._line(one_line(self._server), "dim")
            case _:
                if text := describe(event):
                    shown = sanitize(who + text) if isinstance(event, Warned) else one_line(who + text)
                    self._line(shown, "warning" if isinstance(event, Warned | Failover | Retrying) else "dim")
        if isinstance(event, LlmRequest | ToolCalled | Typed | ApprovalAnswered) and self._may_draw:
            self._tick()

    def _stream(self, text: str) -> None:
        if self._thinks:
            self._end_text()
        self._said.append(text)
        self._write(self._ink.feed(sanitize(text)))
        self._draw_status_if_due()

    def _think(self, text: str) -> None:
        if not self._thinks:
            self._end_text()
            self._thinks, self._thought = True, []
        safe = sanitize(text)
        self._thought.append(safe)
        if not self._folds_reasoning:
            self._write(self._palette.paint("dim", safe))
            rest = safe.rpartition("\n")[2]
            self._thought_column = cell_len(rest) + (0 if "\n" in safe else self._thought_column)
        self._draw_status_if_due()

    def _progress(self, event: ToolProgress, name: str) -> None:
        if not name:
            self._tail = (self._tail + event.text)[-MAX_TAIL:]
        self._draw_status_if_due()

    def _result(self, event: ToolResult, name: str) -> None:
        """A line, and of the agent's own calls what they changed or gave out, as far as a glance goes."""
        call = self._calls.pop((event.agent, event.id), event.name)
        mark = self._palette.mark("✗", "x") if event.failed else self._palette.mark("●", "*")
        line = Text.from_ansi(self._palette.paint("bad" if event.failed else "good", f"{mark} "))
        body, folded = blocks.body(event, self._asked, self._palette) if not name else ([], ())
        self._folded = folded or self._folded
        said = f"exit {event.exit_code} in {event.seconds:.1f} s" if body and not event.diff else describe(event)
        line.append(one_line(call, 80)).append("  ").append_text(Text.from_ansi(self._palette.paint("dim", one_line(said, 120))))
        self._tail = "" if not name else self._tail
        self._print([line, *(Text.from_ansi(each) for each in body)])

    def _todo(self, event: TodoChanged) -> None:
        """A block; while nothing came after it, it changes in place."""
        lines = [blocks.step(text, state, self._palette) for text, state in event.items]
        self._shown_otherwise = self._current
        back = f"\x1b[{self._todo_rows}A\r" if 0 < self._todo_rows < self._console.height - 1 else ""
        self._end_text()
        if back:
            self._write(back)
        self._print([Text.from_ansi(line) for line in lines])
        self._todo_rows = len(lines)

    def _unfold(self) -> None:
        lines, self._folded = self._folded, ()
        if not lines and (self._ink.column or self._thinks):  # it would stand in the middle of the answer
            return
        self._print([Text.from_ansi(line) for line in lines or [self._palette.paint("dim", "(nothing is folded)")]], whole=True)

    def _line(self, text: str, role: str) -> None:
        self._print([Text.from_ansi(self._palette.paint(role, line)) for line in text.split("\n")], whole=True)

    def _print(self, lines: Iterable[Text], whole: bool = False) -> None:
        """Lines above the status. Below it the lanes are written over, never erased first: that would flicker."""
        self._end_text()
        with self._console.capture() as captured:
            for line in lines:
                self._console.print(line, overflow="fold" if whole else "ellipsis", no_wrap=not whole)
        if self._lanes and not self._questions.open:
            self._out.write(captured.get().replace("\n", f"{_ERASE_LINE}\n") + _ERASE_LINE)
            self._draw_status()
        else:
            self._write(captured.get())

    def _finish(self, event: RunFinished) -> None:
        if event.status == "failed":  # the command says why, with the remedy
            self._end_text()
            return
        rest = event.result.removeprefix(self._report).strip() if event.status not in ("done", "interrupted") else ""
        rest = rest.removeprefix("".join(self._said).strip()).strip()  # which stands above
        mark, role = blocks.mark_of(event.status, self._palette)
        files = f" · {', '.join(event.files)}" if event.files else ""
        line = one_line(f"{mark} {event.status.replace('_', ' ')}{files}{self._status.summary()}")
        self._line(line + (f"\n{sanitize(rest)}" if rest else ""), role)

    def _end_text(self) -> None:
        """Ends what streams: what the ink held back comes out, and the next line starts at the left."""
        if self._thinks:
            self._end_thought()
            return
        rest = self._ink.end()
        if rest := rest + ("\n" if self._ink.column else ""):
            self._write(rest)
        self._ink.begin_line()

    def _end_thought(self) -> None:
        self._thinks = False
        if not self._folds_reasoning:
            self._write("\n" if self._thought_column else "")
            self._thought_column = 0
            return
        text = "".join(self._thought)
        self._folded = [f"  {self._palette.paint('dim', line)}" for line in text.strip().split("\n")]
        self._print([Text.from_ansi(self._palette.paint("dim", f"(thought {len(text.split())} words: Ctrl-O)"))])

    def _write(self, text: str) -> None:
        self._todo_rows = 0 if text else self._todo_rows
        self._out.write(_ERASE_BELOW + text)
        self._out.flush()

    def _draw_status(self) -> None:
        width = self._console.width
        column = self._thought_column or self._ink.column
        if column and column % width == 0:
            return  # the cursor hangs behind the last column; moving it would lose that
        lines = self._lanes.lines(width - 1, self._console.height - 2) if self._lanes else blocks.last_lines(self._tail, width - 1)
        status = self._status.line(self._lanes.summary() if self._lanes else "")
        lines = [*lines, set_cell_size(status, width - 1).rstrip()]
        dim, off = self._palette.dim, RESET if self._palette.dim else ""
        text = "".join(f"{_NEXT}{dim}{line}{off}{_ERASE_LINE}" for line in lines)
        self._out.write(f"{_LINE_BELOW * len(lines)}\x1b[{len(lines)}A{_SAVE}{text}{_ERASE_BELOW}{_RESTORE}")
        self._out.flush()
        self._drawn_at = time.monotonic()

    @property
    def _may_draw(self) -> bool:
        return not (self._questions.open or self._is_idle)

    def _draw_status_if_due(self) -> None:
        if time.monotonic() - self._drawn_at > STATUS_SECONDS and self._may_draw:
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
