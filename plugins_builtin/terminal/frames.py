"""prompt-toolkit's output and application, so that each frame is one write: what stays, and the region below it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from plugins_builtin.terminal.codes import BEGIN_FRAME, END_FRAME

MAX_CHANGES = 1_000


class FrameOutput(Vt100_Output):
    """Writes nothing before a frame is whole; what it writes is one synchronised update."""

    def __init__(self, stdout: TextIO, size: Callable[[], Size]) -> None:
        super().__init__(stdout, size, enable_cpr=False)
        self._out = stdout
        self._depth = 0

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Makes one frame of what is written meanwhile."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self.flush()

    def write_rows(self, rows: Sequence[str]) -> None:
        """Rows that stay, where the region was; a screen that keeps what it shows begins with a whole region after them."""
        text = "".join(f"{row}\r\n" for row in rows)
        self.write_raw(getattr(self._out, "marked", str)(text))

    def flush(self) -> None:
        if self._depth or not self._buffer:
            return
        text = "".join(self._buffer)
        self._buffer.clear()
        self._out.write(f"{BEGIN_FRAME}{text}{END_FRAME}")
        self._out.flush()


class FrameApplication(Application[None]):
    """An application below a text that grows. `write_above` has rows stay above it."""

    output: FrameOutput

    def __init__(self, **given: Any) -> None:
        super().__init__(full_screen=False, erase_when_done=True, **given)
        self._rows = self._columns = 0  # of the region, and of the terminal, when it was drawn last
        self._changes = 0  # of the region since it was drawn as a whole

    @property
    def is_lent(self) -> bool:
        """True while another program has the terminal."""
        return self._running_in_terminal

    def write_above(self, rows: Sequence[str], height: int) -> None:
        """Draws a frame with these rows above the region, which is to have that height."""
        with self.output.frame():
            if not self.is_running:
                self._rows = height
                self.output.write_rows(rows)
                return
            self._changes += 1
            if self._follow_size() or rows or height < self._rows or self._changes > MAX_CHANGES:
                self.renderer.erase()
                self.output.write_rows(rows)
                self._changes = 0
            self._rows = height
            self._redraw()

    def _on_resize(self) -> None:
        with self.output.frame():
            if self._follow_size():
                self.renderer.erase(leave_alternate_screen=False)
                self.output.write_rows(())
                self._redraw()

    def _follow_size(self) -> bool:
        """True where the terminal has another width than when the region was drawn.

        One that became narrower has broken the region's rows: it begins further up than it did.
        """
        columns = self.output.get_size().columns
        before, self._columns = self._columns, columns
        if before and columns < before:
            self.output.cursor_up(self._broken_rows(columns))
        return before != columns

    def rows_above(self, columns: int) -> int:
        """The rows of the region above the cursor, in a terminal of that width to which it was not drawn yet."""
        return self.renderer._cursor_pos.y + (self._broken_rows(columns) if columns < self._columns else 0)

    def _broken_rows(self, columns: int) -> int:
        screen, place = self.renderer.last_rendered_screen, self.renderer._cursor_pos
        if screen is None:
            return 0
        found = 0
        for number in range(place.y):
            cells = max((column + 1 for column, shown in screen.data_buffer[number].items() if shown.char.strip()), default=0)
            found += max(0, -(-cells // columns) - 1)
        return found
