"""Running a task from a program."""

import asyncio
import base64
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import agentic
from agentic import EndpointUnavailable, ImagePart, Message, Question, TextPart
from agentic.events import Event, RunFinished, RunStarted, ToolResult
from agentic.lib.messages import from_record, to_record
from agentic.lib.wire.request import encode_message
from agentic.testing import FakeVLLM, answer, tool_call


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    monkeypatch.setenv("HOME", env["HOME"])
    monkeypatch.setenv("AGENTIC_PLUGINS", "")


def options(server: FakeVLLM, **more: Any) -> dict[str, Any]:
    return {"llm.endpoints": [server.url], "tools.protocol": "native", **more}


async def events_of(*arguments: Any, **named: Any) -> list[Event]:
    return [event async for event in agentic.run(*arguments, **named)]


def test_a_run_is_a_stream_of_typed_events(server: FakeVLLM, work: Path) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x\n"})), answer("done"))
    settings = options(server, **{"approval.mode": "edits"})
    events = asyncio.run(events_of("write a.txt", root=work, settings=settings))
    assert isinstance(events[0], RunStarted)
    result = next(event for event in events if isinstance(event, ToolResult))
    assert result.changes == ({"path": "a.txt", "kind": "created"},)
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.files) == ("unchecked", ("a.txt",))
    assert (work / "a.txt").read_text() == "x\n"


def test_the_synchronous_sibling(server: FakeVLLM, work: Path) -> None:
    server.say("Hello")
    events = list(agentic.run_sync("say hello", root=work, settings=options(server)))
    assert events[-1].as_dict()["result"] == "Hello"


@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_approvals_go_to_a_callback(server: FakeVLLM, work: Path, granted: bool, kind: str) -> None:
    asked: list[Question] = []

    def plain(question: Question) -> bool:
        asked.append(question)
        return granted

    async def waits(question: Question) -> bool:
        return plain(question)

    server.script(answer(tool_calls=tool_call("run", {"command": "touch made"})), answer("done"))
    approve = plain if kind == "plain" else waits
    asyncio.run(events_of("make it", root=work, settings=options(server), approve=approve))
    assert [question.what for question in asked] == ["run touch made"]
    assert (work / "made").exists() is granted


def test_without_a_callback_the_answer_is_no(server: FakeVLLM, work: Path) -> None:
    server.script(answer(tool_calls=tool_call("run", {"command": "touch made"})), answer("done"))
    asyncio.run(events_of("make it", root=work, settings=options(server)))
    assert not (work / "made").exists()


def test_leaving_early_stops_the_run(server: FakeVLLM, work: Path) -> None:
    server.script(answer(" ".join(map(str, range(200))), pause=0.05))

    async def leave() -> None:
        async with aclosing(agentic.run("talk", root=work, settings=options(server))) as events:
            async for event in events:
                if event.type == "llm_chunk":
                    break
        assert await asyncio.to_thread(server.wait_for, lambda: server.running == 0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(leave())


def test_what_keeps_a_run_from_beginning_is_raised(work: Path) -> None:
    settings = {"llm.endpoints": ["http://127.0.0.1:9/v1"], "llm.transport": "vllm"}
    with pytest.raises(EndpointUnavailable, match="no endpoint answered"):
        asyncio.run(events_of("hi", root=work, settings=settings))


def test_a_slow_consumer_is_waited_for(server: FakeVLLM, work: Path) -> None:
    server.say(" ".join(map(str, range(3000))))

    async def slow() -> int:
        count = 0
        async for _ in agentic.run("talk", root=work, settings=options(server)):
            count += 1
            await asyncio.sleep(0)
        return count

    assert asyncio.run(slow()) > 3000


PICTURE = ImagePart(b"\x89PNG\r\n\x1a\n", "image/png")


def test_a_picture_goes_through_wire_and_session() -> None:
    message = Message("user", (TextPart("what is this?"), PICTURE))
    url = f"data:image/png;base64,{base64.b64encode(PICTURE.data).decode()}"
    assert encode_message(message)["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert from_record(json.loads(json.dumps(to_record(message)))) == message
    assert message.and_then(Message("user", "and where?")) == Message("user", (TextPart("what is this?\n\nand where?"), PICTURE))
    assert message.with_text("who?").text == "who?"
    assert message.with_text("who?").images == (PICTURE,)
