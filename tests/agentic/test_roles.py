"""A model for each role: the batcher sends each where it is served, and the main model does what nobody serves."""

import asyncio
from pathlib import Path

import pytest

from agentic.core.endpoints import Endpoints
from agentic.core.roles import with_roles
from agentic.testing import FakeVLLM, answer, error, tool_call
from agentic.testing.in_process import settings_with
from tests.children import Model, delegating, objects
from tests.conftest import Agentic, Done
from tests.plugins_builtin.test_complexity import UNSURE

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl", "--approve", "all", "--no-sandbox")

PICTURE = b"\x89PNG\r\n\x1a\n a picture"


def run(agentic: Agentic, task: str, server: FakeVLLM, *more: str) -> Done:
    return agentic("run", task, "--endpoint", server.url, *NATIVE, *more)


def votes(server: FakeVLLM) -> int:
    return sum("response_format" in request.json for request in server.requests if request.body)


@pytest.fixture
def small(second_server: FakeVLLM) -> FakeVLLM:
    second_server.model = "small-model"
    second_server.otherwise = lambda request: answer('{"kind": "one", "reason": "it is small", "parts": 1}')
    return second_server


def test_small_questions_go_to_the_small_model_and_turns_to_the_main_one(
    agentic: Agentic, server: FakeVLLM, small: FakeVLLM
) -> None:
    server.say("done")
    done = run(agentic, UNSURE, server, "-c", f"llm.roles.small.endpoint={small.url}", "-c", "llm.roles.small.effort=low")
    assert done.code == 0, done.err
    assert votes(small) and not votes(server)
    asked = [request.json for request in small.requests if request.body and "response_format" in request.json]
    assert {each["model"] for each in asked} == {"small-model"} and {each.get("reasoning_effort") for each in asked} == {"low"}
    assert not any("llm.roles" in event["message"] for event in done.of_type("warning"))


def test_a_role_that_nobody_serves_falls_to_the_main_model_with_one_line(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("done")
    done = run(agentic, UNSURE, server, "-c", "llm.roles.small.model=nobodys")
    assert done.code == 0
    assert votes(server) and "nobodys" not in str([request.body for request in server.requests])
    told = [event["message"] for event in done.of_type("warning") if "llm.roles" in event["message"]]
    assert told == ["llm.roles.small: nobodys does not answer; the main model does its work"]


def test_a_roles_endpoint_that_is_down_costs_one_line(agentic: Agentic, server: FakeVLLM) -> None:
    with FakeVLLM() as gone:
        url = gone.url
    server.otherwise = lambda request: answer("done")
    done = run(agentic, UNSURE, server, "-c", f"llm.roles.small.endpoint={url}")
    assert done.code == 0 and votes(server)
    assert sum("llm.roles.small" in event["message"] for event in done.of_type("warning")) == 1


def test_sub_agents_have_their_own(agentic: Agentic, server: FakeVLLM, small: FakeVLLM, work: Path) -> None:
    model: Model = delegating(server, objects(2))
    small.otherwise = model.reply
    done = run(agentic, "go", server, "-c", f"llm.roles.sub_agent.endpoint={small.url}")
    assert done.code == 0, done.out
    assert sorted(path.name for path in work.glob("*.txt")) == ["t0.txt", "t1.txt"]
    assert not any("You do one part" in str(chat.json["messages"]) for chat in server.chats)
    assert all("You do one part" in str(chat.json["messages"]) for chat in small.chats) and small.chats


def test_a_picture_is_described_for_a_model_that_sees_none(agentic: Agentic, server: FakeVLLM, small: FakeVLLM, work: Path) -> None:
    (work / "shot.png").write_bytes(PICTURE)
    small.otherwise = lambda request: answer("a red button that says STOP")
    server.otherwise = lambda request: answer("it is red")
    done = run(agentic, "what colour is the button in @shot.png ?", server, "-c", f"llm.roles.vision.endpoint={small.url}")
    assert done.code == 0, done.err
    turns = [chat for chat in server.chats if chat.json.get("tools")]
    assert turns and all("image_url" not in str(chat.json) for chat in server.chats)
    assert "(A picture: a red button that says STOP)" in turns[-1].json["messages"][-1]["content"]
    assert sum("image_url" in str(chat.json) for chat in small.chats) == 1  # once, however often it is sent


def test_without_a_vision_role_the_picture_itself_is_sent(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "shot.png").write_bytes(PICTURE)
    server.otherwise = lambda request: answer("it is red")
    assert run(agentic, "what is in @shot.png", server).code == 0
    assert any(part.get("type") == "image_url" for part in server.chats[-1].json["messages"][-1]["content"])


def test_the_model_opens_a_picture_by_itself(agentic: Agentic, server: FakeVLLM, small: FakeVLLM, work: Path) -> None:
    (work / "shot.png").write_bytes(PICTURE)
    small.otherwise = lambda request: answer("STOP")
    looks = answer(tool_calls=tool_call("view_picture", {"path": "shot.png", "question": "What does the button say?"}))
    server.script(looks, answer("it says STOP"))
    assert run(agentic, "what does the button say?", server, "-c", f"llm.roles.vision.endpoint={small.url}").code == 0
    assert "view_picture" in str(server.chats[0].json["tools"])
    assert server.chats[-1].json["messages"][-1]["content"] == "STOP"
    (asked,) = [chat.json["messages"][-1]["content"] for chat in small.chats if "image_url" in str(chat.json)]
    assert asked[0]["text"] == "What does the button say?"


@pytest.mark.parametrize(
    ("path", "why"),
    [("a.txt", "is no picture; these are: .png"), ("none.png", "none.png does not exist"), ("shot.png", "could see shot.png")],
)
def test_a_picture_that_cannot_be_seen_is_told_to_the_model(
    agentic: Agentic, server: FakeVLLM, work: Path, path: str, why: str
) -> None:
    (work / "shot.png").write_bytes(PICTURE)
    (work / "a.txt").write_text("text")
    refusal = error(400, "At most 0 image(s) may be provided in one prompt.")
    asks = answer(tool_calls=tool_call("view_picture", {"path": path, "question": "What is it?"}))
    server.otherwise = lambda request: refusal if "image_url" in str(request.json) else answer("I cannot tell")
    server.script(asks)
    run(agentic, "what is it?", server)
    assert "view_picture" not in str(server.chats[0].json["tools"])  # nothing says that a model sees pictures
    assert why in server.chats[-1].json["messages"][-1]["content"]


def test_the_endpoints_of_roles_stay_when_the_configuration_is_read_again() -> None:
    before = settings_with({"llm.endpoints": ("http://a/v1",), "llm.roles.small.endpoint": "http://c/v1"})
    before.again = lambda: settings_with({"llm.endpoints": ("http://b/v1",), "llm.roles.small.endpoint": "http://c/v1"})
    endpoints = Endpoints(before)
    assert endpoints.settings.llm.endpoints == ("http://a/v1", "http://c/v1")
    asyncio.run(endpoints.reread())
    assert endpoints.settings.llm.endpoints == ("http://b/v1", "http://c/v1")


def test_the_main_role_is_what_llm_says() -> None:
    settings = with_roles(
        settings_with({
            "llm.endpoints": ("http://a/v1", "http://b/v1"), "llm.roles.main.model": "m", "llm.roles.main.endpoint": "http://b/v1",
            "llm.roles.main.effort": "high", "llm.roles.small.endpoint": "http://c/v1", "llm.roles.small.model": "s",
        })
    )  # fmt: skip
    assert settings.llm.endpoints == ("http://b/v1", "http://a/v1", "http://c/v1")
    assert (settings.llm.model, settings.llm.reasoning_effort) == ("m", "high")
    assert settings.llm.of("http://c/v1").model == "s"
    assert with_roles(settings_with()).llm.endpoints == settings_with().llm.endpoints
