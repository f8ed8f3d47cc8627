"""The live region of a chat: what streams, a status line, a menu or a picker, the input box with the draft, a footer.

One application runs as long as the chat does, so typing is echoed whatever else goes on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TextIO

from prompt_toolkit.application import in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer, DynamicCompleter, ThreadedCompleter
from prompt_toolkit.data_structures import Size
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, AnyFormattedText
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import AfterInput, ConditionalProcessor
from prompt_toolkit.widgets import SearchToolbar

from agentic.lib.palette import Palette
from agentic.lib.record import record
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.below import size_of
from plugins_builtin.terminal.blocks import cut
from plugins_builtin.terminal.codes import in_ascii
from plugins_builtin.terminal.draft import LineOptions, history_of, input_of
from plugins_builtin.terminal.frames import FrameApplication, FrameOutput
from plugins_builtin.terminal.keys import ChatKeys
from plugins_builtin.terminal.menus import Menu
from plugins_builtin.terminal.pace import FramePace

MAX_INPUT_SHARE = 3  # the draft gets a third of the screen's lines at most
MAX_COMPLETIONS = 8  # that are shown at once
QUIET_SECONDS = 0.3  # nobody can have read a question by then: what is typed was meant for something else
PLACEHOLDER = "Ask for a change, or about the code"


@record(slots=True)
class Reading:
    """A line that is read in place of the draft: its label, and what becomes of it."""

    label: str
    result: "asyncio.Future[str | None]"
    draft: str


class Region:
    """A canvas (`plugins_builtin.terminal.screen.Canvas`) with an input. `send` gets each message with how it was finished."""

    def __init__(
        self,
        stdout: TextIO,
        palette: Palette,
        completer: Completer,
        line: LineOptions,
        keys: ChatKeys,
        footer: Callable[[int], str],
    ) -> None:
        self._stdout = stdout
        self.palette = palette
        self._fit = in_ascii if palette.ascii else str
        self._lines_only = line.lines_only
        self._keys = keys
        self._footer = footer
        self._live: Callable[[int, int], Sequence[str]] = lambda width, height: ()
        self._pending: list[str] = []
        self._made: tuple[int, list[str]] = (-1, [])
        self._pace = FramePace(self._draw)
        self.menu: Menu | None = None
        self.reading: Reading | None = None
        self.queued: Callable[[], Sequence[str]] = tuple
        self.more: Sequence[str] = ()  # rows below the footer
        self.pressed = 0.0  # when a key came last
        self.ended: Callable[[], None] = lambda: None  # called where the terminal is gone
        in_thread = ThreadedCompleter(completer)  # a large folder takes its time
        self.buffer = Buffer(
            multiline=True,
            history=history_of(line.history),
            completer=DynamicCompleter(lambda: in_thread if self.menu is None and self.reading is None else None),
            complete_while_typing=Condition(lambda: line.helps(self.buffer.document)),
            enable_history_search=False,
            tempfile_suffix=".md",
            on_text_changed=lambda buffer: self._typed(),
        )
        self._output = FrameOutput(stdout, self._size)
        self.app = FrameApplication(
            layout=Layout(self._layout()),
            key_bindings=keys.bindings(self),
            output=self._output,
            input=input_of(line),
            editing_mode=EditingMode.VI if line.editing == "vi" else EditingMode.EMACS,
        )
        self.app.ttimeoutlen = 0.1
        self.app.timeoutlen = 0.3

    def _size(self) -> Size:
        columns, lines = size_of(self._stdout)
        return Size(rows=lines, columns=columns)

    @property
    def size(self) -> tuple[int, int]:
        return size_of(self._stdout)

    def _layout(self) -> HSplit:
        above = FormattedTextControl(self._above)
        self._search = SearchToolbar(ignore_case=True)
        hint = ConditionalProcessor(AfterInput(lambda: ANSI(self.palette.paint("dim", PLACEHOLDER))), Condition(self._is_fresh))
        box = BufferControl(self.buffer, input_processors=[hint], search_buffer_control=self._search.control, preview_search=True)
        return HSplit(
            [
                Window(above, height=lambda: Dimension.exact(len(self._above_rows())), dont_extend_height=True),
                Window(
                    box,
                    height=lambda: Dimension(min=1, max=max(1, self.size[1] // MAX_INPUT_SHARE)),
                    get_line_prefix=self._prefix,
                    wrap_lines=True,
                    dont_extend_height=True,
                ),
                self._search,
                Window(FormattedTextControl(self._below), height=self._height_below, dont_extend_height=True),
            ]
        )

    def _is_fresh(self) -> bool:
        """True while there is nothing else to look at."""
        return not (self.buffer.text or self.menu or self.reading or self._lines_only or self._live(80, 24))

    def _prefix(self, number: int, wrapped: int) -> AnyFormattedText:
        if number or wrapped:
            return "  "
        if self.reading is not None:
            return ANSI(self.palette.paint("accent", f"{self.reading.label} "))
        return ANSI(self.palette.paint("accent", self.palette.mark("›", ">")) + " ")

    def _above(self) -> AnyFormattedText:
        return ANSI(self._fit("\n".join(self._above_rows())))

    def _above_rows(self) -> list[str]:
        """The rows above the input, made once for each frame."""
        if self._made[0] != self.app.render_counter:
            self._made = self.app.render_counter, self._make_rows()
        return self._made[1]

    def _make_rows(self) -> list[str]:
        if self._lines_only:
            return []
        columns, lines = self.size
        width = columns - 1
        rows = list(self._live(width, lines)) or [""]
        rows += [self.palette.paint("dim", cut(f"  {sanitize(' ⏎ '.join(text.split(chr(10))))}", width)) for text in self.queued()]
        if self.menu is not None:
            rows += [*([""] if rows != [""] else ()), *self.menu.rows(width, max(4, lines - len(rows) - 5), self.palette)]
        elif self.buffer.complete_state is not None:
            rows += self._completions(width)
        rows = rows[-max(1, lines - 3 - len(self.more)) :]  # a terminal of few rows shows the last of them
        return [*rows, self.palette.paint("dim", self.palette.mark("─", "-") * width)]

    def _completions(self, width: int) -> list[str]:
        state = self.buffer.complete_state
        if state is None or not state.completions:
            return []
        chosen = state.complete_index or 0
        first = max(0, min(chosen - MAX_COMPLETIONS // 2, len(state.completions) - MAX_COMPLETIONS))
        shown = state.completions[first : first + MAX_COMPLETIONS]
        wide = max(len(each.display_text) for each in shown)
        rows = []
        for number, each in enumerate(shown, first):
            text = cut(f"  {each.display_text:<{wide}}  {each.display_meta_text}", width)
            rows.append(self.palette.paint("accent" if number == state.complete_index else "dim", text))
        if len(state.completions) > len(shown):
            rows.append(self.palette.paint("dim", f"  ({chosen + 1} of {len(state.completions)})"))
        return rows

    def _below(self) -> AnyFormattedText:
        width = self.size[0] - 1
        return ANSI("\n".join(self.palette.paint("dim", cut(self._fit(row), width)) for row in (self._footer(width), *self.more)))

    def _height_below(self) -> int:
        return 0 if self._lines_only else 1 + len(self.more)

    def _typed(self) -> None:
        self.pressed = time.monotonic()

    def show_live(self, live: Callable[[int, int], Sequence[str]]) -> None:
        self._live = live

    def write(self, rows: Sequence[str]) -> None:
        self._pending += map(self._fit, rows)
        self.refresh()

    def refresh(self) -> None:
        self._pace.soon()

    def frame(self) -> None:
        """Draws at once."""
        self._pace.now()

    def _draw(self) -> None:
        if self.app.is_lent:
            return
        rows, self._pending = self._pending, []
        self._made = self.app.render_counter + 1, self._make_rows()  # which is the number of the frame that comes
        self.app.write_above(rows, len(self._made[1]) + self.buffer.document.line_count + self._height_below())

    def hold(self) -> None:
        """The region is always there."""

    def go_on(self) -> None:
        """The region is always there."""

    def close(self) -> None:
        self.frame()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The region is on the screen, and keys are read."""
        task = asyncio.ensure_future(self.app.run_async(handle_sigint=False, set_exception_handler=False))
        task.add_done_callback(lambda done: self.ended())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            self.frame()
            if self.app.is_running:
                self.app.exit()
            with suppress(EOFError, asyncio.CancelledError):  # the terminal is gone
                await task

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Meanwhile another program has the terminal."""
        async with in_terminal():
            yield
        self.refresh()

    def move(self, swap: Callable[[], None]) -> None:
        """Goes to the terminal that `swap` puts in place of this one."""
        self.frame()
        with self.app.output.frame():
            self.app.renderer.erase()
        with self.app.input.detach():
            swap()
        self.refresh()

    async def quiet(self) -> None:
        """Until no key came for a moment: what is typed before a question can be read is the draft's."""
        began = time.monotonic()
        while (left := max(began, self.pressed) + QUIET_SECONDS - time.monotonic()) > 0:  # noqa: ASYNC110 - a time, no condition
            await asyncio.sleep(left)

    async def choose(self, menu: Menu) -> str:
        """The key of what the user chooses; "" for Escape. Until then the menu has the keys."""
        self.menu, menu.draft = menu, self.buffer.text
        menu.result = asyncio.get_running_loop().create_future()
        if self._lines_only:
            self.write(menu.rows(self.size[0], 1_000, self.palette))
        self.refresh()
        try:
            return await menu.result
        finally:
            self.menu = None
            self.refresh()

    async def line(self, label: str, text: str = "") -> str | None:
        """A line in place of the draft, which comes back then; None for Escape."""
        self.reading = Reading(label, asyncio.get_running_loop().create_future(), self.buffer.text)
        self._set(text)
        try:
            return await self.reading.result
        finally:
            draft, self.reading = self.reading.draft, None
            self._set(draft)

    def _set(self, text: str) -> None:
        self.buffer.text = text
        self.buffer.cursor_position = len(text)
        self.refresh()

    @property
    def draft(self) -> str:
        return self.reading.draft if self.reading is not None else self.buffer.text

    @draft.setter
    def draft(self, text: str) -> None:
        if self.reading is not None:
            self.reading.draft = text
        else:
            self._set(text)
