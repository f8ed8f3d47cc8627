"""A fan-out of an author's own that looks at attempts in their trees before anything is merged."""

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from agentic import Outcome, Parts, Plan, Provider, Sampling, hookimpl
from agentic.events import RunFinished, SubAgentFinished
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, run_in_process, tool_call
from tests.children import part
from tests.modules import module_with

CHECK = "grep -q right a.txt"


class BestOfTwo:
    """The first attempt that passes the check is merged; the others leave nothing behind."""

    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
        found = []
        for subtask in plan.subtasks:
            outcome = Outcome("failed", "no attempt passed")
            for number in range(2):
                async with spawn.attempt(subtask, Sampling(0.1 + number, seed=number)) as attempt:
                    await attempt.run()
                    if not (await attempt.check(CHECK)).failed:
                        outcome = await attempt.merge()
                        break
            found.append(outcome)
        return [*found[:-1], Outcome("not_needed", "the first part did it")]


@pytest.fixture
def plugin() -> ModuleType:
    @hookimpl
    def agentic_fan_outs() -> list[Provider[BestOfTwo]]:
        return [Provider("best-of-two", "two attempts", lambda setup: BestOfTwo())]

    agentic_fan_outs.__module__ = "best_of_two"
    return module_with("best_of_two", agentic_fan_outs=agentic_fan_outs)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "README").write_text("a project\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_it_decides_before_anything_is_merged(plugin: ModuleType, repository: Path) -> None:
    texts = iter(["wrong", "right", "wrong", "wrong"])
    plan = [part("a"), part("b")]

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if messages[0]["content"].startswith("Decompose"):
            return answer('{"subtasks": ' + str(plan).replace("'", '"') + "}")
        if messages[-1]["role"] == "tool" or "You do one part" not in str(messages[1]["content"]):
            return answer("done")
        return answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": next(texts, "wrong")}))

    settings = {"sub_agents.always": True, "sub_agents.fan_out": "best-of-two", "approval.mode": "all", "sandbox.mode": "off"}
    with FakeVLLM() as server:
        events = run_in_process("build it", reply, settings, root=repository, server=server, plugins=[plugin])
        sampled = [(request.json.get("temperature"), request.json.get("seed")) for request in server.chats]
    (end,) = [event for event in events if isinstance(event, RunFinished)]
    assert (repository / "a.txt").read_text() == "right"
    assert sorted(path.name for path in repository.iterdir() if path.name != ".git") == ["README", "a.txt"]
    assert len([event for event in events if isinstance(event, SubAgentFinished)]) == 4
    assert {(0.1, 0), (1.1, 1)} <= set(sampled)
    assert "not needed" in end.result and "Not done" not in end.result
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == 1
