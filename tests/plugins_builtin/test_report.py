"""A report: what helps, and nothing that is nobody's business."""

import zipfile
from pathlib import Path

from agentic.testing import FakeVLLM, answer
from tests.conftest import Agentic

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"


def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as made:
        return {name: made.read(name).decode() for name in made.namelist()}


def test_it_has_what_helps_and_no_key(agentic: Agentic, server: FakeVLLM, work: Path, env: dict[str, str]) -> None:
    log = work / "log.txt"
    log.write_text(f"a line with {KEY}\n")
    server.otherwise = lambda request: answer("the secret plan")
    assert agentic("ask", "what is the plan?", "--endpoint", server.url).code == 0
    server.otherwise = lambda request: answer("ok")
    more = {"AGENTIC_LLM_API_KEY": KEY, "AGENTIC_LLM_ENDPOINTS": server.url}
    done = agentic("report", "--log", str(log), more=more)
    assert done.code == 0, done.err
    found = parts(work / "agentic-report.zip")
    assert {"versions.txt", "config.txt", "plugins.txt", "doctor.txt", "log.txt"} == set(found)
    assert "agentic-vllm" in found["versions.txt"] and "llm.endpoints" in found["config.txt"] and server.url in found["doctor.txt"]
    assert "a line with" in found["log.txt"]
    together = "".join(found.values())
    assert KEY not in together and env["HOME"] not in together and "the secret plan" not in together


def test_a_transcript_goes_along_where_it_is_asked_for(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.otherwise = lambda request: answer("the secret plan")
    agentic("run", "what is the plan?", "--endpoint", server.url)
    assert agentic("report", "--transcript", "-o", "mine.zip").code == 0
    assert "the secret plan" in parts(work / "mine.zip")["transcript.md"]
    again = agentic("report", "-o", "mine.zip")
    assert again.code == 2 and "exists already" in again.err
