"""A goal of 50 turns while agentic is killed 20 times and its server 5 times: does it end proved, is anything lost or done twice?

python benchmarks/goal.py [--turns 50] [--kills 20] [--server-kills 5] [--serve 'COMMAND {port}' [--seconds 60]]

The server is scripted: each turn it has the next file written. A line of JSON at the end says what came of it.
With `--serve` it is a real one, whose model writes `part7.txt` where the check says "7 of 50"; it is killed that many seconds
after it answers.
"""

import argparse
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call

WORDS = ["I", " write", " the", " next", " one."]


Reply = Callable[[Request], ScriptedAnswer]


def model(folder: Path, count: int) -> Reply:
    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if messages[-1]["role"] == "tool":
            return answer(WORDS, pause=0.3)
        missing = next((number for number in range(count) if not (folder / f"part{number}.txt").exists()), 0)
        call = tool_call("write_file", {"path": f"part{missing}.txt", "content": f"{missing}\n"}, 0, f"c{len(messages)}")
        return answer(tool_calls=call, pause=0.02)

    return reply


class Server(threading.Thread):
    """The server, which goes away `kills` times, for a second each."""

    def __init__(self, port: int, reply: Reply, kills: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._port, self._reply, self._kills, self._seconds = port, reply, kills, seconds
        self.killed = 0

    def run(self) -> None:
        while True:
            with FakeVLLM(port=self._port) as server:
                server.otherwise = self._reply
                time.sleep(self._seconds * random.uniform(0.7, 1.3) if self.killed < self._kills else 3600)
            self.killed += 1
            time.sleep(1)


class RealServer(threading.Thread):
    """The same for a command that starts a server, which is started again at once."""

    def __init__(self, port: int, command: str, kills: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._port, self._command, self._kills, self._seconds = port, shlex.split(command.format(port=port)), kills, seconds
        self.killed = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.answers = threading.Event()

    def run(self) -> None:
        while True:
            quiet = subprocess.DEVNULL
            self.process = subprocess.Popen(self._command, start_new_session=True, stdout=quiet, stderr=quiet)
            while not self._answers():
                time.sleep(1)
            self.answers.set()
            time.sleep(self._seconds * random.uniform(0.7, 1.3) if self.killed < self._kills else 86_400)
            self.stop()
            self.killed += 1

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/v1/models", timeout=5):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--server-kills", type=int, default=5)
    parser.add_argument("--serve", default="")
    parser.add_argument("--instructions", default="", help="for the model, in AGENTS.md")
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    random.seed(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "check.sh").write_text(
            f'there=$(ls part*.txt | wc -l); echo "$there of {given.turns}"; test "$there" = {given.turns}\n'
        )
        server: Server | RealServer = (
            RealServer(port, given.serve, given.server_kills, given.seconds)
            if given.serve
            else Server(port, model(folder, given.turns), given.server_kills, 12)
        )
        server.start()
        if isinstance(server, RealServer):
            server.answers.wait()
        env = {**os.environ, "HOME": home}
        if given.instructions:
            (folder / "AGENTS.md").write_text(given.instructions + "\n")
        options = ["--endpoint", f"http://127.0.0.1:{port}/v1", "--no-sandbox", "-c", "checks.test=true"]
        options += [] if given.serve else ["-c", "tools.protocol=native"]
        words = [sys.executable, "-m", "agentic", "goal"]
        began = [*words, "all parts are there", "--check", "sh check.sh", "--budget", f"{given.turns * 3} turns", *options]
        started, kills, code, line = time.monotonic(), 0, None, began
        while code is None or code < 0:
            process = subprocess.Popen(line, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            line = [*words, "resume", *options]
            try:
                told = process.communicate(timeout=random.uniform(3, 8) if kills < given.kills else None)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills, line = kills + 1, [*words, "resume", *options] if list(folder.glob("part*")) else began
            code = process.returncode
        shown = subprocess.run([*words, "show"], cwd=folder, env=env, capture_output=True, text=True).stdout
        found = subprocess.run(
            [sys.executable, "-m", "agentic", "sessions", "export"], cwd=folder, env=env, capture_output=True, text=True
        ).stdout
        records = [json.loads(each) for each in found.splitlines() if each.startswith("{")]
        writes = Counter(each["data"]["path"] for each in records if each.get("kind") == "file")
        result = {
            "exit code": code,
            "told": told.strip().splitlines()[-1:],
            "kills of agentic": kills,
            "kills of the server": server.killed,
            "files": len(list(folder.glob("part*.txt"))),
            "written twice": sorted(path for path, times in writes.items() if times > 1),
            "records of writes": sum(writes.values()),
            "seconds": round(time.monotonic() - started),
            "shown": shown.splitlines()[:6],
        }
        print(json.dumps(result, indent=1))
        if isinstance(server, RealServer):
            server.stop()


if __name__ == "__main__":
    main()
