"""Makes docs/terminal.svg from a real run: the command on a pseudo-terminal, what is on it at the end drawn by rich.

    python docs/picture.py docs/terminal.svg agentic run --local --approve all "TASK"

It needs `pip install '.[local,test]'` and takes as long as the run.
"""

import fcntl
import io
import os
import pty
import struct
import sys
import tempfile
import termios
from pathlib import Path

import pyte
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, ROWS, SHOWN = 100, 200, 46


def main() -> None:
    target, command = Path(sys.argv[1]).absolute(), sys.argv[2:]
    screen = record(command)
    last = max(y for y in range(ROWS) if screen.display[y].strip())
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {' '.join(quoted(word) for word in command)}", "bold"))
    lines = [line(screen, y) for y in range(last + 1)]
    if len(lines) > SHOWN:
        lines = [*lines[: SHOWN - 6], Text("⋮", "dim"), *lines[-5:]]
    for text in lines:
        console.print(text, soft_wrap=True)
    target.write_text(console.export_svg(title="agentic"), encoding="utf-8")


def quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def record(command: list[str]) -> pyte.Screen:
    """The terminal after `command` ended in a fresh folder."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    with tempfile.TemporaryDirectory() as folder:
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ["TERM"] = "xterm-256color"
            os.execvp(command[0], command)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        try:
            while data := os.read(master, 65536):
                stream.feed(data)
        except OSError:  # the terminal's end, on Linux
            pass
        os.waitpid(pid, 0)
    return screen


def line(screen: pyte.Screen, y: int) -> Text:
    row = screen.buffer[y]
    text = Text()
    for x in range(COLUMNS):
        cell = row[x]
        text.append(cell.data, Style(color=colour(cell.fg), bold=cell.bold))
    text.rstrip()
    return text


def colour(name: str) -> Color | None:
    if name == "default":
        return None
    return Color.parse(
        f"#{name}"
        if len(name) == 6 and name not in ("yellow",) and all(c in "0123456789abcdef" for c in name)
        else {"brown": "yellow"}.get(name, name)
    )


if __name__ == "__main__":
    main()
