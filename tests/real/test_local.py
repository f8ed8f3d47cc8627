"""The embedded engine with a real model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Agentic


def test_an_answer_streams(gguf: str, agentic: Agentic) -> None:
    done = agentic("ask", "Count from one to ten.", f"--local={gguf}", "--output", "jsonl", seconds=180)
    assert done.code == 0
    assert len(done.of_type("llm_chunk")) > 1
    assert done.of_type("run_finished")[0]["result"]


def test_nothing_but_the_answer_is_printed(gguf: str, agentic: Agentic) -> None:
    done = agentic("ask", "Say hi.", f"--local={gguf}", "-c", "llm.local.threads=2", seconds=180)
    assert done.out.strip()
    assert len(done.err.splitlines()) == 1


def test_a_run_ends(gguf: str, agentic: Agentic, work: Path) -> None:
    done = agentic(
        "run", "Create the file hello.py that prints hello.", f"--local={gguf}", "--approve", "all",
        "--max-iterations", "2", "--output", "jsonl", "-c", "llm.local.context=1024", seconds=300,
    )  # fmt: skip
    assert done.of_type("run_finished")
    assert done.code in (0, 1)


def test_a_prompt_that_is_too_long_is_shortened_and_that_is_said(gguf: str, agentic: Agentic) -> None:
    done = agentic("ask", "word " * 3000, f"--local={gguf}", "-c", "llm.local.context=1024", seconds=180)
    assert done.code == 0
    assert "context cut from" in done.err


def test_ctrl_c_ends_a_generation(gguf: str, env: dict[str, str], work: Path) -> None:
    command = [sys.executable, "-m", "agentic", "ask", "Count to a thousand.", f"--local={gguf}", "--output", "jsonl"]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "llm_chunk":
            break
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - started < 10


def test_the_engines_listener_lets_nobody_in(gguf: str, env: dict[str, str], work: Path) -> None:
    """llama.cpp listens on loopback whether one wants it or not: without the key it answers 401, and to no web page."""
    if not os.path.exists("/proc/net/tcp"):
        pytest.skip("no /proc")
    command = [sys.executable, "-m", "agentic", "ask", "Count to a thousand.", f"--local={gguf}", "--output", "jsonl"]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["type"] == "llm_chunk":
                break
        (port,) = listening_ports(process.pid)
        url = f"http://127.0.0.1:{port}"
        origin = {"Origin": "http://evil.example"}
        for path in ("/v1/chat/completions", "/completion", "/props"):
            denied = httpx2.post(f"{url}{path}", json={}, headers=origin, trust_env=False)
            assert denied.status_code == 401
            assert denied.headers.get("access-control-allow-origin") in (None, "", "null")
    finally:
        process.kill()
        process.communicate()


def listening_ports(pid: int) -> list[int]:
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]
