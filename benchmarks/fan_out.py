"""Four equal parts on sub-agents against the same four one after another, on a real vLLM.

    python benchmarks/fan_out.py URL

The parts answer a question each, through all that a sub-agent goes through; the server says how many run and what was cached.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from agentic.api import Screen, load_settings, open_run
from agentic.core.approval import ApprovalMode
from agentic.core.conversation import OpenConversation
from agentic.sessions import SessionStore
from agentic.types import Plan, Subtask

ANSWER = 64  # tokens; answers that end before are no equal parts, and the run is made again
RULES = "Write short sentences and say what is certain, then what is likely, then what is only thought.\n" * 16
QUESTIONS = ("how bread is made", "how a lighthouse works", "how paper is made", "how a sailing ship turns")


async def run(url: str, at_once: int) -> tuple[float, float, int]:
    """(seconds, the least share of the common beginning that a child had from cache, most requests that ran at once)."""
    options = {
        "llm.endpoints": [url],
        "llm.transport": "vllm",
        "tools.protocol": "native",
        "context.context_window": 4096,
        "context.reserved_for_response": ANSWER,
        "llm.temperature": 0.0,
        "sub_agents.max_concurrent": at_once,
        "sub_agents.subtask_max_iterations": 1,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "AGENTS.md").write_text(f"{secrets.token_hex(4)}\n{RULES}")  # a beginning as long as a real one, and cold
        told = StringIO()
        async with open_run(folder, load_settings(folder, options), Screen("jsonl", told)) as runtime:
            session = SessionStore(folder / "sessions").new(folder)
            async with OpenConversation.open(runtime, session, ApprovalMode("none")) as conversation:
                await conversation.warm()
                mark = secrets.token_hex(4)
                plan = Plan(tuple(Subtask(f"p{number}", f"Explain {what} ({mark})") for number, what in enumerate(QUESTIONS)))
                started, most = time.monotonic(), 0
                whole = asyncio.ensure_future(conversation.delegation.carry_out(plan, "Explain things."))
                while not whole.done():
                    most = max(most, (await runtime.transport.load(url)).running)  # type: ignore[attr-defined]
                    await asyncio.sleep(0.05)
                seconds = time.monotonic() - started
                opening = (await runtime.transport.count_tokens(conversation.agent.opening(), url)).tokens  # type: ignore[attr-defined]
            session.close()
            usages = [event for event in map(json.loads, told.getvalue().splitlines()) if event["type"] == "usage"]
            shared = min(min(event["cached_tokens"], opening) for event in usages) / opening
            if any(event["completion_tokens"] != ANSWER for event in usages):
                return await run(url, at_once)
            return seconds, shared, most


async def main(url: str) -> None:
    await run(url, 4)
    one_by_one = await run(url, 1)
    together = await run(url, 4)
    ratio = f"{together[0] / one_by_one[0]:.2f} (reach 0.5)"
    print(f"four parts: {together[0]:.1f} s at once, {one_by_one[0]:.1f} s one after another: {ratio}")
    print(f"  most that ran at once, by the server's own count: {together[2]} (reach 4)")
    print(f"  of the beginning that the children share {together[1]:.0%} came from cache (reach 90)")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
