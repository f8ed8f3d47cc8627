"""The first minutes: what runs here is found, the user chooses, and nothing is fetched or sent elsewhere unasked."""

import asyncio
import json
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentic.hooks.transport import Found
from agentic.testing import FakeVLLM, answer, error, tool_call
from agentic.testing.in_process import settings_with
from plugins_builtin.setup.servers import _listens
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


def test_init_tries_what_it_wrote_down(agentic: Agentic, usual: FakeVLLM) -> None:
    usual.otherwise = lambda request: answer("42", cached_tokens=900)
    said = agentic("init").out.splitlines()
    assert len(usual.chats) == 2 and usual.chats[0].body == usual.chats[1].body
    assert said[2].startswith("family ") and said[3].startswith("a question: first token after ")
    assert said[4].startswith("cache: ") and said[4].endswith("% of the second prompt")
    assert said[5:] == [
        "mode ask: agentic asks before it changes a file or runs a command (Shift-Tab in a chat, or --approve)",
        "now: agentic",
    ]


def test_init_says_that_a_server_does_not_tell_of_its_cache_or_does_not_answer(agentic: Agentic, usual: FakeVLLM) -> None:
    usual.otherwise = lambda request: answer("42")
    assert "does not say how much of a prompt comes from its cache" in agentic("init").out
    usual.otherwise = lambda request: error(400, "no such thing")
    done = agentic("init")
    assert done.code == 0 and "a first question got no answer" in done.out and done.out.endswith("now: agentic\n")


def test_init_keeps_a_login_and_no_address_that_is_none(agentic: Agentic, usual: FakeVLLM, home: Path) -> None:
    written = home / ".config" / "agentic" / "config.toml"
    done = agentic("init", "--endpoint", "http://[::1/v1")
    assert done.code == 2 and "no usable address" in done.err and not written.exists()
    usual.otherwise = lambda request: answer("42")
    done = agentic("init", "--endpoint", f"http://me:s3cret@localhost:{usual.port}/v1")
    assert done.code == 0 and "s3cret" not in done.out + done.err
    assert f"http://me:s3cret@localhost:{usual.port}/v1" in written.read_text() and written.stat().st_mode & 0o77 == 0
    usual.requests.clear()
    agentic("ask", "hello")
    assert {request.headers.get("authorization") for request in usual.chats} == {"Basic bWU6czNjcmV0"}


@pytest.mark.parametrize("name", ["http://gpu1", "gpu1:8000", "", "a b"])
def test_a_host_is_a_name_of_a_machine(agentic: Agentic, name: str) -> None:
    done = agentic("init", "--host", name)
    assert done.code == 2 and "is no name of a machine" in done.err


def test_init_looks_at_hosts_that_are_named(agentic: Agentic, usual: FakeVLLM, home: Path) -> None:
    with FakeVLLM(host="127.0.0.2", port=usual.port, model="fake") as there:
        there.otherwise = usual.otherwise = lambda request: answer("42")
        done = agentic("init", "--host", "127.0.0.2")
    assert done.code == 0, done.err
    urls = f'endpoints = ["http://localhost:{usual.port}/v1", "http://127.0.0.2:{usual.port}/v1"]'
    assert urls in (home / ".config" / "agentic" / "config.toml").read_text()


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
        shown.until(lambda: "once, 1.1 GB" in shown.text.replace("\n", "") and shown.menu("No (n)"))  # before anything is fetched
        shown.type("n")
        assert shown.until_ended() == 3
    assert not usual.chats


@pytest.fixture
def two(env: dict[str, str], usual: FakeVLLM) -> Iterator[tuple[FakeVLLM, FakeVLLM]]:
    """Two servers of one model."""
    with FakeVLLM() as other:
        env["AGENTIC_LLM_VLLM_PORTS"] = f"{usual.port},{other.port}"
        yield usual, other


def test_init_takes_all_servers_of_one_model_and_pins_no_model(
    agentic: Agentic, two: tuple[FakeVLLM, FakeVLLM], home: Path, env: dict[str, str]
) -> None:
    done = agentic("init")
    assert (done.code, done.err) == (0, "")
    urls = [f"http://localhost:{each.port}/v1" for each in two]
    assert f"vLLM  {urls[0]} and {urls[1]}  fake, 8,192 tokens (both are used)" in done.out
    written = (home / ".config" / "agentic" / "config.toml").read_text()
    assert f'endpoints = ["{urls[0]}", "{urls[1]}"]' in written and "model" not in written
    two[0].model = two[1].model = "another"
    two[0].say("hi")
    two[1].say("hi")
    assert agentic("ask", "hello").out == "hi\n", "what they serve now is used"


def test_init_asks_where_there_are_several_models_and_keeps_the_one_of_a_server_that_has_more(
    env: dict[str, str], usual: FakeVLLM, work: Path, home: Path
) -> None:
    with serving({"/v1/models": models("library", "qwen3:8b", "llama3:8b")}) as port:
        env["AGENTIC_LLM_VLLM_PORTS"] = f"{usual.port},{port}"
        with terminal(["init"], env, work) as shown:
            shown.until(lambda: "Which one?" in shown.text)
            assert "1  vLLM" in shown.text and "3  Ollama" in shown.text
            shown.type("3\r")
            assert shown.until_ended() == 0
    written = (home / ".config" / "agentic" / "config.toml").read_text()
    assert f'endpoints = ["http://localhost:{port}/v1"]\nmodel = "llama3:8b"' in written


@pytest.mark.parametrize(
    ("arguments", "variables", "source"),
    [
        (["--model", "gone"], {}, "which the command line names → it serves fake: leave --model out, or name one"),
        (["-c", "llm.model=gone"], {}, "which the command line names → it serves fake: leave --model out, or name one"),
        ([], {"AGENTIC_LLM_MODEL": "gone"}, "which AGENTIC_LLM_MODEL names → it serves fake: unset AGENTIC_LLM_MODEL, or name one"),
        (
            [],
            {},
            "which llm.model in FILE names → it serves fake: `agentic config unset --user llm.model`, or name one with --model",
        ),
    ],
)
def test_a_model_that_is_not_served_says_where_its_name_was_found(
    agentic: Agentic, server: FakeVLLM, home: Path, arguments: list[str], variables: dict[str, str], source: str
) -> None:
    file = home / ".config" / "agentic" / "config.toml"
    if not arguments and not variables:
        file.parent.mkdir(parents=True)
        file.write_text('[llm]\nmodel = "gone"\n')
    done = agentic("ask", "hello", "--endpoint", server.url, *arguments, more=variables)
    assert done.code == 2
    assert source.replace("FILE", str(file)) in " ".join(done.err.split()).replace("~", str(home))


def test_init_keeps_the_embedded_engine_where_that_is_named(agentic: Agentic, home: Path) -> None:
    done = agentic("init", "--local", "other.gguf")
    assert done.code == 0, done.err
    written = tomllib.loads((home / ".config" / "agentic" / "config.toml").read_text())
    assert written["llm"]["transport"] == "local" and written["llm"]["local"]["model"] == "other.gguf"


PROGRAM = "def main():\n    print(1)\n\n\nif __name__ == '__main__':\n    main()\n"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"app/main.py": PROGRAM}, "python3 app/main.py"),
        ({"notes.py": "x = 1\n"}, ""),
        ({"test_app.py": PROGRAM, "app_test.py": PROGRAM}, ""),
        ({"a b.py": PROGRAM.replace("'", '"')}, "python3 'a b.py'"),
        ({"tool/__main__.py": "print(1)\n"}, "python3 -m tool"),
        ({"src/tool/__main__.py": "print(1)\n"}, "cd src && python3 -m tool"),
        ({"tool/cli.py": f"from .core import x\n{PROGRAM}"}, "python3 -m tool.cli"),
        ({"manage.py": f"import django\n{PROGRAM}", "other.py": PROGRAM}, "python3 manage.py runserver"),
        ({"-c.py": PROGRAM}, "python3 ./-c.py"),
        ({"setup.py": PROGRAM}, ""),
        ({"web/package.json": '{"scripts": {"start": "node ."}}'}, "cd web && npm install && npm start"),
        ({"package.json": '["no", "object"]'}, ""),
        ({"package.json": "[" * 5_000}, ""),
        ({"Cargo.toml": "[package]", "src/main.rs": "fn main() {}"}, "cargo run"),
        ({"go.mod": "module m", "main.go": "package main\n"}, "go run ."),
        ({"run.sh": "#!/usr/bin/env bash\necho 1\n"}, "bash run.sh"),
        ({"index.html": "<p>"}, "open index.html in a browser"),
    ],
)
def test_a_run_ends_by_saying_how_to_start_what_it_made(
    server: FakeVLLM, agentic: Agentic, work: Path, files: dict[str, str], command: str
) -> None:
    for number, (path, content) in enumerate(files.items()):
        server.script(answer(tool_calls=tool_call("write_file", {"path": path, "content": content}, 0, str(number))))
    server.say("done")
    options = ("--approve", "all", "--no-sandbox", "-c", "tools.protocol=native")
    done = agentic("run", "make it", "--endpoint", server.url, *options)
    said = " ".join(done.err.split())
    assert (f"start it: {command}" in said) == bool(command), done.err
    assert ("agentic sessions undo" in done.err) == bool(command)
    assert "start it" not in done.out  # which programs read


def test_what_is_made_in_another_folder_is_started_there(server: FakeVLLM, agentic: Agentic, work: Path) -> None:
    (work / "new one").mkdir()
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": PROGRAM})), answer("done"))
    options = ("--approve", "all", "--no-sandbox", "-c", "tools.protocol=native")
    done = agentic("run", "make it", "-C", "new one", "--endpoint", server.url, *options)
    assert "cd 'new one' && python3 a.py" in done.err and f"agentic -C 'new one' --endpoint {server.url}" in done.err
