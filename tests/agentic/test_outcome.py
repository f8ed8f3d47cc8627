"""What counts as evidence: tests, the task's own examples and usage lines, crashes; and what does not."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic.core.outcome.checks import check_command
from agentic.core.outcome.evidence import Evidence
from agentic.core.outcome.examples import check_commands, programs_that_do_nothing
from agentic.core.outcome.failures import count_failures, essence
from agentic.core.outcome.suspects import blamed, missing_import, missing_library
from agentic.core.outcome.trials import trial_command
from agentic.types import ToolOutput


def fails(command: str, folder: Path) -> str:
    """What a check prints when it fails, "" when it passes."""
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    "example",
    [
        "twice(5) returns 10",
        "`twice(5)` gives `10`",
        "twice(5) == 10",
        "twice(5) should be 10",
        "twice('ab') -> 'abab'",
        "twice([1]) is [1, 1]",
    ],
)
def test_an_example_of_a_call_is_checked(work: Path, example: str) -> None:
    (work / "twice.py").write_text("def twice(x):\n    return x * 2\n")
    (command,) = check_commands(f"Write twice.py. For example {example}.", work, ["twice.py"])
    assert fails(command, work) == ""
    (work / "twice.py").write_text("def twice(x):\n    return x * 3\n")
    assert "but it must give" in fails(command, work)


@pytest.mark.parametrize(
    "text",
    ["f(x) is a function", "g(1) returns 2", "call twice(", "twice(5) returns the double", "twice(a, b) == c", "", "(((("],
)
def test_what_is_no_example_is_left_alone(work: Path, text: str) -> None:
    (work / "twice.py").write_text("def twice(x):\n    return x * 2\n")
    assert check_commands(text, work, ["twice.py"]) == []


def test_what_a_command_must_print_is_checked(work: Path) -> None:
    (work / "hi.py").write_text("import sys\nprint('Hi, ' + sys.argv[1])\n")
    good, bad = check_commands("`python3 hi.py Bo` prints Hi, Bo and `python3 hi.py Al` prints Hello, Al", work, [])
    assert fails(good, work) == ""
    assert "must print Hello, Al" in fails(bad, work)


def test_usage_lines_are_tried_in_a_copy(work: Path) -> None:
    task = "`python3 todo.py add TEXT` appends a task. `python3 todo.py list` prints all tasks as `1. TEXT`."
    (work / "todo.py").write_text("import sys\nopen('todo.txt', 'a')\n")
    assert "must print '1. value'" in fails(trial_command(task, work), work)
    (work / "todo.py").write_text(
        "import sys\nif sys.argv[1] == 'add':\n    open('todo.txt', 'a').write(sys.argv[2])\nelse:\n    print('1. ' + open('todo.txt').read())\n"
    )
    assert fails(trial_command(task, work), work) == ""
    (work / "todo.py").write_text("1 / 0\n")
    assert "ZeroDivisionError" in fails(trial_command(task, work), work)
    assert [path.name for path in work.iterdir()] == ["todo.py"]


@given(st.text(alphabet=st.sampled_from("`python a.y()=> prints returns TEXT\n1'\"$;|&"), max_size=200))
def test_any_task_text_is_read_without_an_accident(text: str) -> None:
    check_commands(text, Path("/nonexistent"), ["a.py"])
    programs_that_do_nothing(text, Path("/nonexistent"), ["a.py"])
    trial_command(text, Path("/nonexistent"))


def test_a_program_that_only_defines_functions_does_nothing(work: Path) -> None:
    (work / "a.py").write_text('"""Doc."""\nimport sys\nX = 1\ndef main():\n    print(1)\n')
    assert programs_that_do_nothing("`python a.py` prints 1", work, ["a.py"]) == "a.py"
    assert programs_that_do_nothing("write a module a.py", work, ["a.py"]) == ""
    (work / "a.py").write_text("def main():\n    print(1)\n\nmain()\n")
    assert programs_that_do_nothing("`python a.py` prints 1", work, ["a.py"]) == ""


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("FAILED (failures=1, errors=2)", 3),
        ("FAILED (errors=1)", 1),
        ("==== 2 failed, 1 passed in 0.1s ====", 2),
        ("1 failed, 1 error in 0.02s", 2),
        ("Traceback", 1),
    ],
)
def test_counting_failures(text: str, count: int) -> None:
    assert count_failures(text) == count


UNITTEST = """\
F.
======================================================================
FAIL: test_even (test_a.T.test_even)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/x/test_a.py", line 5, in test_even
    self.assertEqual(f(4), 2)
AssertionError: 3 != 2

----------------------------------------------------------------------
Ran 2 tests in 0.001s

FAILED (failures=1)
"""


def test_the_essence_of_a_test_run(work: Path) -> None:
    test = "class T:\n    x = 1\n\n    def test_even(self):\n        self.assertEqual(f(4), 2)\n"
    (work / "test_a.py").write_text(test)
    told = essence(UNITTEST.replace("/x/", f"{work}/"), work)
    assert told == "def test_even(self):\n    self.assertEqual(f(4), 2)\n    →  AssertionError: 3 != 2"
    assert essence(UNITTEST, work) == "test_even  →  AssertionError: 3 != 2"
    assert essence("E       assert 3 == 2\nE        +  where 3 = f(4)\n", work) == "assert 3 == 2\n+  where 3 = f(4)"
    assert essence("something else", work) == "something else"


PYTEST = """\
F                                                                        [100%]
=================================== FAILURES ===================================
___________________________________ test_two ___________________________________

    def test_two():
>       assert two() == 2
E       assert 3 == 2
E        +  where 3 = two()

test_part.py:6: AssertionError
=========================== short test summary info ============================
FAILED test_part.py::test_two - assert 3 == 2
1 failed in 0.05s
"""
COLLECTING = """\
==================================== ERRORS ====================================
_______________________ ERROR collecting tests/test_web.py _____________________
tests/test_web.py:4: in <module>
    client = TestClient(app)
                        ^^^
E   NameError: name 'app' is not defined
=========================== short test summary info ============================
!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
1 error in 0.31s
"""
AT_SETUP = """\
==================================== ERRORS ====================================
_______________________ ERROR at setup of test_read_item _______________________

    @pytest.fixture
    def client():
>       return TestClient(app)
E       NameError: name 'app' is not defined

tests/test_web.py:8: NameError
=========================== short test summary info ============================
"""
NO_MODULE = COLLECTING.replace("client = TestClient(app)", "from main import app").replace(
    "NameError: name 'app' is not defined", "ModuleNotFoundError: No module named 'main'"
)


def test_the_essence_of_a_pytest_run_says_where(work: Path) -> None:
    assert essence(PYTEST, work) == "test_part.py line 6: assert two() == 2\n    →  assert 3 == 2\n+  where 3 = two()"
    assert (
        essence(COLLECTING, work)
        == "tests/test_web.py line 4: client = TestClient(app)\n    →  NameError: name 'app' is not defined"
    )


def test_what_hides_other_failures_comes_first(work: Path) -> None:
    both = PYTEST.partition("=========================== short")[0] + AT_SETUP.partition("\n")[2]
    assert "NameError" in essence(both, work).splitlines()[1]


def test_a_file_that_cannot_be_imported_is_worse_than_tests_that_fail() -> None:
    assert count_failures(COLLECTING) > count_failures(PYTEST.replace("1 failed", "20 failed")) == 20


SOURCES = {
    "db.py": "app = 1\n",
    "web.py": "from fastapi import FastAPI\napp: FastAPI = FastAPI()\n",
    "api/views.py": "def view(): ...\n",
}


@pytest.mark.parametrize(
    ("text", "sources", "line"),
    [
        (COLLECTING, SOURCES, "At the top of tests/test_web.py this is missing: from web import app"),
        (AT_SETUP, SOURCES, "At the top of tests/test_web.py this is missing: from web import app"),
        (COLLECTING, {"api/other.py": "app = 2\n"}, "At the top of tests/test_web.py this is missing: from api.other import app"),
        (COLLECTING, {"web.py": "  app = 1\n"}, ""),
        (NO_MODULE, SOURCES, "There is no module main here; app is defined in db."),
        (NO_MODULE, {}, ""),
        (PYTEST, SOURCES, ""),
    ],
)
def test_a_missing_import_is_named(work: Path, text: str, sources: dict[str, str], line: str) -> None:
    assert missing_import(essence(text, work), sources) == line


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("ModuleNotFoundError: No module named 'fastapi'", "fastapi"),
        ("ModuleNotFoundError: No module named 'fastapi.testclient'", "fastapi"),
        ("ModuleNotFoundError: No module named 'app'", ""),
        ("E   ImportError: jinja2 must be installed to use Jinja2Templates", "jinja2"),
        ("ModuleNotFoundError: No module named 'api.models'", ""),
        ("ModuleNotFoundError: No module named 'web'", ""),
        ("NameError: name 'fastapi' is not defined", ""),
    ],
)
def test_a_library_that_is_not_installed_is_no_mistake_of_the_files(said: str, library: str) -> None:
    assert missing_library(said, SOURCES) == library


@pytest.mark.parametrize(
    ("told", "written", "found"),
    [
        ("anything", ["a.py", "b.py"], ["a.py", "b.py"]),
        ("tests/test_web.py line 4: x\n    →  NameError: y", ["web.py", "a.py", "tests/test_web.py"], ["tests/test_web.py"]),
        ("test_web.py line 4: assert x\n    →  assert 1 == 2", ["web.py", "a.py", "test_web.py"], ["web.py", "test_web.py"]),
        ("nothing that is named", ["a.py", "b.py", "c.py"], ["a.py", "b.py", "c.py"]),
    ],
)
def test_of_many_files_those_are_mended_that_the_failure_is_about(told: str, written: list[str], found: list[str]) -> None:
    assert blamed(told, written) == found


@given(st.text(max_size=3000))
def test_the_essence_is_never_long(text: str) -> None:
    assert len(essence(text, Path("/nonexistent"))) <= 3000


def ended(text: str, code: int) -> ToolOutput:
    return ToolOutput(text, code != 0, code)


@pytest.mark.parametrize(
    ("command", "output", "broken"),
    [
        ("python3 a.py", ended("Traceback (most recent call last):\nValueError: x", 1), True),
        ("python3 a.py", ended("usage: a.py [-h] name\na.py: error: name is required", 2), False),
        (
            "python3 a.py",
            ended("Traceback (most recent call last):\n    x = sys.argv[1]\nIndexError: list index out of range", 1),
            False,
        ),
        ("python3 a.py", ended("Traceback (most recent call last):\nEOFError: EOF when reading a line", 1), False),
        ("python3 a.py", ended("no such file", 1), False),
        ("python3 -m unittest", ended("FAILED (failures=1)", 1), True),
        ("cargo test", ended("error", 101), True),
        ("python3 a.py", ended("fine", 0), False),
        ("python3 a.py", ended("(stopped after 5 s)", 124), True),
    ],
)
def test_which_endings_mean_that_the_code_is_broken(command: str, output: ToolOutput, broken: bool) -> None:
    evidence = Evidence()
    evidence.wrote("a.py")
    evidence.ran(command, output)
    assert (evidence.failed_check() is not None) == broken


def test_a_decisive_check_stays_failed_until_it_passes() -> None:
    evidence = Evidence(authoritative={"check"})
    evidence.wrote("a.py")
    evidence.ran("check", ended("", 1))
    evidence.ran("true", ended("", 0))
    assert evidence.failed_check() is not None
    evidence.ran("check", ended("", 0))
    assert evidence.failed_check() is None


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({}, ""),
        ({"test_a.py": "import unittest"}, "python3 -m unittest"),
        ({"test_a.py": "def test_a():\n    assert 1"}, "python3 -m pytest -q"),
        ({"tests/test_a.py": "import unittest"}, "python3 -m unittest discover -s tests -t ."),
        ({"Cargo.toml": ""}, "cargo test"),
        ({"go.mod": ""}, "go test ./..."),
        ({"package.json": '{"scripts": {"test": "vitest"}}'}, "npm test"),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, ""),
        ({"package.json": "[]"}, ""),
    ],
)
def test_how_a_folders_tests_are_run(work: Path, files: dict[str, str], command: str) -> None:
    for name, text in files.items():
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text(text)
    assert check_command(work) == command


def test_a_program_that_wants_input_is_not_reported_as_failed() -> None:
    evidence = Evidence()
    evidence.wrote("a.py")
    evidence.ran("python3 a.py", ended("EOFError: EOF when reading a line", 1))
    assert evidence.summary() == "Wrote a.py. `python3 a.py` ran until it wanted input."
