"""An answer whose server is killed in the middle, against the undisturbed one.

    python benchmarks/failover.py 20 'COMMAND that serves on port {port}' [PORT PORT]

Starts both servers, and again the one that was killed. Each round asks one question at temperature 0: once undisturbed, once with
SIGKILL for the serving endpoint's whole process group after some words, with the real command line as the client.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

QUESTIONS = (
    "Write a story about a lighthouse.",
    "Explain how bread is made.",
    "Write a letter to a friend about a long journey.",
    "Describe the sea in winter.",
    "Give me advice on learning the piano.",
)
TOKENS = 160


class Server:
    def __init__(self, command: str, port: str) -> None:
        self._command = shlex.split(command.replace("{port}", port))
        self.url = f"http://127.0.0.1:{port}/v1"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, start_new_session=True)

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self) -> None:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/models", timeout=2)
            except OSError:
                time.sleep(1)
            else:
                return
        raise SystemExit(f"{self.url} does not answer")


def ask(question: str, urls: list[str]) -> subprocess.Popen[str]:
    endpoints = [word for url in urls for word in ("--endpoint", url)]
    sampling = ["-c", "llm.temperature=0", "-c", f"context.reserved_for_response={TOKENS}", "-c", "context.context_window=2048"]
    command = [str(Path(sys.executable).parent / "agentic"), "ask", question, "--output", "jsonl", *sampling, *endpoints]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def text_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    events = [json.loads(line) for line in process.stdout]
    return "".join(event["text"] for event in events if event["type"] == "llm_chunk")


def disturbed(question: str, servers: list[Server], words: int) -> tuple[str, Server | None]:
    """(the text, the server that was killed)."""
    process = ask(question, [server.url for server in servers])
    assert process.stdout is not None
    killed, text, seen = None, "", 0
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] != "llm_chunk":
            continue
        text += event["text"]
        seen += 1
        if seen == words:
            killed = next(server for server in servers if running(server))
            killed.kill()
    return text, killed


def running(server: Server) -> bool:
    metrics = urllib.request.urlopen(server.url.removesuffix("v1") + "metrics", timeout=5).read().decode()
    return any(line.startswith("vllm:num_requests_running") and not line.endswith(" 0.0") for line in metrics.splitlines())


def main() -> None:
    rounds, command, *ports = sys.argv[1:]
    servers = [Server(command, port) for port in ports or ("8001", "8002")]
    equal = 0
    try:
        for number in range(int(rounds)):
            for server in servers:
                server.wait()
            question = QUESTIONS[number % len(QUESTIONS)]
            whole = text_of(ask(question, [servers[number % 2].url]))
            words = 5 + 3 * (number % 20)
            text, killed = disturbed(question, servers, words)
            if killed is None:
                raise SystemExit(f"{number + 1}: nobody was killed: the answer had fewer than {words} words: {text!r}")
            equal += text == whole
            verdict = "equal" if text == whole else "DIFFERENT"
            print(f"{number + 1}: killed {killed.url} after {words} words: {verdict}", flush=True)
            if text != whole:
                print(f"  undisturbed: {whole!r}\n  disturbed:   {text!r}")
            killed.start()
        print(f"{equal} of {rounds} texts equal to the undisturbed one (reach: all)")
    finally:
        for server in servers:
            server.kill()


if __name__ == "__main__":
    main()
