"""The checkers, on real projects with real runners: a passing change, a failing one, and a machine where the runner is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import Change, Failure, ToolOutput, Workspace
from agentic.testing import FakeVLLM, answer, make_setup, run_in_process, tool_call
from plugins_builtin.checks.python_tests import PythonTests
from plugins_builtin.checks.run_examples import examples
from tests.conftest import Agentic, Done
from tests.forks import base_environment

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl", "--approve", "all")
TWO, THREE = "def two():\n    return 2\n", "def two():\n    return 3\n"
UNITTEST = "import unittest\nfrom part import two\n\n\nclass T(unittest.TestCase):\n    def test_two(self):\n        self.assertEqual(two(), 2)\n"
PYTEST = "from part import two\n\n\ndef test_two():\n    assert two() == 2\n"


@dataclass(frozen=True)
class Project:
    """Files before, the file that is changed with a right and a wrong content, and the program without which nothing runs."""

    files: Mapping[str, str]
    path: str
    right: str
    wrong: str
    program: str
    failing: str = ""


CARGO = {
    "Cargo.toml": '[package]\nname = "part"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/lib.rs": "pub fn two() -> i32 { 1 }\n",
    "tests/two.rs": "#[test]\nfn two_is_two() { assert_eq!(part::two(), 2); }\n",
}
NPM = {
    "package.json": '{"name": "part", "scripts": {"test": "node --test"}}',
    "part.js": "exports.two = () => 1;\n",
    "part.test.js": "const test = require('node:test');\nconst assert = require('node:assert');\n"
    "test('two is two', () => assert.strictEqual(require('./part.js').two(), 2));\n",
}
MAKE = {"Makefile": "test:\n\tgrep -q 2 part.txt\n", "part.txt": "1\n"}
GO = {"go.mod": "module part\n\ngo 1.22\n", "part.go": "package part\n\nfunc Two() int { return 1 }\n"}
PROJECTS = {
    "pytest": Project(
        {"test_part.py": PYTEST, "part.py": "two = None\n"}, "part.py", TWO, THREE, "pytest", "test_part.py::test_two"
    ),
    "unittest": Project({"test_part.py": UNITTEST, "part.py": "two = None\n"}, "part.py", TWO, THREE, "", "test_part.T.test_two"),
    "npm": Project(NPM, "part.js", "exports.two = () => 2;\n", "exports.two = () => 3;\n", "npm", "two is two"),
    "cargo": Project(CARGO, "src/lib.rs", "pub fn two() -> i32 { 2 }\n", "pub fn two() -> i32 { 3 }\n", "cargo", "two_is_two"),
    "make": Project(MAKE, "part.txt", "2\n", "3\n", "make", "make test"),
}


def run(agentic: Agentic, server: FakeVLLM, work: Path, project: Project, content: str, **more: str) -> Done:
    for name, text in project.files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    server.script(answer(tool_calls=tool_call("write_file", {"path": project.path, "content": content})))
    server.otherwise = lambda request: answer("That is all.")
    # The stand-ins for runners are in the temporary folder, which is another one in the sandbox.
    loose = ["--no-sandbox"] if "PATH" in more else []
    return agentic("run", "do it", "--endpoint", server.url, *NATIVE, *loose, more=more, seconds=120)


def ended(done: Done) -> tuple[str, str]:
    (finished,) = done.of_type("run_finished")
    return finished["status"], finished["result"]


def needs(program: str) -> None:
    if program == "pytest" or not program:
        return
    if not shutil.which(program) or subprocess.run([program, "--version"], capture_output=True).returncode:
        pytest.skip(f"{program} is not here, or not set up")


@pytest.mark.parametrize("name", PROJECTS)
def test_a_right_change_is_done_and_a_wrong_one_is_not(agentic: Agentic, server: FakeVLLM, work: Path, name: str) -> None:
    project = PROJECTS[name]
    needs(project.program)
    homes = {name: os.environ.get(name, str(Path.home() / f".{name[:-5].lower()}")) for name in ("CARGO_HOME", "RUSTUP_HOME")}
    status, _ = ended(run(agentic, server, work, project, project.right, **homes))
    assert status == "done"
    status, result = ended(run(agentic, server, work, project, project.wrong, **homes))
    assert status == "gave_up"
    assert project.failing in result


@pytest.mark.parametrize("name", ["npm", "cargo", "make"])
def test_where_the_runner_is_missing_nothing_is_blamed(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path, name: str
) -> None:
    project = PROJECTS[name]
    tools = tmp_path / "bin"
    tools.mkdir()
    for program in ("sh", "env", "grep"):
        (tools / program).symlink_to(shutil.which(program) or "")
    done = run(agentic, server, work, project, project.wrong, PATH=str(tools))
    status, result = ended(done)
    assert (done.code, status) == (0, "unchecked")
    assert f"{project.program} is not installed here" in result
    assert len(server.chats) == 2


def test_a_project_without_pytest_in_its_environment(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / ".venv"], check=True)
    project = PROJECTS["pytest"]
    status, result = ended(run(agentic, server, work, project, project.wrong))
    assert status == "unchecked"
    assert "`.venv/bin/python -m pytest -q` would check it, but pytest is not installed in this project's environment." in result
    assert len(server.chats) == 2, "a missing pytest is no mistake of the model's"


def test_the_projects_own_environment_is_used(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", work / "venv"], check=True)
    site = next((work / "venv" / "lib").glob("python*/site-packages"))
    (site / "host.pth").write_text(f"{os.path.dirname(os.path.dirname(pytest.__file__))}\n")
    done = run(agentic, server, work, PROJECTS["pytest"], TWO)
    commands = [event["arguments"]["command"] for event in done.of_type("tool_call") if event["name"] == "run"]
    assert all(command.startswith("venv/bin/python -m pytest -q ") for command in commands)
    assert ended(done)[0] == "done"


def test_what_the_configuration_names_wins(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "agentic.toml").write_text('[checks]\ntest = "false"\n')
    settings = ("-c", "checks.test=test -e made", "-c", "checks.lint=true")
    (work / "test_part.py").write_text("def test_never():\n    assert False\n")
    server.script(answer(tool_calls=tool_call("write_file", {"path": "made", "content": "x"})), answer("done"))
    done = agentic("run", "make it", "--endpoint", server.url, *NATIVE, *settings)
    commands = {event["arguments"]["command"] for event in done.of_type("tool_call") if event["name"] == "run"}
    assert commands == {"test -e made", "true"}
    assert ended(done)[0] == "done"


def test_go_reports_are_read(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    """With a stand-in for go that prints what go 1.22 prints with -json; where go is installed, it is not used."""
    report = '{"Action":"run","Package":"part","Test":"TestTwo"}\n' + (
        '{"Action":"output","Package":"part","Test":"TestTwo","Output":"    part_test.go:6: got 3\\n"}\n'
        '{"Action":"fail","Package":"part","Test":"TestTwo","Elapsed":0}\n{"Action":"fail","Package":"part","Elapsed":0.2}\n'
    )
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "go").write_text(
        f"#!/bin/sh\n[ \"$1\" = build ] && exit 0\ngrep -q 'return 2' part.go && exit 0\ncat <<'X'\n{report}X\nexit 1\n"
    )
    (tools / "go").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    wrong = run(agentic, server, work, Project(GO, "part.go", "", "", ""), GO["part.go"].replace("1", "3"), PATH=path)
    assert ended(wrong) == ("gave_up", "That is all.\nNot done: `go test` fails (part TestTwo).")
    assert "part_test.go:6: got 3" in server.chats[-1].json["messages"][-1]["content"]
    right = run(agentic, server, work, Project(GO, "part.go", "", "", ""), GO["part.go"].replace("1", "2"), PATH=path)
    assert ended(right)[0] == "done"


def test_old_failures_are_nobodys_fault_and_new_ones_always_are(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    old = {"other.py": "x = 1\n", "test_other.py": "import other\n\n\ndef test_x():\n    assert other.x == 2\n"}
    project = Project({**old, "test_part.py": PYTEST, "part.py": TWO}, "part.py", TWO.replace("2", "1 + 1"), THREE, "")
    done = run(agentic, server, work, project, project.right)
    assert ended(done) == ("done", "That is all.\n(The tests: 1 failed before and still does.)")
    assert len(server.chats) == 2
    status, result = ended(run(agentic, server, work, project, project.wrong))
    assert status == "gave_up"
    assert "(test_part.py::test_two)" in result


STATIC = {
    "a function was renamed in its own file": (
        {"store.py": "def load():\n    return 1\n", "app.py": "from store import load\n\nprint(load())\n"},
        "store.py",
        "def read():\n    return 1\n",
        "app.py imports load from store.py, which does not define it",
    ),
    "a name that is nowhere": ({}, "a.py", "def f():\n    return g()\n", "a.py: undefined name 'g'"),
    "no Python at all": ({"a.py": "x = 1\n"}, "a.py", "solution.py (\n", "a.py line 1: it is not valid Python"),
    "a data file that was overwritten with code": (
        {"fruit.csv": "name,count\napple,1\npear,2\n"},
        "fruit.csv",
        "import csv\nprint(sum(1, 2), 3, 4)\n",
        "fruit.csv is no csv any more",
    ),
    "JSON that is none": ({"a.json": "{}"}, "a.json", "{'a': 1}", "a.json is no json any more"),
}


@pytest.mark.parametrize("name", STATIC)
def test_what_is_wrong_on_the_face_of_it_is_told_without_running_anything(
    agentic: Agentic, server: FakeVLLM, work: Path, name: str
) -> None:
    files, path, content, told = STATIC[name]
    done = run(agentic, server, work, Project(files, path, "", "", ""), content)
    assert ended(done)[0] == "gave_up"
    assert told in server.chats[2].json["messages"][-1]["content"]
    assert [event["name"] for event in done.of_type("tool_call")] == ["write_file"]


def test_what_was_wrong_before_is_not_told(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    project = Project({"a.py": "def f():\n    return g()\n"}, "a.py", "", "", "")
    done = run(agentic, server, work, project, "x = 1\n\n\ndef f():\n    return g()\n")
    assert ended(done)[0] == "unchecked"
    assert "undefined name" not in str([request.json["messages"][-1]["content"] for request in server.chats])


def test_a_definition_that_is_gone_is_asked_about_once(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    done = run(agentic, server, work, Project({"a.py": TWO}, "a.py", "", "", ""), "x = 1\n")
    assert ended(done)[0] == "unchecked"
    asked = ["a.py no longer defines two" in str(request.json["messages"][-1]["content"]) for request in server.chats]
    assert asked.count(True) == 1 and asked[2]


def test_tests_of_the_models_own_making_are_a_hint(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """The model's test is wrong, the file is right: it is told once, and nothing shows that it is."""
    wrong = PYTEST.replace("== 2", "== 4")
    calls = [
        tool_call("write_file", {"path": path, "content": content}) for path, content in (("part.py", TWO), ("test_part.py", wrong))
    ]
    server.script(answer(tool_calls=calls[0]), answer(tool_calls=calls[1]), answer("done"), answer("two() is right"))
    done = agentic("run", "write part.py with a test", "--endpoint", server.url, *NATIVE)
    assert ended(done)[0] == "unchecked"
    assert "assert 2 == 4" in server.chats[3].json["messages"][-1]["content"]
    assert len(server.chats) == 4


def test_examples_in_docstrings(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """Doctests decide, lines such as `f(1) == 2` are told once; both only of functions that were changed."""
    old = 'def old():\n    """\n    >>> old()\n    1\n    """\n    return 2\n\n\n'
    hint = 'def half(x):\n    """half(4) == 2"""\n    return x // 3\n'
    done = run(agentic, server, work, Project({"a.py": old}, "a.py", "", "", ""), old + hint)
    assert (ended(done)[0], len(server.chats)) == ("unchecked", 3)
    assert "`half(4)` must give 2, but it gives 1" in server.chats[2].json["messages"][-1]["content"]


def test_an_example_without_an_end_takes_too_long(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    stub = 'def f():\n    """\n    >>> f()\n    1\n    """\n'
    (work / "b.py").write_text(stub)
    for body in ("import time\n    time.sleep(3600)", "return 1"):
        write = tool_call("write_file", {"path": "b.py", "content": f"{stub}    {body}\n"})
        server.script(answer(tool_calls=write), answer("done"))
    assert ended(agentic("run", "do it", "--endpoint", server.url, *NATIVE)) == ("done", "done")
    assert "takes too long" in server.chats[2].json["messages"][-1]["content"]


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/low.py": "def low(x):\n    return x - 1\n",
    "pkg/high.py": "from .low import low\n\n\ndef high(x):\n    return low(x) * 2\n",
    "pkg/other.py": "def other():\n    return 1\n",
    "tests/test_high.py": "from pkg.high import high\n\n\ndef test_high():\n    assert high(2) == 6\n",
    "tests/test_broken.py": "from pkg.other import nothing\n",
    "conftest.py": "",
}


def failures(work: Path, changes: tuple[Change, ...]) -> dict[str, Failure]:
    """What the checker reads from a real run of pytest."""
    checker = PythonTests(make_setup())
    workspace = Workspace(work)
    (check,) = checker.checks("", workspace, ())
    command = [sys.executable, "-m", "pytest", "-q", *check.extra.split()]
    done = subprocess.run(command, cwd=work, env=base_environment(), capture_output=True, text=True)
    result = checker.result(check, ToolOutput(done.stdout, failed=True, exit_code=done.returncode), workspace, changes)
    return {failure.name: failure for failure in result.failures}


def test_a_failure_says_where_what_and_in_which_files_the_mistake_may_be(work: Path) -> None:
    for name, text in PACKAGE.items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text)
    broken = failures(work, ())
    assert [failure.weight for failure in broken.values()] == [100], "a file that cannot be imported hides its tests"
    assert "cannot import name 'nothing'" in next(iter(broken.values())).message
    (work / "tests" / "test_broken.py").unlink()
    (failure,) = failures(work, ()).values()
    assert failure.name == "tests/test_high.py::test_high"
    assert failure.message.startswith("tests/test_high.py line 5: assert high(2) == 6\n    →  assert 2 == 6")
    assert failure.files == ("pkg/high.py",)
    related = {path: failures(work, (Change(path),))[failure.name].related for path in ("pkg/low.py", "pkg/other.py")}
    assert related == {"pkg/low.py": True, "pkg/other.py": False}
    assert failures(work, (Change("tests/test_high.py", "created"),))[failure.name].own


@given(st.text(alphabet=st.sampled_from("f(1)=>- \n'2\\\"returns→\u201c"), max_size=80))
def test_any_docstring_is_read_without_an_accident(text: str) -> None:
    assert all(call.startswith("f(") for call, _ in examples(text, "f"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("f(1) == 2", [("f(1)", "2")]),
        ("    f('a') -> 'b'  ", [("f('a')", "'b'")]),
        ("f([1, 2], key=3) ➞ [3]", [("f([1, 2], key=3)", "[3]")]),
        ("f(1) returns 2", [("f(1)", "2")]),
        ("f(x) == 2", []),
        ("g(1) == 2", []),
        ("f(1) == 2, as everybody knows", []),
        ("see f(1) == 2", []),
        ("f(1) = the first", []),
    ],
)
def test_which_lines_of_a_docstring_are_examples(line: str, found: list[tuple[str, str]]) -> None:
    assert list(examples(line, "f")) == found


def test_a_link_that_leads_nowhere_is_no_file(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    for name in ("gone.py", "gone.json"):
        (work / name).symlink_to("nowhere")
    done = run(agentic, server, work, Project({}, "a.py", "", "", ""), "x = 1\n")
    assert ended(done) == ("unchecked", "That is all.\nEdited a.py; nothing here tests it.")
    assert done.of_type("warning") == []


def test_tests_that_are_all_skipped_show_nothing(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    text = (
        "import unittest\n\n\n@unittest.skip('later')\nclass T(unittest.TestCase):\n    def test_a(self):\n        assert False\n"
    )
    done = run(agentic, server, work, Project({"test_a.py": text, "a.py": "x = 1\n"}, "a.py", "", "", ""), "x = 2\n")
    assert ended(done)[0] == "unchecked"


SUITES = {"pytest": PYTEST, "unittest": UNITTEST}


def told_after_edit(server: FakeVLLM, work: Path, content: str, **settings: Any) -> str:
    """The result of an edit of part.py, as the model reads it."""
    server.script(answer(tool_calls=tool_call("write_file", {"path": "part.py", "content": content})))
    values = {"approval.mode": "all", "sandbox.mode": "off"} | {name.replace("__", "."): value for name, value in settings.items()}
    run_in_process("mend part.py", settings=values, root=work, server=server)
    return next(each["content"] for each in server.chats[1].json["messages"] if each["role"] == "tool")


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("content", [TWO, THREE])
def test_an_edit_tells_of_the_tests_that_import_the_file(server: FakeVLLM, work: Path, suite: str, content: str) -> None:
    """And runs no others."""
    (work / "part.py").write_text("def two():\n    return 0\n")
    (work / "test_part.py").write_text(SUITES[suite])
    (work / "test_other.py").write_text(SUITES[suite].replace("from part import two", "two = str"))
    told = told_after_edit(server, work, content)
    assert ("(The tests that import it pass: 1.)" in told) == (content == TWO)
    assert ("(Of the tests that import it, these fail: " in told) == (content == THREE)
    assert "test_other" not in told and len(told.splitlines()) == 2


QUIET = {
    "no test imports it": ({"test_part.py": "def test_one():\n    assert 1\n"}, {}),
    "a mode that asks about commands": ({"test_part.py": PYTEST}, {"approval__mode": "edits"}),
    "switched off": ({"test_part.py": PYTEST}, {"plugin__checks__after_edit": 0}),
    "slow tests": (
        {"test_part.py": f"import time\ntime.sleep(30)\n{PYTEST}"},
        {"plugin__checks__after_edit": 0.5, "checks__test": "true"},
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_an_edit_says_nothing_of_tests_where_none_are_run(server: FakeVLLM, work: Path, name: str) -> None:
    files, settings = QUIET[name]
    for path, text in ({"part.py": THREE} | files).items():
        (work / path).write_text(text)
    assert "tests that import it" not in told_after_edit(server, work, TWO, **settings)
