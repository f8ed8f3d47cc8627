"""gpt-oss behind a real vLLM that says what scenarios script, where one is up."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Agentic
from tests.real.conftest import needed

# The scenario's name, and what is in a.txt when the run is over. Each says it in another way that gpt-oss was seen to take.
SAYS = {
    "s01": "a call", "s02": "a preamble", "s05": "the recipient first", "s06d": "the format glued to the name", "s09": "the recipient twice",
    "s10b": "no name", "s11": "container.exec", "s12": "repo_browser", "s13": "Python", "s15c": "a patch that is no JSON",
    "s15f": "a patch in a shell line", "s18b": "no marks between thoughts and call", "s31": "arguments without a recipient",
}  # fmt: skip


@pytest.fixture(scope="session")
def gpt_oss() -> str:
    """A server with the real architecture and vocabulary, and scripted tokens."""
    how = "NO SCRIPTED gpt-oss: set AGENTIC_TEST_GPT_OSS=http://localhost:8001/v1 and AGENTIC_TEST_GPT_OSS_STATE=ITS FOLDER"
    return needed("AGENTIC_TEST_GPT_OSS", how)


def begin(name: str) -> None:
    """The scenario from its first answer on."""
    state = Path(needed("AGENTIC_TEST_GPT_OSS_STATE", "where the scripted server counts what it said"))
    (state / "given" / f"{name}.json").unlink(missing_ok=True)


@pytest.mark.parametrize("name", SAYS)
def test_what_it_says_is_done_and_nothing_is_computed_twice(agentic: Agentic, gpt_oss: str, work: Path, name: str) -> None:
    begin(name)
    (work / "b.txt").write_text("old\n")
    log = work.parent / "log"
    more = ("--approve", "all", "--no-sandbox", "--log", str(log), "--output", "jsonl")
    done = agentic("run", f"@@{name}@@ Write a.txt.", "--endpoint", gpt_oss, *more, seconds=120)
    assert (work / "a.txt").read_text() == "one\n" and done.code == 0, done.out + done.err
    counted = [int(each) for each in re.findall(r"turn of (\d+) tokens to", log.read_text())]
    used = re.findall(r"turn answered in \S+ s: (\d+) prompt tokens, (\d+) cached, (\d+) made", log.read_text())
    assert counted == [int(prompt) for prompt, _, _ in used]
    if name == "s31":  # the thoughts before a text are dropped by harmony's rule
        return
    for (prompt, _, made), (_, cached, _) in pairwise(used):
        possible = (int(prompt) + int(made) - 1) // 32 * 32
        assert int(cached) >= possible - 32, used


def test_doctor_tells_what_is_lost_and_what_is_cached(agentic: Agentic, gpt_oss: str) -> None:
    done = agentic("doctor", "--endpoint", gpt_oss, "--output", "jsonl", seconds=200)
    found = {each["check"]: each for each in map(json.loads, done.out.splitlines())}
    assert found["second turn"]["ok"] and "in ids" in found["second turn"]["text"]
