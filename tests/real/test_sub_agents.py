"""Sub-agents on real servers and a real model."""

import asyncio
import json
import secrets
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from agentic.api import Screen, load_settings, open_run
from agentic.core.approval import ApprovalMode
from agentic.core.conversation import OpenConversation
from agentic.sessions import SessionStore
from agentic.types import Plan, Subtask
from tests.children import TASK
from tests.conftest import Agentic


def test_four_parts_run_at_once_and_begin_in_the_cache(endpoints: list[str], tmp_path: Path) -> None:
    """By the server's own counts: four requests at once, and nine tenths of what the children share came from its cache."""
    url = endpoints[0]
    (tmp_path / "AGENTS.md").write_text(f"{secrets.token_hex(4)}\n" + "Say what is certain first, then what is likely.\n" * 24)
    options = {
        "llm.endpoints": [url], "llm.transport": "vllm", "tools.protocol": "native", "context.context_window": 4096,
        "context.reserved_for_response": 128, "sub_agents.subtask_max_iterations": 1,
    }  # fmt: skip

    async def run() -> tuple[str, int, float, set[str]]:
        told = StringIO()
        async with open_run(tmp_path, load_settings(tmp_path, options), Screen("jsonl", told)) as runtime:
            session = SessionStore(tmp_path / "sessions").new(tmp_path)
            async with OpenConversation.open(runtime, session, ApprovalMode("none")) as conversation:
                await conversation.warm()
                mark = secrets.token_hex(4)
                plan = Plan(tuple(Subtask(f"p{number}", f"Explain the number {number} ({mark})") for number in range(4)))
                whole, most = asyncio.ensure_future(conversation.delegation.carry_out(plan, "Explain numbers.")), 0
                while not whole.done():
                    most = max(most, (await runtime.transport.load(url)).running)  # type: ignore[attr-defined]
                    await asyncio.sleep(0.02)
                opening = (await runtime.transport.count_tokens(conversation.agent.opening(), url)).tokens  # type: ignore[attr-defined]
            session.close()
        events = [json.loads(line) for line in told.getvalue().splitlines()]
        cached = min(event["cached_tokens"] for event in events if event["type"] == "usage")
        speaking = {event["agent"] for event in events if event["type"] == "llm_chunk"}
        return (await whole).summary, most, min(cached, opening) / opening, speaking

    report, most, shared, speaking = asyncio.run(run())
    assert "(4 sub-agents:" in report
    assert most >= 4
    assert shared >= 0.9
    assert speaking == {"sub-p0", "sub-p1", "sub-p2", "sub-p3"}


def test_a_full_stack_application(gguf: str, agentic: Agentic, work: Path) -> None:
    """Test Case 2: four parts side by side become one result; its Python compiles, and pytest collects its tests."""
    if "qwen" not in Path(gguf).name.lower():
        pytest.skip("NO MODEL THAT WRITES PROGRAMS: set AGENTIC_TEST_GGUF to qwen2.5-coder-1.5b")
    pytest.importorskip("fastapi", reason="NO FASTAPI: pip install fastapi httpx sqlalchemy psycopg2-binary")
    done = agentic("run", TASK, f"--local={gguf}", "--approve", "all", "--output", "jsonl", seconds=900)
    assert done.of_type("complexity")[0]["score"] > 0.7
    (plan,) = done.of_type("plan")
    assert len(plan["subtasks"]) == 4
    for word in ("react", "fastapi", "postgresql", "test"):
        assert word in json.dumps(plan["subtasks"]).lower()
    speaking = {event["agent"] for event in done.of_type("llm_chunk")}
    assert {f"sub-{subtask['id']}" for subtask in plan["subtasks"]} <= speaking
    (finished,) = done.of_type("run_finished")
    assert "(4 sub-agents:" in finished["result"]
    sources = [path for path in work.rglob("*.py") if "test" not in path.name]
    assert sources
    for path in sources:
        compile(path.read_text(), path.name, "exec")
    collected = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q"], cwd=work, capture_output=True, text=True)
    assert collected.returncode == 0, collected.stdout
