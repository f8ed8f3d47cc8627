"""`agentic doctor` and `agentic serve`, on servers with and without the recommended flags."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agentic.api import load_settings
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, error, tool_call
from agentic.testing.answers import event
from plugins_builtin.vllm.canary import Diagnosis
from plugins_builtin.vllm.findings import Examination
from plugins_builtin.vllm.memory import Card, placed
from plugins_builtin.vllm.transport import VllmTransport
from tests.conftest import Agentic, Done

MISSING_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


@dataclass
class Flags:
    """A server's command line, and a model that does what it is told."""

    tools: bool = True
    schema: bool = True
    details: bool = True
    metrics: bool = True
    caching: bool = True
    priority: bool = True
    interval: int = 1
    seen: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0

    def respond(self, request: Request) -> ScriptedAnswer:
        body = request.json
        text = body["messages"][-1]["content"]
        if body.get("tools"):
            if not self.tools:
                return error(400, MISSING_PARSER)
            return answer(tool_calls=tool_call("report", {"number": 4721}))
        if body.get("response_format"):
            return answer('{"number": 4721}' if self.schema else "Bonjour!")
        if len(text) > 3000:
            self._compute(body)
        elif text == "Say yes." and body.get("priority", 0) < 0 and not self.priority:
            while self.waiting:  # first come, first served
                time.sleep(0.005)
        cached = 0 if not self.details else (900 if self.caching and text in self.seen else 0)
        self.seen.add(text)
        words = answer("word " * min(body.get("max_tokens") or 8, 40), cached_tokens=cached if self.details else None, pause=0.002)
        return self._with_metrics(self._in_jerks(words))

    def _compute(self, body: dict[str, Any]) -> None:
        """A long prompt takes its time, one after the other."""
        self.waiting += 1
        with self.lock:
            time.sleep(0.02)
        self.waiting -= 1

    def _in_jerks(self, scripted: ScriptedAnswer) -> ScriptedAnswer:
        if self.interval == 1:
            return scripted
        role, *words, finish, usage, done = scripted.pieces
        groups = ["word " * len(words[i : i + self.interval]) for i in range(0, len(words), self.interval)]
        return replace(scripted, pieces=[role, *(many(group) for group in groups), finish, usage, done])

    def _with_metrics(self, scripted: ScriptedAnswer) -> ScriptedAnswer:
        if not self.metrics:
            return scripted
        *before, usage, done = scripted.pieces
        with_them = json.loads(usage[6:]) | {"metrics": {"time_to_first_token_ms": 1.0}}
        return replace(scripted, pieces=[*before, event(with_them), done])


def many(text: str) -> bytes:
    """A chunk of several tokens."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, "token_ids": list(range(text.count(" ")))}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"  \n\n"


def finding(server: FakeVLLM, name: str) -> Diagnosis:
    """What an examination finds of one thing; what comes after it is not waited for."""
    settings = load_settings(Path("/"), {"llm.endpoints": [server.url]})

    async def find() -> Diagnosis:
        transport = VllmTransport(settings.llm, settings.section("llm.vllm"))
        idle: asyncio.Future[Diagnosis] = asyncio.get_running_loop().create_future()
        try:
            async with aclosing(Examination(transport, server.url).findings(idle)) as findings:
                async for each in findings:
                    if each.name == name:
                        return each
                raise AssertionError(f"nothing is found of {name}")
        finally:
            await transport.aclose()

    return asyncio.run(find())


def test_a_server_that_fails_at_one_question_is_asked_the_others(server: FakeVLLM) -> None:
    flags = Flags()
    server.tells_of_itself = True
    server.otherwise = lambda request: error(500, "Internal") if "response_format" in request.json else flags.respond(request)
    assert finding(server, "schema").ok is False
    assert finding(server, "prefix cache").ok is True


def checks(done: Done, url: str) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in done.out.splitlines()]
    return {each["check"]: each for each in found if each["endpoint"] == url}


def test_two_good_servers_are_green_and_what_they_can_is_used(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM) -> None:
    waiting: list[bool] = []

    def respond(request: Request) -> ScriptedAnswer:
        waiting.append(bool(second_server.requests_to("/health")))
        return flags.respond(request)

    flags = Flags()
    server.otherwise, second_server.otherwise = respond, Flags().respond
    server.tells_of_itself = second_server.tells_of_itself = True
    for each in (server, second_server):
        each.metrics = {"prefix_cache_queries_total": 1, "prefix_cache_hits_total": 1}
    both = ("--endpoint", server.url, "--endpoint", second_server.url)
    done = agentic("doctor", *both, "--output", "jsonl")
    for url in (server.url, second_server.url):
        wrong = {name: found for name, found in checks(done, url).items() if found["ok"] is False}
        assert not wrong
    assert done.code == 0
    assert all(waiting), "the second server's idle connection is begun before the first one is examined"
    server.requests.clear()
    second_server.requests.clear()
    agentic("run", "hi", *both, "-c", "tools.protocol=native", "-c", "llm.endpoints=" + json.dumps([server.url]))
    body = next(each for each in (server, second_server) if each.chats).chats[0].json
    assert body["priority"] == -10
    assert all(tool["function"]["strict"] for tool in body["tools"])
    for each in (server, second_server):  # another version may do other things
        each.version = "0.33.0"
        each.requests.clear()
    agentic("ask", "hi", *both)
    body = next(each for each in (server, second_server) if each.chats).chats[0].json
    assert "priority" not in body


@pytest.mark.parametrize(
    ("path", "page", "name"),
    [
        ("/list_workers", {"urls": ["http://a", "http://b"]}, "vllm-router or SGLang's gateway, 2 servers"),
        ("/engines", [{"engine_id": "1", "serving_models": ["m"], "created": 1}], "production-stack, 1 servers"),
        ("/health", {"status": "healthy", "endpoints": [], "instances": [{}, {}, {}]}, "Dynamo, 3 instances"),
        ("/-/routes", {"/v1": "llm_app"}, "Ray Serve"),
        ("/engines", [], ""),
        ("/list_workers", [1], ""),
        ("/health", {"status": "ok"}, ""),
    ],
)
def test_a_router_is_known_by_what_only_it_answers(path: str, page: Any, name: str) -> None:
    with FakeVLLM() as server:
        server.pages[path], server.otherwise = page, Flags().respond
        server.tells_of_itself = True
        found = finding(server, "router")
    assert found.text.startswith(name or "none that shows") and found.ok is (True if name else None)


def test_each_flag_that_was_left_out_is_named(agentic: Agentic) -> None:
    flags = Flags(tools=False, schema=False, details=False, metrics=False, caching=False, priority=False, interval=10)
    with FakeVLLM(idle_seconds=5.0, missing=["/v1/chat/completions/batch"]) as server:
        server.otherwise = flags.respond
        server.tells_of_itself = True
        with ThreadPoolExecutor() as pool:
            both = pool.map(lambda output: agentic("doctor", "--endpoint", server.url, "--output", output), ("jsonl", "plain"))
            done, plain = next(both), next(both).out
        found = checks(done, server.url)
    assert done.code == 1
    remedies = {
        "tool calls": "--enable-auto-tool-choice --tool-call-parser hermes",
        "JSON schema": "--structured-outputs-config",
        "cached-token details": "--enable-prompt-tokens-details",
        "per-request metrics": "--enable-per-request-metrics",
        "prefix cache": "--enable-prefix-caching",
        "chunks": "--stream-interval 1",
        "priority": "--scheduling-policy priority",
        "idle connections": "VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
    }
    for name, remedy in remedies.items():
        assert found[name]["ok"] is False, found[name]
        assert remedy in found[name]["remedy"]
        assert f"→ {found[name]['remedy']}" in plain
    assert found["batch route"]["ok"] is None


def test_nobody_there(agentic: Agentic) -> None:
    done = agentic("doctor", "--endpoint", "http://127.0.0.1:1/v1")
    assert done.code == 3
    assert "nothing listens there" in done.out
    assert "agentic serve" in done.out


def test_serve_gives_a_reason_for_each_flag(agentic: Agentic) -> None:
    done = agentic("serve", "--gpu", "93.6", "--gpu", "93.6")
    assert done.code == 0
    lines = [line for line in done.out.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 2
    for number, line in enumerate(lines):
        assert f"CUDA_VISIBLE_DEVICES={number} VLLM_SYSTEM_START_DATE=2026-01-01" in line
        assert f"--port 800{number + 1}" in line
        for flag in ("--prefix-cache-retention-interval 256", "--stream-interval 1", "--tool-call-parser openai"):
            assert flag in line
            assert done.out.count(f"#   {flag}") + done.out.count(f"#   --enable-auto-tool-choice {flag}") == 2
    assert "650 thousand tokens" in done.out


def test_serve_says_what_does_not_fit_and_what_would(agentic: Agentic) -> None:
    done = agentic("serve", "--gpu", "93.6")
    assert "2 × gpt-oss-120b need 121.6 GiB for their weights alone and do not fit" in done.out
    for way in ("a card for each", "gpt-oss-120b and gpt-oss-20b on one card", "tensor parallel"):
        assert way in done.out
    assert all(line.startswith("#") for line in done.out.splitlines() if line)
    refused = agentic("serve", "--gpu", "93.6", "--exec")
    assert refused.code == 2


def test_serve_follows_the_configuration(agentic: Agentic) -> None:
    off = agentic("serve", "-c", "llm.vllm.enable_prefix_caching=false").out
    assert "--no-enable-prefix-caching" in off
    assert "--enable-prefix-caching" not in off.replace("--no-enable-prefix-caching", "")
    small = agentic("serve", "-c", "llm.vllm.prefix_cache_size=100", "-c", "context.context_window=4096").out
    assert "--prefix-cache-retention-interval 96" in small
    assert "--max-model-len 4096" in small


def test_memory_of_one_card_is_shared_where_it_suffices() -> None:
    places, why_not = placed(["gpt-oss-120b", "gpt-oss-20b"], [Card("H100 NVL", 93.6)])
    assert not why_not
    shares = [place.share for place in places if place]
    assert len(shares) == 2
    assert sum(shares) <= 0.95
    assert shares[0] > shares[1]


@contextmanager
def served(env: dict[str, str], work: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "agentic", "serve", "--exec", *arguments]
    process = subprocess.Popen(command, cwd=work, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def vllm_on_path(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A `vllm serve` that answers like one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "vllm"
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys, time\n"
        "from agentic.testing import FakeVLLM\n"
        "if 'broken' in sys.argv: sys.exit('no such model')\n"
        "with FakeVLLM(port=int(sys.argv[sys.argv.index('--port') + 1])): time.sleep(60)\n"
    )
    script.chmod(0o755)
    return env | {"PATH": f"{folder}{os.pathsep}{env['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}


def free_port() -> int:
    with FakeVLLM() as server:
        return server.port


def test_exec_starts_waits_and_stops(agentic: Agentic, vllm_on_path: dict[str, str], work: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with served(vllm_on_path, work, "--endpoint", url) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready")
        assert agentic("ask", "hi", "--endpoint", url).out == "ok\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert agentic("ask", "hi", "--endpoint", url, "-c", "llm.transport=vllm").code == 3


def test_exec_tells_of_a_server_that_ends(vllm_on_path: dict[str, str], work: Path) -> None:
    with served(vllm_on_path, work, "--endpoint", f"http://127.0.0.1:{free_port()}/v1", "--model", "broken") as process:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "ended" in err


def test_what_others_can_read_of_the_users_files_is_named(agentic: Agentic, home: Path) -> None:
    def own_files() -> Diagnosis:
        done = agentic("doctor", "--output", "jsonl", "--endpoint", "http://localhost:1/v1")
        (found,) = (line for line in map(json.loads, done.out.splitlines()) if line["check"] == "own files")
        return Diagnosis(found["check"], found["ok"], found["text"], found["remedy"])

    path = home / ".config/agentic/config.toml"
    path.parent.mkdir(parents=True, mode=0o700)
    path.touch(0o600)
    assert own_files().ok is True
    path.chmod(0o644)
    assert own_files().text == f"others can read {path}"
    subprocess.run(own_files().remedy, shell=True, check=False)
    assert own_files().ok is True
