"""Mutated input for everything that parses: nothing but our own errors comes out, and memory stays bounded.

`-m long` makes it a million cases in all. A case depends on its target and number alone: what fails says both.
"""

import asyncio
import json
import random
import resource
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agentic.config.sources import file_layer
from agentic.errors import AgenticError
from agentic.lib.wire.answer import AnswerBuilder, ChunkDecoder
from agentic.lib.wire.sse import SseParser
from agentic.sessions import ConversationHistory, SessionStore
from agentic.testing import answer, tool_call
from agentic.testing.in_process import make_setup
from agentic.types import Message, ToolCall
from plugins_builtin.protocols.leaked_calls import leaked_calls
from plugins_builtin.sessions.export import as_markdown
from plugins_builtin.small_models.fenced import Fenced
from plugins_builtin.tools.apply_patch import parse, updated
from plugins_builtin.vllm.connection import Connection
from tests.agentic.test_fenced import TOOLS
from tests.plugins_builtin.test_http import Wire
from tests.sweeps import FUZZ_CASES as CASES

pytestmark = pytest.mark.long
ODD = [
    b"\0",
    b"\r\n",
    b"\n\n",
    b"\xff",
    b"\xed\xa0\x80",
    b"-1",
    b"9" * 40,
    b"1e999",
    b"[" * 60,
    b"{",
    b'"',
    b"\\u",
    b"```",
    b"data:",
    b"NaN",
]
STREAM = b"".join(answer("some text", "a thought", tool_calls=tool_call("run", {"command": "ls"})).pieces)
HTTP = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\nX: y\r\n\r\n"
)
FENCES = (
    b'I write a.py:\n\n`a.py`\n```python\nprint(1)\n```\n~~~sh\nls\n~~~\n<tool_call>{"name": "run", "arguments": {}}</tool_call>'
    b'\n<function=run><parameter=command>ls</parameter></function>\n[TOOL_CALLS] run {"command": "ls"}\n'
)
PATCH = b"*** Begin Patch\n*** Update File: a\n*** Move to: b\n@@ def f():\n x\n-y\n+z\n*** Add File: c\n+1\n*** Delete File: d\n*** End Patch"
TOML = (
    b'[llm]\nendpoints = ["http://a/v1"]\nmodel = "m"\n[permissions]\ndeny = ["run(rm *)"]\n[approval]\nmode = "ask"\n'
    b"[sandbox]\nmemory = 4\n[plugin.x]\na = {b = [1, 2.5, 1979-05-27]}\n"
)


def mutated(seed: bytes, chance: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randrange(1, 20))
        match chance.randrange(5):
            case 0:
                data[start:end] = b""
            case 1:
                data[start:start] = data[start:end] * chance.randrange(1, 30)
            case 2:
                data[start:end] = chance.choice(ODD)
            case 3:
                data[start:start] = chance.choice(ODD)
            case _:
                data[start:end] = bytes(chance.randrange(256) for _ in range(end - start))
    return bytes(data)


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(data) + 1)
    return [data[:place], data[place:]]


def codec(data: bytes, chance: random.Random) -> None:
    async def exchange() -> None:
        connection, wire = Connection("http://x"), Wire()
        connection.connection_made(wire)
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        for piece in cut(data, chance):
            connection.data_received(piece)
        wire.closed = True
        connection.connection_lost(None)
        await connection.head()
        while await connection.read():
            continue

    LOOP.run_until_complete(exchange())


def stream(data: bytes, chance: random.Random) -> None:
    events, decoder, making = SseParser(), ChunkDecoder(), AnswerBuilder()
    for piece in cut(data, chance):
        for event in events.feed(piece):
            if event != b"[DONE]" and (delta := decoder.feed_json(event)) is not None:
                making.add(delta)
    making.message()
    decoder.end()


def fences(data: bytes, chance: random.Random) -> None:
    text = data.decode("utf-8", "surrogateescape" if chance.random() < 0.1 else "replace")
    FENCED.begin("", [])
    for call in FENCED.read(Message("assistant", text), TOOLS, chance.random() < 0.5).calls:
        assert isinstance(json.loads(call.arguments), dict)
    leaked_calls(text, TOOLS)


def patches(data: bytes, chance: random.Random) -> None:
    for section in parse(data.decode("utf-8", "replace")):
        if section.hunks is not None:
            updated("def f():\n x\n y\n", section.hunks)


def configuration(data: bytes, chance: random.Random, place: list[Path]) -> None:
    path = place[0] / "agentic.toml"
    path.write_bytes(data)
    file_layer(path, trusted=chance.random() < 0.5)


def session_files(data: bytes, chance: random.Random, place: list[Path]) -> None:
    store = SessionStore(place[0])
    for path in place[0].glob("*"):
        path.unlink()
    (place[0] / "20300101-000000-aaaa.db").write_bytes(data)
    list(store.all())
    with suppress(AgenticError), closing(store.read("aaaa")) as session, suppress(sqlite3.DatabaseError):
        "".join(as_markdown(session))
    with closing(store.open("aaaa")[0]) as session:
        history = ConversationHistory(session)
        history.add_message("user", "go on")
        history.get_messages_for_llm()


FENCED = Fenced(make_setup())
LOOP = asyncio.new_event_loop()
TARGETS: dict[str, tuple[Callable[..., None], bytes, float]] = {  # with its share of the cases: some take longer
    "codec": (codec, HTTP, 0.3),
    "stream": (stream, STREAM, 0.3),
    "patches": (patches, PATCH, 0.25),
    "configuration": (configuration, TOML, 0.12),
    "fences": (fences, FENCES, 0.02),
    "sessions": (session_files, b"", 0.01),
}


def a_session(folder: Path) -> bytes:
    with closing(SessionStore(folder).new(folder)) as session:
        history = ConversationHistory(session)
        history.add_message("user", "hi")
        history.add(Message("assistant", "I look", tool_calls=(ToolCall("c1", "run", '{"command": "ls"}'),)))
        history.add(Message("tool", "a.txt", tool_call_id="c1"))
        session.keep(b"before")
        path = session.path
    return path.read_bytes()


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_only_our_errors_come_out(name: str, tmp_path: Path) -> None:
    target, seed, share = TARGETS[name]
    if name == "sessions":
        (tmp_path / "first").mkdir()
        seed = a_session(tmp_path / "first")
    place = [tmp_path / "cases"]
    place[0].mkdir()
    more = (place,) if name in ("configuration", "sessions") else ()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(int(CASES * share)):
        chance = random.Random(f"{name} {number}")
        data = mutated(seed, chance)
        try:
            target(data, chance, *more)
        except AgenticError:
            continue
        except Exception as error:
            raise AssertionError(f"case {number} of {name}: {data[:200]!r}") from error
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 1024 * (1 if sys.platform == "linux" else 1024)
