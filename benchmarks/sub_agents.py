"""What sub-agents cost and how full they keep a server, without a model: a fake vLLM that, like gpt-oss, makes one call a turn.

    python benchmarks/sub_agents.py

The decision on the labelled set, its cost on a small task, requests in flight with 4 and with 16 independent tasks, and how long
Ctrl-C takes to end them all. `fan_out.py` has the numbers from a real vLLM.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentic import Llm
from agentic.plugins import Host
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, make_setup, tool_call

ROOT = Path(__file__).parents[1]
PROMPTS = ROOT / "tests/plugins_builtin/complexity_prompts.json"
SMALL = "Create a simple calculator in Python that adds two numbers"
THRESHOLD = 0.7


class NoModel(Llm):
    """Counts the questions that should not have been asked."""

    asked = 0

    async def complete(self, messages: Any, schema: Any = None, max_tokens: int | None = None) -> str:
        self.asked += 1
        return ""

    async def gather(self, prompts: Any, schema: Any = None, max_tokens: int | None = None) -> list[str]:
        self.asked += len(prompts)
        return [""] * len(prompts)


def decisions() -> None:
    prompts = json.loads(PROMPTS.read_text(encoding="utf-8"))
    setup = make_setup()
    rules = Host().build("agentic_complexity_estimators", "rules", lambda plugin, provider: setup)
    estimator = Host().build("agentic_complexity_estimators", "llm", lambda plugin, provider: setup)
    llm = NoModel()

    async def splits(task: str) -> bool:
        found = await rules.estimate(task, llm)
        return bool(found.separable and found.score > THRESHOLD)

    split = [prompt for prompt in prompts if asyncio.run(splits(prompt["task"]))]
    right = sum(prompt["decompose"] for prompt in split)
    wanted = sum(prompt["decompose"] for prompt in prompts)
    print(f"{len(prompts)} labelled prompts: precision {right / len(split):.2f} (reach 0.9), {right} of {wanted} found")

    async def small() -> float:
        started = time.perf_counter()
        await estimator.estimate(SMALL, llm)
        return time.perf_counter() - started

    first, *others = (asyncio.run(small()) for _ in range(200))
    usual, most = 1000 * statistics.median(others), 1000 * max(others)
    print(f"a small task: {llm.asked} model calls, {1000 * first:.2f} ms the first time, {usual:.3f} ms then (reach: 0, 5 ms)")
    print(f"  the longest of the others {most:.2f} ms")


def reply(tasks: Sequence[dict[str, str]], stalls: bool) -> Any:
    """An agent that delegates in its first turn; children that write their file in one turn and say so in the next."""

    def choose(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        child = "You do one part of a larger task" in messages[1]["content"]
        if messages[-1]["role"] == "tool":
            return answer("done, and a few words more", pause=0.02, fault="stall" if stalls and child else "", fault_after=3)
        if child:
            name = next(task["title"] for task in tasks if f"{task['title']}:" in messages[1]["content"])
            return answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}), pause=0.01)
        return answer(tool_calls=tool_call("delegate", {"tasks": list(tasks)}))

    return choose


def run(server: FakeVLLM, folder: str, most: int, wait: bool = True) -> "subprocess.Popen[bytes]":
    limits = [f"sub_agents.max_concurrent={most}", f"batching.batch_size={most}", "workflow.max_iterations=200"]
    options = ["tools.protocol=native", *limits]
    command = [sys.executable, "-m", "agentic", "run", "go", "--endpoint", server.url, "--approve", "all", "--output", "jsonl"]
    process = subprocess.Popen(
        [*command, *(part for option in options for part in ("-c", option))],
        cwd=folder, env=os.environ | {"HOME": folder}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    if wait:
        process.wait()
    return process


def in_flight(count: int, most: int) -> None:
    tasks = [{"title": f"t{number}", "objective": "write your file"} for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, FakeVLLM() as server:
        server.otherwise = reply(tasks, stalls=False)
        code = run(server, folder, most).returncode
        print(f"{count} independent tasks, max_concurrent {most}: {server.most_running} in flight (reach {most}), exit {code}")


def cancelled(count: int) -> None:
    tasks = [{"title": f"t{number}", "objective": "write your file"} for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, FakeVLLM() as server:
        server.otherwise = reply(tasks, stalls=True)
        process = run(server, folder, count, wait=False)
        assert server.wait_for(lambda: server.running == count and len(server.chats) == 1 + 2 * count, 30)
        started = time.perf_counter()
        process.send_signal(signal.SIGINT)
        server.wait_for(lambda: server.running == 0)
        gone = time.perf_counter() - started
        process.wait()
        ended = time.perf_counter() - started
        print(f"Ctrl-C with {count} at work: the server is idle after {gone:.2f} s, the process gone after {ended:.2f} s (reach 1)")


if __name__ == "__main__":
    decisions()
    in_flight(4, 4)
    in_flight(16, 4)
    in_flight(16, 16)
    cancelled(4)
    cancelled(16)
