"""Every request to a model passes one place: the plugins see it, the defaults apply, and what it cost is told."""

import json
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from agentic.testing.answers import Request, ScriptedAnswer
from tests.conftest import Agentic

REDACTOR = """
import json, os
from dataclasses import replace
from agentic import hookimpl

@hookimpl
async def agentic_before_request(request):
    with open(os.environ["SEEN"], "a") as file:
        file.write(request.purpose + "\\n")
    messages = tuple(message.with_text(message.text.replace("hunter2", "(secret)")) for message in request.messages)
    return replace(request, messages=messages)
"""
NATIVE = ("-c", "tools.protocol=native")


@pytest.fixture
def redactor(tmp_path: Path) -> dict[str, str]:
    """The environment with a plugin that takes a secret out of every request and notes what each was for."""
    folder = tmp_path / "plugins"
    info = folder / "agentic_redact-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "agentic_redact.py").write_text(REDACTOR)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-redact\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\nredact = agentic_redact\n")
    return {"PYTHONPATH": str(folder), "SEEN": str(tmp_path / "seen")}


def bodies(server: FakeVLLM) -> str:
    return "\n".join(request.body.decode() for request in server.requests)


def purposes(more: dict[str, str]) -> set[str]:
    return set(Path(more["SEEN"]).read_text().split())


def test_no_request_of_a_run_passes_the_plugins_by(
    agentic: Agentic, server: FakeVLLM, work: Path, redactor: dict[str, str]
) -> None:
    """Turns, votes, the plan, the probe of what the model can do, and the counting of tokens."""
    (work / "notes.txt").write_text("hunter2\n" * 2000)
    subtasks = [
        {"id": name, "title": name, "objective": f"write {name}.txt with hunter2", "output": "", "done_check": "", "reads": [],
         "writes": [f"{name}.txt"], "depends_on": [], "priority": 0}
        for name in ("one", "two")
    ]  # fmt: skip

    def reply(request: Request) -> ScriptedAnswer:
        body = request.json
        if body.get("response_format"):
            text = json.dumps({"subtasks": subtasks, "check": "", "isolation": "none"})
            return answer(text if "Decompose" in str(body["messages"]) else '{"kind": "separable"}')
        if body.get("tools") and len(body["messages"]) == 1:
            return answer(tool_calls=tool_call("report", {"word": "ready"}))
        if body.get("tools") and len(body["messages"]) == 2:
            return answer(tool_calls=tool_call("read_file", {"path": "notes.txt"}))
        return answer("done with hunter2")

    server.otherwise = reply
    task = "Build the one.txt part and the two.txt part with hunter2 in them"
    done = agentic("run", task, "--endpoint", server.url, "--sub-agents", "--approve", "all", more=redactor)
    assert done.code in (0, 1), done.err
    assert "hunter2" not in bodies(server)
    assert server.requests_to("/tokenize")
    assert {"turn", "question", "probe", "count"} <= purposes(redactor)


@pytest.mark.parametrize("command", ["ask", "batch"])
def test_nor_do_questions_and_batches(
    agentic: Agentic, server: FakeVLLM, work: Path, redactor: dict[str, str], command: str
) -> None:
    (work / "in.jsonl").write_text('{"prompt": "the word is hunter2"}\n' * 3)
    arguments = ("ask", "the word is hunter2") if command == "ask" else ("batch", "in.jsonl", "-o", "out.jsonl")
    assert agentic(*arguments, "--endpoint", server.url, more=redactor).code == 0
    assert "(secret)" in bodies(server)
    assert "hunter2" not in bodies(server)
    assert command in purposes(redactor)


@pytest.mark.parametrize("command", ["ask", "batch", "run"])
def test_the_configured_defaults_apply_to_every_request(
    agentic: Agentic, server: FakeVLLM, work: Path, home: Path, command: str
) -> None:
    (home / ".config/agentic").mkdir(parents=True)
    (home / ".config/agentic/config.toml").write_text(
        "[llm]\ntemperature = 0.25\ntop_p = 0.5\nseed = 7\nmax_tokens = 99\nreasoning_effort = 'low'\n"
        "[llm.extra_body]\ntop_k = 3\nchat_template_kwargs = {thinking = false}\n"
    )
    (work / "in.jsonl").write_text('{"prompt": "hi"}\n')
    arguments = {"ask": ("ask", "hi"), "run": ("run", "hi", *NATIVE), "batch": ("batch", "in.jsonl", "-o", "out.jsonl")}
    assert agentic(*arguments[command], "--endpoint", server.url).code == 0
    body = server.chats[-1].json
    sent = [body[name] for name in ("temperature", "top_p", "seed", "max_tokens", "reasoning_effort", "top_k")]
    assert sent == [0.25, 0.5, 7, 99, "low", 3]
    assert body["chat_template_kwargs"] == {"thinking": False}


def test_a_lines_own_fields_come_before_the_defaults(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "in.jsonl").write_text('{"prompt": "hi", "temperature": 0.9, "seed": 1, "max_tokens": 5}\n')
    options = ("-c", "llm.temperature=0.1", "-c", "llm.seed=2", "-c", "llm.top_p=0.3")
    assert agentic("batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", server.url, *options).code == 0
    body = server.chats[0].json
    assert (body["temperature"], body["seed"], body["max_tokens"], body["top_p"]) == (0.9, 1, 5, 0.3)


def test_nothing_is_sent_of_what_is_not_set(agentic: Agentic, server: FakeVLLM) -> None:
    agentic("ask", "hi", "--endpoint", server.url)
    assert {"temperature", "top_p", "seed", "reasoning_effort"} & set(server.chats[0].json) == set()


@pytest.mark.parametrize("option", [("--approve", "all"), ("--sub-agents",), ("--max-iterations", "3"), ("--output", "jsonl")])
def test_batch_takes_no_option_that_would_have_no_effect(
    agentic: Agentic, server: FakeVLLM, work: Path, option: tuple[str, ...]
) -> None:
    (work / "in.jsonl").write_text('{"prompt": "hi"}\n')
    done = agentic("batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", server.url, *option)
    assert done.code == 2
    assert option[0] in done.err
    assert server.chats == []


def test_what_every_request_cost_is_told(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("hi", prompt_tokens=12, cached_tokens=4))
    done = agentic("ask", "hi", "--endpoint", server.url, "--output", "jsonl")
    (request,), (usage,) = done.of_type("llm_request"), done.of_type("usage")
    assert request["purpose"] == "ask"
    assert (usage["prompt_tokens"], usage["cached_tokens"]) == (12, 4)


def test_the_log_has_a_line_for_each_thing_and_no_secret(
    agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM, work: Path
) -> None:
    dead = second_server.url
    second_server.close()
    more = {"AGENTIC_LLM_API_KEY": "sk-canary", "AGENTIC_LOG": str(work / "log")}
    assert agentic("ask", "hi", "--endpoint", dead, "--endpoint", server.url, more=more).code == 0
    lines = (work / "log").read_text().splitlines()
    assert any(" agentic.llm: ask of " in line and server.url in line for line in lines)
    assert any(" agentic.llm: ask answered in " in line for line in lines)
    assert any(" agentic.batching: " in line and dead in line for line in lines)
    assert "sk-canary" not in "".join(lines)


def test_a_log_that_cannot_be_written_is_said(agentic: Agentic, server: FakeVLLM) -> None:
    done = agentic("ask", "hi", "--endpoint", server.url, "--log", "/no/such/folder/log")
    assert done.code == 2
    assert "--log /no/such/folder/log cannot be written" in done.err
