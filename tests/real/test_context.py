"""Counting, the window and sessions, judged by what real servers count."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Agentic

PACKAGE = Path(__file__).parents[1] / "packages" / "tally"
SMALL = ("-c", "context.context_window=4096", "-c", "tools.protocol=json", "--max-iterations", "3", "--output", "jsonl")


def counted_and_used(events: list[dict[str, Any]]) -> list[tuple[int, int]]:
    counted = [event["prompt_tokens"] for event in events if event["type"] == "llm_request"]
    used = [event["prompt_tokens"] for event in events if event["type"] == "usage"]
    return list(zip(counted, used, strict=False))


def test_prompts_are_as_long_as_vllm_says_and_within_the_budget(endpoints: list[str], agentic: Agentic, work: Path) -> None:
    shutil.copytree(PACKAGE, work / "tally")
    pairs: list[tuple[int, int]] = []
    for number in range(4):  # SmolLM2 does nothing sensible; its answers and their results fill the window all the same
        task = f"{number}: read every file of the package and say what it does"
        done = agentic(
            "run", task, *(["--continue"] if number else []), "--endpoint", endpoints[0], "-c", "llm.temperature=1",
            *SMALL, seconds=400,
        )  # fmt: skip
        assert done.code in (0, 1, 4), done.err  # 4: it wanted to look outside of the folder
        pairs += counted_and_used(done.events)
    assert pairs
    assert all(counted == used for counted, used in pairs), pairs
    assert max(used for _, used in pairs) <= 3072


def test_the_engine_counts_as_it_uses(gguf: str, agentic: Agentic, work: Path) -> None:
    shutil.copytree(PACKAGE, work / "tally")
    done = agentic("run", "Say hi.", f"--local={gguf}", *SMALL, seconds=300)
    pairs = counted_and_used(done.events)
    assert pairs
    assert all(counted == used for counted, used in pairs), pairs
    assert max(used for _, used in pairs) <= 3072


def test_an_answer_killed_in_the_middle_is_gone_on_with(gguf: str, agentic: Agentic, env: dict[str, str], work: Path) -> None:
    shutil.copytree(PACKAGE, work / "tally")
    source = (work / "tally/tally/ledger.py").read_text()
    agentic("ask", f"My name is Ada. Say hello.\n{source}", f"--local={gguf}", seconds=180)
    arguments = ["ask", "Explain it in great detail.", "--continue", f"--local={gguf}", "--output", "jsonl"]
    with subprocess.Popen(
        [sys.executable, "-m", "agentic", *arguments], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        chunks = 0
        first = last = 0.0
        for line in process.stdout:
            event = json.loads(line)
            chunks += event["type"] == "llm_chunk"
            first, last = (first or event["time"], event["time"]) if chunks else (0.0, 0.0)
            if chunks > 20 and last - first > 1.5:
                process.kill()
                break
    name = agentic("sessions").out.split()[0]
    agentic("ask", "What is my name?", "--continue", f"--local={gguf}", seconds=180)
    roles = [json.loads(line)["data"] for line in agentic("sessions", "export", name).out.splitlines() if '"message"' in line]
    said = [(message["role"], message["content"]) for message in roles if "role" in message]
    assert [role for role, _ in said] == ["user", "assistant"] * 3
    assert said[3][1].endswith("(interrupted)")
