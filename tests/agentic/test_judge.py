"""The judgement: bug reports in any words are accepted, nothing that a task mentions is run, nothing is said twice."""

from pathlib import Path

import pytest

from agentic.events import Event, RunFinished, ToolCalled
from agentic.testing import FakeVLLM, answer, run_in_process, tool_call
from tests.conftest import Agentic
from tests.terminal import terminal

MEDIAN = "def median(values):\n    ordered = sorted(values)\n    return ordered[len(ordered) // 2]\n"
FIXED = (
    "def median(values):\n    ordered = sorted(values)\n    middle = len(ordered) // 2\n"
    "    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2\n"
)
REPORTS = [
    "Fix stats.py: median([1,2,3,4]) returns 3, but it should return 2.5",
    ">>> median([1,2,3,4])\n3\n\nThis is wrong.",
    "stats.py의 median 함수 버그를 고쳐 주세요. 짝수 개일 때 결과가 이상해요.",
]


DONE = ("done", "unchecked")


def work_on(task: str, server: FakeVLLM, work: Path) -> tuple[RunFinished, list[Event]]:
    """How a run ended in which everything is allowed, and all that happened."""
    settings = {"approval.mode": "all", "plugin.after_edit.format": "never"}  # where a formatter is installed, or not
    events = run_in_process(task, settings=settings, root=work, server=server)
    assert isinstance(events[-1], RunFinished)
    return events[-1], events


@pytest.mark.parametrize("report", REPORTS)
def test_a_bug_report_is_done_when_the_bug_is_mended(server: FakeVLLM, work: Path, report: str) -> None:
    (work / "stats.py").write_text(MEDIAN)
    server.script(answer(tool_calls=tool_call("write_file", {"path": "stats.py", "content": FIXED})))
    server.otherwise = lambda request: answer("Mended.")
    finished, _ = work_on(report, server, work)
    assert finished.status in DONE and finished.result.startswith("Mended.")
    assert len(server.chats) <= 3, "one call more than the model needs, at the most"
    told = [message["content"] for chat in server.chats for message in chat.json["messages"][2:] if message["role"] == "user"]
    assert not any("must give" in text for text in told)


COMMANDS = [
    "`./deploy.sh --prod` prints ERROR on staging. Fix the message in a.py",
    "`python3 deploy.py add TEXT` adds a line. `python3 deploy.py list` prints all.",
    "```bash\n./deploy.sh --prod\n```\nfails because of a.py, and so do `make deploy` and `node deploy.js`",
]


@pytest.mark.parametrize("task", COMMANDS)
def test_nothing_that_a_task_mentions_is_run(server: FakeVLLM, work: Path, task: str) -> None:
    """Whatever would run leaves a mark; the model asks for no command."""
    for name in ("deploy.sh", "deploy.py", "deploy.js"):
        (work / name).write_text("#!/bin/sh\ntouch ran\n" if name.endswith("sh") else "open('ran', 'w')\n")
        (work / name).chmod(0o755)
    (work / "Makefile").write_text("deploy:\n\ttouch ran\n")
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "x = 1\n"})))
    server.otherwise = lambda request: answer("Mended.")
    finished, events = work_on(task, server, work)
    assert finished.status in DONE
    assert not (work / "ran").exists()
    assert not any("deploy" in str(event.arguments) for event in events if isinstance(event, ToolCalled))


def test_the_same_is_never_said_twice(server: FakeVLLM, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model goes on writing what fails in the same way."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (work / "test_a.py").write_text("from a import x\n\n\ndef test_x():\n    assert x == 2\n")
    contents = iter(f"x = 3  # {number}\n" for number in range(100))

    def reply(request: object) -> object:
        last = server.chats[-1].json["messages"][-1]
        if last["role"] == "tool":
            return answer("done")
        return answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": next(contents)}))

    server.otherwise = reply  # type: ignore[assignment]
    finished, _ = work_on("make the test pass", server, work)
    assert finished.status == "gave_up"
    told = [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "user"]
    assert len(told) == len(set(told)) == 2


def test_a_command_of_the_models_own_that_failed_last_is_told(server: FakeVLLM, work: Path) -> None:
    """It proves nothing, a program may end so on purpose; but nothing proves that it is right either."""
    write = answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "raise SystemExit(3)\n"}))
    server.script(write, answer(tool_calls=tool_call("run", {"command": "python3 a.py"})), answer("It runs."))
    finished, _ = work_on("write a.py", server, work)
    assert finished.status == "unchecked"
    assert finished.result == "It runs.\nNot checked: the last command, `python3 a.py`, failed."
    assert len(server.chats) == 3


def test_a_task_that_changes_nothing_is_not_nagged(server: FakeVLLM, work: Path) -> None:
    (work / "test_a.py").write_text("def test_never():\n    assert False\n")
    server.say("It is a small project.")
    finished, events = work_on("what is this?", server, work)
    assert (finished.status, len(server.chats)) == ("done", 1)
    assert not [event for event in events if isinstance(event, ToolCalled)]


def test_a_file_that_was_asked_for_and_is_not_there_is_named_once(server: FakeVLLM, work: Path) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "fruit.csv", "content": "a,1\n"})))
    server.otherwise = lambda request: answer("Wrote fruit.csv.")
    finished, _ = work_on("Write csvsum.py, which adds up fruit.csv", server, work)
    assert (finished.status, finished.result) == ("unchecked", "Wrote fruit.csv.\nNot there: csvsum.py.")
    assert len(server.chats) == 3
    assert "The task names csvsum.py" in server.chats[2].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    "task",
    ["Use os.path, e.g. os.path.join", "see example.com or v1.2", "call np.array on self.x, i.e. x.T", "a.b.c is odd", "3.py"],
)
def test_what_only_looks_like_a_file_is_none(server: FakeVLLM, work: Path, task: str) -> None:
    (work / "3.py").touch()
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "x = 1\n"})), answer("done"))
    finished, _ = work_on(task, server, work)
    assert finished.result.endswith("Edited a.py; nothing here tests it.")
    assert "The task names" not in str([request.json["messages"][-1]["content"] for request in server.chats])


def test_an_approved_edit_in_chat_costs_no_further_call(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """A turn that only edited ends with "not checked" and the command that would check it."""
    (work / "calc.py").write_text("x = 1\n")
    (work / "test_calc.py").write_text("import calc\n\n\ndef test_x():\n    assert calc.x == 2\n")
    server.script(answer(tool_calls=tool_call("edit_file", {"path": "calc.py", "old": "x = 1", "new": "x = 2"})))
    server.otherwise = lambda request: answer("x is 2 now.")
    with terminal(["--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: "›" in shown.text or ">" in shown.text)
        shown.type("make x 2 in calc.py\r")
        shown.until(lambda: shown.menu("Allow once"))
        shown.type("y")
        shown.until(lambda: "Not checked: `python3 -m pytest -q` would check it." in shown.text)
        assert len(server.chats) == 2
        shown.type("/quit\r")
        shown.until_ended()


CALC = {"calc.py": "x = 1\n", "test_calc.py": "import calc\n\n\ndef test_x():\n    assert calc.x == 2\n"}
EDIT = tool_call("edit_file", {"path": "calc.py", "old": "x = 1", "new": "x = 2"})


def calc(work: Path) -> None:
    for name, text in CALC.items():
        (work / name).write_text(text)


@pytest.mark.parametrize(
    ("command", "passes"),
    [
        ("python3 -m pytest -q", True),
        ("cd . && python3 -m pytest -q 2>&1", True),
        ("pytest -v --tb=short", True),
        ("python3 -m pytest -q -k nothing_of_it || true", False),
        ("python3 -m pytest test_calc.py", False),
        ("true", False),
    ],
)
def test_the_models_own_run_of_the_tests_counts(
    server: FakeVLLM, env: dict[str, str], work: Path, command: str, passes: bool
) -> None:
    """Where it passed, the user is not asked for the same once more; a part of the tests, or another command, proves nothing."""
    calc(work)
    server.script(answer(tool_calls=EDIT), answer(tool_calls=tool_call("run", {"command": command})))
    server.otherwise = lambda request: answer("x is 2 now.")
    with terminal(["--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: "›" in shown.text or ">" in shown.text)
        shown.type("make x 2 in calc.py\r")
        for what in ("edit_file calc.py", f"run {command}"):
            shown.until(lambda what=what: shown.menu("Allow once") and shown.menu(f"? {what}"[:50]))  # type: ignore[misc]
            shown.type("y")
        mark = "✓ done · calc.py" if passes else "• unchecked · calc.py"
        shown.until(lambda: mark in shown.text)
        assert ("Not checked: `python3 -m pytest -q` would check it." in shown.text) is not passes
        assert "✗" not in shown.text
        shown.type("/quit\r")
        shown.until_ended()


def test_a_checks_question_names_the_check_and_always_holds_for_the_next_run(
    server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    """The words that make its report have another path each time; the question shows them, and the rule does not keep them."""
    for content in ("x = 2\n", "x = 1 + 1\n"):
        calc(work)
        server.script(answer(tool_calls=tool_call("write_file", {"path": "calc.py", "content": content})), answer("x is 2 now."))
        with terminal(
            ["run", "make x 2", "--approve", "edits", "--endpoint", server.url, "-c", "tools.protocol=native"], env, work
        ) as shown:
            if content == "x = 2\n":
                shown.until(lambda: "allow? [y/N/a]" in shown.text)
                assert "? check the outcome with python3 -m pytest -q" in shown.text and "--junit-xml=" in shown.text
                shown.type("a")
                shown.until(lambda: "always (edit, then Enter): run(python3 -m pytest -q *)" in shown.text)
                shown.type("\r")
                shown.until(lambda: "in this project" in shown.text)
                shown.type("p")
            assert shown.until_ended() == 0
            assert "✓ done · calc.py" in shown.text


SAME = {
    "the same bytes": ("x = 1\n", "x = 1\n", "No file was changed.", "No file has changed"),
    "a blank line": ("x = 1\n", "\nx = 1  \n\n", "Only comments and blank lines were changed.", "In a.py only comments"),
    "a comment": ("x = 1\n", "# one\nx = 1\n", "Only comments and blank lines were changed.", "In a.py only comments"),
}


@pytest.mark.parametrize("name", SAME)
def test_a_change_that_changes_nothing_is_told_once_and_is_not_done(server: FakeVLLM, work: Path, name: str) -> None:
    before, after, note, told = SAME[name]
    (work / "a.py").write_text(before)
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": after})))
    server.otherwise = lambda request: answer("Fixed.")
    finished, _ = work_on("mend a.py", server, work)
    assert (finished.status, finished.result) == ("unchecked", f"Fixed.\n{note}")
    assert (work / "a.py").read_text() == after
    assert len(server.chats) == 3
    assert told in server.chats[2].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("task", "says", "status", "requests"),
    [
        ("fix the bug in a.py", "I fixed it.", "unchecked", 2),
        ("Write b.py.", "I wrote it.", "unchecked", 3),  # that it is not there, and that nothing has changed
        ("Can you rename x to y?", "Renamed.", "unchecked", 2),
        ("a.py의 버그를 고쳐줘", "고쳤습니다.", "unchecked", 2),
        ("add a flag", "Which one do you mean?", "unchecked", 1),
        ("what does a.py do?", "It sets x.", "done", 1),
        ("how do I fix a.py?", "Set x to 2.", "done", 1),
        ("write a summary of this folder", "It has a file.", "done", 1),
    ],
)
def test_a_task_that_asks_for_a_change_is_not_done_without_one(
    server: FakeVLLM, work: Path, task: str, says: str, status: str, requests: int
) -> None:
    """Whatever the model says of it. A question in answer is not contradicted."""
    (work / "a.py").write_text("x = 1\n")
    server.otherwise = lambda request: answer(says)
    finished, _ = work_on(task, server, work)
    assert finished.status == status and len(server.chats) == requests
    assert finished.result == (says if status == "done" else f"{says}\nNo file was changed.")


def test_data_that_is_only_written_otherwise_is_the_same(server: FakeVLLM, work: Path) -> None:
    (work / "a.json").write_text('{"a": 1, "b": [2]}\n')
    text = '{\n  "b": [2],\n  "a": 1\n}\n'
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.json", "content": text})))
    server.otherwise = lambda request: answer("Fixed.")
    finished, _ = work_on("mend a.json", server, work)
    assert (finished.status, finished.result.splitlines()[-1]) == ("unchecked", "Only comments and blank lines were changed.")


FORMS = {
    "a file that can be read": {},
    "a linter": {"checks.lint": "true"},
    "a build": {"checks.build": "true"},
    "tests": {"checks.test": "true"},
}


@pytest.mark.parametrize("name", FORMS)
def test_only_what_behaves_makes_it_done(server: FakeVLLM, work: Path, name: str) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "x = 1\n"})), answer("Wrote it."))
    settings = {"approval.mode": "all", **FORMS[name]}
    end = run_in_process("write a.py", settings=settings, root=work, server=server)[-1]
    assert isinstance(end, RunFinished)
    shown = name in ("a build", "tests")
    assert (end.status, end.result) == (
        ("done", "Wrote it.") if shown else ("unchecked", "ok\nEdited a.py; nothing here tests it.")
    )


@pytest.mark.parametrize("mode", ["all", "edits"])
def test_a_model_that_ran_nothing_is_asked_once_to_show_it(server: FakeVLLM, work: Path, mode: str) -> None:
    """Only a mode that lets commands run without a question has it asked."""
    write, shows = (
        tool_call("write_file", {"path": "a.py", "content": "x = 1\n"}),
        tool_call("run", {"command": "python3 -c 'import a'"}),
    )
    server.script(answer(tool_calls=write), answer("Wrote it."), answer(tool_calls=shows), answer("It works."))
    end = run_in_process("write a.py", settings={"approval.mode": mode, "sandbox.mode": "off"}, root=work, server=server)[-1]
    assert isinstance(end, RunFinished)
    asked = [str(request.json["messages"][-1]["content"]) for request in server.chats]
    assert ["shortest command" in each for each in asked] == ([False, False, True, False] if mode == "all" else [False, False])
    assert end.status == "unchecked"


def test_one_that_ran_something_is_not_asked(server: FakeVLLM, work: Path) -> None:
    calls = [
        tool_call("write_file", {"path": "a.py", "content": "x = 1\n"}),
        tool_call("run", {"command": "python3 -c 'import a'"}),
    ]
    server.script(*(answer(tool_calls=call) for call in calls), answer("It works."))
    run_in_process("write a.py", settings={"approval.mode": "all", "sandbox.mode": "off"}, root=work, server=server)
    assert len(server.chats) == 3


ANNOUNCED = {
    "I'll look at a.py first.": True,
    "The sum is off by one. Let me fix it in a.py:": True,
    "Let me know if you need anything else.": False,
    "I fixed it. I will not touch the tests.": False,
    "Shall I fix it? I will do so if you like?": False,
}


@pytest.mark.parametrize("said", ANNOUNCED)
def test_an_answer_that_only_announces_is_told_once_to_do_it(server: FakeVLLM, work: Path, said: str) -> None:
    server.otherwise = lambda request: answer(said)
    end = run_in_process("mend it", root=work, server=server)[-1]
    assert isinstance(end, RunFinished) and end.result == said
    assert len(server.chats) == (2 if ANNOUNCED[said] else 1)


@pytest.mark.parametrize("require", [False, True])
def test_a_run_that_nothing_checked_fails_where_a_check_is_required(agentic: Agentic, server: FakeVLLM, require: bool) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.py", "content": "x = 1\n"})), answer("Wrote it."))
    words = ("-c", f"checks.require={str(require).lower()}", "-c", "tools.protocol=native", "--approve", "all")
    done = agentic("run", "write a.py", "--endpoint", server.url, *words)
    assert done.code == int(require)
