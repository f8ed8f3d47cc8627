"""The streaming HTTP client against raw sockets."""

import asyncio
import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import EndpointUnavailable
from agentic.testing import FakeVLLM, ScriptedAnswer, answer
from plugins_builtin.vllm.connection import MAX_HEAD_BYTES, Connection, Stale
from plugins_builtin.vllm.http import Http
from tests.conftest import Agentic


def cuts(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(data[start : start + size])
        start += size
    return [piece for piece in pieces if piece]


class Wire(asyncio.Transport):
    """Where a connection's bytes would go."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None:
        pass

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def received(pieces: list[bytes], end: bool = False) -> tuple[int, bytes, bool]:
    """(status, body, whether the connection may be used again) of an exchange whose answer comes in these pieces."""

    async def exchange() -> tuple[int, bytes, bool]:
        connection = Connection("http://x")
        wire = Wire()
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        for piece in pieces:
            connection.data_received(piece)
        if end:
            wire.closed = True
            connection.connection_lost(None)
        body = b""
        response = await asyncio.wait_for(connection.head(), 1)
        while data := await asyncio.wait_for(connection.read(), 1):
            body += data
        connection.finish()
        return response.status, body, connection.reusable

    return asyncio.run(exchange())


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.lists(st.integers(1, 30)), st.booleans())
def test_a_chunked_body_however_it_is_cut(chunks: list[bytes], sizes: list[int], trailers: bool) -> None:
    body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    body += b"0\r\n" + (b"X-Sum: 1\r\n" if trailers else b"") + b"\r\n"
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert received(cuts(head + body, sizes)) == (200, b"".join(chunks), True)


@given(st.binary(max_size=200), st.lists(st.integers(1, 30)))
def test_a_body_of_known_length_and_one_that_ends_with_the_connection(body: bytes, sizes: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert received(cuts(head + body, sizes)) == (200, body, True)
    status, text, reusable = received(cuts(b"HTTP/1.0 500 X\r\n\r\n" + body, sizes), end=True)
    assert (status, text, reusable) == (500, body, False)


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(1, 30)))
def test_anything_else_is_one_error_and_no_hang(junk: bytes, sizes: list[int]) -> None:
    try:
        received(cuts(junk, sizes), end=True)
    except EndpointUnavailable as error:
        assert str(error).startswith("http://x: ")


def test_a_head_without_an_end() -> None:
    with pytest.raises(EndpointUnavailable, match="not HTTP"):
        received([b"HTTP/1.1 200 OK\r\n" + b"x" * MAX_HEAD_BYTES])


def test_a_kept_connection_that_died_unseen_is_told_from_one_that_breaks() -> None:
    async def exchange(first: bool) -> None:
        connection = Connection("http://x")
        connection.connection_made(Wire())
        connection.send(b"x")
        if not first:
            connection.data_received(b"HTTP/1.1 204 OK\r\n\r\n")
            await connection.head()
            connection.send(b"x")
        connection.connection_lost(None)
        await connection.head()

    with pytest.raises(Stale):
        asyncio.run(exchange(first=False))
    with pytest.raises(EndpointUnavailable, match="broke") as broken:
        asyncio.run(exchange(first=True))
    assert not isinstance(broken.value, Stale)


def through(http: Callable[[], Http], url: str) -> tuple[int, bytes]:
    async def main() -> tuple[int, bytes]:
        client = http()
        try:
            response = await client.fetch("GET", url, seconds=5)
            await client.fetch("GET", url, seconds=5)
            return response.status, response.body
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_connections_are_used_again(server: FakeVLLM) -> None:
    assert through(lambda: Http(lambda url: {}, 5.0), f"{server.url}/models")[0] == 200
    assert len(server.requests) == 2
    assert server.accepted == 1


def test_a_proxy_gets_the_whole_address_and_its_own_password(server: FakeVLLM) -> None:
    proxy = server.url.removesuffix("/v1").replace("http://", "http://ada:secret@")
    server.otherwise = lambda request: answer("ok")
    through(lambda: Http(lambda url: {"Authorization": "Bearer key"}, 5.0, proxy=proxy), "http://nowhere.invalid/v1/models")
    request = server.requests[0]
    assert request.path == "http://nowhere.invalid/v1/models"
    assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"ada:secret").decode()
    assert request.headers["host"] == "nowhere.invalid"


@pytest.mark.parametrize("follow", [True, False])
def test_redirects_are_followed_only_when_wanted_and_without_the_key(follow: bool, second_server: FakeVLLM) -> None:
    with FakeVLLM() as server:
        server.models = ScriptedAnswer([b""], 307, headers={"location": f"{second_server.url}/models"}, chunked=False)
        status, _ = through(
            lambda: Http(lambda url: {"Authorization": "Bearer key"}, 5.0, follow_redirects=follow), f"{server.url}/models"
        )
        assert status == (200 if follow else 307)
        assert all("authorization" not in request.headers for request in second_server.requests)
        assert bool(second_server.requests) == follow


def test_a_key_cannot_smuggle_a_header(server: FakeVLLM) -> None:
    with pytest.raises(EndpointUnavailable, match="line break"):
        through(lambda: Http(lambda url: {"Authorization": "Bearer a\r\nX-Evil: 1"}, 5.0), f"{server.url}/models")
    assert not server.requests


def test_an_idle_connection_is_not_trusted_for_longer_than_the_server_keeps_it() -> None:
    """CallBudget with pauses in between: the server closes idle connections at a moment nobody sees."""
    with FakeVLLM(idle_seconds=0.2) as server:

        async def turns() -> None:
            client = Http(lambda url: {}, 5.0)
            for pause in (0.1, 0.19, 0.2, 0.21, 0.3):
                assert (await client.fetch("GET", f"{server.url}/models", seconds=5)).status == 200
                await asyncio.sleep(pause)
            assert (await client.fetch("GET", f"{server.url}/models", seconds=5)).status == 200
            await client.aclose()

        asyncio.run(turns())


@pytest.mark.parametrize("number", ["1_0", "+5", "-5", "0x5", "5 5", "", "5;", "ffffffffffffffffff"])
def test_a_length_is_digits_and_nothing_else(number: str) -> None:
    body = b"hello" + b"!" * 11
    for head in (f"Content-Length: {number}\r\n\r\n", f"Transfer-Encoding: chunked\r\n\r\n{number}\r\n"):
        if head.endswith("\r\n5;\r\n"):  # an empty extension
            continue
        with pytest.raises((EndpointUnavailable, TimeoutError)):
            received([b"HTTP/1.1 200 OK\r\n" + head.encode() + body + b"\r\n0\r\n\r\n"])


def test_two_lengths_that_differ_are_none() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
    with pytest.raises(EndpointUnavailable):
        received([head])


def test_requests_and_answers_are_logged_as_they_are_but_for_keys(agentic: Agentic, server: FakeVLLM, tmp_path: Path) -> None:
    log = tmp_path / "requests"
    server.otherwise = lambda request: answer("hello there")
    more = {"AGENTIC_LLM_API_KEY": "sk-secret"}
    done = agentic("ask", "hi", "--endpoint", server.url, "--log-requests", str(log), more=more)
    assert done.code == 0, done.err
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (asked,) = [line for line in lines if "POST /v1/chat/completions HTTP/1.1" in line["data"]]
    assert '"content": "hi' in asked["data"] or '"content":"hi' in asked["data"]
    heard = "".join(line["data"] for line in lines if line["number"] == asked["number"] and "from" in line)
    assert heard.startswith("HTTP/1.1 200") and "hello" in heard and "data: [DONE]" in heard
    assert "sk-secret" not in log.read_text() and "Authorization: [masked]" in asked["data"]


def test_a_log_of_requests_that_cannot_be_written_is_said(agentic: Agentic, server: FakeVLLM, tmp_path: Path) -> None:
    done = agentic("ask", "hi", "--endpoint", server.url, "--log-requests", str(tmp_path / "no" / "folder"))
    assert done.code == 2 and "cannot be written" in done.err
