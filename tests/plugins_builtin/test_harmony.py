"""gpt-oss's answers by their tokens: recorded from a real vLLM 0.32 with its vocabulary, and written in its format.

The recordings have what the server's own parser made of each chunk beside the chunk's tokens.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import ChatRequest, Delta, EndpointInfo, Message, PartialAnswer, RequestRejected, ToolCall, ToolSpec
from agentic.lib.wire import AnswerBuilder, ChunkDecoder, encode_request
from agentic.testing import FakeVLLM, ScriptedAnswer
from agentic.testing.answers import chunk, event
from tests.conftest import Agentic

pytest.importorskip("openai_harmony", reason="NO HARMONY: pip install 'agentic-vllm[gpt-oss]'")

from plugins_builtin.gpt_oss.channels import Channels
from plugins_builtin.vllm.exact import ExactPrompts
from plugins_builtin.vllm.harmony import answer_start, encoding, text_of
from plugins_builtin.vllm.harmony_reader import HarmonyReader
from plugins_builtin.vllm.harmony_stream import HarmonyDecoder
from plugins_builtin.vllm.resume import resumed

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "gpt_oss_answers.json").read_text())
PROMPT = [200006, 1, *(200006, 173781)]
THOUGHT = "<|channel|>analysis<|message|>I do it.<|end|><|start|>assistant"
ARGUMENTS = '{"path": "a.txt", "content": "one\\n"}'
WRITE = ("write_file", ARGUMENTS)
Read = tuple[str, str, list[tuple[str, str]]]
"""(text, thoughts, calls) of an answer."""

# Said in its format: what is right.
WRITTEN: dict[str, tuple[str, Read]] = {
    "a call": (f"{THOUGHT}<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
               ("", "I do it.", [WRITE])),
    "a bare name": (f"{THOUGHT}<|channel|>commentary to=write_file <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
                    ("", "I do it.", [WRITE])),
    "the recipient first": (f"{THOUGHT} to=functions.write_file<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>",
                            ("", "I do it.", [WRITE])),
    "the recipient twice": (
        f"{THOUGHT} to=functions.write_file<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
        ("", "I do it.", [WRITE])),
    "the format glued to the name": (f"{THOUGHT}<|channel|>commentary to=functions.write_file<|constrain|>json<|message|>{ARGUMENTS}<|call|>",
                                     ("", "I do it.", [WRITE])),
    "a container": (f'{THOUGHT}<|channel|>commentary to=container.exec code<|message|>{{"cmd":["ls"]}}<|call|>',
                    ("", "I do it.", [("container.exec", '{"cmd":["ls"]}')])),
    "Python in the analysis": (f"{THOUGHT}<|channel|>analysis to=python code<|message|>print(1)<|call|>",
                               ("", "I do it.", [("python", "print(1)")])),
    "a search": (f'{THOUGHT}<|channel|>analysis to=browser.search code<|message|>{{"query":"x"}}<|call|>',
                 ("", "I do it.", [("browser.search", '{"query":"x"}')])),
    "thoughts behind a call": (
        f"{THOUGHT}<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{ARGUMENTS}<|end|><|start|>assistant"
        "<|channel|>analysis<|message|>Now I look.<|end|><|start|>assistant<|channel|>commentary to=functions.run"
        ' <|constrain|>json<|message|>{"command": "cat a.txt"}<|call|>',
        ("", "I do it.\nNow I look.", [WRITE, ("run", '{"command": "cat a.txt"}')])),
    "an end behind a call": (
        f"{THOUGHT}<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{ARGUMENTS}<|call|><|end|><|return|>",
        ("", "I do it.", [WRITE])),
    "a preamble": (
        f"{THOUGHT}<|channel|>commentary<|message|>I write it.<|end|><|start|>assistant<|channel|>commentary to=functions.write_file"
        f" <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
        ("I write it.", "I do it.", [WRITE])),
    "no ends": ("<|channel|>analysis<|message|>I do it.<|channel|>final<|message|>Done 🎉 됐다.<|return|>",
                ("Done 🎉 됐다.", "I do it.", [])),
    "a final behind a final": ("<|channel|>final<|message|>One.<|end|><|start|>assistant<|channel|>final<|message|>Two.<|return|>",
                   ("One.\nTwo.", "", [])),
    "a result that no tool gave": (
        f"{THOUGHT}<|channel|>commentary to=functions.write_file <|constrain|>json<|message|>{ARGUMENTS}<|end|>"
        "<|start|>functions.write_file to=assistant<|channel|>commentary<|message|>Wrote it.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Done.<|return|>",
        ("Done.", "I do it.", [WRITE])),
    "no header": ("I write the file now.<|return|>", ("I write the file now.", "", [])),
}  # fmt: skip


def tokens_of(text: str) -> list[int]:
    return list(encoding().encode(text, allowed_special="all"))


def read_of(message: Message) -> Read:
    return message.text, message.reasoning, [(call.name, call.arguments) for call in message.tool_calls]


def chunks_of(name: str) -> list[bytes]:
    """The stream of a recorded or written answer, as the server sends it."""
    if name in RECORDED:
        pieces, prompt = RECORDED[name]["chunks"], RECORDED[name]["prompt"]
    else:
        tokens = tokens_of(WRITTEN[name][0])
        pieces, prompt = (
            [[{}, [token], "stop" if number == len(tokens) else None] for number, token in enumerate(tokens, 1)],
            PROMPT,
        )
    made = [event(chunk({"role": "assistant", "content": ""}, prompt_token_ids=prompt))]
    for delta, ids, finish in pieces:
        each = chunk(delta, finish)
        each["choices"][0]["token_ids"] = ids
        made.append(event(each))
    return [*made, b"data: [DONE]\n\n"]


def deltas_of(name: str) -> Iterator[Any]:
    decoder = HarmonyDecoder()
    for each in chunks_of(name)[:-1]:
        if (delta := decoder.feed_json(each[6:])) is not None:
            yield delta


def whole(name: str) -> AnswerBuilder:
    built = AnswerBuilder()
    for delta in deltas_of(name):
        built.add(delta)
    return built


@pytest.mark.parametrize("name", WRITTEN)
def test_what_it_says_is_read(name: str) -> None:
    built = whole(name)
    assert read_of(built.message()) == WRITTEN[name][1]
    assert built.finish_reason == ("tool_calls" if WRITTEN[name][1][2] else "stop")


# What vLLM 0.32's own parser made of them: nothing, or thoughts. Of all others it is what we read.
LOST: dict[str, Read] = {
    "recipient in both positions": ("", "", [WRITE]),
    "<|message|> without a channel": ("The file is not needed.", "", []),
    "container.exec, which it was trained with": (
        "", "I do it.", [("container.exec", '{"cmd": ["bash", "-lc", "echo one > a.txt"], "timeout": 10000}')]),
    "python, in the analysis channel, as code": ("", "I do it.", [("python", 'open("a.txt","w").write("one\\n")')]),
    "browser.search": ("", "I do it.", [("browser.search", '{"query": "how to write a file"}')]),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_what_the_servers_parser_reads_is_read_so_and_what_it_loses_is_there(name: str) -> None:
    theirs = AnswerBuilder()
    for delta, _, _ in RECORDED[name]["chunks"]:
        theirs.add(_plain(delta))
    ours, given = read_of(whole(name).message()), read_of(theirs.message())
    if name in LOST:
        assert ours == LOST[name] and given[2] == []
        return
    without_marks = given[0].replace("<|return|>", "")  # which it gives out where it cannot parse
    if ours[2] == given[2]:
        assert "".join(ours[0].split()) == "".join(without_marks.split())
        assert "".join(ours[1].split()) == "".join(given[1].split())
    else:
        assert len(ours[2]) > len(given[2]), (ours, given)


def _plain(delta: dict[str, Any]) -> Delta:
    return ChunkDecoder().feed(chunk(delta)) or Delta()


@given(st.sampled_from(sorted(WRITTEN)), st.lists(st.integers(0, 90), max_size=8))
def test_however_its_tokens_are_portioned_it_is_read_the_same(name: str, cuts: list[int]) -> None:
    tokens, reader, built = tokens_of(WRITTEN[name][0]), HarmonyReader(), AnswerBuilder()
    edges = sorted({0, len(tokens), *(cut for cut in cuts if cut < len(tokens))})
    calls: dict[int, list[str]] = {}
    for start, end in pairwise(edges):
        for piece in reader.feed(tokens[start:end]).calls:
            call = calls.setdefault(piece.index, ["", ""])
            call[0] += piece.name
            call[1] += piece.arguments
    reader.end()
    assert built.message().text == ""
    assert (reader.text, reader.reasoning, [tuple(call) for call in calls.values()]) == WRITTEN[name][1]


REQUEST = ChatRequest((Message("user", "Write a.txt."),), max_tokens=900, token_ids=True)
INFO = EndpointInfo("http://x/v1", "gpt-oss-120b", 8192)


@pytest.mark.parametrize("name", [*WRITTEN, *RECORDED])
def test_wherever_it_broke_off_it_goes_on_and_nothing_is_lost_or_doubled(name: str) -> None:
    deltas, expected = list(deltas_of(name)), whole(name)
    for cut in range(1, len(deltas)):
        received, built = PartialAnswer(), AnswerBuilder()
        for delta in deltas[:cut]:
            received.add(delta)
            built.add(delta)
        every = [token for delta in deltas for token in delta.token_ids]
        way = resumed(REQUEST, received, INFO, encode_request(REQUEST, INFO.model), gpt_oss=True)
        if not received.shown:
            assert way is None  # nothing was delivered: the answer begins anew
            continue
        assert way is not None
        if way.whole is not None:
            built.add(way.whole)
        else:
            assert way.body["prompt"] == [*received.prompt_ids, *every[: received.shown]]
            assert way.body["max_tokens"] == 900 - received.shown
            for number, token in enumerate(rest := every[received.shown :], 1):
                choice = {"index": 0, "text": "raw", "token_ids": [token], "finish_reason": "stop" if number == len(rest) else None}
                if (more := way.decoder.feed_json(json.dumps({"choices": [choice]}).encode())) is not None:
                    built.add(more)
            way.decoder.end()
        assert read_of(built.message()) == read_of(expected.message()), cut
        assert built.finish_reason == expected.finish_reason


# The next prompt.
TOOLS = (ToolSpec("write_file", "Writes.", {"type": "object", "properties": {}}),)
BY = ("gpt-oss-120b", "0.32.0")


def turn(text: str, *messages: Message) -> tuple[ExactPrompts, ChatRequest, HarmonyReader, list[int]]:
    """(what is kept of an answer, its request, its reader, its tokens)"""
    prompts, reader, made = ExactPrompts(), HarmonyReader(), tokens_of(text)
    reader.feed(made)
    request = ChatRequest(messages or (Message("system", "You code."), Message("user", "Write a.txt.")), TOOLS, session="s")
    prompts.keep(request, BY, PROMPT, made, reader)
    return prompts, request, reader, made


def answered(request: ChatRequest, reader: HarmonyReader, *more: Message) -> ChatRequest:
    calls = tuple(ToolCall(id_, name.removeprefix("functions."), "{}") for id_, name in reader.calls)
    mine = Message("assistant", reader.text, reader.reasoning, calls)
    return ChatRequest((*request.messages, mine, *more), request.tools, session="s")


@pytest.mark.parametrize("name", [name for name, (_, (_, _, calls)) in WRITTEN.items() if calls and "no tool" not in name])
def test_the_next_prompt_is_the_last_one_and_the_answer_as_it_was(name: str) -> None:
    prompts, request, reader, made = turn(WRITTEN[name][0])
    results = [Message("tool", f"result {number}", tool_call_id=id_) for number, (id_, _) in enumerate(reader.calls)]
    ids = prompts.ids(answered(request, reader, *results), BY)
    closed = made if made[-1] != 200002 else [*made[:-1], 200007]
    assert ids is not None and ids[: len(PROMPT) + len(made)] == [*PROMPT, *closed]
    rest = text_of(ids[len(PROMPT) + len(made) :])
    author = reader.calls[0][1] if "." in reader.calls[0][1] or reader.calls[0][1] == "python" else "functions.write_file"
    assert rest.startswith(f"<|start|>{author}<|channel|>commentary to=assistant<|message|>result 0<|end|>")
    assert rest.endswith("<|start|>assistant") and ids[-2:] == answer_start()


def test_behind_thoughts_alone_the_users_words_go_on() -> None:
    prompts, request, reader, made = turn("<|channel|>analysis<|message|>Hm.<|return|>")
    ids = prompts.ids(answered(request, reader, Message("user", "Go on.")), BY)
    assert ids is not None and text_of(ids[len(PROMPT) + len(made) :]) == "<|start|>user<|message|>Go on.<|end|><|start|>assistant"


def test_behind_a_final_the_thoughts_go_so_the_prompt_is_one_of_messages() -> None:
    prompts, request, reader, _ = turn(WRITTEN["a final behind a final"][0])
    assert prompts.ids(answered(request, reader, Message("user", "More.")), BY) is None


def test_ids_are_of_one_conversation_model_and_server() -> None:
    prompts, request, reader, _ = turn(WRITTEN["a call"][0])
    result = Message("tool", "ok", tool_call_id=reader.calls[0][0])
    after = answered(request, reader, result)
    assert prompts.ids(after, BY) is not None
    assert prompts.ids(after, ("gpt-oss-120b", "0.33.0")) is None and prompts.ids(after, ("other", "0.32.0")) is None
    trimmed = ChatRequest((Message("system", "You code."), *after.messages[2:]), TOOLS, session="s")
    other = ChatRequest(after.messages, (), session="s")
    assert prompts.ids(trimmed, BY) is None and prompts.ids(other, BY) is None
    changed = (*after.messages[:2], Message("assistant", "other words"), Message("user", "x"))
    assert prompts.ids(ChatRequest(changed, TOOLS, session="s"), BY) is None


@pytest.mark.parametrize("sent", [[1, 2, 3], None])
def test_a_server_that_makes_other_prompts_gets_messages_from_now_on(sent: Sequence[int] | None) -> None:
    prompts, request, reader, _ = turn(WRITTEN["a call"][0])
    after = answered(request, reader, Message("tool", "ok", tool_call_id=reader.calls[0][0]))
    prompts.compare(after, BY, [*PROMPT, *tokens_of("<|start|>tool<|message|>ok<|end|><|start|>assistant")], sent)
    assert prompts.ids(after, BY) is None


# A whole run.
def speaks(server: FakeVLLM, *names: str, takes_ids: bool = True) -> None:
    """The server says these, one after the other; its prompt is what it is sent, where it takes that."""
    server.model, server.numbers_tokens, left = "gpt-oss-120b", False, list(names)

    def say(request: Any) -> ScriptedAnswer:
        pieces = chunks_of(left.pop(0) if left else "a final")
        ids = (request.json.get("kv_transfer_params") or {}).get("prompt_token_ids") if takes_ids else None
        if ids:
            pieces[0] = event(chunk({"role": "assistant", "content": ""}, prompt_token_ids=ids))
        return ScriptedAnswer(pieces)

    server.otherwise = say


WRITTEN["a final"] = ("<|channel|>analysis<|message|>All is there.<|end|><|start|>assistant<|channel|>final<|message|>Done.<|return|>",
                      ("Done.", "All is there.", []))  # fmt: skip


def run(agentic: Agentic, server: FakeVLLM, *more: str) -> Any:
    return agentic("run", "Write a.txt.", "--endpoint", server.url, "--approve", "all", "--no-sandbox", "--output", "jsonl",
                   "-c", "tools.protocol=harmony", *more)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["a call", "a bare name", "the recipient twice", "container.exec, which it was trained with", "recipient in both positions"],
)
def test_a_run_does_what_it_says_and_goes_on_in_ids(agentic: Agentic, server: FakeVLLM, work: Path, name: str) -> None:
    speaks(server, name, "a final")
    done = run(agentic, server)
    assert (work / "a.txt").read_text() == "one\n" and done.code == 0, done.err
    first, second = server.chats
    assert "kv_transfer_params" not in first.json
    ids = second.json["kv_transfer_params"]["prompt_token_ids"]
    prompt = RECORDED[name]["prompt"] if name in RECORDED else PROMPT
    made = [token for each in chunks_of(name)[1:-1] for token in json.loads(each[6:])["choices"][0]["token_ids"]]
    assert ids[: len(prompt) + len(made)] == [*prompt, *made] and ids[-2:] == answer_start()
    assert second.json["messages"][-1]["role"] == "tool"


def test_a_server_that_refuses_ids_is_told_in_messages(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    speaks(server, "a call", "thoughts behind a call", "a final")
    say = server.otherwise
    refused = {"error": {"message": "kv_transfer_params: not taken", "type": "BadRequestError", "param": None, "code": 400}}

    def say_or_refuse(request: Any) -> ScriptedAnswer:
        if "kv_transfer_params" in request.json:
            return ScriptedAnswer([json.dumps(refused).encode()], 400, "application/json", chunked=False)
        return say(request)

    server.otherwise = say_or_refuse
    done = run(agentic, server)
    assert (work / "a.txt").read_text() == "one\n" and done.code == 0, done.err
    assert sum("kv_transfer_params" in request.json for request in server.chats) == 1


def test_a_server_that_ignores_ids_is_told_in_messages(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    speaks(server, "a call", "thoughts behind a call", "a final", takes_ids=False)
    done = run(agentic, server)
    assert (work / "a.txt").read_text() == "one\n" and done.code == 0, done.err
    assert sum("kv_transfer_params" in request.json for request in server.chats) == 1


# What is malformed: the words and calls are there all the same, and no mark of the format.
MALFORMED: dict[str, Read] = {
    "Sure, here it is:<|channel|>final<|message|>Four.<|return|>": ("Sure, here it is:\nFour.", "", []),
    "Hello<|message|>Hi<|return|>": ("Hello\nHi", "", []),
    "final<|message|>Hi<|return|>": ("Hi", "", []),
    "<|channel|>final The answer is 4.<|return|>": ("The answer is 4.", "", []),
    '<|channel|>commentary to=functions.run{"command":"ls"}<|call|>': ("", "", [("run", '{"command":"ls"}')]),
    ' to=functions.run <|constrain|>json{"a":1}<|call|>': ("", "", [("run", '{"a":1}')]),
    "<|channel|>final<|message|>It <|constrain|>is <|message|>four.<|return|>": ("It is four.", "", []),
}


def read_all(tokens: Sequence[int]) -> Read:
    reader, calls = HarmonyReader(), dict[int, list[str]]()
    for piece in (*reader.feed(tokens).calls, *reader.end().calls):
        call = calls.setdefault(piece.index, ["", ""])
        call[0] += piece.name
        call[1] += piece.arguments
    return reader.text, reader.reasoning, [(name, arguments) for name, arguments in calls.values()]


@pytest.mark.parametrize("text", MALFORMED)
def test_nothing_is_lost_of_what_is_malformed(text: str) -> None:
    assert read_all(tokens_of(text)) == MALFORMED[text]


IDS = st.sampled_from([*range(199_998, 200_020), 201_088, 2**31, -1, 1, 500, 173_781, *tokens_of(" to=functions.run json {}가🎉")])


@given(st.lists(IDS, max_size=40))
def test_whatever_tokens_come_it_is_read_and_shows_no_mark(tokens: list[int]) -> None:
    text, thoughts, _ = read_all(tokens)
    assert "<|" not in text + thoughts


@pytest.mark.parametrize("blanks", [" \t", "\n\n", "  "])
def test_blanks_cost_no_time(blanks: str) -> None:
    reader = HarmonyReader()
    reader.feed([*tokens_of(blanks) * 5_000, *tokens_of("x<|return|>")])
    assert reader.text.strip() == "x"
    tools = (ToolSpec("run", "Runs.", {}),)
    assert Channels().repair(Message("assistant", f"a{blanks * 20_000}b"), tools).text.startswith("a")


def played(*events: dict[str, Any]) -> tuple[str, str]:
    decoder, built = HarmonyDecoder(), AnswerBuilder()
    for each in events:
        if (delta := decoder.feed(each)) is not None:
            built.add(delta)
    return built.message().text, built.finish_reason


def given_as(text: str = "", ids: Sequence[int] = (), finish: str | None = None, **more: Any) -> dict[str, Any]:
    made = chunk({"content": text}, finish, **more)
    made["choices"][0]["token_ids"] = list(ids)
    return made


def test_where_ids_stop_the_servers_reading_goes_on() -> None:
    begin = given_as(prompt_token_ids=PROMPT)
    first = given_as("The answer", tokens_of("<|channel|>final<|message|>The answer"))
    assert played(begin, first, given_as(" is 4."), given_as(finish="stop")) == ("The answer is 4.", "stop")
    assert played(begin, given_as("The answer is 4."), given_as(finish="stop")) == ("The answer is 4.", "stop")


def test_what_goes_on_elsewhere_without_ids_is_there_and_is_counted_once() -> None:
    received, decoder = PartialAnswer(), HarmonyDecoder()
    every = tokens_of("<|channel|>final<|message|>The answer")
    for each in (given_as(prompt_token_ids=PROMPT), *(given_as(ids=[token]) for token in every)):
        if (delta := decoder.feed(each)) is not None:
            received.add(delta)
    way = resumed(REQUEST, received, INFO, encode_request(REQUEST, INFO.model), gpt_oss=True)
    assert way is not None
    shown = received.shown
    received.go_on()
    said = ""
    for rest in (given_as(" is four."), given_as(finish="stop")):
        delta = way.decoder.feed_json(json.dumps(rest).encode())
        assert delta is not None
        received.add(delta)
        said += delta.text
    usage = way.decoder.feed_json(b'{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}')
    assert said == " is four." and usage is not None and usage.usage is not None
    assert usage.usage.completion_tokens == shown + 3


def test_a_chat_that_is_begun_anew_is_not_joined_to_what_came_before() -> None:
    received = PartialAnswer((1, 2), [5, 6], 2, 10, False, True)
    request = replace(REQUEST, tools=TOOLS)
    way = resumed(request, received, INFO, encode_request(request, "m"), gpt_oss=False)
    assert way is not None
    with pytest.raises(RequestRejected, match="began the answer anew"):
        way.decoder.feed_json(json.dumps(given_as("The answer is four.")).encode())


def test_a_result_that_no_tool_gave_does_not_go_on_in_ids() -> None:
    prompts, request, reader, _ = turn(WRITTEN["a result that no tool gave"][0].replace("<|channel|>final<|message|>Done.<|return|>",
        '<|channel|>commentary to=functions.run <|constrain|>json<|message|>{}<|call|>'))  # fmt: skip
    results = [Message("tool", "real", tool_call_id=id_) for id_, _ in reader.calls]
    assert prompts.ids(answered(request, reader, *results), BY) is None


def test_a_json_answer_is_asked_about_once(agentic: Agentic, server: FakeVLLM) -> None:
    WRITTEN["json"] = ('<|channel|>final<|message|>{"path": "a", "content": "b"}<|return|>', ("", "", []))
    speaks(server, *["json"] * 3)
    done = run(agentic, server)
    asked = [message for message in server.chats[-1].json["messages"] if "tool call written as text" in str(message["content"])]
    assert done.code == 0 and len(asked) == 1


def test_a_refusal_of_something_else_leaves_ids_on(agentic: Agentic, server: FakeVLLM) -> None:
    speaks(server, "a call", "thoughts behind a call", "a final")
    say, left = server.otherwise, [ScriptedAnswer([b'{"error": {"message": "no"}}'], 503, "application/json", chunked=False)]
    server.otherwise = lambda request: left.pop() if left and "kv_transfer_params" in request.json else say(request)
    assert run(agentic, server).code == 0
    assert ["kv_transfer_params" in each.json for each in server.chats][-1]


def test_an_announcement_is_no_answer(agentic: Agentic, server: FakeVLLM) -> None:
    WRITTEN["announced"] = (
        "<|channel|>commentary<|message|>I will now write it.<|end|><|return|>",
        ("I will now write it.", "", []),
    )
    speaks(server, "announced", "a call", "a final")
    done = run(agentic, server)
    assert done.code == 0 and len(server.chats) == 3
    assert "Now call a tool" in server.chats[1].json["messages"][-1]["content"]


@pytest.mark.parametrize("limit", [1, 5, 17])
def test_what_a_limit_of_the_server_cut_goes_on_in_ids(agentic: Agentic, server: FakeVLLM, work: Path, limit: int) -> None:
    server.model, server.numbers_tokens = "gpt-oss-120b", False
    left = [tokens_of(WRITTEN[name][0]) for name in ("a call", "a final")]
    made, prompt, rest = list[int](), list[int](), list[int]()

    def say(request: Any) -> ScriptedAnswer:
        raw = request.path == "/v1/completions"
        if not raw:
            rest[:], made[:] = left.pop(0), []
            prompt[:] = (request.json.get("kv_transfer_params") or {"prompt_token_ids": PROMPT})["prompt_token_ids"]
        assert not raw or request.json["prompt"] == [*prompt, *made]
        now, finish = rest[:limit], "length" if len(rest) > limit else "stop"
        made.extend(now)
        del rest[:limit]
        begin = [] if raw else [event(chunk({"role": "assistant", "content": ""}, prompt_token_ids=list(prompt)))]
        piece = chunk({}, finish)
        piece["choices"][0] = {"index": 0, "token_ids": now, "finish_reason": finish} | ({"text": ""} if raw else {"delta": {}})
        return ScriptedAnswer([*begin, event(piece), b"data: [DONE]\n\n"])

    server.otherwise = say
    done = run(agentic, server)
    assert (work / "a.txt").read_text() == "one\n" and done.code == 0, done.err
    assert done.of_type("run_finished")[0]["result"] == "Done.\nEdited a.txt; nothing here tests it."
