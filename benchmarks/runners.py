"""What it costs to have sub-agents elsewhere, on a fake vLLM: wall time of four parts, and how late their events come.

    python benchmarks/runners.py [RUNNER]        the builtin `process`, or a plugin's

Each part writes a file and then says 200 words in 4 seconds. An event's delay is from when it happened to when it is read here; the
same parts in agentic's own process are the comparison.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.children import NATIVE, PARTS, TASK, Model  # noqa: E402


def child(name: str) -> object:
    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer(" ".join(f"w{number}" for number in range(200)), pause=0.02)
        return answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}))

    return reply


def once(options: Iterable[str]) -> tuple[float, list[float], int]:
    """(seconds, delays of the sub-agents' events in seconds, files written)"""
    with FakeVLLM() as server, tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as work:
        Model(server, PARTS, {part["id"]: child(part["id"]) for part in PARTS})  # type: ignore[misc]
        command = [sys.executable, "-m", "agentic", "run", TASK, "--endpoint", server.url, *NATIVE, *options]
        environment = os.environ | {"HOME": home}
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        delays = []
        for line in process.stdout:
            now, event = time.time(), json.loads(line)
            if event["agent"] != "main" and not event["type"].startswith("sub_agent"):
                delays.append(now - event["time"])
        process.wait()
        return time.perf_counter() - started, delays, len(list(Path(work).glob("*.txt")))


def main() -> None:
    runner = sys.argv[1] if len(sys.argv) > 1 else "process"
    once(())  # warms the file cache
    for number in range(3):
        here, own, _ = once(())
        there, delays, files = once(("-c", f"sub_agents.runner={runner}"))
        delays.sort()
        p50, p99 = statistics.median(delays), delays[int(0.99 * len(delays))]
        mine = sorted(own)[int(0.99 * len(own))]
        print(
            f"run {number + 1}: {there - here:.2f} s longer ({here:.1f} → {there:.1f} s, {files} files merged); event delay p50"
            f" {1000 * p50:.1f}, p99 {1000 * p99:.1f} ms (in one process p99 {1000 * mine:.1f} ms), {len(delays)} events"
        )


if __name__ == "__main__":
    main()
