"""The first minutes: what runs here is found, the user chooses, and nothing is fetched or sent elsewhere unasked."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentic.cli.first_run import _listens
from agentic.hooks.transport import Found
from agentic.testing import FakeVLLM, answer
from agentic.testing.in_process import settings_with
from plugins_builtin.vllm.found import find
from tests.conftest import Agentic
from tests.terminal import terminal


@contextmanager
def serving(answers: Mapping[str, Any]) -> Iterator[int]:
    """A server that gives these answers by path; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode() if self.path in answers else b"{}"
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *parts: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def found_at(port: int) -> list[Found]:
    options = {"llm.vllm": "plugins_builtin.vllm.options:VllmOptions"}
    return list(asyncio.run(find(settings_with({"llm.vllm.ports": (str(port),)}, options))))


def models(owner: str, *names: str, **more: object) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, "owned_by": owner, **more} for name in names]}


# As their documentation has them: llama.cpp's server, Ollama's OpenAI part, LM Studio's REST API.
SERVERS: dict[str, tuple[dict[str, Any], list[tuple[str, int]]]] = {
    "vLLM": ({"/v1/models": models("vllm", "gpt-oss-120b", max_model_len=131072)}, [("gpt-oss-120b", 131072)]),
    "llama.cpp": (
        {"/v1/models": models("llamacpp", "qwen.gguf"), "/props": {"default_generation_settings": {"n_ctx": 8192}}},
        [("qwen.gguf", 8192)],
    ),
    "Ollama": (
        {
            "/v1/models": models("library", "qwen3:8b", "llama3:8b"),
            "/api/show": {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960}},
        },
        [("qwen3:8b", 40960), ("llama3:8b", 40960)],
    ),
    "LM Studio": (
        {"/v1/models": models("organization_owner", "gemma"), "/api/v0/models/gemma": {"max_context_length": 4096}},
        [("gemma", 4096)],
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_each_kind_of_server_is_found_with_its_models_and_window(name: str) -> None:
    answers, expected = SERVERS[name]
    with serving(answers) as port:
        found = found_at(port)
    assert found == [Found(name, f"http://localhost:{port}/v1", model, window) for model, window in expected]


@pytest.mark.parametrize("answers", [{}, {"/v1/models": {"data": []}}, {"/v1/models": [1]}, {"/v1/models": {"data": [{"id": 7}]}}])
def test_what_is_no_such_server_is_not_found(answers: dict[str, Any]) -> None:
    with serving(answers) as port:
        assert found_at(port) == []


def test_a_window_that_nobody_tells_is_not_known() -> None:
    with serving({"/v1/models": models("library", "m"), "/api/show": {"model_info": {}}}) as port:
        assert [each.window for each in found_at(port)] == [0]


@pytest.fixture
def usual(env: dict[str, str]) -> Iterator[FakeVLLM]:
    """A server at a port that is looked at, while nothing runs at those that are asked first."""
    if any(map(_listens, settings_with().llm.endpoints)):
        pytest.skip("A SERVER RUNS at one of the default endpoints: the first minutes are tried where none does")
    with FakeVLLM() as fake:
        env["AGENTIC_LLM_VLLM_PORTS"] = str(fake.port)
        yield fake


def test_a_named_endpoint_is_meant_however_long_it_takes(agentic: Agentic, usual: FakeVLLM) -> None:
    done = agentic("ask", "hello", "--endpoint", "http://127.0.0.1:9/v1")
    assert done.code == 3 and not usual.chats


def test_without_a_terminal_nothing_is_chosen(agentic: Agentic, usual: FakeVLLM) -> None:
    done = agentic("ask", "hello")
    assert done.code == 3 and not usual.chats


def test_init_writes_the_only_one_that_runs(agentic: Agentic, usual: FakeVLLM, home: Path) -> None:
    done = agentic("init")
    assert done.code == 0, done.err
    assert f"vLLM  http://localhost:{usual.port}/v1  fake, 8,192 tokens" in done.out
    usual.say("hi")
    assert agentic("ask", "hello").out == "hi\n"
    assert f'endpoints = ["http://localhost:{usual.port}/v1"]' in (home / ".config" / "agentic" / "config.toml").read_text()


def test_init_takes_what_is_named_and_says_what_to_do_where_nothing_runs(agentic: Agentic, home: Path) -> None:
    done = agentic("init", "--endpoint", "http://gpu7:8001/v1")
    assert done.code == 0 and 'endpoints = ["http://gpu7:8001/v1"]' in (home / ".config" / "agentic" / "config.toml").read_text()


def test_the_first_chat_shows_what_runs_and_asks(usual: FakeVLLM, env: dict[str, str], work: Path, home: Path) -> None:
    usual.otherwise = lambda request: answer("hello there")
    with terminal([], env, work) as shown:
        shown.until(lambda: "Which one?" in shown.text)
        assert "1  vLLM" in shown.text and "fake, 8,192 tokens" in shown.text.replace("\n", "")
        assert not usual.chats
        shown.type("1\r")
        shown.until(lambda: "Keep this choice" in shown.text)
        shown.type("y\r")
        shown.until(lambda: "›" in shown.text)
        shown.type("hi\r")
        shown.until(lambda: "hello there" in shown.text)
        shown.type("\x04")
        assert shown.until_ended() == 0
    assert str(usual.port) in (home / ".config" / "agentic" / "config.toml").read_text()


def test_none_of_them_is_an_answer(usual: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal([], env, work) as shown:
        shown.until(lambda: "Which one?" in shown.text)
        shown.type("0\r")
        shown.until(lambda: "once, 1.1 GB" in shown.text.replace("\n", ""))  # before anything is fetched
        shown.type("n\r")
        assert shown.until_ended() == 3
    assert not usual.chats
