"""The table of `docs/servers.md`: what each server sends for each kind of answer, and that all of it is understood alike."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.errors import AgenticError, ContextOverflow, StreamBroken
from agentic.lib.wire import error_from_body
from agentic.testing import FakeVLLM, ScriptedAnswer
from tests.agentic.test_dialects import CALLED, DONE, STOP, A, B, calls, chunk, cut, event, piece, read
from tests.conftest import Agentic

WORDS = "the engine ran out of memory"
KINDS = ("text", "reasoning", "one call", "two calls", "error", "overflow", "cut")
HI, HM = chunk(content="Hi"), chunk(reasoning="hm")
Refusal = tuple[int, dict[str, Any]]


def said(*chunks: dict[str, Any], end: Sequence[bytes] = (STOP, DONE)) -> list[bytes]:
    return [*map(event, chunks), *end]


def called(*chunks: dict[str, Any], end: Sequence[bytes] = (CALLED, DONE)) -> list[bytes]:
    return said(*chunks, end=end)


def opening(**more: Any) -> dict[str, Any]:
    return chunk(role="assistant", content="") | more


def fragments(arguments: str, number: int, name: str, **more: Any) -> list[dict[str, Any]]:
    """A call whose arguments come token by token, as engines stream them."""
    parts = [arguments[start : start + 4] for start in range(0, len(arguments), 4)]
    return [calls(piece("", "read_file", index=number, id=name, **more)), *(calls(piece(part, index=number)) for part in parts)]


def whole(arguments: str, number: int, name: str) -> dict[str, Any]:
    return piece(arguments, "read_file", index=number, id=name)


LITELLM_TAIL = chunk() | {"usage": {"completion_tokens": 2, "prompt_tokens": 3, "total_tokens": 5}}
LITELLM_GROUP = "\n\nLiteLLM: model group 'm' failed with the error above. No fallback was attempted."
PROGRESS = {"prompt_progress": {"total": 31, "cache": 30, "processed": 31, "time_ms": 7}}
MISTRAL_THOUGHT = chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}])
SGLANG_END = (event(chunk("stop", role=None, content=None, reasoning_content=None, tool_calls=None)), DONE)

# LiteLLM's, vLLM's and llama.cpp's as recorded (1.83 before vLLM 0.32, b0 of xllamacpp); the others' by their sources and bug reports.
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "vLLM": {
        "text": said(opening(), HI),
        "reasoning": said(opening(), HM, HI),
        "one call": called(opening(), *fragments(A, 0, "chatcmpl-tool-1")),
        "two calls": called(opening(), *fragments(A, 0, "chatcmpl-tool-1"), *fragments(B, 1, "chatcmpl-tool-2")),
        "error": said(opening(), {"error": {"message": WORDS, "type": "InternalServerError", "param": None, "code": 500}}),
        "overflow": (400, {"error": {"message": "This model's maximum context length is 8192 tokens. However, your prompt contains at "
                                                "least 8193 input tokens, …", "type": "BadRequestError", "param": "input_tokens", "code": 400}}),
        "cut": said(opening(), HI, end=()),
    },
    "llama.cpp": {
        "text": said(chunk(role="assistant", content=None) | PROGRESS, HI),
        "reasoning": said(chunk(role="assistant", content=None), chunk(reasoning_content="hm"), HI),
        "one call": called(chunk(role="assistant", content=None), *fragments(A, 0, "Pj3")),
        "two calls": called(calls(piece("", "read_file", index=0, id="x")), calls(piece("", "read_file", index=1, id="y")),
                            calls(piece(A, index=0)), calls(piece(B, index=1))),
        "error": [event(chunk(role="assistant", content=None)), b"error: " + json.dumps({"code": 500, "message": WORDS, "type": "server_error"}).encode() + b"\n\n"],
        "overflow": (400, {"error": {"code": 400, "message": "request (10031 tokens) exceeds the available context size (8192 tokens), try increasing it",
                                     "type": "exceed_context_size_error", "n_prompt_tokens": 10031, "n_ctx": 8192}}),
        "cut": said(chunk(role="assistant", content=None), HI, end=()),
    },
    "Ollama": {
        "text": said(chunk(role="assistant", content="Hi")),
        "reasoning": said(chunk(role="assistant", content="", reasoning="hm"), chunk(role="assistant", content="Hi")),
        "one call": called(calls(whole(A, 0, "call_1"))),
        "two calls": called(calls(whole(A, 0, "call_1")), calls(whole(B, 0, "call_2"))),
        "error": [event({"error": {"message": WORDS, "type": "api_error", "param": None, "code": None}})],
        "overflow": (400, {"error": {"message": "prompt too long; exceeded max context length by 808 tokens", "type": "api_error"}}),
        "cut": said(chunk(role="assistant", content="Hi"), end=()),
    },
    "LM Studio": {
        "text": said(chunk(role="assistant", content="Hi")),
        "reasoning": said(chunk(role="assistant", reasoning_content="hm"), HI),
        "one call": called(calls(piece("", "read_file", index=0, id="365174485")), calls(piece(A, index=0))),
        "two calls": called(calls(piece("", "read_file", index=0, id="1")), calls(piece(A, index=0)),
                            calls(piece("", "read_file", index=1, id="2")), calls(piece(B, index=1))),
        "error": [b"event: error\n" + event({"error": {"message": WORDS}})],
        "overflow": (400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 9000>= n_ctx: 8192)."}),
        "cut": said(chunk(role="assistant", content="Hi"), end=()),
    },
    "SGLang": {
        "text": said(chunk(role="assistant", content="", reasoning_content=None, tool_calls=None), chunk(content="Hi", tool_calls=None), end=SGLANG_END),
        "reasoning": said(chunk(role="assistant", content=""), chunk(content=None, reasoning_content="hm"), HI, end=SGLANG_END),
        "one call": called(calls(piece("", "read_file", index=0, id="call_a")), calls(piece(A, None, index=0, id=None))),
        "two calls": called(calls(piece("", "read_file", index=0, id="call_a")), calls(piece(A, None, index=0, id=None)),
                            calls(piece("", "read_file", index=1, id="call_b")), calls(piece(B, None, index=1, id=None))),
        "error": [event({"object": "error", "message": WORDS, "type": "InternalServerError", "param": None, "code": 500})],
        "overflow": (400, {"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
                           "type": "BadRequestError", "code": 400}),
        "cut": said(HI, end=()),
    },
    "LiteLLM": {
        "text": said(chunk(role="assistant", content="Hi"), end=(STOP, event(LITELLM_TAIL), DONE)),
        "reasoning": said(chunk(role="assistant", content="", reasoning_content="hm"), HI, end=(STOP, event(LITELLM_TAIL), DONE)),
        "one call": called(*fragments(A, 0, "call_1"), end=(CALLED, event(LITELLM_TAIL), DONE)),
        "two calls": called(*fragments(A, 0, "call_1"), *fragments(B, 0, "call_2"), end=(CALLED, event(LITELLM_TAIL), DONE)),
        "error": said(HI, end=(event({"error": {"message": f"litellm.APIConnectionError: OpenAIException - {WORDS}", "type": None, "param": None, "code": "500"}}),)),
        "overflow": (400, {"error": {"message": "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: Hosted_vllmException - "
                                                '{"error":{"message":"This model\'s maximum context length is 8192 tokens. However, your prompt contains at least '
                                                f'8193 input tokens","param":"input_tokens","code":400}}}}{LITELLM_GROUP}',
                                     "type": "invalid_request_error", "param": None, "code": "400"}}),
        "cut": said(HI, end=()),
    },
    "TGI": {
        "text": [part.replace(b"data: ", b"data:") for part in said(HI)],
        "reasoning": said(chunk(role="assistant", content="", reasoning="hm"), HI),
        "one call": called(calls(piece("", "read_file", index=0, id="0")), calls(piece(A, None, index=0, id="0"))),
        "two calls": called(calls(whole(A, 0, "0")), calls(whole(B, 1, "1"))),
        "error": [b"data:" + json.dumps({"error": WORDS, "error_type": "generation"}).encode() + b"\n\n"],
        "overflow": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens", "error_type": "validation"}),
        "cut": said(HI, end=()),
    },
    "Mistral": {
        "text": said(chunk(role="assistant", content=""), HI),
        "reasoning": said(MISTRAL_THOUGHT, chunk(content=[{"type": "text", "text": "Hi"}])),
        "one call": called(calls(whole(A, 0, "D681PevKs"))),
        "two calls": called(calls(whole(A, 0, "D681PevKs"), whole(B, 1, "Vx2qQ9aZk"))),
        "error": [event({"object": "error", "message": WORDS, "type": "internal_error", "param": None, "code": "3000"})],
        "overflow": (400, {"object": "error", "message": "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length", "code": "3051"}),
        "cut": said(HI, end=()),
    },
}  # fmt: skip
READ = ("text", "reasoning", "one call", "two calls")
CELLS = [(server, kind) for server in SHAPES for kind in READ]
CALLS = [("read_file", json.loads(A)), ("read_file", json.loads(B))]
MADE: Mapping[str, list[tuple[str, Any]]] = {"one call": CALLS[:1], "two calls": CALLS}


@pytest.mark.parametrize(("server", "kind"), CELLS)
def test_an_answer_is_the_same_from_every_server(server: str, kind: str) -> None:
    message = read(SHAPES[server][kind])
    assert message.text == ("Hi" if kind in ("text", "reasoning") else "")
    assert message.reasoning == ("hm" if kind == "reasoning" else "")
    assert [(call.name, json.loads(call.arguments)) for call in message.tool_calls] == MADE.get(kind, [])


@pytest.mark.parametrize("server", SHAPES)
def test_what_went_wrong_is_told_as_the_server_says_it(server: str) -> None:
    with pytest.raises(AgenticError, match=WORDS):
        read(SHAPES[server]["error"])
    status, body = SHAPES[server]["overflow"]
    found = error_from_body(status, json.dumps(body).encode())
    assert isinstance(found, ContextOverflow) and found.limit in (8192, 0)
    with pytest.raises(StreamBroken):
        read(SHAPES[server]["cut"])


@given(st.sampled_from(CELLS), st.lists(st.integers(0, 10_000), max_size=12))
def test_no_cut_of_the_network_changes_an_answer(cell: tuple[str, str], places: list[int]) -> None:
    pieces = SHAPES[cell[0]][cell[1]]
    assert read(cut(b"".join(pieces), places)) == read(pieces)


def _shuffled(value: Any, draw: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    return [_shuffled(each, draw) for each in value] if isinstance(value, list) else value


@given(st.data())
def test_no_order_of_fields_changes_an_answer(data: st.DataObject) -> None:
    server, kind = data.draw(st.sampled_from(CELLS))
    pieces = SHAPES[server][kind]
    bodies = [part.partition(b":")[2].strip() for part in pieces]
    mixed = [body if body == b"[DONE]" else json.dumps(_shuffled(json.loads(body), data.draw)).encode() for body in bodies]
    assert read([event(body) for body in mixed]) == read(pieces)


@pytest.mark.parametrize("server_name", SHAPES)
def test_a_run_needs_no_setting_but_the_url(agentic: Agentic, server: FakeVLLM, work: Path, server_name: str) -> None:
    """Two calls side by side, a field that it refuses, an answer that breaks off, the rest."""
    shapes = SHAPES[server_name]
    for name in "ab":
        (work / f"{name}.txt").write_text(f"content of {name}\n")
    script = [ScriptedAnswer(shapes["two calls"]), ScriptedAnswer(shapes["cut"]), ScriptedAnswer(shapes["reasoning"])]
    told = {"error": {"message": "Unsupported parameter: 'return_token_ids'", "param": "return_token_ids"}}
    refused = ScriptedAnswer([json.dumps(told).encode()], 400, "application/json", chunked=False)  # which only vLLM knows
    server.otherwise = lambda request: refused if "return_token_ids" in request.json else script.pop(0)
    done = agentic("run", "look", "--endpoint", server.url, "-c", "llm.transport=vllm", "-c", "tools.protocol=native")
    assert (done.code, done.out) == (0, "Hi\n"), done.err
    results = [message for message in server.chats[-1].json["messages"] if message["role"] == "tool"]
    assert ["content of a" in results[0]["content"], "content of b" in results[1]["content"]] == [True, True]


def test_the_page_has_this_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "servers.md").read_text()
    rows = re.findall(r"^\| ([^|]+?) +\|(.*)\|$", page, re.MULTILINE)
    table = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    assert table["server"] == list(KINDS)
    for name in SHAPES:
        assert len(table[name]) == len(KINDS) and all(table[name]), name
