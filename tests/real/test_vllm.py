"""The program, and the shapes that FakeVLLM imitates, against a real vLLM."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agentic.testing import FakeVLLM, answer, error
from tests.conftest import Agentic


def chunks(url: str, **body: Any) -> list[dict[str, Any]]:
    """The events of a streamed chat, as parsed by hand."""
    models = httpx2.get(f"{url}/models", trust_env=False).json()
    model = models["data"][0]["id"]
    request = {"model": model, "messages": [{"role": "user", "content": "Say hi"}], "stream": True, "max_tokens": 8, **body}
    request["stream_options"] = {"include_usage": True}
    text = httpx2.post(f"{url}/chat/completions", json=request, timeout=120, trust_env=False).text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_the_fake_servers_chunks_have_the_real_ones_shape(endpoints: list[str]) -> None:
    real = chunks(endpoints[0])
    with FakeVLLM() as fake:
        fake.script(answer("Hi there"))
        imitated = chunks(fake.url)
    for name, pick in {"first": 0, "text": 1, "usage": -1}.items():
        mine, theirs = imitated[pick], real[pick]
        assert set(mine) <= set(theirs) | {"usage"}, name
        assert bool(mine["choices"]) == bool(theirs["choices"]), name
        if mine["choices"]:
            assert set(mine["choices"][0]) <= set(theirs["choices"][0]) | {"token_ids", "stop_reason"}, name
    assert real[0]["choices"][0]["delta"] == imitated[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= set(real[-1]["usage"])


def test_the_model_list_has_the_same_shape(endpoints: list[str]) -> None:
    real = httpx2.get(f"{endpoints[0]}/models", trust_env=False).json()
    with FakeVLLM() as fake:
        imitated = httpx2.get(f"{fake.url}/models", trust_env=False).json()
    assert set(imitated) <= set(real)
    assert {"id", "max_model_len", "root"} <= set(real["data"][0]) & set(imitated["data"][0])


def test_an_overflow_is_told_as_the_fake_tells_it(endpoints: list[str], agentic: Agentic) -> None:
    model = httpx2.get(f"{endpoints[0]}/models", trust_env=False).json()["data"][0]
    body = {"model": model["id"], "messages": [{"role": "user", "content": "word " * 2 * model["max_model_len"]}]}
    real = httpx2.post(f"{endpoints[0]}/chat/completions", json=body, timeout=60, trust_env=False)
    imitated = json.loads(error(400, "x", param="input_tokens").pieces[0])
    assert real.status_code == 400
    assert set(real.json()["error"]) == set(imitated["error"])
    assert real.json()["error"]["param"].startswith("input_t")
    brief = ("-c", "context.reserved_for_response=32", "-c", "llm.max_tokens=32")
    done = agentic("ask", "word " * 2 * model["max_model_len"], "--endpoint", endpoints[0], *brief, seconds=400)
    assert done.code in (0, 1)  # a small model may have nothing to say to that
    assert "context cut from" in done.err


def test_a_server_without_a_tool_parser_says_so_with_a_400(endpoints: list[str], agentic: Agentic) -> None:
    done = agentic(
        "run",
        "Say hi.",
        "--endpoint",
        endpoints[0],
        "--max-iterations",
        "1",
        "--output",
        "jsonl",
        "-c",
        "context.context_window=1024",
        seconds=300,
    )
    assert done.of_type("llm_chunk")
    assert done.code in (0, 1)


@pytest.mark.parametrize("transport", ["vllm", "openai"])
def test_an_answer_streams(endpoints: list[str], agentic: Agentic, transport: str) -> None:
    done = agentic(
        "ask",
        "Say hi",
        "--endpoint",
        endpoints[0],
        "-c",
        "llm.temperature=0",
        "-c",
        f"llm.transport={transport}",
        "--output",
        "jsonl",
        seconds=120,
    )
    assert done.code == 0
    assert len(done.of_type("llm_chunk")) > 3
    assert done.of_type("run_finished")[0]["result"]


def test_a_wrong_model_names_the_right_one(endpoints: list[str], agentic: Agentic) -> None:
    done = agentic("ask", "hi", "--endpoint", endpoints[0], "--model", "nonsense", "-c", "llm.transport=vllm")
    assert done.code == 2
    assert "it serves" in done.err


def test_json_actions_are_held_to_their_schema(endpoints: list[str], agentic: Agentic, work: Path) -> None:
    arguments = (
        "run",
        "List the files.",
        "--endpoint",
        endpoints[0],
        "-c",
        "tools.protocol=json",
        "--max-iterations",
        "1",
        "-c",
        "llm.temperature=0",
    )
    done = agentic(*arguments, "-c", "context.context_window=1024", "--output", "jsonl", seconds=300)
    spoken = "".join(event["text"] for event in done.of_type("llm_chunk"))
    first, _ = json.JSONDecoder().raw_decode(spoken.strip())
    assert set(first) == {"tool", "arguments"}


def test_the_second_endpoint_serves_when_the_first_is_not_there(endpoints: list[str], agentic: Agentic) -> None:
    done = agentic(
        "ask",
        "Say hi",
        "-c",
        "llm.temperature=0",
        "--endpoint",
        "http://127.0.0.1:1/v1",
        "--endpoint",
        endpoints[-1],
        "--output",
        "jsonl",
        seconds=120,
    )
    assert done.code == 0
    assert done.of_type("failover")[0]["to"] == endpoints[-1]
