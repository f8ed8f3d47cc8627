"""Records the pictures in docs/pictures from real runs, each `NAME.svg`: some play, the others show one moment.

    python -m docs.recording failover --serve 'vllm serve MODEL --port {port}'
    python -m docs.recording edit attempts --model qwen2.5-coder-1.5b.gguf
    python -m docs.recording doctor --serve 'vllm serve MODEL --port {port}'      # without flags that doctor then names

It runs from the top of a checkout, in an environment that has the tests' packages and this checkout installed. `--serve` starts
a server (or two, at 8001 and 8002) and stops it afterwards. What is typed is in the scenes, and so is what kills a server;
nothing else is made up, time least of all.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import pyte

from tests.pictures import DARK, HEIGHT, SIZE, WIDTH, row_of

PICTURES = Path(__file__).parent / "pictures"
KEY_SECONDS, FRAME_SECONDS, END_SECONDS = 0.045, 0.12, 4.0
PATIENCE = 240  # seconds until something must have come
READY = r"\n› (Ask for a change[^\n]*)?\n[^\n]+\s*\Z"
SHELL = r"\$ \Z"
Kill = Callable[[Mapping[int, "subprocess.Popen[bytes]"]], str]


@dataclass(frozen=True)
class Scene:
    """`steps`: what the screen must show, and what is typed then, or what is done to the servers. `stills`: moments by their name.

    `ports` are where servers are started; `plays` how many times faster it plays than it was, 0 for a scene that does not play.
    """

    steps: Sequence[tuple[str, str | Kill]]
    files: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()
    plays: float = 1.0
    stills: Mapping[str, str] = field(default_factory=dict)
    columns: int = 92
    rows: int = 28


@dataclass(frozen=True)
class Frame:
    """The screen from a time on, row by row in SVG and as text; `note` tells what the script did to a server."""

    time: float
    rows: tuple[str, ...]
    text: str
    note: str


@dataclass
class Recording:
    """A terminal with a shell, and what it showed."""

    scene: Scene
    servers: Mapping[int, "subprocess.Popen[bytes]"]
    master: int
    frames: list[Frame] = field(default_factory=list)
    note: str = ""

    def __post_init__(self) -> None:
        self.screen = pyte.Screen(self.scene.columns, self.scene.rows)
        self.screen.write_process_input = lambda data: os.write(self.master, data.encode())
        self._stream = pyte.ByteStream(self.screen)
        self._began = time.monotonic()
        self._shown_at = 0.0

    def follow(self, seconds: float) -> None:
        """Reads what comes in that time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], min(left, FRAME_SECONDS))[0]:
                with suppress(OSError):
                    self._stream.feed(os.read(self.master, 65536))
            if time.monotonic() - self._began - self._shown_at >= FRAME_SECONDS:
                self._keep()

    def _keep(self) -> None:
        self._shown_at = time.monotonic() - self._began
        rows = tuple(row_of(self.screen, y, DARK[1]) + self._cursor(y) for y in range(self.screen.lines))
        if not self.frames or (rows, self.note) != (self.frames[-1].rows, self.frames[-1].note):
            self.frames.append(Frame(self._shown_at, rows, self.text, self.note))

    def _cursor(self, y: int) -> str:
        cursor = self.screen.cursor
        if y != cursor.y or cursor.hidden:
            return ""
        return f'<rect x="{cursor.x * WIDTH:.1f}" width="2" height="{HEIGHT}" fill="{DARK[1]}"/>'

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def play(self) -> None:
        """Goes through the steps."""
        for wanted, does in self.scene.steps:
            limit = time.monotonic() + PATIENCE
            while not re.search(wanted, f"{self.text} " if wanted.endswith(SHELL) else self.text):
                self.follow(0.1)
                if time.monotonic() > limit:
                    sys.exit(f"{wanted!r} did not come:\n{self.text}")
            if callable(does):
                self.note = does(self.servers)
                continue
            self.follow(0.6)
            for key in does:
                os.write(self.master, key.encode())
                self.follow(KEY_SECONDS)
        self.follow(1.0)


def answering(servers: Mapping[int, "subprocess.Popen[bytes]"]) -> int:
    """The port of the server that answers a request now."""
    for port in servers:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            running = re.search(r"^vllm:num_requests_running\S* ([1-9])", page.read().decode(), re.MULTILINE)
        if running:
            return port
    sys.exit("no server answers anything")


def kill(servers: Mapping[int, "subprocess.Popen[bytes]"]) -> str:
    """Kills the server that answers now, with all its processes."""
    port = answering(servers)
    os.killpg(servers[port].pid, signal.SIGKILL)
    return f"kill -9: the vLLM at localhost:{port} is gone in the middle of a word"


CALC = '''"""A calculator for the command line."""


def add(a: float, b: float) -> float:
    return a - b


def divide(a: float, b: float) -> float:
    return a / b
'''
CALC_TESTS = """from calc import add, divide


def test_add() -> None:
    assert add(2, 3) == 5


def test_divide() -> None:
    assert divide(6, 3) == 2
"""
PROJECT = {"calc.py": CALC, "test_calc.py": CALC_TESTS}
SMALL = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n",
}
SCENES = {
    "failover": Scene(
        (
            (SHELL, "agentic\r"),
            (READY, "what does calc.py do?\r"),
            (rf"a mistake[\s\S]*{READY}", "what is wrong with it, and what should it do when b is 0?\r"),
            (r"add\(0\.1", kill),
            (rf"nothing tests it yet[\s\S]*{READY}", "in one sentence?\r"),
            (rf"test both[\s\S]*{READY}", ""),
        ),
        {**PROJECT, "AGENTS.md": "@@failover@@\n"},
        ports=(8001, 8002),
    ),
    "edit": Scene(
        (
            (SHELL, "agentic --local\r"),
            (READY, "add in calc.py subtracts: make it add\r"),
            (r"No, and tell it why", "y"),
            (rf"unchecked[\s\S]*{READY}", "!python3 -m pytest -q\r"),
            (rf"1 passed[\s\S]*{READY}", ""),
        ),
        SMALL,
        plays=3.0,
    ),
    "attempts": Scene(
        (
            (SHELL, "agentic run --local --attempts 4 --approve all 'add in calc.py subtracts: make it add'\r"),
            (r"is the first that is proved[\s\S]*\$ \Z", ""),
        ),
        SMALL,
        plays=3.0,
        rows=24,
    ),
    "doctor": Scene(
        (
            (SHELL, "agentic doctor --endpoint http://localhost:8001/v1\r"),
            (rf"own files[\s\S]*{SHELL}", "(agentic bench --endpoint http://localhost:8001/v1 >/dev/null 2>&1 &)\r"),
            (SHELL, "agentic top --endpoint http://localhost:8001/v1\r"),
            (r"tokens/s +\d+ +\S{24}", "q"),
            (SHELL, ""),
        ),
        PROJECT,
        ports=(8001,),
        plays=0,
        stills={"doctor": r"own files[^\n]*\n\$$", "top": r"tokens/s +\d+ +\S{24}(?![\s\S]*\$)"},
        columns=112,
        rows=36,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="+", choices=[*SCENES])
    parser.add_argument("--serve", default="", help="the command that starts a server, with {port}")
    parser.add_argument("--model", type=Path, help="a GGUF file, for the scenes with --local")
    given = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    for name in given.scenes:
        frames = recorded(SCENES[name], given.serve, given.model)
        for file, picture in pictures(name, SCENES[name], frames).items():
            (PICTURES / f"{file}.svg").write_text(picture, encoding="utf-8")
        print(f"{name}: {frames[-1].time:.0f} s, {len(frames)} frames")


def recorded(scene: Scene, serve: str, model: Path | None) -> list[Frame]:
    """Makes the scene's folder in a fresh home, and plays it there."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        work = Path(home) / "calculator"
        work.mkdir()
        for file, content in scene.files.items():
            (work / file).write_text(content)
        for words in (
            ["init", "-q", "-b", "main"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
        ):
            subprocess.run(["git", *words], cwd=work, check=True)
        if model is not None:
            models = Path(home) / ".local/share/agentic/models"
            models.mkdir(parents=True)
            shutil.copy2(model, models / "qwen2.5-coder-1.5b.gguf")
        servers = {port: stack.enter_context(served(serve.format(port=port), port)) for port in scene.ports}
        return played(scene, servers, Path(home), work)


@contextmanager
def served(command: str, port: int) -> "Iterator[subprocess.Popen[bytes]]":
    """A server in a group of its own, from when it answers."""
    process = subprocess.Popen(shlex.split(command), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(OSError, ValueError):
                warm(f"http://127.0.0.1:{port}/v1")
                break
            time.sleep(1)
        else:
            sys.exit(f"no server: {command}")
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def warm(url: str) -> None:
    """Has a server answer its first request, for which it compiles much. Raises OSError where it does not answer yet."""
    with urllib.request.urlopen(f"{url}/models", timeout=5) as page:
        model = json.load(page)["data"][0]["id"]
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers), timeout=60):
        pass


def played(scene: Scene, servers: Mapping[int, "subprocess.Popen[bytes]"], home: Path, work: Path) -> list[Frame]:
    programs = Path(sys.executable).parent
    environment = {
        "HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "TERM": "xterm-256color", "COLORTERM": "truecolor",
        "LANG": "C.UTF-8", "PS1": "$ ", "COLORFGBG": "15;0", "BASH_SILENCE_DEPRECATION_WARNING": "1",
    }  # fmt: skip
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(work)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile"], environment)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", scene.rows, scene.columns, 0, 0))
    recording = Recording(scene, servers, master)
    try:
        recording.play()
    finally:
        os.close(master)
        os.waitpid(pid, 0)
    return recording.frames


def pictures(name: str, scene: Scene, frames: Sequence[Frame]) -> dict[str, str]:
    """By name of the file."""
    found = {name: animated(scene, frames)} if scene.plays else {}
    for still, pattern in scene.stills.items():
        shown = [frame for frame in frames if re.search(pattern, frame.text)]
        if not shown:
            sys.exit(f"{pattern!r} was never on the screen")
        rows = shown[-1].text.count("\n") + 1  # below them nothing is shown
        body = "".join(placed(row, y) for y, row in enumerate(shown[-1].rows[:rows]))
        found[still] = framed(replace(scene, rows=rows, ports=()), "", f"<g>{body}</g>")
    return found


def animated(scene: Scene, frames: Sequence[Frame]) -> str:
    """All frames side by side, of which one is in view at a time; each different row is in the file once."""
    names: dict[str, str] = {}
    parts, keys = [], []
    whole = frames[-1].time / scene.plays + END_SECONDS
    for number, frame in enumerate(frames):
        rows = [*frame.rows, noted(frame.note)]
        uses = [f'<use href="#{names.setdefault(row, f"l{len(names)}")}" y="{y * HEIGHT}"/>' for y, row in enumerate(rows) if row]
        parts.append(f'<svg x="{number * width(scene):.0f}">{"".join(uses)}</svg>')
        keys.append(f"{100 * frame.time / scene.plays / whole:.3f}%{{transform:translateX({-number * width(scene):.0f}px)}}")
    rows_once = "".join(f'<g id="{name}">{row}</g>' for row, name in names.items())
    style = f"@keyframes k{{0%{{transform:translateX(0)}}{''.join(keys)}}}.a{{animation:k {whole:.2f}s steps(1,end) infinite}}"
    return framed(scene, f"<defs>{rows_once}</defs><style>{style}</style>", f'<g class="a">{"".join(parts)}</g>')


def noted(note: str) -> str:
    """Returns the note in SVG, for the row below the screen."""
    return f'<text x="0" y="{SIZE}" fill="#ffa198" font-weight="bold">{escape(note)}</text>' if note else ""


def placed(row: str, y: int) -> str:
    return f'<g transform="translate(0 {y * HEIGHT})">{row}</g>' if row else ""


def width(scene: Scene) -> float:
    return scene.columns * WIDTH + 40


def framed(scene: Scene, head: str, body: str) -> str:
    w, h = width(scene), (scene.rows + bool(scene.ports)) * HEIGHT + 40
    font = f"font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,monospace' font-size='{SIZE}' xml:space='preserve'"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0f} {h}" width="{w:.0f}" height="{h}">{head}'
        f'<rect width="100%" height="100%" rx="8" fill="{DARK[0]}"/>'
        f'<svg x="20" y="20" width="{w - 40:.0f}" height="{h - 40}" {font}>'
        f"{body}</svg></svg>\n"
    )


if __name__ == "__main__":
    main()
