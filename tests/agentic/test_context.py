"""The window: budgets, counts, trims, the prefix that stays, and what a first request costs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.config import Settings
from agentic.core.budget import Budget
from agentic.core.opening import Opening, system_message, tiered
from agentic.core.tokens import TokenCounter
from agentic.errors import AgenticError, RequestRejected
from agentic.hooks import Setup
from agentic.hooks.protocol import ToolProtocol
from agentic.hooks.tools import ToolSetup
from agentic.lib.families import without_old_thoughts
from agentic.lib.prefix import PrefixGuard
from agentic.lib.wire.request import encode_tool
from agentic.lib.workspace import Workspace
from agentic.plugins import Host
from agentic.plugins.prompts import Prompts
from agentic.testing import FakeVLLM, answer, error, make_setup, tool_call
from agentic.testing.answers import Request, count_tokens
from agentic.types import ChatRequest, Delta, EndpointInfo, Message, TokenCount, ToolCall, ToolSpec
from plugins_builtin.gpt_oss.vocabulary import tokens_for
from plugins_builtin.instructions import agentic_prompts
from plugins_builtin.tools.apply_patch import ApplyPatch
from tests.agentic.test_isolation import IMPL, Install, install, more, plugins
from tests.conftest import Agentic

__all__ = ["install", "more", "plugins"]
NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl")
ROOT = Path(__file__).parents[2]
PROMPTS = Prompts(Host(), {})


@given(window=st.integers(2_048, 1_000_000), reserved=st.integers(1, 8192))
def test_a_budget_adds_up_for_any_window(window: int, reserved: int) -> None:
    budget = Budget(window, reserved)
    assert budget.answer + budget.prompt == window
    assert budget.answer >= 1
    assert budget.prompt >= window // 2
    assert 0 < budget.result <= budget.prompt // 4
    assert budget.instructions <= budget.prompt // 8
    assert budget.tier in ("nano", "small", "full")
    assert budget.fixed <= budget.prompt
    for prompt in (0, budget.prompt, window - 1):
        assert 1 <= budget.room_for_answer(prompt) <= budget.answer
        assert prompt + budget.room_for_answer(prompt) <= window


def test_a_budget_of_4096() -> None:
    budget = Budget(0, 1024)
    assert (budget.window, budget.answer, budget.prompt, budget.tier) == (4096, 1024, 3072, "nano")


# Counting.


class Counting:
    """A transport that counts a token for every five characters and knows what it was asked."""

    endpoints = ("here",)

    def __init__(self, failure: AgenticError | None = None) -> None:
        self.failure = failure
        self.asked = 0

    async def probe(self, endpoint: str) -> EndpointInfo:
        return EndpointInfo(endpoint, "m")

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        yield Delta(finish_reason="stop")

    async def aclose(self) -> None:
        """Nothing to close."""

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        self.asked += 1
        if self.failure:
            raise self.failure
        return TokenCount(length(request), "five")


def length(request: ChatRequest) -> int:
    return 3 + sum(2 + len(message.content.encode()) // 5 for message in request.messages)


def conversation(*contents: str) -> ChatRequest:
    return ChatRequest(tuple(Message("assistant" if i % 2 else "user", c) for i, c in enumerate(contents)), session="s")


def test_exact_counts_are_taken_and_what_usage_says_corrects_them() -> None:
    counter = TokenCounter(Counting())
    request = conversation("hello " * 50)
    assert asyncio.run(counter.count(request, "here")) == length(request)
    counter.learn(request, length(request) + 7)  # a template's own text, say
    longer = conversation("hello " * 50, "hm", "and " * 30)
    assert asyncio.run(counter.count(longer, "here")) == length(longer) + 7
    assert (counter.method, counter.error) == ("five", "")


def test_a_server_that_reports_only_uncached_tokens_is_not_believed() -> None:
    counter = TokenCounter(Counting())
    request = conversation("hello " * 500)
    asyncio.run(counter.count(request, "here"))
    counter.learn(request, 16)
    assert asyncio.run(counter.count(request, "here")) == length(request)


def test_a_server_that_cannot_count_is_asked_once() -> None:
    transport = Counting(RequestRejected("no such route", status=404))
    counter = TokenCounter(transport)
    for _ in range(3):
        asyncio.run(counter.count(conversation("hello"), "here"))
    assert transport.asked == 1
    assert counter.error == "no such route"
    assert counter.method == "estimate"


_CODE = st.lists(
    st.sampled_from(["def f(x):\n", "    return x + 1\n", "The quick brown fox. ", "12345 ", "한국어 ", "{'a': [1, 2]}\n"]),
    max_size=60,
)


@given(turns=st.lists(_CODE.map("".join), min_size=8, max_size=8))
def test_after_three_calls_an_estimate_is_near_and_not_under(turns: list[str]) -> None:
    """A server that never tells more than `usage`: what it told, plus an upper estimate of what is new."""
    counter = TokenCounter(None)
    for number in range(1, len(turns) + 1, 2):
        request = conversation(*("base " * 800, *turns)[:number])
        estimated = asyncio.run(counter.count(request, "here"))
        true = length(request)
        if number > 5:
            assert estimated >= true
        counter.learn(request, true)


def test_gpt_oss_prompts_are_as_long_as_vllm_renders_them() -> None:
    """The lengths come from vLLM 0.32's own code (`harmony_utils.render_for_completion`), run on these messages."""
    pytest.importorskip("openai_harmony")
    from plugins_builtin.vllm import harmony

    data = json.loads((ROOT / "tests/plugins_builtin/harmony_lengths.json").read_text())
    messages = [message_from_wire(message) for message in data["messages"]]
    tools = tuple(ToolSpec(t["function"]["name"], t["function"]["description"], t["function"]["parameters"]) for t in data["tools"])
    for case in data["cases"]:
        first, end = case["messages"]
        request = ChatRequest(tuple(messages[first:end]), tools if case["tools"] else (), effort=case["effort"])
        assert harmony.count(request) == case["tokens"], case


def message_from_wire(data: dict[str, object]) -> Message:
    calls = data.get("tool_calls", [])
    assert isinstance(calls, list)
    return Message(
        data["role"],  # type: ignore[arg-type]
        str(data["content"]),
        str(data.get("reasoning", "")),
        tuple(ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls),
        str(data.get("tool_call_id", "")),
    )


def test_a_missing_vocabulary_is_said_and_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tokens_for("qwen") is None
    with pytest.raises(AgenticError, match="not on this disk"):
        tokens_for("openai/gpt-oss-120b")
    (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"not a vocabulary")
    with pytest.raises(AgenticError):
        tokens_for("gpt-oss-20b")
    assert list(tmp_path.iterdir()) != []


# The fixed part of a prompt.


def all_tools(tier: str) -> list[ToolSpec]:
    """Those of every run; the ones for late tools stand in a prompt only where there are any."""
    host = Host()

    def setup(plugin: str, provider: object) -> ToolSetup:
        settings = Settings([]).with_plugins(host.sections(), ())
        made: ToolSetup = make_setup(ToolSetup, section=host.section_of(plugin), settings=settings)
        return made

    specs = [host.build("agentic_tools", name, setup).spec for name in sorted(host.offers("agentic_tools"))]
    return [spec for spec in specs if not (spec.finds or spec.calls or spec.opt_in or (spec.roomy and tier != "full"))]


def protocol_named(name: str) -> ToolProtocol:
    host = Host()

    def setup(plugin: str, provider: Callable[[str], Any]) -> Setup:
        made: Setup = make_setup(provider=provider)
        return made

    protocol: ToolProtocol = host.build("agentic_tool_protocols", name, setup)
    return protocol


def told_to(name: str, tier: str) -> list[ToolSpec]:
    """The tools that stand in the prompt of models with that protocol."""
    profile = protocol_named(name).profile
    patch = [ApplyPatch.spec] if "apply_patch" in profile.tools else []
    return [spec for spec in all_tools(tier) if spec.name not in profile.instead_of] + patch


@pytest.mark.parametrize(("tier", "most"), [("nano", 700), ("small", 1500), ("full", 4000)])
@pytest.mark.parametrize("protocol", ["native", "json", "fenced", "harmony"])
def test_system_text_and_tools_keep_to_their_tier(tier: str, most: int, protocol: str) -> None:
    """Counted with gpt-oss's vocabulary, tools as the JSON that templates make of them (harmony's own form is shorter)."""
    openai_harmony = pytest.importorskip("openai_harmony")
    encoding = openai_harmony.load_harmony_encoding(openai_harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
    specs = [tiered(spec, tier) for spec in told_to(protocol, tier)]
    kind = protocol_named(protocol)
    system = system_message(PROMPTS, kind, specs, tier, "")
    sent = kind.request(ChatRequest((system,)), specs)
    text = system.text + "".join(f"{json.dumps(encode_tool(tool))}\n" for tool in sent.tools)
    assert len(encoding.encode(text, disallowed_special=())) <= most


@pytest.mark.parametrize(("tier", "most", "room"), [("nano", 1000, 3072), ("small", 2000, 12_288)])
def test_a_first_request_in_this_repository(tier: str, most: int, room: int) -> None:
    openai_harmony = pytest.importorskip("openai_harmony")
    encoding = openai_harmony.load_harmony_encoding(openai_harmony.HarmonyEncodingName.HARMONY_GPT_OSS)
    specs = [tiered(spec, tier) for spec in all_tools(tier)]
    texts = [
        system_message(PROMPTS, protocol_named("native"), specs, tier, "").text,
        Opening(Workspace(ROOT), PROMPTS, room).first("fix the bug", "", brief=False).text,
    ]
    texts += [json.dumps(encode_tool(spec)) for spec in specs]
    assert sum(len(encoding.encode(str(text), disallowed_special=())) + 8 for text in texts) <= most


def test_instructions_come_from_the_root_down(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "AGENTS.md").write_text("Use tabs.")
    inner = tmp_path / "pkg" / "inner"
    inner.mkdir(parents=True)
    (inner / "AGENTS.md").write_text("Use spaces here.")
    (tmp_path / "pkg" / "AGENTS.md").symlink_to("/etc/passwd")
    (section,) = agentic_prompts()
    text = section.text(make_setup(root=inner))
    assert text.index("Use tabs.") < text.index("Use spaces here.")
    assert "root:" not in text


def section_text(root: Path) -> str:
    (section,) = agentic_prompts()
    text: str = section.text(make_setup(root=root))
    return text


def test_what_other_agents_read_stands_in_where_there_is_no_agents_file(work: Path) -> None:
    (work / ".git").mkdir()
    (work / "CLAUDE.md").write_text("Use tabs.")
    assert "(CLAUDE.md):\nUse tabs." in section_text(work)
    (work / "AGENTS.md").write_text("Use spaces.")
    assert "Use tabs." not in section_text(work) and "Use spaces." in section_text(work)


def test_the_users_own_come_first(work: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (work / "AGENTS.md").write_text("Project.")
    (home / ".claude").mkdir()
    (home / ".claude" / "CLAUDE.md").write_text("Of another agent. @more.md")
    (home / ".claude" / "more.md").write_text("More of it.")
    text = section_text(work)
    assert text.index("More of it.") < text.index("Project.")
    (home / ".config" / "agentic").mkdir(parents=True)
    (home / ".config" / "agentic" / "AGENTS.md").write_text("My own.")
    assert "My own." in section_text(work) and "Of another agent" not in section_text(work)


def test_imports_stay_in_the_project_end_and_bring_no_keys(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "outside.md").write_text("OUTSIDE")
    (work / ".env").write_text("KEY=hunter2")
    (work / "docs").mkdir()
    (work / "docs" / "a.md").write_text("A, then @b.md")
    (work / "docs" / "b.md").write_text("B, then @a.md and @../AGENTS.md")
    text = (
        "See @docs/a.md and @missing.md, @.env, @../outside.md, @~/outside.md, mail x@docs/a.md `@docs/a.md`\n```\n@docs/b.md\n```"
    )
    (work / "AGENTS.md").write_text(text)
    found = section_text(work)
    assert "See A, then B, then @a.md and @../AGENTS.md and @missing.md" in found
    assert "OUTSIDE" not in found and "hunter2" not in found
    assert "mail x@docs/a.md `@docs/a.md`\n```\n@docs/b.md\n```" in found


def test_imports_of_imports_end_somewhere(work: Path) -> None:
    for number in range(9):
        (work / f"{number}.md").write_text(f"level {number} @{number + 1}.md")
    (work / "AGENTS.md").write_text("@0.md")
    found = section_text(work)
    assert "level 3" in found and "level 4" not in found


def test_instructions_that_are_too_long_are_cut_and_named(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "AGENTS.md").write_text("line\n" * 1000)
    done = agentic("run", "hi", "--endpoint", server.url, "-c", "context.context_window=4096", *NATIVE)
    assert "plugin instructions (of agentic-vllm): the prompt section 'instructions' is cut to 1152 of 5" in done.out
    system = server.chats[0].json["messages"][0]["content"]
    assert system.endswith("line\n(cut)")
    assert 1100 < len(system.partition("Instructions of this project")[2]) < 1160


def test_instructions_are_frozen_for_a_session(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "AGENTS.md").write_text("Use tabs.")
    agentic("run", "hi", "--endpoint", server.url, *NATIVE)
    (work / "AGENTS.md").write_text("Use spaces.")
    agentic("run", "hi again", "--continue", "--endpoint", server.url, *NATIVE)
    first, second = (request.json["messages"][0]["content"] for request in server.chats)
    assert "Use tabs." in first
    assert first == second


# The prefix guard.


def request_of(*messages: Message) -> ChatRequest:
    return ChatRequest(messages)


USER, SAID = Message("user", "go"), Message("assistant", "yes", reasoning="hm")


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (request_of(USER, SAID, Message("user", "on")), ""),
        (request_of(Message("user", "go"), Message("assistant", "yes"), Message("user", "on")), ""),
        (request_of(USER, replace(SAID, content="yes and more")), ""),
        (request_of(Message("user", "Go"), SAID), "message 0 (user), field content"),
        (request_of(USER, replace(SAID, reasoning="well")), "message 1 (assistant), field reasoning"),
        (request_of(USER, replace(SAID, tool_calls=(ToolCall("a", "b", "{}"),))), "message 1 (assistant), field tool_calls"),
        (request_of(USER), "message 1 (assistant), which is missing"),
        (replace(request_of(USER, SAID), tools=(ToolSpec("a", "b", {}),)), "the tools"),
    ],
)
def test_the_guard_names_the_first_difference(after: ChatRequest, found: str) -> None:
    guard = PrefixGuard()
    assert guard.check([("", request_of(USER, SAID))]) == ""
    warning = guard.check([("", after)])
    assert (found in warning) if found else warning == ""


def test_a_declared_trim_is_no_difference() -> None:
    guard = PrefixGuard()
    guard.check([("", request_of(USER, SAID))])
    guard.trimmed()
    assert guard.check([("", request_of(SAID))]) == ""


def test_reasoning_stays_within_its_turn() -> None:
    calls = (ToolCall("a", "run", "{}"),)
    working = [Message("assistant", "", "r1", calls), Message("tool", "ok", tool_call_id="a")]
    done = Message("assistant", "done", "r2")
    assert without_old_thoughts([USER, *working], "final") == [USER, *working]
    later = [Message("user", "more"), Message("assistant", "", "r3", calls)]
    kept = without_old_thoughts([USER, *working, done, *later], "final")
    assert [message.reasoning for message in kept] == ["", "", "", "", "", "r3"]


CHANGES_SYSTEM = """import itertools
from dataclasses import replace
numbers = itertools.count()
@hookimpl
async def agentic_before_request(request):
    first = request.messages[0]
    return replace(request, messages=(replace(first, content=f"{first.content} It is {next(numbers)} o'clock."), *request.messages[1:]))
"""
ADDS_A_LINE = """from dataclasses import replace
@hookimpl
async def agentic_before_request(request):
    first = request.messages[0]
    return replace(request, messages=(replace(first, content=first.content + " Be kind."), *request.messages[1:]))
"""


def thirty_turns(request: Request) -> object:
    number = sum(message["role"] == "assistant" for message in request.json["messages"])
    if number >= 29:
        return answer("all done")
    return answer(reasoning="hm", tool_calls=tool_call("run", {"command": f"echo {number}"}, call_id=f"c{number}"))


def test_a_session_of_thirty_turns_keeps_its_prefix_with_plugins(
    agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]
) -> None:
    install(IMPL + ADDS_A_LINE)
    server.window = 100_000
    server.otherwise = thirty_turns  # type: ignore[assignment]
    done = agentic("run", "count", "--endpoint", server.url, "--approve", "all", *NATIVE, more=more)
    assert done.code == 0
    bodies = [request.json for request in server.chats]
    assert len(bodies) == 30
    for before, after in pairwise(bodies):
        assert after["messages"][: len(before["messages"])] == before["messages"]
        assert json.dumps(after["tools"]) == json.dumps(before["tools"])
    assert done.of_type("warning") == []


def test_a_plugin_that_breaks_the_prefix_is_named(
    agentic: Agentic, server: FakeVLLM, install: Install, more: dict[str, str]
) -> None:
    install(IMPL + CHANGES_SYSTEM)
    server.script(*[answer(tool_calls=tool_call("list_files", {"path": "."}, call_id=f"c{i}")) for i in range(2)], answer("ok"))
    done = agentic("run", "look", "--endpoint", server.url, *NATIVE, more=more)
    warnings = [event["message"] for event in done.of_type("warning")]
    assert len(warnings) == 1
    assert "plugin" in warnings[0]
    assert "message 0 (system), field content" in warnings[0]


# The way of a long session.


def test_no_prompt_exceeds_the_budget_and_trims_are_rare_and_large(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "big").write_text("".join(f"{i:03} some line of a file that is long\n" for i in range(100)))
    server.window = 4096
    server.otherwise = lambda request: answer(
        tool_calls=tool_call(
            "read_file",
            {"path": "big", "line_start": len(server.chats), "line_end": 40 + len(server.chats)},
            call_id=f"c{len(server.chats)}",
        )
    )
    done = agentic("run", "read on", "--endpoint", server.url, "--max-iterations", "40", *NATIVE)
    counts = [count_tokens(request) for request in server.chats]
    assert len(counts) == 40
    assert max(counts) <= 3072
    trims = done.of_type("context_trimmed")
    assert 2 <= len(trims) <= 12
    assert all(trim["after"] <= 0.62 * 3072 for trim in trims)
    assert done.of_type("warning") == []
    said = [event["prompt_tokens"] for event in done.of_type("llm_request")]
    assert said[3:] == counts[3:]
    assert all(
        request.json["messages"][1]["content"].endswith("Task: read on") or "<context>" in request.json["messages"][1]["content"]
        for request in server.chats
    )


def test_one_result_takes_at_most_its_share(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "big").write_text("word " * 4000)
    server.window = 4096
    server.script(answer(tool_calls=tool_call("read_file", {"path": "big"})), answer("long"))
    agentic("run", "read", "--endpoint", server.url, *NATIVE)
    result = server.chats[1].json["messages"][-1]["content"]
    assert len(result) // 4 <= Budget(4096, 1024).result
    assert "characters left out: recall" in result


def test_two_trims_within_three_turns_stop_with_advice(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "AGENTS.md").write_text("")
    server.window = 2048
    words = " ".join(f"w{i}" for i in range(420))
    server.otherwise = lambda request: answer(
        words, tool_calls=tool_call("run", {"command": f"seq {len(server.chats)} 400"}, call_id=f"c{len(server.chats)}")
    )
    done = agentic("run", "count", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 1
    assert "twice within 3 turns" in done.err
    assert "--max-model-len" in done.err


def test_a_task_larger_than_the_window_is_shortened_by_the_model(agentic: Agentic, server: FakeVLLM) -> None:
    server.window = 4096
    server.otherwise = lambda request: answer(
        "in short" if "Say the following" in request.json["messages"][0]["content"] else "done"
    )
    task = "Read this: " + "data and more data " * 1500 + "Then say done."
    done = agentic("run", task, "--endpoint", server.url, *NATIVE)
    assert done.code == 0, done.err
    assert max(count_tokens(request) for request in server.chats) <= 3072
    sent = server.chats[-1].json["messages"][1]["content"]
    assert "in short" in sent
    assert sent.endswith("Then say done.")


def test_an_answer_that_ends_with_the_window_is_an_overflow(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """0.32 clamps silently: `length` after fewer tokens than were asked for means that the window was full."""
    reads = [answer(tool_calls=tool_call("run", {"command": f"seq {i} 900"}, call_id=f"c{i}")) for i in range(4)]
    server.script(*reads, answer("cut of", finish="length", completion_tokens=3), answer("whole"))
    done = agentic("run", "look", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.of_type("run_finished")[0]["result"] == "whole"
    assert len(done.of_type("context_trimmed")) == 1
    bodies = [request.body for request in server.chats]
    assert len(bodies) == len(set(bodies))


OVERFLOWS = [
    "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens, which exceeds this limit even without any output tokens",
    "Your prompt contains 90000 characters (more than 80000 characters, which is the upper bound for 4096 tokens)",
    "max_tokens=5000 cannot be greater than max_model_len=4096",
    "This model's maximum context length is 4096 tokens. However, you requested 1024 output tokens and your prompt contains at least 4000 input tokens",
    "Input length (5000) exceeds model's maximum context length (4096).",
]


@pytest.mark.parametrize("words", OVERFLOWS)
def test_every_wording_of_an_overflow_shrinks_once(agentic: Agentic, server: FakeVLLM, words: str) -> None:
    reads = [answer(tool_calls=tool_call("run", {"command": f"seq {i} 900"}, call_id=f"c{i}")) for i in range(4)]
    server.script(*reads, error(400, words), answer("fine"))
    done = agentic("run", "look", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 0, done.err
    bodies = [request.body for request in server.chats]
    assert len(bodies[-1]) < len(bodies[-2])
    assert len(bodies) == len(set(bodies))


def test_debug_says_where_the_tokens_are(agentic: Agentic, server: FakeVLLM) -> None:
    done = agentic("run", "hi", "--endpoint", server.url, "--debug", "-c", "tools.protocol=native")
    assert "tier nano; counted by /tokenize" in done.err
    assert "system " in done.err


def test_effort_is_frozen_for_a_session(agentic: Agentic, server: FakeVLLM) -> None:
    agentic("run", "hi", "--endpoint", server.url, "-c", "llm.reasoning_effort=low", *NATIVE)
    agentic("run", "again", "--continue", "--endpoint", server.url, "-c", "llm.reasoning_effort=high", *NATIVE)
    assert [request.json["reasoning_effort"] for request in server.chats] == ["low", "low"]
