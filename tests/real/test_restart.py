"""A real vLLM that is killed in the middle of an answer and started again: the answer goes on where it broke off."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

DOWN_SECONDS = float(os.environ.get("AGENTIC_TEST_DOWN_SECONDS", "5"))
TIMES = int(os.environ.get("AGENTIC_TEST_RESTARTS", "1"))
BEHIND = 6  # words behind the break that have to be the same: a lost or doubled one shows at once
PROMPT = "Write a long story about a lighthouse keeper and the sea."


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def served(command: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A server in a session of its own, once it answers; its processes are killed at the end."""
    words = shlex.split(command.format(port=port))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        end = time.monotonic() + 300
        while True:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2):
                break
            assert process.poll() is None and time.monotonic() < end, "it does not start"
            time.sleep(0.5)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(port: int, env: dict[str, str], work: Path) -> "subprocess.Popen[str]":
    words = ["ask", PROMPT, "--endpoint", f"http://127.0.0.1:{port}/v1", "--output", "jsonl", "-c", "llm.temperature=0.0"]
    more = ["-c", "llm.max_tokens=300", "-c", "llm.retry_seconds=300"]
    return subprocess.Popen([sys.executable, "-m", "agentic", *words, *more], cwd=work, env=env, stdout=subprocess.PIPE, text=True)


def test_no_word_is_lost_or_doubled(serve_command: str, env: dict[str, str], work: Path) -> None:
    port = free_port()
    with served(serve_command, port):
        whole = said(ask(port, env, work).communicate()[0])
    assert len(whole.split()) > 50
    for number in range(TIMES):
        with ExitStack() as stack:
            with served(serve_command, port) as server:
                process = stack.enter_context(ask(port, env, work))
                lines = read_until(process, 20 + 10 * number)
                os.killpg(server.pid, signal.SIGKILL)
            time.sleep(DOWN_SECONDS)
            with served(serve_command, port):
                assert process.stdout is not None
                rest = process.stdout.read()
            assert process.wait(60) == 0
        goes_on(said(lines), said(lines + rest), whole)


def goes_on(before: str, after: str, whole: str) -> None:
    """The answer goes on behind its break as the undisturbed one does there.

    Further on it may be another: a prompt computed at once gives other roundings than the same tokens one by one, and where two words
    are about equally likely, the other one is taken.
    """
    assert after.startswith(before)
    same = next((place for place, (one, other) in enumerate(zip(after, whole, strict=False)) if one != other), len(whole))
    assert len(whole[len(before) : same].split()) >= BEHIND or after == whole, (before[-60:], after[len(before) :][:80])
    assert 0.7 < len(after.split()) / len(whole.split()) < 1.4  # all its tokens


def read_until(process: "subprocess.Popen[str]", chunks: int) -> str:
    """The output until so many pieces of the answer have come."""
    assert process.stdout is not None
    lines = ""
    while lines.count('"llm_chunk"') < chunks:
        line = process.stdout.readline()
        assert line, lines[-300:]
        lines += line
    return lines


def said(output: str) -> str:
    events = [json.loads(line) for line in output.splitlines()]
    return "".join(event["text"] for event in events if event["type"] == "llm_chunk")
