"""Reaching a server: what it lists, who may know the password in its URL, and why it cannot be reached."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agentic.testing import FakeVLLM, ScriptedAnswer, answer
from agentic.testing.answers import json_answer
from plugins_builtin.vllm.models import window_of
from tests.conftest import Agentic, put
from tests.terminal import terminal

VLLM = ("-c", "llm.transport=vllm")


def refused(status: int) -> ScriptedAnswer:
    return ScriptedAnswer([b'{"detail": "no"}'], status, "application/json", chunked=False)


LISTS: dict[str, ScriptedAnswer] = {
    "404": refused(404),
    "405": refused(405),
    "403": refused(403),
    "401": refused(401),
    "500": refused(500),
    "501": refused(501),
    "a table": json_answer({"data": {"mine": {"context_length": 8192}}}),
    "under another name": json_answer({"items": [{"model_name": "mine"}]}),
    "no JSON": ScriptedAnswer([b"<html>"], content_type="text/html", chunked=False),
    "null": json_answer({"data": None}),
    "nothing": json_answer({"data": []}),
    "a wildcard": json_answer({"data": [{"id": "*"}]}),
    "a wildcard of a provider": json_answer({"data": [{"id": "hosted_vllm/*"}, {"id": "other"}]}),
    "a bare list": json_answer([{"id": "mine"}]),
    "names alone": json_answer({"models": ["mine"]}),
    "Ollama's own": json_answer({"models": [{"name": "mine:latest"}]}),
    "a first page": json_answer({"data": [{"id": "other"}], "has_more": True}),
    "a tag": json_answer({"data": [{"id": "mine:latest"}]}),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_model_that_the_user_names_needs_no_list(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    server.models = LISTS[name]
    server.say("Hi")
    done = agentic("ask", "hi", "--endpoint", server.url, "--model", "mine", *VLLM)
    assert (done.code, done.out) == (0, "Hi\n"), done.err
    assert server.chats[0].json["model"].removesuffix(":latest") == "mine"


MEANT: dict[str, tuple[dict[str, Any], str]] = {
    "qwen/qwen3-8b": ({"id": "Qwen/Qwen3-8B"}, "Qwen/Qwen3-8B"),
    "Qwen3-8B": ({"id": "Qwen/Qwen3-8B"}, "Qwen/Qwen3-8B"),
    "mine": ({"id": "/models/x.gguf", "aliases": ["mine"]}, "mine"),
    "/models/Qwen": ({"id": "served", "root": "/models/Qwen"}, "served"),
}


@pytest.mark.parametrize("named", MEANT)
def test_a_name_is_taken_as_it_was_meant(agentic: Agentic, server: FakeVLLM, named: str) -> None:
    model, expected = MEANT[named]
    server.models = json_answer({"data": [{"id": "other"}, model]})
    done = agentic("ask", "hi", "--endpoint", server.url, "--model", named, *VLLM)
    assert done.code == 0 and server.chats[0].json["model"] == expected


WINDOWS: dict[str, tuple[dict[str, Any], int]] = {
    "a text": ({"max_model_len": "8192"}, 8192),
    "a fraction": ({"context_length": 8192.0}, 8192),
    "of the one that serves it": ({"context_length": 131072, "top_provider": {"context_length": 8192}}, 8192),
    "as llama.cpp serves it": ({"meta": {"n_ctx_train": 131072, "n_ctx": 8192}}, 8192),
    "true": ({"max_model_len": True}, 0),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_is_read_however_it_is_written(name: str) -> None:
    fields, expected = WINDOWS[name]
    assert window_of({"id": "m", **fields}) == expected


def test_a_name_that_a_whole_list_lacks_is_a_mistake(agentic: Agentic, server: FakeVLLM) -> None:
    server.models = json_answer({"data": [{"id": f"m{number}"} for number in range(7)]})
    done = agentic("ask", "hi", "--endpoint", server.url, "--model", "mine", *VLLM)
    assert done.code == 2 and "does not serve 'mine'" in done.err and "m0, m1, m2, m3, m4, and 2 more" in done.err


OTHERS = [
    "clip-vit-large", "kokoro", "all-minilm:latest", "colbertv2", "sdxl-turbo", "dall-e-3", "parakeet-tdt", "splade-v3", "sora-2", "gpt-image-1",
    "cross-encoder/ms-marco-MiniLM", "sentence-transformers/all-mpnet-base-v2", "gpt-4o-realtime-preview", "gpt-4o-transcribe", "llama-guard-3",
]  # fmt: skip
USES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "by its name": ([{"id": "nomic-embed-text"}, {"id": "bge-m3"}, {"id": "whisper-1"}, {"id": "Qwen3"}], "Qwen3"),
    "by its type": ([{"id": "a", "type": "embeddings"}, {"id": "b", "type": "llm"}], "b"),
    "by the use that LiteLLM says": ([{"id": "a", "mode": "embedding"}, {"id": "b", "mode": "chat"}], "b"),
    "by what Ollama says": ([{"id": "a", "capabilities": ["embedding"]}, {"id": "b", "capabilities": ["completion"]}], "b"),
    "by what it gives": ([{"id": "a", "architecture": {"output_modalities": ["image"]}}, {"id": "b"}], "b"),
    "a use that nobody knows": ([{"id": "a", "type": "embeddings"}, {"id": "b", "type": "thinker"}], "b"),
    "a use in other letters": ([{"id": "a", "task": "Chat_Completion"}], "a"),
    "a name that looks like one": ([{"id": "qwen-embedded-coder"}, {"id": "fluxion-chat"}], "qwen-embedded-coder"),
    "by many names": ([{"id": each} for each in OTHERS] + [{"id": "gpt-oss-120b"}], "gpt-oss-120b"),
    "by what it can": ([{"id": "a", "capabilities": {"completion_chat": False}}, {"id": "b", "capabilities": {"completion_chat": True}}], "b"),
}  # fmt: skip


@pytest.mark.parametrize("name", USES)
def test_what_cannot_chat_is_passed_over(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    models, expected = USES[name]
    server.models = json_answer({"data": models})
    agentic("ask", "hi", "--endpoint", server.url, *VLLM)
    assert server.chats[0].json["model"] == expected


def test_a_server_where_nothing_chats_says_what_it_serves(agentic: Agentic, server: FakeVLLM) -> None:
    server.models = json_answer({"data": [{"id": "nomic-embed-text"}]})
    done = agentic("ask", "hi", "--endpoint", server.url, *VLLM)
    assert done.code == 2 and "serves nothing that chats: it serves nomic-embed-text" in done.err


@pytest.mark.parametrize(
    "fields",
    [
        {"max_model_len": 3000},
        {"context_length": 3000},
        {"loaded_context_length": 3000, "max_context_length": 9000},
        {"meta": {"n_ctx": 3000}},
    ],
)
def test_the_window_is_read_by_each_of_its_names(agentic: Agentic, server: FakeVLLM, fields: dict[str, Any]) -> None:
    server.models = json_answer({"data": [{"id": "m", **fields}]})
    done = agentic("run", "hi", "--endpoint", server.url, *VLLM, "-c", "tools.protocol=native", "--output", "jsonl")
    assert done.of_type("llm_request")[0]["budget"] < 3000


# A user and a password in the URL.
def test_a_login_in_the_url_is_used_and_never_shown(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    url = server.url.replace("127.0.0.1", "bob:s%23cr3t@127.0.0.1")
    server.script(answer("Hi"), ScriptedAnswer([b'{"error": {"message": "no"}}'], 403, "application/json", chunked=False))
    put(home / ".config" / "agentic" / "config.toml", f'[llm]\nendpoints = [" {url} "]\n')
    done = agentic("run", "hi", *VLLM, "-c", "tools.protocol=native", "--log", str(home / "log"), "--debug")
    assert done.code == 0, done.err
    assert {request.headers["authorization"] for request in server.requests} == {f"Basic {b64encode(b'bob:s#cr3t').decode()}"}
    failed = agentic("ask", "hi", *VLLM)
    shown = agentic("config", "show", "llm").out
    assert 'llm.endpoints = ["http://***@127.0.0.1' in shown and "llm.logins = (set, not shown)" in shown
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "config.toml"]
    told = done.out + done.err + failed.out + failed.err + shown
    assert "http://***@127.0.0.1" in done.err
    assert "cr3t" not in told and not [data for data in kept if b"cr3t" in data]


def test_a_login_reaches_the_server_through_the_sdk_too(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("Hi")
    url = server.url.replace("127.0.0.1", "bob:hunter2@127.0.0.1")
    done = agentic("ask", "hi", "--endpoint", url, "-c", "llm.transport=openai")
    assert done.code == 0, done.err
    assert server.chats[0].headers["authorization"] == f"Basic {b64encode(b'bob:hunter2').decode()}"
    assert "hunter2" not in done.out + done.err


def test_a_login_given_in_the_chat_is_used_and_not_shown(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with FakeVLLM() as other:
        other.say("from there")
        with terminal(["--endpoint", server.url, *VLLM, "-c", "tools.protocol=native"], env, work) as shown:
            shown.until(lambda: "›" in shown.text)
            shown.type(f"/endpoint {other.url.replace('127.0.0.1', 'bob:hunter2@127.0.0.1')}\r")
            shown.until(lambda: f"***@127.0.0.1:{other.port}" in shown.text)
            shown.type("hello\r")
            shown.until(lambda: "from there" in shown.text)
            shown.type("\x04")
            assert shown.until_ended() == 0
            typed = shown.text.count("hunter2")
        assert typed == 1, "as it was typed, and nowhere else"
        assert {request.headers["authorization"] for request in other.chats} == {f"Basic {b64encode(b'bob:hunter2').decode()}"}


def test_a_login_in_a_table_is_used_too(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    url = server.url.replace("127.0.0.1", "bob:hunter2@127.0.0.1")
    put(home / ".config" / "agentic" / "config.toml", f'[[llm.endpoint]]\nurl = "{url}"\nmodel = "fake"\n')
    server.say("Hi")
    assert agentic("ask", "hi", *VLLM).out == "Hi\n"
    assert server.chats[0].headers["authorization"].startswith("Basic ")
    assert "hunter2" not in agentic("config", "show").out


# Why it cannot be reached.
def made(folder: Path, *more: str) -> tuple[Path, Path]:
    """(a key, a certificate) for a server of this machine."""
    if not shutil.which("openssl"):
        pytest.skip("certificates are made with openssl")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=x"]
    subprocess.run([*command, "-days", "9", *more], check=True, capture_output=True)
    return key, certificate


AUTHORITY = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
x509_extensions = here
[any]
commonName = supplied
[here]
subjectAltName = IP:127.0.0.1
"""


def expired(folder: Path) -> tuple[Path, Path]:
    made(folder)
    put(folder / "authority.cnf", AUTHORITY)
    put(folder / "index.txt", "")
    put(folder / "serial", "01")
    key, request, certificate = (folder / name for name in ("key.pem", "request.pem", "cert.pem"))
    asked = ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=x"]
    signed = [
        "openssl",
        "ca",
        "-batch",
        "-selfsign",
        "-config",
        "authority.cnf",
        "-in",
        request,
        "-keyfile",
        key,
        "-out",
        certificate,
    ]
    for command in (asked, [*signed, "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-notext"]):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return key, certificate


@contextmanager
def tls_server(key: Path, certificate: Path) -> Iterator[str]:
    """The URL of one that serves nothing: a handshake is enough."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    link, _ = listening.accept()
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(link, server_side=True) as secured:
                    secured.recv(65536)
                    secured.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            listening.shutdown(socket.SHUT_RDWR)


HERE = ("-addext", "subjectAltName=IP:127.0.0.1")


def test_a_certificate_of_an_unknown_authority_says_which_setting_helps(agentic: Agentic, tmp_path: Path) -> None:
    key, certificate = made(tmp_path, *HERE)
    with tls_server(key, certificate) as url:
        done = agentic("ask", "hi", "--endpoint", url, *VLLM)
        assert done.code == 3 and "unknown authority" in done.err and "SSL_CERT_FILE" in done.err and "llm.ca_file" in done.err
        assert "nothing listens" not in done.err and "start it" not in done.err
        for more in ({"SSL_CERT_FILE": str(certificate)}, {"AGENTIC_LLM_CA_FILE": str(certificate)}):
            reached = agentic("ask", "hi", "--endpoint", url, *VLLM, more=more)
            assert "404" in reached.err and "authority" not in reached.err


def test_a_certificate_of_another_name_says_so(agentic: Agentic, tmp_path: Path) -> None:
    key, certificate = made(tmp_path, "-addext", "subjectAltName=DNS:other.example")
    with tls_server(key, certificate) as url:
        done = agentic("ask", "hi", "--endpoint", url, *VLLM, more={"SSL_CERT_FILE": str(certificate)})
    assert done.code == 3 and "another name than 127.0.0.1" in done.err and "SSL_CERT_FILE" not in done.err


def test_a_certificate_that_has_expired_says_so(agentic: Agentic, tmp_path: Path) -> None:
    key, certificate = expired(tmp_path)
    with tls_server(key, certificate) as url:
        done = agentic("ask", "hi", "--endpoint", url, *VLLM, more={"SSL_CERT_FILE": str(certificate)})
    assert done.code == 3 and "has expired" in done.err


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""])
def test_https_to_a_port_without_tls_says_so(agentic: Agentic, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as link:
                        link.recv(65536)
                        link.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        port = listening.getsockname()[1]
        done = agentic("ask", "hi", "--endpoint", f"https://127.0.0.1:{port}/v1", *VLLM)
        listening.shutdown(socket.SHUT_RDWR)
    assert done.code == 3 and "speaks no TLS at that port" in done.err and f"http://127.0.0.1:{port}" in done.err


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "AGENTIC_LLM_CA_FILE"])
def test_a_file_of_certificates_that_is_none_says_so(agentic: Agentic, tmp_path: Path, name: str) -> None:
    with tls_server(*made(tmp_path, *HERE)) as url:
        done = agentic("ask", "hi", "--endpoint", url, *VLLM, more={name: "/nowhere/ca.pem"})
    assert done.code == 2 and "names /nowhere/ca.pem, which is no file" in done.err


def test_a_name_without_an_address_is_no_server_that_must_be_started(agentic: Agentic) -> None:
    done = agentic("ask", "hi", "--endpoint", "http://nowhere.invalid:8000/v1", *VLLM, seconds=30)
    assert done.code == 3 and "no address is known for nowhere.invalid" in done.err and "start it" not in done.err


def test_nothing_there_is_said_once_without_a_number(agentic: Agentic) -> None:
    done = agentic("ask", "hi", "--endpoint", "http://127.0.0.1:1/v1", *VLLM)
    assert done.err.count("127.0.0.1:1") == 1 and "nothing listens there" in done.err and "rrno" not in done.err
    assert "start it" in done.err


def test_an_address_with_blanks_around_it_is_that_address(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("Hi")
    assert agentic("ask", "hi", *VLLM, more={"AGENTIC_LLM_ENDPOINTS": f" {server.url} "}).out == "Hi\n"
    assert server.chats[0].path == "/v1/chat/completions"


# What was seen in front of real servers: LiteLLM's proxy before vLLM, llama.cpp's own server.
def test_the_window_that_a_proxy_lists_is_read(agentic: Agentic, server: FakeVLLM) -> None:
    server.models = json_answer(
        {"data": [{"id": "fake", "owned_by": "openai", "max_input_tokens": 8192, "max_output_tokens": 8192}]}
    )
    server.say("short")
    done = agentic("ask", "summarise " + "word " * 5000, "--endpoint", server.url, *VLLM)
    assert (done.code, done.out) == (0, "short\n") and "context cut" not in done.err


@pytest.mark.parametrize("url", ["{root}", "{host}", "{host}/v1"])
def test_a_url_as_people_type_it_reaches_the_server(agentic: Agentic, server: FakeVLLM, url: str) -> None:
    """Without its /v1, without http://."""
    root = server.url.removesuffix("/v1")
    server.say("Hi")
    done = agentic("ask", "hi", "--endpoint", url.format(root=root, host=root.removeprefix("http://")), *VLLM)
    assert (done.code, done.out) == (0, "Hi\n"), done.err


def test_ask_cuts_a_prompt_that_the_server_finds_too_long(agentic: Agentic, server: FakeVLLM) -> None:
    """No estimate holds for every text."""
    too_long = {
        "error": {
            "code": 400,
            "message": "request (10250 tokens) exceeds the available context size (8192 tokens), try increasing it",
        }
    }
    server.script(ScriptedAnswer([json.dumps(too_long).encode()], 400, "application/json", chunked=False), answer("short"))
    done = agentic("ask", "summarise " + "word " * 5000, "--endpoint", server.url, *VLLM)
    assert (done.code, done.out) == (0, "short\n"), done.err
    first, second = (len(chat.body) for chat in server.chats)
    assert second < first


def test_an_answer_that_was_cut_is_said_to_be(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("Yes, the", finish="length"))
    done = agentic("ask", "hi", "--endpoint", server.url, *VLLM)
    assert (done.code, done.out) == (1, "Yes, the\n") and "the answer was cut by its limit" in done.err


class Loads(FakeVLLM):
    """Its model is there with the third look."""

    looks = 0

    @property
    def models(self) -> ScriptedAnswer:
        self.looks += 1
        error = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
        loading = ScriptedAnswer([error], 503, "application/json", chunked=False)
        return loading if self.looks < 3 else json_answer({"data": [{"id": "fake", "owned_by": "llamacpp"}]})

    @models.setter
    def models(self, value: ScriptedAnswer | None) -> None:
        """As it is."""


def test_a_model_that_is_still_loaded_is_waited_for(agentic: Agentic) -> None:
    with Loads() as server:
        server.say("Hi")
        done = agentic("ask", "hi", "--endpoint", server.url, *VLLM)
        assert (done.code, done.out) == (0, "Hi\n"), done.err
        assert server.looks >= 3


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (
            500,
            {"error": {"code": 500, "message": "image input is not supported - hint: you may need to provide the mmproj"}},
            2,
            "image input is not supported",
        ),
        (400, {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}, 2, "AGENTIC_LLM_API_KEY"),
    ],
)
def test_what_will_not_change_is_not_tried_again(
    agentic: Agentic, server: FakeVLLM, status: int, body: dict[str, Any], code: int, said: str
) -> None:
    server.otherwise = lambda request: ScriptedAnswer([json.dumps(body).encode()], status, "application/json", chunked=False)
    done = agentic("ask", "hi", "--endpoint", server.url, *VLLM)
    assert done.code == code and said in done.err and len(server.chats) == 1


LLAMA_CPP = json_answer({"data": [{"id": "fake", "owned_by": "llamacpp", "meta": {"n_ctx": 8192}}]})
"""The list of models of a llama.cpp."""


def test_a_prompt_is_counted_by_llama_cpps_own_tokenizer(agentic: Agentic, server: FakeVLLM) -> None:
    server.models = LLAMA_CPP
    server.pages = {"/apply-template": {"prompt": "<|user|>hi"}, "/tokenize": {"tokens": list(range(123))}}
    server.say("Hi")
    done = agentic("run", "hi", "--endpoint", server.url, *VLLM, "-c", "tools.protocol=native", "--output", "jsonl")
    assert done.of_type("llm_request")[0]["prompt_tokens"] == 123


def test_the_doctor_gives_vllms_flags_to_vllm_alone(agentic: Agentic, server: FakeVLLM) -> None:
    server.models = LLAMA_CPP
    server.missing = ("/version", "/metrics", "/v1/chat/completions/batch")
    done = agentic("doctor", "--endpoint", server.url, "--output", "jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert any(each.get("text") == "llama.cpp" for each in found)
    assert not [each for each in found if str(each.get("remedy", "")).startswith(("--", "VLLM_"))], found


def test_init_says_why_a_named_server_does_not_tell_its_model(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    server.models = ScriptedAnswer([b'{"error": {"message": "no key"}}'], 401, "application/json", chunked=False)
    done = agentic("init", "--endpoint", server.url)
    assert done.code == 0 and "no key" in done.err and "AGENTIC_LLM_API_KEY" in done.err
    assert server.url in (home / ".config" / "agentic" / "config.toml").read_text()
    server.models = None
    assert "fake" in agentic("init", "--endpoint", server.url).out
