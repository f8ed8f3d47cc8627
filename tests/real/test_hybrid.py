"""A hybrid model in miniature behind a real vLLM: what of each prompt can come from its cache, and what does.

VLLM=ENVIRONMENT tests/real/hybrid/serve 8011 /tmp/script.json
AGENTIC_TEST_HYBRID=http://localhost:8011/v1 AGENTIC_TEST_HYBRID_SCRIPT=/tmp/script.json pytest tests/real/test_hybrid.py
"""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Agentic
from tests.real.conftest import needed

CALL = "I read it.\n</think>\n\n<tool_call>\n<function=read_file>\n<parameter=path>\n{}.txt\n</parameter>\n</function>\n</tool_call><|im_end|>"
OPTIONS = ("--approve", "all", "--no-sandbox", "--output", "jsonl", "-c", "tools.protocol=native")


@pytest.fixture(scope="session")
def hybrid() -> str:
    return needed("AGENTIC_TEST_HYBRID", "NO HYBRID MODEL: tests/real/hybrid/serve starts one, set AGENTIC_TEST_HYBRID to its URL")


def script(*steps: str) -> str:
    """Has the server say these steps where a prompt has the mark, which is returned."""
    mark = f"mark-{secrets.token_hex(4)}"
    path = needed("AGENTIC_TEST_HYBRID_SCRIPT", "the file that the server was started with")
    Path(path).write_text(json.dumps({"mark": mark, "steps": steps}))
    return mark


def usages(events: Sequence[dict[str, object]]) -> list[tuple[int, int, int]]:
    """(prompt, possible, cached) of each request."""
    told = [event for event in events if event["type"] == "usage"]
    return [(_count(event, "prompt_tokens"), _count(event, "possible_tokens"), _count(event, "cached_tokens")) for event in told]


def _count(event: dict[str, object], name: str) -> int:
    found = event[name]
    return found if isinstance(found, int) else 0


def test_of_ten_steps_all_that_is_possible_comes_from_the_cache(agentic: Agentic, hybrid: str, work: Path) -> None:
    """The family is known by the prompts, its calls are parsed, and the screen says what of the possible was found."""
    for number in range(1, 10):
        (work / f"{number}.txt").write_text(f"Part {number}. " + "the quick brown fox jumps over the lazy dog " * 40)
    mark = script(*(CALL.format(number) for number in range(1, 10)), "That is all.\n</think>\n\nI read nine files.<|im_end|>")
    done = agentic("run", f"Read all files. {mark}", "--endpoint", hybrid, *OPTIONS, seconds=300)
    told = usages(done.events)
    print(told)
    assert len(told) == 10 and done.code == 0, done.err
    possible, cached = sum(each[1] for each in told), sum(min(each[1:]) for each in told)
    assert possible and cached >= 0.95 * possible, told


def test_the_next_session_finds_the_whole_opening(agentic: Agentic, hybrid: str) -> None:
    mark = script("Yes.\n</think>\n\nNothing to do.<|im_end|>")
    found = []
    for task in ("What is here?", "Say what this folder is for."):
        done = agentic("run", f"{task} {mark}", "--endpoint", hybrid, *OPTIONS, seconds=120)
        found.append(usages(done.events)[-1])
    print(found)
    assert found[1][2] >= 0.9 * found[1][0], found


def test_a_thought_without_end_is_ended_by_the_server(agentic: Agentic, hybrid: str) -> None:
    """vLLM forces the end at the budget; the answer comes in the same request."""
    mark = script(" ".join(f"why{number}" for number in range(3000)) + "\n</think>\n\nIt is 4.<|im_end|>")
    more = ("-c", "llm.thinking_tokens=200", "-c", "llm.max_tokens=1000")
    done = agentic("run", f"What is 2 + 2? {mark}", "--endpoint", hybrid, *OPTIONS, *more, seconds=200)
    used = [event for event in done.events if event["type"] == "usage"]
    assert "It is 4." in done.out and len(used) == 1 and int(str(used[0]["completion_tokens"])) < 260, used
