"""The terminal's view of what happens: blocks that stay, and a live region with what is still going on."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agentic import Settings
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
    Unfolded,
    UserSaid,
    Warned,
)
from agentic.lib.palette import Palette
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal import blocks
from plugins_builtin.terminal.canvas import Canvas
from plugins_builtin.terminal.footer import Footer
from plugins_builtin.terminal.lanes import Lanes
from plugins_builtin.terminal.prose import Prose
from plugins_builtin.terminal.questions import Questions
from plugins_builtin.terminal.starting import next_steps
from plugins_builtin.terminal.status import Status
from plugins_builtin.terminal.thoughts import Thoughts
from plugins_builtin.terminal.words import describe, one_line, speaker
from plugins_builtin.terminal.wrapping import wrapped

TICK_SECONDS = 0.5
MAX_TAIL = 4_000  # characters of a running command's output that are kept for its last lines
MAX_REMARKS = 3  # rows of them that the region shows
TAIL_SHARE = 3  # what streams gets a third of the screen's lines at most
_CLOSE = ("call", "note")  # blocks that stand below others of their kind without a blank row


class TerminalScreen:
    """A renderer (`agentic.Renderer`). `asks_itself`: the canvas shows questions in its region, nothing makes way for them."""

    def __init__(self, settings: Settings, root: Path, palette: Palette, canvas: Canvas, asks_itself: bool = False) -> None:
        ui = settings.ui
        self.palette = palette
        self._canvas = canvas
        self._debug, self._asks_itself = ui.debug, asks_itself
        self._answer = Prose(palette, lambda: canvas.size[0], ui.wrap)
        self._thoughts = Thoughts(palette, lambda: canvas.size[0], ui.wrap, folds=ui.reasoning == "fold")
        self.status = Status()
        self.footer = Footer(settings, root, palette)
        self._next_steps = partial(next_steps, root, settings, asks_itself)
        self._lanes, self._questions = Lanes(), Questions()
        self._report = self._server = self._tail = ""  # the tail of what the running command gives out
        self._waiting: list[str] = []  # remarks, for the end of the line that the answer is in
        self._said: list[str] = []  # of the last answer
        self._calls: dict[tuple[str, str], str] = {}
        self._folded: Sequence[str] = ()
        self._asked = ""  # the difference that the user was asked about last
        self._last = ""  # the kind of the last block
        self._todo: tuple[tuple[str, str], ...] = ()
        self._current = self._shown_otherwise = ("", "")
        self._ticker: asyncio.TimerHandle | None = None
        self.works = False
        canvas.show_live(self.live)

    def handle(self, event: Event) -> None:
        self.status.note(event)
        self.footer.note(event)
        self._lanes.note(event)
        for each in [event] if self._asks_itself else self._questions.in_turn(event):
            self._show(each)

    def _show(self, event: Event) -> None:
        name = speaker(event)
        who = f"{self._lanes.titles.get(event.agent, name)}: " if name else ""
        match event:
            case LlmChunk() if not name:
                self._stream(event.text)
            case ReasoningChunk() if not name:
                self._think(event.text)
            case LlmRequest():
                self._said = []
                self._begin()
            case ToolCalled():
                self._end_text()
                self._calls[event.agent, event.id] = who + describe(event)
                self._current = event.agent, event.id
                self._begin()
            case ToolProgress():
                self._tail = (self._tail + event.text)[-MAX_TAIL:] if not name else self._tail
            case TodoChanged() if not name:
                self._todo, self._shown_otherwise = event.items, self._current  # part of the region until the turn ends
            case ToolResult():
                self._result(event, name)
            case ApprovalAsked():
                self._end_text()
                self._asked = event.body if event.is_diff else ""
                if not self._asks_itself:
                    self._canvas.hold()
            case ApprovalAnswered():
                if not self._asks_itself:
                    self._canvas.go_on()
            case SubAgentStarted():
                self._begin()
            case PlanFinished():
                self._report = event.report
                self.block("plan", self._own_rows(sanitize(event.report).split("\n"), "plain"))
            case SubAgentFinished():
                self.note(self._lanes.ended.pop(event.agent, f"{name} ends: {event.status}"))
            case UserSaid():
                self.show_message(event.text)
            case Unfolded():
                self._unfold()
            case Idle():
                self._rest()
            case RunFinished():
                self._rest()
                self._finish(event)
            case ComplexityEstimated() if not self._debug:
                pass
            case RunStarted():
                self._name_server(describe(event))
            case _:
                if text := describe(event):
                    role = "warning" if isinstance(event, Warned | Failover | Retrying) else "dim"
                    self.note(who + text, role, waits=not (isinstance(event, Failover) and event.partial))
        self._canvas.refresh()

    def _name_server(self, server: str) -> None:
        """Says which model answers, once; a chat's footer has it all the time."""
        if server != self._server and not self._asks_itself:
            self._server = server
            self.note(server)

    def block(self, kind: str, rows: Sequence[str]) -> None:
        """Rows that stay, with a blank one before them unless they belong to what is above."""
        if not rows:
            return
        self._end_text()
        self._space(kind)
        self._canvas.write(rows)
        self._last = kind if len(rows) == 1 or kind not in _CLOSE else f"long {kind}"

    def _space(self, kind: str) -> None:
        if self._last and not (self._last == kind and kind in _CLOSE):
            self._canvas.write([""])

    def note(self, text: str, role: str = "dim", waits: bool = True) -> None:
        """A remark of agentic's own: one line of it, of a warning all. Where it `waits`, it parts no line of an answer."""
        lines = sanitize(text).split("\n") if role != "dim" else [one_line(text)]
        rows = self._own_rows(lines, role)
        if waits and self._answer.is_open:
            self._waiting += rows
        else:
            self.block("note", rows)

    def _note_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.block("note", waiting)  # nothing where nothing waits

    def _own_rows(self, lines: Sequence[str], role: str) -> list[str]:
        """Lines of agentic's own, wrapped at words."""
        width = self._canvas.size[0]
        return [self.palette.paint(role, row) for line in lines for row in wrapped(line, width)]

    def show_message(self, text: str) -> None:
        """Shows a message of the user's."""
        self.block("said", blocks.message_rows(text, self.palette))

    def _stream(self, text: str) -> None:
        if self._thoughts:
            self._end_thought()
        self._said.append(text)
        for piece in sanitize(text).splitlines(keepends=True) if self._waiting else [sanitize(text)]:
            self._flow("answer", self._answer.feed(piece))
            if self._waiting and not self._answer.is_open:
                self._note_waiting()

    def _flow(self, kind: str, rows: Sequence[str]) -> None:
        """Rows of a text that goes on."""
        if rows and self._last != kind:
            self._space(kind)
            self._last = kind
        self._canvas.write(rows)

    def _think(self, text: str) -> None:
        if not self._thoughts:
            self._end_text()
        self._flow("thought", self._thoughts.feed(sanitize(text)))

    def _end_text(self) -> None:
        """Ends what streams: nothing more is added to it."""
        if self._thoughts:
            self._end_thought()
        rows = self._answer.end()
        if rows:
            self._flow("answer", rows)
        if self._last == "answer":
            self._last = "answered"
        self._note_waiting()

    def _end_thought(self) -> None:
        rows = self._thoughts.end()
        if not self._thoughts.folds:
            self._flow("thought", rows)
            self._last = "thoughts"
            return
        self._folded = self._thoughts.folded
        self._space("note")
        self._canvas.write(rows)
        self._last = "note"

    def _result(self, event: ToolResult, name: str) -> None:
        """A row, and of the agent's own calls what they changed or gave out, as far as a glance goes."""
        call = self._calls.pop((event.agent, event.id), event.name)
        if (event.agent, event.id) == self._shown_otherwise and not event.failed:
            return
        rows, folded = blocks.body(event, self._asked, self.palette) if not name else ([], ())
        self._folded = folded or self._folded
        said = "" if event.diff and not event.failed else describe(event)
        if rows and event.exit_code is not None:
            said = f"exit {event.exit_code} in {event.seconds:.1f} s"
        self._tail = "" if not name else self._tail
        self.block("call", [blocks.call_row(event, call, said, self.palette), *rows])

    def _unfold(self) -> None:
        rows, self._folded = self._folded, ()
        if rows or not self.works:
            self.block("unfolded", list(rows) or [self.palette.paint("dim", "(nothing is folded)")])

    def _finish(self, event: RunFinished) -> None:
        self._end_text()
        self.block("steps", [blocks.step(text, state, self.palette) for text, state in self._todo])
        self._todo = ()
        if event.status == "failed":  # the command says why, with the remedy
            return
        rest = event.result.removeprefix(self._report).strip() if event.status not in ("done", "interrupted") else ""
        rest = rest.removeprefix("".join(self._said).strip()).strip()  # which stands above
        mark, role = blocks.mark_of(event.status, self.palette)
        files = f" · {', '.join(event.files)}" if event.files else ""
        head = one_line(f"{mark} {event.status.replace('_', ' ')}{files}{self.status.summary()}")
        rows = [head, *(sanitize(rest).split("\n") if rest else []), *map(sanitize, self._next_steps(event))]
        self.block("end", self._own_rows(rows, role))

    def _begin(self) -> None:
        self.works = True
        self._tick()

    def _rest(self) -> None:
        self.works = False
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    def _tick(self) -> None:
        """Draws now and then while nothing else does."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._canvas.refresh()
        try:
            self._ticker = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        except RuntimeError:
            self._ticker = None

    def live(self, width: int, height: int) -> list[str]:
        """The region's rows: what streams, the lanes, the steps, and what is going on."""
        if not self.works:
            return []
        streams = self._thoughts.tail(width) if self._thoughts else self._answer.tail()
        tail, rows = streams[-max(1, height // TAIL_SHARE) :], list[str]()
        tail += self._waiting and ["", *self._waiting[:MAX_REMARKS]]
        room = max(1, height - 8 - len(tail))
        if self._lanes:
            rows = [self.palette.paint("dim", row) for row in self._lanes.lines(width, room)]
        elif self._tail:
            rows = [self.palette.paint("dim", row) for row in blocks.last_rows(self._tail, width)]
        rows += [blocks.step(text, state, self.palette) for text, state in self._todo[: max(0, room - len(rows))]]
        status = self.status.line(self._lanes.summary() if self._lanes else "", "Esc stops" if self._asks_itself else "")
        lines = [status] if self._asks_itself else [status, self.footer.line(width)]  # a region with an input has it below that
        return [*tail, *(["", *rows] if rows else ()), "", *(self.palette.paint("dim", blocks.cut(line, width)) for line in lines)]

    def close(self) -> None:
        self._rest()
        self._end_text()
        self._canvas.close()
