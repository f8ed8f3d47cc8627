"""`agentic eval`: tasks of the user's own in fresh folders, hidden checks, what is done is not done again, two settings compared."""

import json
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.evaluation.statistics import interval, sign_test
from tests.conftest import Agentic


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Three tasks: a word to write into a file that is there; the checks see what the agent does not."""
    folder = tmp_path / "tasks"
    for name in ("one", "three", "two"):
        (folder / name / "files").mkdir(parents=True)
        (folder / name / "files" / "a.txt").write_text("old\n")
        (folder / name / "task.txt").write_text(f"write {name} into a.txt\n")
        (folder / name / "hidden.txt").write_text(f"{name}\n")
        (folder / name / "check.txt").write_text('cmp a.txt "$TASK/hidden.txt"\n')
    return folder


def model(request: Request) -> ScriptedAnswer:
    """It does "one" always, "two" only when it is warm, "three" never."""
    if request.json["messages"][-1]["role"] == "tool":
        return answer("done")
    text = str(request.json["messages"][-1]["content"])
    word = next(name for name in ("one", "two", "three") if f"write {name}" in text)
    warm = request.json.get("temperature") == 0.9
    right = word == "one" or (word == "two" and warm)
    return answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": f"{word if right else 'wrong'}\n"}))


def words(server: FakeVLLM) -> tuple[str, ...]:
    return ("--", "--approve", "all", "--no-sandbox", "--endpoint", server.url, "-c", "tools.protocol=native")


def test_two_settings_are_compared_on_the_same_tasks(agentic: Agentic, server: FakeVLLM, tasks: Path, work: Path) -> None:
    server.otherwise = model
    done = agentic("eval", str(tasks), "--against", "llm.temperature=0.9", "--jobs", "3", "--html", "e.html", *words(server))
    assert done.code == 0, done.err
    first, second = (line.split() for line in done.out.splitlines()[1:3])
    assert first[:4] == ["first", "1", "of", "3"] and second[:4] == ["second", "2", "of", "3"]
    assert "of 3 tasks the first alone solves 0, the second alone 1" in done.out
    assert "may be chance (exact sign test, p = 1)" in done.out and "the second alone: two" in done.out
    page = (work / "e.html").read_text()
    assert "<td>two</td><td>not solved (unchecked" in page
    assert (tasks / "one" / "files" / "a.txt").read_text() == "old\n", "the tasks stay as they are"


def test_what_stands_in_the_results_is_not_done_again(agentic: Agentic, server: FakeVLLM, tasks: Path, work: Path) -> None:
    server.otherwise = model
    assert agentic("eval", str(tasks), *words(server)).code == 0
    rows = [json.loads(line) for line in (work / "eval.jsonl").read_text().splitlines()]
    assert [(row["task"], row["solved"], row["status"]) for row in rows] == [
        ("one", True, "unchecked"), ("three", False, "unchecked"), ("two", False, "unchecked")
    ]  # fmt: skip
    asked = len(server.chats)
    with open(work / "eval.jsonl", "a") as file:
        file.write('{"key": "cut o')  # by a kill
    again = agentic("eval", str(tasks), *words(server))
    assert "3 tasks, 0 runs to do, 3 results stand in eval.jsonl" in again.err
    assert len(server.chats) == asked and "1 of 3" in again.out
    (tasks / "two" / "task.txt").write_text("write one into a.txt, I mean two\n")
    assert "3 tasks, 1 runs to do" in agentic("eval", str(tasks), *words(server)).err
    assert "3 tasks, 0 runs to do" in agentic("eval", str(tasks), *words(server)).err, "a row after a cut one can be read"


WRONG = {
    "no tasks": (lambda tasks: [(path / "task.txt").unlink() for path in tasks.iterdir()], "no folder in it has a task.txt"),
    "no check": (lambda tasks: (tasks / "one" / "check.txt").unlink(), "a command in check.txt"),
    "a note": (lambda tasks: Path("eval.jsonl").write_text("milk, eggs"), "line 1: that is no result of an evaluation"),
    "other results": (lambda tasks: Path("eval.jsonl").write_text('{"a": 1}\n{"b": 2}\n'), "is no result of an evaluation"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_said_in_a_line(
    agentic: Agentic, server: FakeVLLM, tasks: Path, work: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    spoil, why = WRONG[name]
    spoil(tasks)  # type: ignore[operator]
    done = agentic("eval", str(tasks), *words(server))
    assert done.code == 2 and why in done.err


def test_a_run_that_cannot_begin_is_no_result(agentic: Agentic, tasks: Path, work: Path) -> None:
    done = agentic("eval", str(tasks), "--", "--endpoint", "http://127.0.0.1:9", "-c", "llm.retry_seconds=0")
    assert done.code == 1 and done.err.count("could not be run") == 3
    assert not (work / "eval.jsonl").exists()


def test_how_sure_a_count_is() -> None:
    assert [round(end, 3) for end in interval(0, 0)] == [0, 1]
    assert [round(end, 3) for end in interval(6, 8)] == [0.409, 0.929]
    assert (sign_test(0, 0), sign_test(0, 6), sign_test(5, 5)) == (1.0, 0.03125, 1.0)
