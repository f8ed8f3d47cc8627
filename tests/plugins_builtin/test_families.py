"""Families: a conversation of ten steps stands in the prompt as each family's maker says, and a word of effort as it takes it."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given, strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentic import ChatRequest, Family, Message, ToolCall, ToolSpec
from agentic.api import family
from agentic.lib.families import EFFORTS, SAMPLES, UNKNOWN, as_known, family_of, joined, without_old_thoughts
from agentic.lib.wire import encode_request
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, settings_with, tool_call
from agentic.testing.answers import count_tokens, json_answer
from plugins_builtin.families import agentic_models
from plugins_builtin.gpt_oss import GPT_OSS
from plugins_builtin.vllm.metrics import read_metrics
from tests.conftest import Agentic
from tests.terminal import terminal

FOLDER = Path(__file__).parent / "templates"
FAMILIES = {each.name: each for each in (GPT_OSS, *agentic_models())}
TOOL = ToolSpec("read", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]})

# The rules of families whose templates may not be copied, in our own words. `shown(place)`: whether the thought there is.
_RULE = """
{%- set ns = namespace(user=-1, final=-1) -%}
{%- for m in messages -%}
{%- if m.role == "user" -%}{%- set ns.user = loop.index0 -%}{%- endif -%}
{%- if m.role == "assistant" and not m.tool_calls -%}{%- set ns.final = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for m in messages -%}
<|{{ m.role }}|>
{%- if m.reasoning_content and (SHOWN) -%}<think>{{ m.reasoning_content }}</think>{%- endif -%}
{{ m.content }}{%- for call in m.tool_calls or () -%}<call>{{ call.function.arguments }}</call>{%- endfor -%}<|end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""
OWN_WORDS = {
    "kimi-k3": "true",
    "kimi-k2.7": "true",
    "kimi-k2.6": "preserve_thinking or loop.index0 > ns.final",
    "kimi-k2.5": "loop.index0 > ns.final",
    "kimi-k2-thinking": "loop.index0 > ns.final",
    "kimi-k2": "false",
    "glm-5.3": "true",
    "glm-5.2": "clear_thinking is defined and not clear_thinking or loop.index0 > ns.user",
    "minimax-m3": "true",
    "minimax-m2": "loop.index0 > ns.user",
    "deepseek-v4.1": "true",
    "deepseek-r1": "false",
    "deepseek-v3": "false",
    "mistral-small-4": "true",
    "magistral": "true",
    "devstral": "false",
    "llama-4": "false",
    "llama-3": "false",
    "gemma-3": "false",
    "qwen2.5": "false",
    "granite": "false",
    "granite-4-h": "false",
    "qwen3-coder-next": "false",
    "qwen3-next": "loop.index0 > ns.user",
}


@cache
def template_of(name: str) -> jinja2.Template:
    def refuse(message: str) -> str:
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: "2026-11-30"}
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False)
    kept = FOLDER / f"{name}.jinja"
    return environment.from_string(kept.read_text() if kept.exists() else _RULE.replace("SHOWN", OWN_WORDS[name]))


def prompt(known: Family, request: ChatRequest, begins: bool = True) -> str:
    """The prompt that a server makes of the request: `begins` with the beginning of the answer."""
    body = encode_request(request, "model")
    messages = [_as_a_server_has_it(message) for message in body["messages"]]
    words = body.get("chat_template_kwargs", {})
    if effort := body.get("reasoning_effort"):  # as vLLM does
        words = {"enable_thinking": effort != "none", "reasoning_effort": effort, **words}
    return template_of(known.name).render(
        messages=messages, tools=body["tools"], add_generation_prompt=begins, bos_token="", eos_token="", **words
    )


def _as_a_server_has_it(message: dict[str, Any]) -> dict[str, Any]:
    thought = message.pop("reasoning", "")
    for call in message.get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    names = ("reasoning", "reasoning_content", "thinking") if thought else ()
    if "thinking" in names and message.get("tool_calls") and message["content"]:  # gpt-oss has one or the other
        names = ("reasoning", "reasoning_content")
    return message | dict.fromkeys(names, thought)


def call(number: int) -> list[Message]:
    made = ToolCall(f"call{number}abcd"[:9], "read", json.dumps({"path": f"{number}.py"}))
    return [Message("assistant", "", f"THOUGHT{number}", (made,)), Message("tool", f"content {number}", tool_call_id=made.id)]


def final(number: int) -> Message:
    return Message("assistant", f"Answer {number}.", f"THOUGHT{number}")


def steps(steers: bool) -> list[list[Message]]:
    """The messages that a conversation of ten steps sends at each: two tasks, and a word of the user's within the second."""
    messages = [Message("system", "You work."), Message("user", "First task")]
    made = [list(messages)]
    for number in range(1, 5):
        messages += call(number)
        made.append(list(messages))
    messages += [final(5), Message("user", "Second task")]
    made.append(list(messages))
    for number in range(6, 10):
        messages += [*call(number), *([Message("user", "Mind the tests.")] if number == 7 and steers else [])]
        made.append(list(messages))
    return made


def asked(known: Family, messages: Sequence[Message], has_room: bool, effort: str = "high") -> ChatRequest:
    return as_known(known, ChatRequest(tuple(messages), (TOOL,)), ChatRequest((), effort=effort), has_room)


def thoughts_in(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"THOUGHT(\d+)", text)}


def test_each_family_has_its_rule_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.jinja")} | OWN_WORDS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("has_room", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_dropped_is_what_the_family_drops(name: str, has_room: bool) -> None:
    """The prompt is the same as if every thought had gone back."""
    known = FAMILIES[name]
    for messages in steps(steers=True):
        request = asked(known, messages, has_room)
        assert prompt(known, request) == prompt(known, replace(request, messages=tuple(messages)))


@pytest.mark.parametrize("name", FAMILIES)
def test_thoughts_stand_where_the_maker_says(name: str) -> None:
    known = FAMILIES[name]
    last = steps(steers=True)[-1]
    expected = {"never": set(), "final": {6, 7, 8, 9}, "user": {8, 9}, "always": {1, 2, 3, 4, 5, 6, 7, 8, 9}}
    assert thoughts_in(prompt(known, asked(known, last, has_room=False))) == expected[known.thoughts]
    if known.keep:
        kept = expected["always"] - ({5} if name == "gemma-4" else set())  # which keeps those of turns with calls
        assert thoughts_in(prompt(known, asked(known, last, has_room=True))) == kept


@pytest.mark.parametrize("name", FAMILIES)
def test_a_conversation_only_grows_or_the_family_says_where_it_is_cut(name: str) -> None:
    known = FAMILIES[name]
    prompts = [prompt(known, asked(known, messages, has_room=True), begins=False) for messages in steps(steers=False)]
    cut = [number for number in range(1, 10) if not prompts[number].startswith(_without_end(prompts[number - 1]))]
    grows = known.thoughts in ("always", "never") or (known.keep and name != "gemma-4")
    assert set(cut) <= (set() if grows else {5}), cut  # where the second task begins


def _without_end(text: str) -> str:
    """The prompt up to where the last message ended: some templates close the last turn, which goes on then."""
    return re.sub(r"(\s|<[^<>]*>|<｜[^｜]*｜>)+$", "", text)


@pytest.mark.parametrize("effort", ["none", "minimal", "high", "max"])
@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_is_sent_a_word_that_it_refuses(name: str, effort: str) -> None:
    known = FAMILIES[name]
    request = asked(known, steps(steers=False)[3], has_room=True, effort=effort)
    assert request.effort in (*(known.efforts or {}), "")
    assert prompt(known, request)  # its template raises for a word that it does not know


@pytest.mark.parametrize(
    ("name", "effort", "word", "kwargs"),
    [
        ("gpt-oss", "none", "low", {}),
        ("gpt-oss", "max", "high", {}),
        ("qwen3.6", "none", "", {"enable_thinking": False}),
        ("qwen3.6", "low", "", {"enable_thinking": True}),
        ("qwen3.8", "high", "xhigh", {}),
        ("qwen3.8", "minimal", "low", {}),
        ("glm-5.3", "none", "low", {}),
        ("glm-5.2", "max", "", {"enable_thinking": True}),
        ("kimi-k2.6", "none", "", {"thinking": False}),
        ("kimi-k2.7", "none", "", {}),
        ("deepseek-v4", "medium", "high", {"thinking": True}),
        ("deepseek-v4.1", "medium", "high", {"thinking": True}),
        ("minimax-m2", "max", "", {}),
        ("minimax-m3", "none", "", {"thinking_mode": "disabled"}),
        ("mistral-small-4", "low", "high", {}),
        ("llama-3", "high", "", {}),
        ("gemma-4", "high", "", {"enable_thinking": True}),
    ],
)
def test_a_word_of_effort_is_said_as_the_family_takes_it(name: str, effort: str, word: str, kwargs: dict[str, Any]) -> None:
    request = asked(FAMILIES[name], [Message("user", "x")], has_room=False, effort=effort)
    assert (request.effort, request.extra.get("chat_template_kwargs", {})) == (word, kwargs)


def test_a_model_that_nobody_knows_gets_the_word_as_it_is_and_every_thought() -> None:
    request = asked(UNKNOWN, steps(steers=True)[-1], has_room=True, effort="minimal")
    assert request.effort == "minimal" and all(message.reasoning for message in request.messages if message.role == "assistant")


@pytest.mark.parametrize(
    ("served", "name"),
    [
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", "qwen-coder"),
        ("qwen2.5-coder-1.5b-instruct", "qwen2.5"),
        ("Qwen/Qwen3-Coder-Next", "qwen3-coder-next"),
        ("Qwen/Qwen3.6-35B-A3B", "qwen3.6"),
        ("Qwen3.8-27B", "qwen3.8"),
        ("Qwen/Qwen3.5-122B-A10B", "qwen3.5"),
        ("Qwen/Qwen3-Next-80B-A3B-Thinking", "qwen3-next"),
        ("Qwen/Qwen3-32B", "qwen3"),
        ("zai-org/GLM-4.6-FP8", "glm-4.6"),
        ("zai-org/GLM-4.7-Flash", "glm-4.7"),
        ("zai-org/GLM-5", "glm-4.7"),
        ("zai-org/GLM-5.2", "glm-5.2"),
        ("moonshotai/Kimi-K2-Thinking", "kimi-k2-thinking"),
        ("moonshotai/Kimi-K2.7-Code", "kimi-k2.7"),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi-k2"),
        ("deepseek-ai/DeepSeek-V4-Pro", "deepseek-v4"),
        ("deepseek-ai/DeepSeek-V3.2-Exp", "deepseek-v3.2"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1"),
        ("MiniMaxAI/MiniMax-M2.5", "minimax-m2"),
        ("MiniMaxAI/MiniMax-M3", "minimax-m3"),
        ("mistralai/Devstral-2-123B-Instruct", "devstral"),
        ("mistralai/Mistral-Small-4-119B", "mistral-small-4"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3"),
        ("google/gemma-4-31B-it", "gemma-4"),
        ("ibm-granite/granite-4.0-h-small", "granite-4-h"),
        ("ibm-granite/granite-4.1-8b", "granite"),
        ("smollm2", "unknown"),
        ("my-own-model", "unknown"),
    ],
)
def test_a_family_is_known_by_what_is_served(served: str, name: str) -> None:
    assert family(settings_with(), served).name == name


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.jinja")])
def test_a_family_is_known_by_its_template_under_any_name(name: str) -> None:
    """The template is what llama.cpp shows. Families that share one are as good as one."""
    found = family_of("model.gguf", FAMILIES.values(), (FOLDER / f"{name}.jinja").read_text())
    same = FAMILIES[name]
    assert (found.thoughts, found.keep, found.tool_parser) == (same.thoughts, same.keep, same.tool_parser), found.name


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.jinja")])
def test_a_family_is_known_by_the_prompts_that_a_server_makes(name: str) -> None:
    """vLLM shows no template, but the prompt that it makes of a conversation: what stands there tells what goes back."""
    found = family_of("my-own-model", FAMILIES.values(), shown=[prompt(FAMILIES[name], sample) for sample in SAMPLES])
    same = FAMILIES[name]
    assert (found.thoughts, found.tool_parser) == (same.thoughts, same.tool_parser), found.name
    assert bool(found.keep) == bool(same.keep) and set(found.efforts or {}) <= set(same.efforts or {})


@pytest.mark.parametrize(("seen", "thoughts"), [((), "never"), ((4,), "user"), ((3, 4), "final"), ((1, 3, 4), "always")])
def test_of_a_model_that_nobody_knows_the_prompts_tell_what_goes_back(seen: tuple[int, ...], thoughts: str) -> None:
    said = " ".join(f"Thought number {number}." for number in seen)
    found = family_of("my-own-model", FAMILIES.values(), shown=[said, said])
    assert (found.name, found.thoughts, found.efforts) == ("unknown", thoughts, None)


def test_a_server_is_asked_for_prompts_only_where_the_name_says_nothing(server: FakeVLLM, agentic: Agentic) -> None:
    known = FAMILIES["qwen3.5"]
    server.model = "my-own-model"
    server.pages["/detokenize"] = {"prompt": prompt(known, SAMPLES[0])}
    for model, asked in (("my-own-model", 2), ("Qwen/Qwen3.5-9B", 0)):
        server.model = model
        server.say("done")
        agentic("run", "what is here?", "--endpoint", server.url, *ARGUMENTS, "-c", "llm.reasoning_effort=none")
        assert len(server.requests_to("/detokenize")) == asked
        assert server.chats[-1].json["chat_template_kwargs"] == {"enable_thinking": False}
        server.requests.clear()


@given(st.lists(st.sampled_from(["user", "assistant", "tool"]), max_size=12), st.sampled_from(["always", "user", "final", "never"]))
def test_dropping_thoughts_changes_nothing_else(roles: list[str], until: Any) -> None:
    messages = [Message(role, "x", "thought" if role == "assistant" else "") for role in roles]  # type: ignore[arg-type]
    kept = without_old_thoughts(messages, until)
    assert [replace(message, reasoning="") for message in kept] == [replace(message, reasoning="") for message in messages]
    assert without_old_thoughts(kept, until) == kept


@given(st.sampled_from(EFFORTS), st.sets(st.sampled_from(EFFORTS)))
def test_the_nearest_word_is_one_that_is_known(effort: str, known: set[str]) -> None:
    made = Family("f", "s", "m", efforts={word: {} for word in known})
    assert made.word(effort) in (known or {""}) and (effort not in known or made.word(effort) == effort)


def test_tables_of_fields_are_joined() -> None:
    own = {"chat_template_kwargs": {"enable_thinking": True}, "top_p": 0.5}
    request = as_known(FAMILIES["qwen3.6"], ChatRequest(()), ChatRequest((), effort="none", extra=own), has_room=True)
    assert request.extra["chat_template_kwargs"] == {"preserve_thinking": True, "enable_thinking": True}  # yours wins
    assert request.extra["top_p"] == 0.5
    assert joined({"a": {"b": 1}}, {"a": 2}) == {"a": 2}


ARGUMENTS = ("-c", "tools.protocol=native", "--no-sandbox", "--output", "jsonl")


def test_a_run_says_what_its_model_takes(server: FakeVLLM, agentic: Agentic) -> None:
    server.model, server.window = "Qwen/Qwen3.6-35B-A3B", 131_072
    server.say("done")
    agentic("run", "what is here?", "--endpoint", server.url, *ARGUMENTS, "-c", "llm.reasoning_effort=none")
    body = server.chats[-1].json
    assert body["chat_template_kwargs"] == {"preserve_thinking": True, "enable_thinking": False}
    assert "reasoning_effort" not in body and body["temperature"] == 0.6 and body["top_k"] == 20


def test_a_thought_that_does_not_end_is_ended_and_the_answer_comes(server: FakeVLLM, agentic: Agentic) -> None:
    """The place at the server is free, the next request thinks less and has the thought's last words."""
    server.model = "Qwen/Qwen3.6-35B-A3B"
    thought = [f"why{number} " for number in range(3000)]
    server.script(answer("", reasoning="".join(thought), pause=0.001), answer("It is 4."))
    result = agentic("run", "what is 2 + 2?", "--endpoint", server.url, *ARGUMENTS, "-c", "llm.thinking_tokens=100")
    first, second = server.chats[-2:]
    assert first.json["thinking_token_budget"] == 100
    assert second.json["chat_template_kwargs"]["enable_thinking"] is False
    assert "Its last words: " in second.json["messages"][-1]["content"] and "why9" in second.json["messages"][-1]["content"]
    assert "It is 4." in result.out
    assert server.wait_for(lambda: server.running == 0)


def test_a_server_that_cannot_bound_thoughts_is_not_asked_again(server: FakeVLLM, agentic: Agentic) -> None:
    from agentic.testing.answers import error

    words = "thinking_token_budget is set but reasoning_config is not configured. Please set --reasoning-parser."
    server.script(error(400, words), answer("done"))
    result = agentic("run", "what is here?", "--endpoint", server.url, *ARGUMENTS, "-c", "llm.thinking_tokens=100")
    assert result.code == 0, result.err
    assert ["thinking_token_budget" in chat.json for chat in server.chats] == [True, False]


def test_sglang_is_told_the_budget_in_its_own_field(server: FakeVLLM, agentic: Agentic) -> None:
    """docs.sglang.io, thinking budget: `custom_params`, which it ignores where it runs without --enable-strict-thinking."""
    listed = {"id": "Qwen/Qwen3.5-9B", "object": "model", "owned_by": "sglang", "root": "Qwen/Qwen3.5-9B", "max_model_len": 32_768}
    server.models = json_answer({"object": "list", "data": [listed]})
    server.say("done")
    own = ("-c", 'llm.extra_body={custom_params = {name = "x"}}')
    agentic("run", "what is here?", "--endpoint", server.url, *ARGUMENTS, "-c", "llm.thinking_tokens=100", *own)
    body = server.chats[-1].json
    assert body["custom_params"] == {"name": "x", "thinking_budget": 100} and "thinking_token_budget" not in body


UNTIL = {"always": "for good", "user": "your next message", "final": "its next answer", "never": "not at all"}
PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def row_of(known: Family) -> str:
    """The family's row on the page."""
    kept = ", ".join(f"`{name}: {json.dumps(value)}`" for name, value in known.keep.get("chat_template_kwargs", {}).items())
    until = UNTIL[known.thoughts] + (f"; for good with {kept}" if kept else "")
    words = "any" if known.efforts is None else ", ".join(known.efforts) or "-"
    bounds = "-" if known.thoughts == "never" and not known.efforts else "vLLM" if known.budget else "agentic"
    parsers = ", ".join(f"`{name}`" for name in (known.tool_parser or "hermes", known.reasoning_parser) if name)
    return f"| {known.name} | {until} | {words} | {bounds} | {known.cache} | {parsers} | {known.source} |"


def test_the_page_has_the_facts() -> None:
    rows = [line for line in PAGE.read_text().split("\n") if line.startswith("| ") and line.count("|") == 8][1:]
    assert rows == [row_of(known) for known in FAMILIES.values()]


HYBRID = {"block_size": "544", "mamba_block_size": "16", "mamba_cache_mode": "align", "enable_prefix_caching": "True"}


@pytest.mark.parametrize(
    ("told", "cache", "block"),
    [
        ({"block_size": "16", "enable_prefix_caching": "True", "mamba_cache_mode": "none", "mamba_block_size": "None"}, "full", 16),
        (HYBRID, "hybrid", 544),
        (HYBRID | {"prefix_match_unit": "32"}, "hybrid", 32),
        ({"block_size": "16", "enable_prefix_caching": "False"}, "off", 0),
        ({"block_size": "16"}, "full", 16),
    ],
)
def test_the_kind_of_cache_is_read_from_the_metrics(told: dict[str, str], cache: str, block: int) -> None:
    labels = ",".join(f'{name}="{value}"' for name, value in told.items())
    load = read_metrics(f"vllm:num_requests_running 0.0\nvllm:cache_config_info{{{labels}}} 1.0\n".encode())
    assert (load.cache, load.unit) == (cache, block)


def test_what_could_come_from_the_cache_is_told_in_whole_blocks(server: FakeVLLM, agentic: Agentic) -> None:
    server.cache = HYBRID

    def reply(request: Request) -> ScriptedAnswer:
        server.wait_for(lambda: len(server.requests_to("/metrics")) > 1)  # the first of them has been read
        steps = sum(message["role"] == "assistant" for message in request.json["messages"])
        call = tool_call("read_file", {"path": f"{steps}.py"}, 0, str(steps))
        return answer(tool_calls=call, cached_tokens=0) if steps < 3 else answer("done", cached_tokens=0)

    server.otherwise = reply
    done = agentic("run", "what is here?", "--endpoint", server.url, *ARGUMENTS)
    usages = [event for event in done.events if event["type"] == "usage"]
    before = [usage["prompt_tokens"] for usage in usages]
    assert [usage["possible_tokens"] for usage in usages] == [0, *((tokens - 1) // 544 * 544 for tokens in before[:-1])]
    assert usages[-1]["possible_tokens"] >= 544


@pytest.mark.parametrize(
    ("window", "behind", "unit", "is_filled"),
    [(131_072, 40, "None", True), (131_072, 40, "32", True), (131_072, 900, "None", False), (16_384, 40, "None", False)],
)
def test_an_opening_ends_at_a_border_of_long_blocks(
    server: FakeVLLM, agentic: Agentic, window: int, behind: int, unit: str, is_filled: bool
) -> None:
    """The same text fills each opening up, if the window has room and little is missing: the next session finds a block more."""

    def opening(task: str) -> str:
        server.say("done")
        agentic("run", task, "--endpoint", server.url, *ARGUMENTS)
        return str(server.chats[-1].json["messages"][0]["content"])

    server.model, server.window = "Qwen/Qwen3.5-9B", window
    plain = opening("what is here?")
    last = server.chats[-1]
    shared = count_tokens(replace(last, body=json.dumps(last.json | {"messages": last.json["messages"][:1]}).encode()))
    server.cache = HYBRID | {"block_size": str(shared + behind), "prefix_match_unit": unit}
    filled = [opening("what is here?"), opening("what else?")]
    assert filled == ([plain + filled[0].removeprefix(plain)] * 2 if is_filled else [plain] * 2)
    assert (0 < filled[0].count(" .") - plain.count(" .") <= 2 * (behind + 16)) == is_filled


def test_a_server_without_a_cache_is_told_of_on_the_first_screen(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.cache = {"block_size": "16", "enable_prefix_caching": "False"}
    with terminal(["--endpoint", server.url, *ARGUMENTS[:3]], env, work, 100) as shown:
        shown.until(lambda: "no prompt is cached (--no-enable-prefix-caching)" in shown.text)
