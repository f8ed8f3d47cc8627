"""`agentic ask` against a server that misbehaves in every way the wire allows."""

import json
from collections.abc import Callable

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, error, tool_call
from tests.conftest import Agentic

VLLM = ("-c", "llm.transport=vllm")
FAST = (*VLLM, "-c", "llm.first_token_timeout=1", "-c", "llm.progress_timeout=1", "-c", "llm.total_timeout=5")


def sse(*data: str) -> ScriptedAnswer:
    return ScriptedAnswer([f"data: {text}\n\n".encode() for text in data])


def words(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def test_answer_is_streamed_to_stdout(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("Hello there, 안녕 🙂")
    done = agentic("ask", "hi", "--endpoint", server.url)
    assert (done.code, done.out) == (0, "Hello there, 안녕 🙂\n")
    request = server.chats[0].json
    assert request["messages"] == [{"role": "user", "content": "hi"}]
    assert request["model"] == "fake"
    assert request["stream"] is True
    assert "tools" not in request


def test_standard_input_is_appended(agentic: Agentic, server: FakeVLLM) -> None:
    agentic("ask", "explain", "--endpoint", server.url, stdin="some text")
    assert server.chats[0].json["messages"][0]["content"] == "explain\n\nsome text"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_under_either_name(agentic: Agentic, server: FakeVLLM, field: str) -> None:
    thought = json.dumps({"choices": [{"index": 0, "delta": {field: "hm"}}]})
    server.script(sse(thought, words("yes", "stop"), "[DONE]"))
    done = agentic("ask", "hi", "--endpoint", server.url, "--output", "jsonl")
    assert [event["text"] for event in done.of_type("reasoning_chunk")] == ["hm"]
    assert [event["text"] for event in done.of_type("llm_chunk")] == ["yes"]


def split_bytewise(whole: ScriptedAnswer) -> ScriptedAnswer:
    return ScriptedAnswer([bytes([byte]) for byte in b"".join(whole.pieces)])


@pytest.mark.parametrize(
    "scripted",
    [
        split_bytewise(answer("Grüße 안녕 🙂")),
        ScriptedAnswer([b": keep-alive\n\n", b"event: x\nid: 1\n", *answer("Grüße 안녕 🙂").pieces]),
        ScriptedAnswer([piece.replace(b"\n", b"\r\n") for piece in answer("Grüße 안녕 🙂").pieces]),
        ScriptedAnswer([*answer("Grüße 안녕 🙂").pieces, b'data: {"after": "done"}\n\n']),
        ScriptedAnswer(answer("Grüße 안녕 🙂").pieces[:-1]),
    ],
    ids=["byte by byte", "comments", "CRLF", "data after DONE", "no DONE"],
)
def test_odd_but_whole_streams(agentic: Agentic, server: FakeVLLM, scripted: ScriptedAnswer) -> None:
    server.script(scripted)
    done = agentic("ask", "hi", "--endpoint", server.url)
    assert (done.code, done.out) == (0, "Grüße 안녕 🙂\n")


BROKEN: dict[str, tuple[Callable[[], ScriptedAnswer], str]] = {
    "an end without an answer": (lambda: sse("[DONE]"), "without a finish_reason"),
    "clean close": (lambda: sse(words("half")), "without a finish_reason"),
    "reset before the head": (lambda: ScriptedAnswer([], fault="reset", fault_after=-1), "connection"),
    "reset in the middle": (lambda: answer("a b c d", fault="reset", fault_after=3), "connection"),
    "truncated chunk": (lambda: answer("a b c d", fault="close", fault_after=3), "connection"),
    "silence before the head": (lambda: ScriptedAnswer([], fault="stall", fault_after=-1), "the first token was due"),
    "silence before the first token": (lambda: ScriptedAnswer([], fault="stall"), "the first token was due"),
    "silence in the middle": (lambda: answer("a b c", fault="stall", fault_after=2), "more of the answer was due"),
    "keep-alives only": (lambda: ScriptedAnswer([b": keep-alive\n\n"] * 100, pause=0.1), "the first token was due"),
    "no JSON": (lambda: sse("{broken"), "no JSON"),
    "bad UTF-8": (lambda: ScriptedAnswer([b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n']), "no JSON"),
    "not an object": (lambda: sse("[1, 2]"), "no object"),
    "choices null": (lambda: sse('{"choices": null}'), "without a finish_reason"),
    "deep JSON": (lambda: sse("[" * 100_000), "no JSON"),
    "error event": (lambda: sse(words("half"), '{"error": {"message": "engine died", "code": 500}}', "[DONE]"), "engine died"),
    "error event of text": (lambda: sse('{"error": "engine died"}'), "engine died"),
    "HTML with 200": (lambda: ScriptedAnswer([b"<html>hi</html>"], content_type="text/html"), "text/html"),
    "aborted": (lambda: sse(words("half", "abort"), "[DONE]"), "gave the answer up"),
    "500": (lambda: error(500, "boom", "InternalServerError"), "boom"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_is_an_error_in_one_line(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    make, cause = BROKEN[name]
    server.otherwise = lambda request: make()
    done = agentic("ask", "hi", "--endpoint", server.url, *FAST)
    assert done.code == 3
    assert cause in done.err
    assert server.url in done.err
    assert "start it" not in done.err, "a server that answers is there"
    assert "→ " in done.err


def test_a_stall_is_noticed_when_the_next_piece_is_due_and_not_when_the_first_was(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("one two three", fault="stall", fault_after=2)
    patience = ("-c", "llm.first_token_timeout=100", "-c", "llm.progress_timeout=1", "-c", "llm.total_timeout=200")
    done = agentic("ask", "hi", "--endpoint", server.url, *VLLM, *patience, seconds=30)
    assert done.code == 3
    assert "more of the answer was due" in done.err


def the_first_fails(make: Callable[[], ScriptedAnswer], *servers: FakeVLLM) -> None:
    """Whichever is asked first; neither can go on with the other's answer."""
    failing: list[FakeVLLM] = []

    def answers(server: FakeVLLM) -> Callable[[Request], ScriptedAnswer]:
        def otherwise(request: Request) -> ScriptedAnswer:
            failing.append(server)
            return make() if failing[0] is server else answer("from the second")

        return otherwise

    for server in servers:
        server.missing = ("/v1/completions",)
        server.otherwise = answers(server)


@pytest.mark.parametrize("name", BROKEN)
def test_the_second_endpoint_takes_over(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM, name: str) -> None:
    make, _ = BROKEN[name]
    the_first_fails(make, server, second_server)
    done = agentic("ask", "hi", "--endpoint", server.url, "--endpoint", second_server.url, "--output", "jsonl", *FAST)
    assert done.code == 0
    (failover,) = done.of_type("failover")
    assert {failover["from"], failover["to"]} == {server.url, second_server.url}
    assert done.of_type("run_finished")[0]["result"] == "from the second"


def test_an_answer_that_starts_again_is_marked(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM) -> None:
    the_first_fails(lambda: answer("one two three four", fault="reset", fault_after=3), server, second_server)
    done = agentic("ask", "hi", "--endpoint", server.url, "--endpoint", second_server.url)
    assert done.out.endswith("[the answer starts again]\nfrom the second\n")


def test_a_busy_server_is_asked_again_until_it_has_time(agentic: Agentic, server: FakeVLLM) -> None:
    busy = error(503, "The engine is currently busy", "ServiceUnavailableError")
    server.script(busy, busy, answer("now"))
    done = agentic("ask", "hi", "--endpoint", server.url)
    assert (done.code, done.out) == (0, "now\n")


@pytest.mark.parametrize("retry_after", ["3600", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "junk"])
def test_a_server_that_stays_busy_ends_in_a_message(agentic: Agentic, server: FakeVLLM, retry_after: str) -> None:
    server.otherwise = lambda request: error(429, "slow down", headers={"retry-after": retry_after})
    done = agentic("ask", "hi", "--endpoint", server.url)
    assert done.code == 3
    assert "slow down" in done.err
    assert len(server.chats) <= 12  # in the second that there is


REJECTED = {
    "overflow": (
        error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens"),
        1,
        "context.context_window",
    ),
    "no key": (ScriptedAnswer([b'{"error":"Unauthorized"}'], 401, "application/json"), 2, "AGENTIC_LLM_API_KEY"),
    "not found": (error(404, "no such model", "NotFoundError"), 2, "--model"),
    "rejected": (error(400, "bad field"), 2, "bad field"),
    "redirect": (ScriptedAnswer([b""], 307, headers={"location": "http://127.0.0.1:1/steal"}), 2, "not followed"),
    "unreadable model output": (error(500, "unexpected tokens remaining in message header: harmony"), 1, "could not parse"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_rejected_is_never_sent_again(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM, name: str) -> None:
    scripted, code, cause = REJECTED[name]
    for each in (server, second_server):
        each.otherwise = lambda request: scripted
    done = agentic("ask", "hi", "--endpoint", server.url, "--endpoint", second_server.url)
    assert done.code == code
    assert cause in done.err
    assert len(server.chats) + len(second_server.chats) == 1


def test_when_nobody_answers_each_endpoint_is_named_with_its_cause(agentic: Agentic) -> None:
    done = agentic("ask", "hi", "--endpoint", "http://127.0.0.1:1/v1", "--endpoint", "http://127.0.0.1:2/v1", *VLLM)
    assert done.code == 3
    assert done.err.count("nothing listens there") == 2
    assert "agentic serve" in done.err
    assert "--local" in done.err


def test_the_key_goes_to_the_endpoint_and_nowhere_else(agentic: Agentic, second_server: FakeVLLM) -> None:
    with FakeVLLM(api_key="s3cret") as locked:
        denied = agentic("ask", "hi", "--endpoint", locked.url, *VLLM)
        done = agentic("ask", "hi", "--endpoint", locked.url, more={"AGENTIC_LLM_API_KEY": "s3cret"})
        shown = agentic("config", "show", "llm.api_key", more={"AGENTIC_LLM_API_KEY": "s3cret"})
    assert (denied.code, done.code) == (2, 0)
    assert "AGENTIC_LLM_API_KEY" in denied.err
    assert "s3cret" not in shown.out


def test_an_endpoint_that_refuses_is_not_taken_for_a_silent_one(agentic: Agentic, server: FakeVLLM) -> None:
    """`auto` must not turn to the embedded engine because of a misspelt model."""
    done = agentic("ask", "hi", "--endpoint", server.url, "--model", "nonsense")
    assert done.code == 2
    assert "it serves fake" in done.err


def test_proxies_of_the_environment_are_not_used(agentic: Agentic, server: FakeVLLM) -> None:
    dead = "http://127.0.0.1:1"
    done = agentic("ask", "hi", "--endpoint", server.url, more={"HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead})
    assert done.code == 0


def test_a_dead_kept_connection_is_replaced(agentic: Agentic, server: FakeVLLM) -> None:
    """vLLM closes idle connections; the request on it has cost nothing yet and goes out again."""
    server.script(ScriptedAnswer([], fault="close", fault_after=-1), answer("still here"))
    done = agentic("ask", "hi", "--endpoint", server.url)
    assert (done.code, done.out) == (0, "still here\n")


@pytest.mark.parametrize("transport", ["vllm", "openai"])
def test_both_transports_serve_the_same_command(agentic: Agentic, server: FakeVLLM, transport: str) -> None:
    server.say("hello from either")
    done = agentic("ask", "hi", "--endpoint", server.url, "-c", f"llm.transport={transport}")
    assert (done.code, done.out) == (0, "hello from either\n")


def test_the_openai_transport_fails_over_too(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("alive")
    done = agentic("ask", "hi", "--endpoint", "http://127.0.0.1:1/v1", "--endpoint", server.url, "-c", "llm.transport=openai")
    assert (done.code, done.out) == (0, "alive\n")


def test_a_model_that_only_the_second_endpoint_serves(agentic: Agentic, server: FakeVLLM) -> None:
    with FakeVLLM(model="other") as other:
        other.say("mine")
        done = agentic("ask", "hi", "--model", "other", "--endpoint", server.url, "--endpoint", other.url)
    assert (done.code, done.out) == (0, "mine\n")


def test_a_router_is_told_which_conversation_it_is(agentic: Agentic, server: FakeVLLM) -> None:
    """By the headers that the user names, and by the token that it gave itself; each request has an id of its own."""
    server.script(answer(tool_calls=tool_call("list_files", {}), headers={"x-session-token": "here"}), answer("done"))
    named = ("-c", 'llm.session_headers={x-user-session = "s-{session}"}', "-c", "tools.protocol=native")
    assert agentic("run", "look", "--endpoint", server.url, *VLLM, *named).code == 0
    first, second = (request.headers for request in server.chats)
    assert first["x-user-session"].startswith("s-") and first["x-user-session"] == second["x-user-session"]
    assert "x-session-id" not in first and "x-session-token" not in first
    assert second["x-session-token"] == "here"
    assert first["x-request-id"] != second["x-request-id"]
