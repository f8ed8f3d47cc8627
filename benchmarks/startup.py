"""What starting costs: whole processes, interleaved with `python -c pass`, as ratios of medians.

python benchmarks/startup.py [--runs 15]
"""

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import agentic
import plugins_builtin
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer

SCRIPT = str(Path(sys.executable).parent / "agentic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for package in (agentic, plugins_builtin):  # of an edited checkout it is stale
        compileall.compile_dir(str(Path(str(package.__file__)).parent), quiet=1)
    with FakeVLLM() as server:
        rows = {
            "agentic --version": ([SCRIPT, "--version"], 2.0),
            "agentic --help": ([SCRIPT, "--help"], 2.5),
            "agentic ask hi": ([SCRIPT, "ask", "hi", "--endpoint", server.url], 12.0),
        }
        print(f"{'what':20} {'ms':>7} {'bare ms':>8} {'ratio':>6} {'reach':>6}")
        for name, (command, reach) in rows.items():
            mine, bare = medians(command, [sys.executable, "-c", "pass"], runs)
            print(f"{name:20} {mine:7.1f} {bare:8.1f} {mine / bare:6.2f} {reach:6.1f}")
        mine, bare = first_request(server, runs), medians([sys.executable, "-c", "pass"], [sys.executable, "-c", "pass"], runs)[1]
        print(f"{'run: first request':20} {mine:7.1f} {bare:8.1f} {mine / bare:6.2f} {22.0:6.1f}")
        print(f"resident memory of agentic ask: {resident(rows['agentic ask hi'][0]):.1f} MiB (reach 90)")


def medians(command: list[str], other: list[str], runs: int) -> tuple[float, float]:
    """Milliseconds of both, run in turn after one warm-up."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for run in range(runs + 1):
        for which, argv in enumerate((command, other)):
            started = time.perf_counter()
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
            if run:
                times[which].append((time.perf_counter() - started) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def first_request(server: FakeVLLM, runs: int) -> float:
    """Milliseconds from the start of `agentic run` to its request at the server."""
    arrived: list[float] = []

    def note(request: Request) -> ScriptedAnswer:
        arrived.append(time.perf_counter())
        return answer("ok")

    server.otherwise = note
    command = [SCRIPT, "run", "hi", "--approve", "none", "--endpoint", server.url, "-c", "tools.protocol=native"]
    times = []
    for run in range(runs + 1):
        arrived.clear()
        started = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        times += [(arrived[0] - started) * 1000] if run else []
    return statistics.median(times)


def resident(command: list[str]) -> float:
    """Peak MiB of one process."""
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    usage: resource.struct_rusage = os.wait4(pid, 0)[2]
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
