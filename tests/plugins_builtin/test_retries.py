"""One endpoint: a fault, a restart, a bad link end nothing that need not end, and no word is lost or doubled."""

import asyncio
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentic import ChatRequest, Message
from agentic.errors import EndpointUnavailable
from agentic.events import Event, Failover, Retrying
from agentic.lib.wire import AnswerBuilder
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, error, tool_call
from agentic.testing.answers import chunk, event
from agentic.testing.in_process import settings_with
from plugins_builtin.batching.admission import Admission
from plugins_builtin.batching.direct import Direct
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.transport import VllmTransport
from tests.conftest import Agentic
from tests.terminal import terminal

TEXT = "one two three four five six seven eight"
REQUEST = ChatRequest((Message("user", "count"),))


def ask(
    *servers: FakeVLLM, kind: Any = Admission, seconds: float = 20.0, request: ChatRequest = REQUEST, **settings: Any
) -> tuple[str, list[Event]]:
    """(the text, what was told meanwhile)"""
    told: list[Event] = []

    async def emit(each: Event) -> None:
        told.append(each)

    async def work() -> str:
        given = {"llm.endpoints": [server.url for server in servers], "llm.progress_timeout": 0.5, **settings}
        transport = VllmTransport(settings_with(given).llm, VllmOptions())
        more = (4, 0.1) if kind is Admission else ()
        batcher = kind(transport, emit, *more, retry_seconds=seconds)
        try:
            await batcher.info()
            made = AnswerBuilder()
            async for delta in batcher.submit(request):
                made.add(delta)
            return made.message().text
        finally:
            if kind is Admission:
                await batcher.aclose()
            await transport.aclose()

    return asyncio.run(work()), told


def data(value: Any) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def told_in_the_stream(code: int | None) -> bytes:
    return data({"error": {"message": "it failed", "type": "x", "param": None, "code": code}})


# The fault in the middle of a stream, and what it is where no stream has begun.
KINDS: dict[str, tuple[ScriptedAnswer | bytes, ScriptedAnswer]] = {
    "reset": (ScriptedAnswer([], fault="reset"), ScriptedAnswer([], fault="reset", fault_after=-1)),
    "closed": (ScriptedAnswer([], fault="close"), ScriptedAnswer([], fault="close", fault_after=-1)),
    "silent": (ScriptedAnswer([], fault="stall"), ScriptedAnswer([], fault="stall", fault_after=0)),
    "no JSON": (data(b"{broken"), ScriptedAnswer([b"<html>proxy</html>"], content_type="text/html")),
    "no object": (data([1, 2]), ScriptedAnswer([b""], content_type="application/json")),
    "no UTF-8": (data(b'{"choices": "\xff\xfe"}'), ScriptedAnswer([b"\xff\xfe"], 500, "text/plain")),
    "an error": (told_in_the_stream(None), error(408, "timed out")),
    "500": (told_in_the_stream(500), error(500, "Internal Server Error", "InternalServerError")),
    "502": (told_in_the_stream(502), ScriptedAnswer([b"<html><h1>502 Bad Gateway</h1></html>"], 502, "text/html", chunked=False)),
    "503": (told_in_the_stream(503), error(503, "busy", headers={"retry-after": "1"})),
    "504": (told_in_the_stream(504), error(504, "Gateway Timeout")),
    "given up": (event(chunk({}, "abort")), error(503, "no healthy upstream")),
}
POINTS = {"before it": -1, "at its start": 1, "after a word": 2, "in the middle": 5, "before its end": 9}


def faulty(kind: str, point: int) -> ScriptedAnswer:
    whole = answer(TEXT)
    in_the_stream, before = KINDS[kind]
    if point < 0:
        return before
    pieces = list(whole.pieces)[:point]
    if isinstance(in_the_stream, bytes):
        return ScriptedAnswer([*pieces, in_the_stream])
    return replace(in_the_stream, pieces=pieces, fault_after=point)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_single_fault_of_the_only_server_costs_no_word(server: FakeVLLM, kind: str, point: str) -> None:
    server.script(faulty(kind, POINTS[point]))
    server.otherwise = lambda request: answer(TEXT)
    text, _ = ask(server, **{"llm.first_token_timeout": 1.0})
    assert text == TEXT


def test_it_goes_on_where_it_broke_off(server: FakeVLLM) -> None:
    """Not from its start: the tokens that came are the prompt of the rest."""
    server.script(answer(TEXT, fault="reset", fault_after=5))
    server.otherwise = lambda request: answer(TEXT)
    text, told = ask(server)
    assert text == TEXT
    assert [each.path for each in server.requests if "completions" in each.path] == ["/v1/chat/completions", "/v1/completions"]
    assert [each.resumed for each in told if isinstance(each, Failover)] == [len("one two three four ")]
    assert [each.attempt for each in told if isinstance(each, Retrying)] == [1]


@pytest.mark.parametrize("kind", [Admission, Direct])
def test_where_nothing_can_go_on_it_begins_anew_and_says_so(kind: Any) -> None:
    with FakeVLLM(resumes=False, missing=["/v1/completions"]) as server:
        server.script(answer(TEXT, fault="reset", fault_after=5))
        server.otherwise = lambda request: answer(TEXT)
        text, told = ask(server, kind=kind)
        assert text == TEXT
        assert any(each.partial for each in told if isinstance(each, Failover))


def test_time_over_is_told_once_with_what_happened(server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer(TEXT, fault="reset", fault_after=3)
    with pytest.raises(EndpointUnavailable, match=r"the answer broke off \d+ times in \d+ s"):
        ask(server, seconds=1.5)
    server.otherwise = lambda request: error(500, "broken")
    with pytest.raises(
        EndpointUnavailable, match=r"no endpoint answered: tried \d+ times in \d+ s\n  .*the server failed \(500\): broken"
    ):
        ask(server, seconds=1.0)


def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for(server: FakeVLLM) -> None:
    server.otherwise = lambda request: error(429, "slow down", headers={"retry-after": "3600"})
    with pytest.raises(EndpointUnavailable, match="slow down"):
        ask(server, seconds=60)


def test_what_ends_servers_is_not_sent_a_third_time() -> None:
    """The first server dies of it, and the one that takes its place."""
    servers = [FakeVLLM()]
    sent: list[int] = []

    def die(request: Any) -> ScriptedAnswer:
        sent.append(1)
        threading.Thread(target=restart, args=(servers[-1],)).start()
        return ScriptedAnswer([], fault="stall", fault_after=-1)

    def restart(old: FakeVLLM) -> None:
        old.close()
        time.sleep(0.7)  # what a server needs to start
        servers.append(FakeVLLM(port=port).__enter__())
        servers[-1].otherwise = die

    port = servers[0].port
    servers[0].otherwise = die
    with servers[0], pytest.raises(EndpointUnavailable, match="not sent a third time"):
        ask(servers[0], seconds=30)
    for each in servers:
        each.close()
    assert len(sent) == 2


def test_a_move_because_of_a_busy_server_is_told(server: FakeVLLM, second_server: FakeVLLM) -> None:
    server.otherwise = lambda request: error(503, "busy")
    second_server.otherwise = lambda request: answer(TEXT)
    text, told = ask(server, second_server)
    moved = [each for each in told if isinstance(each, Failover)]
    assert text == TEXT
    if server.chats:  # by its hash, the request may have begun at the other one
        assert [(each.from_, each.to) for each in moved] == [(server.url, second_server.url)]


@contextmanager
def bad_link(server: FakeVLLM, lives: Iterator[float]) -> Iterator[str]:
    """A proxy that delays, throttles and cuts each connection after so many seconds."""
    listening = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(400):
                time.sleep(0.005)
                target.sendall(piece)
        except OSError:
            pass
        with_shutdown(target)
        source.close()

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            upstream = socket.create_connection(("127.0.0.1", server.port))
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=carry, args=pair, daemon=True).start()
            threading.Timer(next(lives), with_shutdown, (client,)).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        with_shutdown(listening)
        listening.close()


def with_shutdown(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def test_a_link_that_is_cut_again_and_again_finishes_a_task_of_ten_turns(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """As over a bad network, ten times as fast: cut after half a second to one and a half."""
    words = [f"word{number} " for number in range(28)]

    def turn(request: Any) -> ScriptedAnswer:
        done = sum(message["role"] == "tool" for message in request.json["messages"])
        if done >= 10:
            return answer("all of it is done", pause=0.02)
        call = tool_call("write_file", {"path": f"f{done}.txt", "content": f"{done}\n"}, 0, f"call_{done}")
        return answer(words, tool_calls=call, pause=0.02)

    server.otherwise = turn
    with bad_link(server, itertools.cycle([0.6, 1.1, 0.5, 1.5, 0.8])) as url:
        arguments = ("run", "write the files", "--endpoint", url, "--approve", "edits", "--output", "jsonl")
        limits = ("-c", "tools.protocol=native", "-c", "llm.retry_seconds=60", "-c", "workflow.timeout_seconds=600")
        done = agentic(*arguments, *limits, "-c", "workflow.max_iterations=60", seconds=240)
    assert done.code == 0, done.err
    assert sorted(path.name for path in work.glob("f*.txt")) == sorted(f"f{number}.txt" for number in range(10))
    assert len(done.of_type("retrying")) > 3
    said: dict[int, str] = {}
    for each in done.events:
        if each["type"] == "llm_request" and each["purpose"] == "turn":
            said[len(said)] = ""
        elif each["type"] == "llm_chunk" and said:
            said[len(said) - 1] += each["text"]
    assert all("".join(words) == text for text in list(said.values())[:10])


def test_the_screen_counts_down_and_ctrl_c_ends_the_wait(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = lambda request: error(503, "busy", headers={"retry-after": "50"})
    arguments = ["run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "-c", "llm.retry_seconds=100"]
    with terminal(arguments, env, work) as shown:
        shown.until(lambda: "trying again in 4" in shown.text)
        shown.type("\x03")
        assert shown.until_ended() == 130


def test_a_server_that_starts_again_is_used_again(env: dict[str, str], work: Path, agentic: Agentic) -> None:
    """Killed in the middle of an answer: the run ends 0, and no word is lost or doubled."""
    first = FakeVLLM().__enter__()
    first.otherwise = lambda request: answer(TEXT, pause=0.05)
    started: list[FakeVLLM] = []

    def restart() -> None:
        first.wait_for(lambda: first.running > 0)
        time.sleep(0.2)
        first.close()
        time.sleep(1.5)
        started.append(FakeVLLM(port=port).__enter__())
        started[0].otherwise = lambda request: answer(TEXT)

    url, port = first.url, first.port
    thread = threading.Thread(target=restart)
    thread.start()
    done = agentic("ask", "count", "--endpoint", url, "--output", "plain", "-c", "llm.retry_seconds=20")
    thread.join()
    started[0].close()
    assert (done.code, done.out) == (0, f"{TEXT}\n"), done.err
