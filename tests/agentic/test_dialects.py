"""The dialects of the wire: what each server sends is the same answer, however the network cuts it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.errors import AgenticError, ContextOverflow, Overloaded, RequestRejected, StreamBroken
from agentic.lib.messages import from_record, to_record
from agentic.lib.wire import AnswerBuilder, ChunkDecoder, SseParser, error_from_body
from agentic.lib.wire.overflow import limit_in
from agentic.lib.wire.request import encode_message
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, error, tool_call
from agentic.testing.answers import json_answer
from agentic.types import Message
from tests.conftest import Agentic

ASK = ("-c", "llm.transport=vllm")
Call = tuple[str, dict[str, Any]]


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def event(data: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + end


def piece(arguments: str | None, name: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"type": "function", "function": function, **more}


def calls(*pieces: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return chunk(finish, tool_calls=list(pieces))


DONE, STOP, CALLED = event(b"[DONE]"), event(chunk("stop")), event(chunk("tool_calls"))
A, B = '{"path": "a.txt"}', '{"path": "b.txt"}'
BOTH = [("read_file", {"path": "a.txt"}), ("read_file", {"path": "b.txt"})]

# What each server sends for one answer, in its own shape: (bytes, text, thoughts, calls).
STREAMS: dict[str, tuple[list[bytes], str, str, list[Call]]] = {
    "vLLM, text": ([event(chunk(role="assistant", content="")), event(chunk(content="Hi")), STOP, DONE], "Hi", "", []),
    "vLLM, reasoning": ([event(chunk(reasoning="hm")), event(chunk(content="Hi")), STOP, DONE], "Hi", "hm", []),
    "vLLM, two calls": (
        [event(calls(piece("", "read_file", index=0, id="x"))), event(calls(piece(A, index=0))),
         event(calls(piece("", "read_file", index=1, id="y"))), event(calls(piece(B[:5], index=1), piece(B[5:], index=1))), CALLED, DONE],
        "", "", BOTH,
    ),
    "llama.cpp, a call in parts that overlap": (
        [event(calls(piece("", "read_file", index=0, id="x"))), event(calls(piece("", "read_file", index=1, id="y"))),
         event(calls(piece(B, index=1))), event(calls(piece(A, index=0))), CALLED, DONE],
        "", "", BOTH,
    ),
    "llama.cpp, reasoning_content": ([event(chunk(reasoning_content="hm")), event(chunk(content="Hi")), STOP, DONE], "Hi", "hm", []),
    "Ollama, each call whole with index 0": (
        [event(calls(piece(A, "read_file", index=0, id="call_1"))), event(calls(piece(B, "read_file", index=0, id="call_2"))), CALLED, DONE],
        "", "", BOTH,
    ),
    "Ollama, both in one chunk": (
        [event(calls(piece(A, "read_file", index=0, id="call_1"), piece(B, "read_file", index=0, id="call_2"))), STOP, DONE],
        "", "", BOTH,
    ),
    "LiteLLM, in fragments with index 0": (
        [event(calls(piece("", "read_file", index=0, id="x"))), event(calls(piece(A, index=0))),
         event(calls(piece("", "read_file", index=0, id="y"))), event(calls(piece(B, index=0))), CALLED, DONE],
        "", "", BOTH,
    ),
    "LiteLLM, a new id with each piece": (
        [event(calls(piece(A[:6], "read_file", index=0, id="x1"))), event(calls(piece(A[6:], index=0, id="x2"))), CALLED, DONE],
        "", "", BOTH[:1],
    ),
    "a gateway without index": (
        [event(calls(piece("", "read_file", id="x"))), event(calls(piece(A))), event(calls(piece(B, "read_file", id="y"))), CALLED, DONE],
        "", "", BOTH,
    ),
    "neither index nor id": ([event(calls(piece(A, "read_file"))), event(calls(piece(B, "read_file"))), CALLED, DONE], "", "", BOTH),
    "the name with each piece": (
        [event(calls(piece(A[:4], "read_file", index=0, id="x"))), event(calls(piece(A[4:], "read_file", index=0))), CALLED, DONE],
        "", "", BOTH[:1],
    ),
    "the name in two pieces": (
        [event(calls(piece(None, "read_", index=0))), event(calls(piece(A, "file", index=0, id="late"))), CALLED, DONE], "", "", BOTH[:1],
    ),
    "arguments as an object": ([event(calls(piece(None, "read_file", index=0) | {"function": {"name": "read_file", "arguments": {"path": "a.txt"}}})), CALLED, DONE], "", "", BOTH[:1]),
    "function_call": ([event(chunk(function_call={"name": "read_file", "arguments": A})), event(chunk("function_call")), DONE], "", "", BOTH[:1]),
    "SGLang, CRLF and comments": (
        [b": ping\r\n\r\n", event(chunk(content="Hi"), b"\r\n\r\n"), event(chunk("stop"), b"\r\n\r\n"), event(b"[DONE]", b"\r\n\r\n")], "Hi", "", [],
    ),
    "CR alone, and a byte order mark": ([b"\xef\xbb\xbf", event(chunk(content="Hi"), b"\r\r"), event(chunk("stop"), b"\r\r"), event(b"[DONE]", b"\r\r")], "Hi", "", []),
    "TGI, no role and no blank": ([event(chunk(content="Hi")).replace(b"data: ", b"data:"), STOP, DONE], "Hi", "", []),
    "LM Studio, the whole in one message": ([event({"choices": [{"index": 0, "message": {"content": "Hi", "reasoning": "hm"}, "finish_reason": "stop"}]}), DONE], "Hi", "hm", []),
    "Mistral, content in parts": (
        [event(chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}])), event(chunk(content=[{"type": "text", "text": "Hi"}])), STOP, DONE],
        "Hi", "hm", [],
    ),
    "OpenRouter, reasoning_details": (
        [b": OPENROUTER PROCESSING\n\n", event(chunk(reasoning_details=[{"type": "reasoning.text", "text": "hm"}])), event(chunk(content="Hi")), STOP, DONE],
        "Hi", "hm", [],
    ),
    "an index that is a text": (
        [event(calls(piece("", "read_file", index="0", id="x"))), event(calls(piece("", "read_file", index="1", id="y"))),
         event(calls(piece(A[:5], index="0"))), event(calls(piece(B, index="1"))), event(calls(piece(A[5:], index=0.0))), CALLED, DONE],
        "", "", BOTH,
    ),
    "one id for both": (
        [event(calls(piece(A, "read_file", index=0, id="read_file"))), event(calls(piece(B, "read_file", index=0, id="read_file"))), CALLED, DONE], "", "", BOTH,
    ),
    "names by themselves and no ids": (
        [event(calls(piece("", "read_file"))), event(calls(piece(A))), event(calls(piece("", "read_file"))), event(calls(piece(B))), CALLED, DONE], "", "", BOTH,
    ),
    "the name behind the arguments": ([event(calls(piece(A, index=0))), event(calls(piece(None, "read_file", index=0))), CALLED, DONE], "", "", BOTH[:1]),
    "no function around it": ([event(calls({"index": 0, "id": "x", "name": "read_file", "arguments": A})), CALLED, DONE], "", "", BOTH[:1]),
    "one call instead of a list": ([event(chunk(tool_calls=piece(A, "read_file", index=0, id="x"))), CALLED, DONE], "", "", BOTH[:1]),
    "an empty object before the arguments": (
        [event(calls(piece("{}", "read_file", index=0, id="x"))), event(calls(piece(A, index=0))), CALLED, DONE], "", "", BOTH[:1],
    ),
    "the whole call once more at the end": (
        [event(calls(piece(A, "read_file", index=0, id="x"))), event(calls(piece(A, "read_file", index=0, id="x"), finish="tool_calls")), DONE], "", "", BOTH[:1],
    ),
    "the whole answer once more at the end": (
        [event(chunk(content="Hi")), event({"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}), DONE], "Hi", "", [],
    ),
    "an empty delta beside a message": ([event({"choices": [{"delta": {}, "message": {"content": "Hi"}, "finish_reason": "stop"}]}), DONE], "Hi", "", []),
    "pings that are words": ([b"data: ping\n\n", event(chunk(content="Hi")), b"data: keep-alive\n\n", STOP, DONE], "Hi", "", []),
    "a padded end": ([event(chunk(content="Hi")), b"data:  [DONE]  \n\n"], "Hi", "", []),
    "an end by another name": ([event(chunk(content="Hi")), b"event: done\ndata: [DONE]\n\n"], "Hi", "", []),
    "no blank lines": ([event(chunk(content="H"), b"\n"), event(chunk(content="i"), b"\n"), event(chunk("stop"), b"\n"), b"\n"], "Hi", "", []),
    "a raw tab in a text": ([event(b'{"choices": [{"delta": {"content": "H\ti"}, "finish_reason": "stop"}]}'), DONE], "H\ti", "", []),
    "a refusal": ([event(chunk(refusal="No.")), STOP, DONE], "No.", "", []),
    "no finish_reason": ([event(chunk(content="Hi")), DONE], "Hi", "", []),
    "no finish_reason after a call": ([event(calls(piece(A, "read_file", index=0, id="x"))), DONE], "", "", BOTH[:1]),
    "no blank line at the end": ([event(chunk(content="Hi")), event(chunk("stop"), b"")], "Hi", "", []),
    "pings": (
        [event(b""), b"data\n\n", b"event: ping\ndata: ping\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', b"id: 7\nretry: 5\n\n",
         b"event: message\n" + event(chunk(content="Hi")), b"event: completion.chunk\n" + STOP, DONE],
        "Hi", "", [],
    ),
}  # fmt: skip


def read(pieces: Sequence[bytes]) -> Message:
    """The answer that a client makes of the bytes."""
    parser, decoder, making = SseParser(), ChunkDecoder(), AnswerBuilder()
    for data in [each for part in pieces for each in parser.feed(part)] + parser.end():
        delta = decoder.end(done=True) if data == b"[DONE]" else decoder.feed_json(data)
        if delta is not None:
            making.add(delta)
    decoder.end()
    return making.message()


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


@pytest.mark.parametrize("name", STREAMS)
def test_each_dialect_is_the_same_answer_byte_by_byte(name: str) -> None:
    pieces, text, thoughts, made = STREAMS[name]
    for parts in (pieces, [bytes([byte]) for byte in b"".join(pieces)]):
        message = read(parts)
        assert (message.content, message.reasoning) == (text, thoughts)
        assert [(call.name, json.loads(call.arguments)) for call in message.tool_calls] == made
        assert len({call.id for call in message.tool_calls}) == len(made)


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 10_000), max_size=12))
def test_no_cut_changes_an_answer(name: str, places: list[int]) -> None:
    pieces = STREAMS[name][0]
    assert read(cut(b"".join(pieces), places)) == read(pieces)


@given(st.permutations(["id", "index", "type", "function"]), st.booleans())
def test_the_order_of_fields_changes_no_call(order: list[str], name_last: bool) -> None:
    function = {"arguments": A, "name": "read_file"} if name_last else {"name": "read_file", "arguments": A}
    whole: dict[str, Any] = {"id": "x", "index": 0, "type": "function", "function": function}
    (call,) = read([event(calls({key: whole[key] for key in order})), CALLED, DONE]).tool_calls
    assert (call.id, call.name, call.arguments) == ("x", "read_file", A)


WORD = "pool-7 is out of memory"
REPORTS: dict[str, list[bytes]] = {
    "an error with a code": [event({"error": {"message": WORD, "code": 500}})],
    "an error with a word for a code": [event({"error": {"message": WORD, "code": "oom"}})],
    "a text": [event({"error": WORD})],
    "an event of that name": [b"event: error\n" + event({"message": WORD})],
    "an event of that name with a text": [b"event: error\ndata: " + WORD.encode() + b"\n\n"],
    "SGLang's object": [event({"object": "error", "message": WORD, "code": 500})],
    "TGI's": [event({"error": WORD, "error_type": "generation"})],
    "FastAPI's": [event({"detail": WORD})],
    "llama.cpp's field": [b'error: {"message": "%s"}\n\n' % WORD.encode()],
    "an error in an error": [event({"error": json.dumps({"error": {"message": WORD}})})],
    "an error by its fields": [event({"code": 500, "message": WORD})],
    "a status and words": [event({"status": 500, "message": WORD})],
    "msg": [event({"code": 500, "msg": WORD})],
    "errors": [event({"errors": [{"message": WORD}]})],
    "a type": [event({"type": "error", "message": WORD})],
    "true": [event({"error": True, "message": WORD})],
    "an exception": [b"event: exception\n" + event({"message": WORD})],
    "in large letters": [b"event: Error\ndata: " + WORD.encode() + b"\n\n"],
    "an error in its choice": [
        event({"choices": [{"index": 0, "error": {"message": WORD, "code": 502}, "finish_reason": "error"}]})
    ],
    "without its blank line": [event({"error": {"message": WORD}}, b"")],
}


@pytest.mark.parametrize("name", REPORTS)
def test_an_error_inside_an_answer_is_told_in_the_servers_words(name: str) -> None:
    for before in ([], [event(chunk(content="Hal"))]):
        with pytest.raises(AgenticError, match=WORD):
            read([*before, *REPORTS[name]])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps({"error": {"message": WORD, "code": "oom"}}), "application/json"),
        (f"<html><head><style>x</style></head><h1>{WORD}</h1></html>", "text/html"),
        (WORD, "text/plain"),
        (json.dumps({"detail": WORD}), "text/event-stream"),
    ],
)
def test_a_200_that_is_no_answer_is_told_in_the_servers_words(agentic: Agentic, server: FakeVLLM, body: str, kind: str) -> None:
    server.otherwise = lambda request: ScriptedAnswer([body.encode()], content_type=kind, chunked=False)
    done = agentic("ask", "hi", "--endpoint", server.url, *ASK)
    assert done.code == 3 and WORD in done.err and done.out == ""


def test_an_answer_that_is_not_streamed_is_an_answer(agentic: Agentic, server: FakeVLLM) -> None:
    whole = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    }
    server.otherwise = lambda request: json_answer(whole)
    assert agentic("ask", "hi", "--endpoint", server.url, *ASK).out == "Hi\n"
    made = [{"id": "x", "type": "function", "function": {"name": "list_files", "arguments": "{}"}}]
    called = whole | {"choices": [{"index": 0, "message": {"content": None, "tool_calls": made}, "finish_reason": "tool_calls"}]}
    server.script(json_answer(called), json_answer(whole))
    done = agentic("run", "look", "--endpoint", server.url, *ASK, "-c", "tools.protocol=native", "-c", "llm.stream=false")
    assert (done.code, done.out) == (0, "Hi\n")
    assert server.chats[-1].json["stream"] is False and "stream_options" not in server.chats[-1].json


OVERFLOWS: dict[str, tuple[int, Any, int]] = {
    "vLLM": (400, {"error": {"message": "This model's maximum context length is 8192 tokens. However, your prompt contains 9000 input tokens.", "param": "input_tokens", "code": 400}}, 8192),
    "vLLM, the answer": (400, {"error": {"message": "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context length is 8192 tokens", "param": "max_tokens"}}, 8192),
    "llama.cpp": (400, {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it", "type": "exceed_context_size_error"}}, 8192),
    "llama.cpp, by its type": (400, {"error": {"message": "too much", "type": "exceed_context_size_error"}}, 0),
    "Ollama": (400, {"error": {"message": "prompt too long; exceeded max context length by 808 tokens", "type": "api_error"}}, 0),
    "Ollama's runner": (500, {"error": {"message": "the input length exceeds the context length", "type": "api_error"}}, 0),
    "LM Studio": (400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 9000>= n_ctx: 8192). Try to load the model with a larger context length."}, 8192),
    "LM Studio, shorter": (400, {"error": "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 8192 tokens"}, 8192),
    "SGLang": (400, {"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).", "type": "BadRequestError", "code": 400}, 8192),
    "SGLang, with the answer": (400, {"object": "error", "message": "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 tokens", "code": 400}, 8192),
    "TGI": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000 `inputs` tokens", "error_type": "validation"}, 8192),
    "TGI, the input": (422, {"error": "Input validation error: `inputs` must have less than 8191 tokens. Given: 9000", "error_type": "validation"}, 8191),
    "LiteLLM": (400, {"error": {"message": "litellm.ContextWindowExceededError: prompt is too long: 9000 tokens > 8192 maximum", "code": "400"}}, 8192),
    "OpenRouter": (400, {"error": {"message": "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens", "code": 400}}, 8192),
    "SGLang, the input": (400, {"error": {"message": "Input length (9000 tokens) exceeds the maximum allowed length (8192 tokens). Use a shorter input"}}, 8192),
    "xAI": (400, {"error": "This model's maximum prompt length is 8192 but the request contains 9000 tokens."}, 8192),
    "DashScope": (400, {"error": {"message": "Range of input length should be [1, 8192]"}}, 8192),
    "Moonshot": (400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"}}, 8192),
    "Bedrock": (400, {"error": {"message": "litellm.BadRequestError: BedrockException - {\"message\":\"Input is too long for requested model.\"}"}}, 0),
    "vLLM, before": (400, {"error": {"message": "max_tokens must be at least 1, got -808."}}, 0),
    "vLLM, the model's length": (400, {"error": {"message": "The decoder prompt (length 9000) is longer than the maximum model length of 8192."}}, 8192),
    "LM Studio, newer": (400, {"error": "Cannot truncate prompt with n_keep (9000) >= n_ctx (8192)"}, 8192),
    "Gemini": (400, {"error": {"message": "Unable to submit request because the input token count is 9000 but model only supports up to 8192."}}, 8192),
    "Groq": (413, {"error": {"message": "Request too large for model `x` on tokens per minute (TPM): Limit 8192, Requested 9000, please reduce your message size"}}, 8192),
    "llama.cpp, by a field": (400, {"error": {"message": "too much", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192}}, 8192),
    "a code alone": (400, {"error": {"message": "Please start a new chat.", "code": "context_length_exceeded"}}, 0),
    "TensorRT-LLM": (400, {"object": "error", "message": "default_max_tokens (-79) must be greater than 0, default_max_tokens (-79) = max_seq_len (8192) - splited_prompt_len (8271)", "code": 400}, 8192),
    "Mistral": (400, {"object": "error", "message": "Prompt contains 9000 tokens and 0 draft tokens, too large for model with 8192 maximum context length", "code": "3051"}, 8192),
}  # fmt: skip


@pytest.mark.parametrize("name", OVERFLOWS)
def test_an_overflow_is_known_by_its_words_and_by_its_window(name: str) -> None:
    status, body, limit = OVERFLOWS[name]
    found = error_from_body(status, json.dumps(body).encode())
    assert isinstance(found, ContextOverflow) and found.limit == limit
    with pytest.raises(ContextOverflow):
        read([event(body if body.get("error") or body.get("object") == "error" else {"error": body})])


def test_a_prompt_is_cut_to_the_window_that_the_server_names(agentic: Agentic, server: FakeVLLM, work: Any) -> None:
    server.models = json_answer({"data": [{"id": "m"}]})
    (work / "big.txt").write_text("some words of a long line\n" * 2500)
    too_long = error(400, "request (9000 tokens) exceeds the available context size (2500 tokens)", "exceed_context_size_error")
    server.script(answer(tool_calls=tool_call("read_file", {"path": "big.txt"})), too_long, answer("It has lines."))
    more = ("-c", "context.context_window=16000", "-c", "tools.protocol=native")
    assert agentic("run", "what is in big.txt?", "--endpoint", server.url, *ASK, *more).code == 0
    last = server.chats[-1]
    assert len(last.body) // 4 + last.json["max_tokens"] < 3500


REFUSED: dict[str, tuple[int, dict[str, Any], str]] = {
    "OpenAI's words": (400, {"error": {"message": "Unsupported parameter: 'stream_options' is not supported", "param": "stream_options"}}, "stream_options"),
    "pydantic's": (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}, "stream_options"),
    "LiteLLM's": (400, {"error": {"message": "litellm.UnsupportedParamsError: openai does not support parameters: ['reasoning_effort']", "code": "400"}}, "reasoning_effort"),
    "Python's": (500, {"error": {"message": "generate() got an unexpected keyword argument 'seed'"}}, "seed"),
    "another field": (400, {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "param": "max_tokens"}}, "max_tokens"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_field_is_no_overflow_and_is_left_out_from_then_on(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    status, body, field = REFUSED[name]
    refused: list[str] = []

    def reply(request: Any) -> ScriptedAnswer:
        if field in request.json:
            refused.append(field)
            return ScriptedAnswer([json.dumps(body).encode()], status, "application/json", chunked=False)
        return answer(tool_calls=tool_call("list_files", {"path": "."})) if len(server.chats) < 3 else answer("Hi")

    server.otherwise = reply
    settings = ("-c", "llm.seed=7", "-c", "llm.reasoning_effort=low", "-c", "tools.protocol=native", "--debug")
    done = agentic("run", "look", "--endpoint", server.url, *ASK, *settings)
    assert (done.code, done.out) == (0, "Hi\n"), done.err
    assert refused == [field] and f"refuses {field}" in done.err
    if field == "max_tokens":
        assert server.chats[-1].json["max_completion_tokens"] > 0


NOTHING_OF_THE_KIND: list[tuple[int, str, Callable[[AgenticError], bool]]] = [
    (
        400,
        "Too many tokens: please slow down, rate limit",
        lambda error: isinstance(error, RequestRejected) and not isinstance(error, ContextOverflow),
    ),
    (400, "system prompt too long for cache_control: 5 blocks", lambda error: not isinstance(error, ContextOverflow)),
    (400, "messages.3.content.0.text exceeds the maximum input size", lambda error: not isinstance(error, ContextOverflow)),
    (400, "temperature must be between 0 and 2", lambda error: isinstance(error, RequestRejected) and not error.field),
    (429, "Rate limit reached: too many tokens per minute", lambda error: isinstance(error, Overloaded)),
    (401, "invalid key", lambda error: isinstance(error, RequestRejected) and error.status == 401),
    (400, "tool 'context' is not supported", lambda error: not isinstance(error, ContextOverflow)),
]


@pytest.mark.parametrize(("status", "message", "right"), NOTHING_OF_THE_KIND)
def test_other_refusals_are_neither(status: int, message: str, right: Callable[[AgenticError], bool]) -> None:
    assert right(error_from_body(status, json.dumps({"error": {"message": message}}).encode()))


def test_a_cut_is_never_an_answer() -> None:
    for name, (pieces, *_) in STREAMS.items():
        whole = [part for part in pieces if b'finish_reason": "' not in part and b"[DONE]" not in part]
        if len(whole) < len(pieces):
            with pytest.raises(StreamBroken):
                read(whole)
                pytest.fail(name)


def test_limits_are_numbers_however_they_are_written() -> None:
    assert limit_in("maximum context length is 131,072 tokens") == 131_072
    assert limit_in("no number here") == 0


def test_a_long_prefill_that_shows_signs_of_life_is_waited_for(agentic: Agentic, server: FakeVLLM) -> None:
    beats = [b": still computing\n\n"] * 12
    server.otherwise = lambda request: ScriptedAnswer([*beats, *answer("Hi").pieces], pause=0.15)
    done = agentic("ask", "hi", "--endpoint", server.url, *ASK, "-c", "llm.first_token_timeout=1")
    assert (done.code, done.out) == (0, "Hi\n"), done.err


class Moving(dict[str, int]):
    """Metrics of a server that computes: each look finds more."""

    def __iter__(self) -> Iterator[str]:  # or a copy would be made past __getitem__
        return iter([*super().keys()])

    def __getitem__(self, name: str) -> int:
        self[name] = super().__getitem__(name) + 7
        return super().__getitem__(name)


@pytest.mark.parametrize("moves", [True, False])
def test_a_long_prefill_without_a_word_is_waited_for_while_the_servers_metrics_move(
    agentic: Agentic, server: FakeVLLM, moves: bool
) -> None:
    """vLLM is silent until the first token."""
    counters = {"generation_tokens_total": 0, "kv_cache_usage_perc": 0}
    server.metrics = Moving(counters) if moves else counters
    server.otherwise = lambda request: ScriptedAnswer([b"".join(answer("Hi").pieces)], pause=3)
    limits = ("-c", "llm.first_token_timeout=1", "-c", "llm.retry_seconds=0")
    done = agentic("ask", "hi", "--endpoint", server.url, *ASK, *limits)
    assert (done.code, done.out) == ((0, "Hi\n") if moves else (3, "")), done.err


def test_llama_cpp_tells_how_far_the_prompt_is(agentic: Agentic, server: FakeVLLM) -> None:
    """Its server sends progress where it is asked for; each piece of it is a sign of life, and none of it is answer."""
    server.models = json_answer({"object": "list", "data": [{"id": "fake", "owned_by": "llamacpp", "meta": {"n_ctx": 8192}}]})
    far = [{"total": 4000, "cache": 0, "processed": done, "time_ms": done} for done in (0, 1000, 2000, 3000, 4000)]
    beats = [event(chunk(role="assistant", content=None) | {"prompt_progress": each}) for each in far]
    server.otherwise = lambda request: ScriptedAnswer([*beats, *answer("Hi").pieces], pause=0.3)
    done = agentic("ask", "hi", "--endpoint", server.url, *ASK, "-c", "llm.first_token_timeout=1", "--output", "jsonl")
    assert done.code == 0, done.err
    assert server.chats[0].json["return_progress"] is True
    told = [(each["done"], each["total"]) for each in done.of_type("prefilling")]
    assert told == [(each["processed"], 4000) for each in far[1:]]  # this server's first piece has the prompt's numbers in it


THOUGHTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "reasoning": ({"reasoning": "hm"}, {"reasoning": "hm", "content": ""}),
    "reasoning_content": ({"reasoning_content": "hm"}, {"reasoning_content": "hm", "content": ""}),
    "reasoning_details": (
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "format": "unknown"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}], "content": ""},
    ),
    "parts of the content": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ),
}


@pytest.mark.parametrize("name", THOUGHTS)
def test_a_thought_is_encoded_as_it_was_given(name: str) -> None:
    sent, expected = THOUGHTS[name]
    encoded = encode_message(read([event(chunk(**sent)), event(chunk("stop", content="so"))]))
    text = [{"type": "text", "text": "so"}]
    whole = expected | {"content": expected["content"] + text if expected["content"] else "so"}
    assert encoded == {"role": "assistant"} | whole


@pytest.mark.parametrize("name", [name for name in THOUGHTS if "content" not in THOUGHTS[name][0]])
def test_a_thought_goes_back_under_the_name_it_came_by(agentic: Agentic, server: FakeVLLM, work: Path, name: str) -> None:
    sent, expected = THOUGHTS[name]
    call = answer(tool_calls=tool_call("read_file", {"path": "a.txt"})).pieces
    server.script(ScriptedAnswer([event(chunk(**sent)), *call]), answer("done"))
    (work / "a.txt").write_text("x")
    native = ("--endpoint", server.url, *ASK, "-c", "tools.protocol=native")
    assert agentic("run", "look", *native).code == 0
    said = next(message for message in server.chats[1].json["messages"] if message["role"] == "assistant")
    assert {key: value for key, value in said.items() if key not in ("role", "tool_calls")} == expected


def test_a_kept_thought_has_its_name_still() -> None:
    message = Message("assistant", "text", "hm", thought_as="reasoning_content")
    assert from_record(to_record(message)) == message
    assert from_record(to_record(message) | {"thought_as": "a_field_of_somebody"}) == replace(message, thought_as="")


REFUSALS = [
    ("property 'reasoning_effort' is unsupported", "reasoning_effort"), ('"gemma3" does not support thinking', "reasoning_effort"),
    ("stream_options is not implemented", "stream_options"), ("'seed' is not a recognized parameter", "seed"),
    ("Invalid argument: max_tokens. Use max_completion_tokens instead.", "max_tokens"), ("parameter 'priority' not allowed", "priority"),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 4096]", "max_tokens"), ("seed is forbidden", "seed"),
    ("Got priority 1 but priority scheduling is not enabled.", "priority"), ("Unpermitted parameter: seed", "seed"),
    ("invalid temperature: only 1 is allowed for this model", "temperature"), ("Request body contains unsupported key seed", "seed"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "field"), REFUSALS)
def test_a_field_that_is_refused_in_other_words_is_known(message: str, field: str) -> None:
    found = error_from_body(400, json.dumps({"error": {"message": message}}).encode())
    assert isinstance(found, RequestRejected) and found.field == field


@pytest.mark.parametrize("names", [{"code": "unknown_parameter"}, {"type": "unsupported_parameter"}])
def test_a_field_that_is_refused_by_a_code_is_known(names: dict[str, str]) -> None:
    found = error_from_body(400, json.dumps({"error": {"message": "Invalid request", "param": "seed", **names}}).encode())
    assert isinstance(found, RequestRejected) and found.field == "seed"


@pytest.mark.parametrize("finish", ["model_length", "max_tokens"])
def test_an_answer_that_was_cut_is_cut_by_any_name(finish: str) -> None:
    assert ChunkDecoder().feed(chunk(finish, content="x")).finish_reason == "length"  # type: ignore[union-attr]


def test_an_error_behind_the_first_words_is_told(agentic: Agentic, server: FakeVLLM) -> None:
    """As a page, or as a line that is no event."""
    for stray in (b'{"error": {"message": "%s"}}\n' % WORD.encode(), b"<html><h1>" + WORD.encode() + b"</h1></html>\n"):
        server.otherwise = lambda request, stray=stray: ScriptedAnswer([event(chunk(content="Hal")), stray])  # type: ignore[misc]
        done = agentic("ask", "hi", "--endpoint", server.url, *ASK, "-c", "llm.retry_seconds=0")
        assert done.code == 3 and WORD in done.err
