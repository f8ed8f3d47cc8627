"""What models and servers really sent, from public reports, and what must become of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.hooks.protocol import Turn
from agentic.lib.repetition import Repetition
from agentic.lib.wire import lenient_object
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from agentic.testing.in_process import make_setup
from agentic.types import Message, ToolCall, ToolSpec
from plugins_builtin.gpt_oss.channels import Channels
from plugins_builtin.protocols.leaked_calls import LeakedCalls
from plugins_builtin.protocols.names import translated
from plugins_builtin.protocols.native import Native
from plugins_builtin.tools.apply_patch import ApplyPatch
from plugins_builtin.tools.edit import EditFile
from plugins_builtin.tools.files import ListFiles, ReadFile, WriteFile
from plugins_builtin.tools.search import Search
from plugins_builtin.tools.shell import Run
from tests.conftest import Agentic

OUTPUTS = json.loads((Path(__file__).parent / "model_outputs.json").read_text(encoding="utf-8"))
TOOLS = [ReadFile.spec, WriteFile.spec, ListFiles.spec, EditFile.spec, Search.spec, Run.spec, ApplyPatch.spec]


def recovered(answer: Message) -> Message:
    """As the host has it: every repair, in the order of their names."""
    return LeakedCalls().repair(Channels().repair(answer, TOOLS), TOOLS)


NATIVE = Native(make_setup())


def read(answer: Message) -> Turn:
    return NATIVE.read(recovered(answer), TOOLS, cut_off=False)


def message(output: dict[str, Any]) -> Message:
    calls = tuple(ToolCall(f"call_{number}", call["name"], call["arguments"]) for number, call in enumerate(output["calls"]))
    return Message("assistant", output["content"], output["reasoning"], calls)


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output["source"])
def test_what_must_become_of_it(output: dict[str, Any]) -> None:
    expected = output["becomes"]
    turn = read(message(output))
    assert [(call.name, json.loads(call.arguments)) for call in turn.message.tool_calls] == [
        (call["name"], call["arguments"]) for call in expected["calls"]
    ]
    assert turn.message.content == expected["content"]
    if "reasoning" in expected:
        assert turn.message.reasoning == expected["reasoning"]
    assert [(call.id, call.name) for call in turn.message.tool_calls] == [(call.id, call.name) for call in turn.calls]


TRAINED = [
    ("container.exec", {"cmd": ["bash", "-lc", "ls"], "workdir": "src dir", "timeout": 5}, "run", {"command": "cd 'src dir' && ls", "timeout": 5}),
    ("container.exec", {"cmd": ["git", "log", "-1 x"]}, "run", {"command": "git log '-1 x'"}),
    ("repo_browser.print_tree", {"path": "src", "depth": 2}, "list_files", {"path": "src"}),
    ("repo_browser.open_file", {"path": "a.py", "line_start": 1, "line_end": 9}, "read_file", {"path": "a.py", "line_start": 1, "line_end": 9}),
    ("repo_browser.search", {"path": ".", "query": "x", "max_results": 5}, "search", {"path": ".", "query": "x", "max_results": 5}),
    ("repo_browser.apply_patch", {"patch": "*** Begin Patch"}, "apply_patch", {"patch": "*** Begin Patch"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "ours", "becomes"), TRAINED)
def test_tools_that_gpt_oss_knows_from_its_training_lead_to_ours(
    name: str, arguments: dict[str, Any], ours: str, becomes: dict[str, Any]
) -> None:
    """Called as they are, or written into the text."""
    text = json.dumps(arguments)
    leaked = f"<|channel|>commentary to={name} <|constrain|>json<|message|>{text}<|call|>"
    for said in (Message("assistant", tool_calls=(ToolCall("1", name, text),)), Message("assistant", leaked)):
        (call,) = read(said).calls
        assert (call.name, json.loads(call.arguments)) == (ours, becomes)


def test_the_corpus_is_of_some_size() -> None:
    assert len({output["source"] for output in OUTPUTS}) >= 30


@pytest.mark.parametrize(
    "output", [output for output in OUTPUTS if output["becomes"].get("again")], ids=lambda output: output["source"]
)
def test_a_turn_without_a_word_is_asked_for_again_and_never_shown_blank(
    agentic: Agentic, server: FakeVLLM, output: dict[str, Any]
) -> None:
    server.script(answer("", reasoning=output["reasoning"], finish="tool_calls"), answer("The answer."))
    done = agentic("run", "what is it?", "--endpoint", server.url, "-c", "tools.protocol=native")
    assert (done.code, done.out) == (0, "The answer.\n")
    assert len(server.chats) == 2
    server.otherwise = lambda request: answer("", reasoning="still thinking")
    done = agentic("ask", "what is it?", "--endpoint", server.url)
    assert done.code == 1
    assert "gave no answer, it only thought" in done.err


def test_history_holds_the_call_that_was_meant_as_valid_json(agentic: Agentic, server: FakeVLLM) -> None:
    broken = answer(tool_calls=tool_call("repo_browser.open_file<|channel|>commentary", "{'path': 'a.txt',}"))
    server.script(broken, answer("It says hello."))
    done = agentic("run", "what does a.txt say?", "--endpoint", server.url, "-c", "tools.protocol=native")
    assert done.code == 0
    (call,) = server.chats[-1].json["messages"][-2]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("read_file", {"path": "a.txt"})


def test_what_the_model_wrote_stays_byte_for_byte_where_nothing_is_wrong() -> None:
    call = ToolCall("1", "read_file", '{ "path" :"a.py"}')
    assert recovered(Message("assistant", tool_calls=(call,))).tool_calls == (call,)


def test_an_answer_that_repeats_itself_is_stopped(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer(["They were a testament to the sea. "] * 400)
    done = agentic("ask", "a story", "--endpoint", server.url)
    assert done.code == 1
    assert "repeats itself" in done.err
    assert len(done.out) < 5000


@given(st.text(alphabet="abc \n", min_size=1, max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_repetition_is_found_however_it_arrives(unit: str, cuts: list[int]) -> None:
    watch, text = Repetition(), unit * (8000 // len(unit) + 1)
    position, found = 0, False
    while position < len(text) and not found:
        size = cuts[position % len(cuts)]
        found = watch.goes_on(text[position : position + size])
        position += size
    assert found


@given(st.lists(st.integers(), min_size=1, max_size=900))
def test_what_is_new_is_no_repetition(numbers: list[int]) -> None:
    watch = Repetition()
    assert not any(watch.goes_on(f"{index} {number}, ") for index, number in enumerate(numbers))


@given(st.text(), st.text(max_size=20))
def test_anything_can_be_read(content: str, arguments: str) -> None:
    for given_ in (
        Message("assistant", content, tool_calls=(ToolCall("1", content[:30], arguments),)),
        Message("assistant", content, content),
    ):
        kept = read(given_).message
        assert all(isinstance(json.loads(call.arguments), dict) for call in kept.tool_calls)


@given(
    st.dictionaries(
        st.text(max_size=8), st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text(max_size=4))), max_size=4
    )
)
def test_objects_stay_what_they_are_and_half_strings_are_not_made_whole(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert lenient_object(text) == value
    for end in range(1, len(text)):
        found = lenient_object(text[:end])
        assert found is None or all(found[name] == value[name] for name in list(found)[:-1])
        if found and isinstance(last := list(found.values())[-1], str):
            assert last in value.values()


# An answer that its limit cut is not the last one.
NATIVE_RUN = ("-c", "tools.protocol=native", "--output", "jsonl")


@pytest.mark.parametrize("cut", [answer("The first half of", finish="length"), answer("", "I think that", finish="length")])
def test_an_answer_that_its_limit_cut_goes_on(agentic: Agentic, server: FakeVLLM, cut: ScriptedAnswer) -> None:
    server.script(cut, answer("the second half."))
    done = agentic("run", "say it", "--endpoint", server.url, *NATIVE_RUN, "-c", "llm.max_tokens=12")
    assert done.code == 0 and done.of_type("run_finished")[0]["result"] == "the second half."
    assert "cut off by its limit of 12 tokens" in server.chats[1].json["messages"][-1]["content"]


def test_a_run_whose_answers_are_cut_again_and_again_is_not_done(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("Half of it, number", finish="length")
    done = agentic("run", "say it", "--endpoint", server.url, *NATIVE_RUN, "-c", "llm.max_tokens=12")
    (finished,) = done.of_type("run_finished")
    assert done.code == 1 and finished["status"] == "limit" and len(server.chats) == 3
    assert finished["result"] == "the answer was cut by its limit of 12 tokens (llm.max_tokens, or the server's own)"


def test_ask_says_that_thoughts_were_cut(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("", "I think that", finish="length"))
    done = agentic("ask", "say it", "--endpoint", server.url, "-c", "llm.max_tokens=12")
    assert done.code == 1 and "the answer was cut by its limit" in done.err and "give it more with llm.max_tokens" in done.err


RUN = ToolSpec("run", "Runs.", {"type": "object", "properties": {"command": {"type": "string"}}}, runs="command")
SEARCH = ToolSpec("web_search", "Searches.", {"type": "object", "properties": {"query": {"type": "string"}}}, "read")
FETCH = ToolSpec("web_fetch", "Reads.", {"type": "object", "properties": {"url": {"type": "string"}}}, "read")


@pytest.mark.parametrize(
    ("name", "arguments", "tool", "meant"),
    [
        ("python", "print(1)", "run", {"command": "python3 - <<'PYTHON'\nprint(1)\nPYTHON"}),
        ("functions.python", '{"code": "print(1)"}', "run", {"command": "python3 - <<'PYTHON'\nprint(1)\nPYTHON"}),
        ("python", "x = '''\nPYTHON\n'''", "run", {"command": "python3 - <<'PYTHON1'\nx = '''\nPYTHON\n'''\nPYTHON1"}),
        ("browser.search", '{"query": "x", "topn": 5}', "web_search", {"query": "x"}),
        ("browser.open", '{"id": "https://a.example/"}', "web_fetch", {"url": "https://a.example/"}),
    ],
)
def test_what_gpt_oss_was_trained_to_call_is_what_we_have(name: str, arguments: str, tool: str, meant: dict[str, str]) -> None:
    made = translated(ToolCall("1", name, arguments), (RUN, SEARCH, FETCH))
    assert (made.name, json.loads(made.arguments)) == (tool, meant)


@pytest.mark.parametrize(
    ("tool", "arguments", "status", "code"),
    [
        ("run", {"command": "echo one > a.txt"}, "unchecked", 0),
        ("list_files", {}, "gave_up", 1),
        ("run", {"command": "echo one > a.txt; exit 3"}, "gave_up", 1),
    ],
)
def test_a_model_that_only_repeats_what_it_did_is_judged_by_it(
    agentic: Agentic, server: FakeVLLM, tool: str, arguments: dict[str, str], status: str, code: int
) -> None:
    server.otherwise = lambda request: answer(tool_calls=tool_call(tool, arguments))
    done = agentic("run", "write a.txt", "--endpoint", server.url, *NATIVE_RUN, "--approve", "all", "--no-sandbox")
    (finished,) = done.of_type("run_finished")
    assert (finished["status"], done.code) == (status, code) and "the same call 3 times" in finished["result"]
