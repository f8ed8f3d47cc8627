"""Records terminals, from real runs: docs/first-edit.svg (it plays), docs/terminal.svg (its end), and docs/imported.svg.

    python docs/recording.py http://localhost:8080/v1 [first-edit] [brought]

A server has to run at one of the usual ports of this machine. A copy of this checkout is installed in a fresh environment and a
fresh home. What is typed stands in the scenes; nothing else is made up, time least of all.
"""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pyte

COLUMNS, ROWS = 92, 28
KEY_SECONDS, FRAME_SECONDS, END_SECONDS = 0.045, 0.12, 4.0
WIDTH, HEIGHT, SIZE = 8.4, 18, 14  # of a cell, in pixels; of the letters
BACK, TEXT = "#14171b", "#d6dae0"
COLOURS = {
    "red": "#ff7b72", "green": "#56d364", "brown": "#e3b341", "yellow": "#e3b341", "blue": "#79c0ff", "magenta": "#d2a8ff",
    "cyan": "#76e3ea", "white": "#d6dae0", "black": "#484f58", "brightblack": "#8b949e", "brightgreen": "#7ee787",
    "brightblue": "#a5d6ff", "brightmagenta": "#e2c5ff", "brightcyan": "#b3f0ff", "brightbrown": "#f2cc60", "brightred": "#ffa198",
}  # fmt: skip
PROGRAM = "def add(a, b):\n    return a - b\n\n\nprint(add(2, 3))\n"
TASK = "add in calc.py subtracts: make it add"
# (what must be on the screen, what is typed then)
FIRST_EDIT = (
    (r"\$ $", "python3 -m venv .venv && .venv/bin/pip install -q ./agentic\r"),
    (r"\$ $", ".venv/bin/agentic\r"),
    (r"Which one\?.*: $", "\r"),
    (r"Keep this choice.*: $", "y\r"),
    (r"› $", f"{TASK}\r"),
    (r"No, and tell it why.*\n─+\n› $", "y"),
    (r"✓ done.*\n\n─+\n› $", "!python3 calc.py\r"),
    (r"exit code 0.*\n\n─+\n› $", "\x04"),
    (r"\$ $", ""),
)
BROUGHT = (
    (r"\$ $", "python3 -m venv .venv && . .venv/bin/activate && pip install -q './agentic[mcp]' mcp-server-time\r"),
    (r"\$ $", "ls -A . .claude\r"),
    (r"\$ $", "agentic trust\r"),
    (r"Trust it\?.*: $", "y\r"),
    (r"\$ $", "agentic mcp test\r"),
    (r"\$ $", "agentic\r"),
    (r"Which one\?.*: $", "\r"),
    (r"Keep this choice.*: $", "y\r"),
    (r"› $", "/mcp\r"),
    (r"time: .*\n[^›]*› $", "/hooks\r"),
    (r"PostToolUse.*\n[^›]*› $", "/agent\r"),
    (r"reviewer: .*\n[^›]*› $", "/mend calc.py\r"),
    (r"python3 calc.py[^?]*allow\? \[[^\]]*\] $", "y"),
    (r"a \+ b[^?]*allow\? \[[^\]]*\] $", "y"),
    (r"✓ done.*\n› $", "\x04"),
    (r"\$ $", ""),
)
SCENES = {"first-edit": FIRST_EDIT, "imported": BROUGHT}
FILES = {
    "first-edit": {},
    "imported": {
        ".mcp.json": '{"mcpServers": {"time": {"command": "mcp-server-time"}}}\n',
        ".claude/settings.json": '{"hooks": {"PostToolUse": [{"matcher": "Edit|Write", "hooks": ['
        '{"type": "command", "command": "python3 -m py_compile calc.py"}]}]}}\n',
        ".claude/commands/mend.md": "---\ndescription: Mends the sum\n---\n"
        "add in $1 subtracts: make it add (now it prints !`python3 $1`)\n",
        ".claude/agents/reviewer.md": "---\nname: reviewer\ndescription: Reviews a change\ntools: Read, Grep\n---\nYou review.\n",
        ".claude/skills/release/SKILL.md": "---\nname: release\ndescription: How to release it\n---\nTag it, then push.\n",
    },
}


@dataclass(frozen=True)
class Frame:
    """What the screen showed from a time on: each line as runs of (column, text, colour, bold)."""

    time: float
    lines: tuple[tuple[tuple[int, str, str, bool], ...], ...]


def main() -> None:
    url, *names = sys.argv[1:]
    for name in names or SCENES:
        frames = recorded(name, url)
        docs = Path(__file__).parent
        (docs / f"{name}.svg").write_text(animated(frames), encoding="utf-8")
        if name == "first-edit":
            (docs / "terminal.svg").write_text(still(frames[-2]), encoding="utf-8")
        print(f"{name}: {frames[-1].time:.0f} s, {len(frames)} frames")


def recorded(scene: str, url: str) -> list[Frame]:
    """Makes the scene's folder, and plays it there."""
    docs = Path(__file__).parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout = folder / "work" / "agentic"
        files = subprocess.run(["git", "ls-files", "-z"], cwd=docs.parent, capture_output=True, check=True).stdout
        for file in filter(None, files.decode().split("\0")):
            (checkout / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(docs.parent / file, checkout / file)
        (folder / "work" / "calc.py").write_text(PROGRAM)
        (folder / "work" / ".gitignore").write_text(".venv\nagentic\n")
        for file, content in FILES[scene].items():
            (folder / "work" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "work" / file).write_text(content)
        return record(folder, url.rstrip("/").rpartition(":")[2].partition("/")[0], SCENES[scene])


def record(folder: Path, port: str, steps: Sequence[tuple[str, str]]) -> list[Frame]:
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    environment = {
        "HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "$ ",
        "COLORFGBG": "15;0", "AGENTIC_LLM_VLLM_PORTS": port,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "BASH_SILENCE_DEPRECATION_WARNING": "1",
    }  # fmt: skip
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(folder / "work")
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile"], environment)
    screen.write_process_input = lambda data: os.write(master, data.encode())
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    began = time.monotonic()
    frames: list[Frame] = []
    shown_at = 0.0

    def follow(seconds: float) -> None:
        nonlocal shown_at
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([master], [], [], min(left, FRAME_SECONDS))[0]:
                stream.feed(os.read(master, 65536))
            now = time.monotonic() - began
            if now - shown_at >= FRAME_SECONDS:
                lines = seen(screen)
                if not frames or lines != frames[-1].lines:
                    frames.append(Frame(now, lines))
                shown_at = now

    for wanted, keys in steps:
        limit = time.monotonic() + 90
        while not re.search(wanted, text(screen)):
            follow(0.2)
            if time.monotonic() > limit:
                sys.exit(f"{wanted!r} did not come:\n{text(screen)}")
        follow(0.6)
        for key in keys:
            os.write(master, key.encode())
            follow(KEY_SECONDS)
    follow(1.0)
    os.close(master)
    os.waitpid(pid, 0)
    return frames


def text(screen: pyte.Screen) -> str:
    """What is above the cursor, and its line up to it."""
    lines = [line.rstrip() for line in screen.display[: screen.cursor.y]]
    return "\n".join([*lines, screen.display[screen.cursor.y][: screen.cursor.x]])


def seen(screen: pyte.Screen) -> tuple[tuple[tuple[int, str, str, bool], ...], ...]:
    return tuple(runs(screen, y) for y in range(ROWS))


def runs(screen: pyte.Screen, y: int) -> tuple[tuple[int, str, str, bool], ...]:
    found: list[tuple[int, str, str, bool]] = []
    for x in range(COLUMNS):
        cell = screen.buffer[y][x]
        colour = COLOURS.get(cell.fg, f"#{cell.fg}" if len(cell.fg) == 6 else TEXT)
        if (x, y) == (screen.cursor.x, screen.cursor.y) and not screen.cursor.hidden:
            found.append((x, "▏", TEXT, False))
        elif cell.data.strip():
            column, before, same, bold = found[-1] if found else (-1, "", "", False)
            if column + len(before) == x and (same, bold) == (colour, cell.bold):
                found[-1] = (column, before + cell.data, colour, bold)
            else:
                found.append((x, cell.data, colour, cell.bold))
    return tuple(found)


def animated(frames: Sequence[Frame]) -> str:
    """All frames side by side, of which one is in view at a time; each different line stands there once."""
    names: dict[tuple[tuple[int, str, str, bool], ...], str] = {}
    parts, keys = [], []
    whole = frames[-1].time + END_SECONDS
    for number, frame in enumerate(frames):
        uses = []
        for y, line in enumerate(frame.lines):
            if line:
                uses.append(f'<use href="#{names.setdefault(line, f"l{len(names)}")}" y="{y * HEIGHT}"/>')
        parts.append(f'<svg x="{number * width():.0f}">{"".join(uses)}</svg>')
        keys.append(f"{100 * frame.time / whole:.3f}%{{transform:translateX({-number * width():.0f}px)}}")
    lines = "".join(f'<g id="{name}">{drawn(line)}</g>' for line, name in names.items())
    style = f"@keyframes k{{0%{{transform:translateX(0)}}{''.join(keys)}}}.a{{animation:k {whole:.2f}s steps(1,end) infinite}}"
    return framed(f"<defs>{lines}</defs><style>{style}</style>", f'<g class="a">{"".join(parts)}</g>')


def still(frame: Frame) -> str:
    return framed("", "".join(f'<g transform="translate(0 {y * HEIGHT})">{drawn(line)}</g>' for y, line in enumerate(frame.lines)))


def drawn(line: Sequence[tuple[int, str, str, bool]]) -> str:
    weight = {True: ' font-weight="bold"', False: ""}
    return "".join(
        f'<text x="{x * WIDTH:.1f}" y="{SIZE}" fill="{colour}"{weight[bold]} '
        f'textLength="{cells(text) * WIDTH:.1f}">{escape(text)}</text>'
        for x, text, colour, bold in line
    )


def cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def width() -> float:
    return COLUMNS * WIDTH + 40


def framed(head: str, body: str) -> str:
    w, h = width(), ROWS * HEIGHT + 40
    font = "font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,monospace' font-size='14' xml:space='preserve'"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h}" width="{w:.0f}" height="{h}">{head}'
        f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/><svg x="20" y="20" width="{w - 40:.0f}" height="{h - 40}" {font}>'
        f"{body}</svg></svg>\n"
    )


if __name__ == "__main__":
    main()
