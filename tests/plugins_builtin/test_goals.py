"""Goals: turns until commands show that they are reached, whatever is killed meanwhile, and whatever the model does to the commands."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agentic import ConfigError
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.goals.fixed import fixed_files, hushes, number_of_tests, weakened
from plugins_builtin.goals.goal import Allowance, Goal, Try, budget_of, shape
from tests.conftest import Agentic
from tests.terminal import terminal

OPTIONS = ("-c", "tools.protocol=native", "--no-sandbox", "-c", "checks.test=true")
WRONG, RIGHT = "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"
TEST = "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"


@pytest.fixture
def project(work: Path) -> Path:
    (work / "calc.py").write_text(WRONG)
    (work / "test_calc.py").write_text(TEST)
    (work / "check.sh").write_text("grep -q 'a + b' calc.py\n")
    return work


def writing(*files: tuple[str, str]) -> Callable[[Request], ScriptedAnswer]:
    """A model that writes one of these in each turn, the last one again and again."""

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        if messages[-1]["role"] == "tool":
            return answer("done")
        turns = sum(message["role"] == "user" and "Goal: " in str(message["content"]) for message in messages)
        name, content = files[min(max(turns, 1), len(files)) - 1]
        return answer(tool_calls=tool_call("write_file", {"path": name, "content": content}, 0, str(len(messages))))

    return reply


def told_until_proved(process: "subprocess.Popen[str]", port: int) -> str:
    """Brings a server up once the goal waits for one; all that the goal said until it was proved."""
    assert process.stderr is not None
    told = ""
    while "; trying again" not in told:
        told += process.stderr.readline()
    with FakeVLLM(port=port) as back:
        back.otherwise = writing(("calc.py", RIGHT))
        told += process.communicate(timeout=60)[1]
    assert process.returncode == 0, told
    return told


def goal(agentic: Agentic, server: FakeVLLM, *more: str, check: str = "sh check.sh") -> "tuple[int, str]":
    done = agentic("goal", "add adds", "--check", check, "--endpoint", server.url, *OPTIONS, *more)
    return done.code, done.err


def test_turns_until_the_check_succeeds(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.otherwise = writing(("calc.py", WRONG + "\n"), ("calc.py", RIGHT))
    code, told = goal(agentic, server)
    assert code == 0, told
    assert "goal: fails: sh check.sh" in told and "the goal is proved: 2 turns" in told
    prompts = [
        str(chat.json["messages"][-1]["content"]) for chat in server.chats if "Goal: " in str(chat.json["messages"][-1]["content"])
    ]
    assert "Tried before:" not in prompts[0] and "1. changed calc.py" in prompts[1]
    shown = agentic("goal", "show").out
    assert "the goal is proved" in shown and "calc.py" in shown


def test_a_goal_that_holds_already_takes_no_turn(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    (project / "calc.py").write_text(RIGHT)
    code, told = goal(agentic, server)
    assert code == 0 and "nothing spent" in told and not server.chats


def test_the_budget_of_turns_ends_it(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.otherwise = writing(("a.txt", "1"), ("a.txt", "2"))
    code, told = goal(agentic, server, "--budget", "2 turns")
    assert code == 1 and "the budget of turns is spent: 2 turns" in told


def test_the_same_failure_after_changed_tries_ends_it(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.otherwise = writing(*((f"{number}.txt", "x") for number in range(9)))
    code, told = goal(agentic, server)
    assert code == 1 and "the same failure stands after several changed tries: 4 turns" in told


def test_it_goes_on_after_it_was_stopped(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.otherwise = writing(("a.txt", "1"), ("a.txt", "2"))
    goal(agentic, server, "--budget", "1 turns")
    server.otherwise = writing(("calc.py", RIGHT))
    session = agentic("goal", "show").out
    assert "the budget is spent" in session
    done = agentic("goal", "resume", "--endpoint", server.url, *OPTIONS)
    assert done.code == 1 and "the budget of turns is spent" in done.err  # budgets are hard


def test_without_a_command_it_is_refused_with_a_proposal(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.say('{"commands": ["sh check.sh"]}')
    done = agentic("goal", "add adds", "--endpoint", server.url, "-c", "tools.protocol=native", "--no-sandbox")
    assert done.code == 2 and "agentic goal 'add adds' --check 'sh check.sh'" in done.err
    server.say('{"commands": []}')
    done = agentic("goal", "be nice", "--endpoint", server.url, "-c", "tools.protocol=native", "--no-sandbox")
    assert done.code == 2 and "no command shows" in done.err


def test_a_server_that_is_away_costs_no_turn(agentic: Agentic, env: dict[str, str], project: Path) -> None:
    """It is killed in the first turn, and there again on the same port."""
    with FakeVLLM() as server:
        server.otherwise = lambda request: answer(["word "] * 400, pause=0.02)
        port = server.port
        process = subprocess.Popen(
            [sys.executable, "-m", "agentic", "goal", "add adds", "--check", "sh check.sh", "--endpoint", server.url, *OPTIONS,
             "-c", "llm.retry_seconds=0.2"],
            cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.wait_for(lambda: server.running > 0, seconds=30)
    assert "the goal is proved: 1 turns" in told_until_proved(process, port)


def test_what_wanted_a_yes_is_asked_together_when_the_rest_is_done(env: dict[str, str], server: FakeVLLM, project: Path) -> None:
    """And what is agreed to is done then."""

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        done = str(messages[-1]["content"])
        if messages[-1]["role"] == "tool":
            return answer("done")
        if "allows now" in str(messages[-2:]) or ("refused" not in str(messages) and "Tried before" not in done):
            return answer(
                tool_calls=tool_call("write_file", {"path": ".claude/notes.md", "content": "a + b\n"}, 0, str(len(messages)))
            )
        return answer("I cannot go on.")

    server.otherwise = reply
    (project / "check.sh").write_text("grep -q 'a + b' .claude/n*\n")
    words = ["goal", "it is there", "--check", "sh check.sh", "--endpoint", server.url, *OPTIONS]
    with terminal(words, env, project) as shown:
        shown.until(lambda: "allow these 1, which waited" in shown.text, 60)
        assert ".claude/notes.md" in shown.text and not (project / ".claude/notes.md").exists()
        time.sleep(0.5)  # a key that comes at once was meant for something else
        shown.type("y")
        shown.until(lambda: "the goal is proved" in shown.text, 60)
        assert shown.until_ended() == 0


def test_what_a_killed_turn_cost_is_counted(agentic: Agentic, env: dict[str, str], server: FakeVLLM, project: Path) -> None:
    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer(["word "] * 400, pause=0.05)
        return answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "a\n"}), prompt_tokens=54_321)

    server.otherwise = reply
    words = [sys.executable, "-m", "agentic", "goal", "add adds", "--check", "sh check.sh", "--endpoint", server.url, *OPTIONS]
    process = subprocess.Popen(words, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert server.wait_for((project / "a.txt").exists, seconds=30)
    process.kill()
    process.wait()
    server.otherwise = writing(("calc.py", RIGHT))
    assert agentic("goal", "resume", *OPTIONS, "--endpoint", server.url).code == 0
    assert re.search(r"5\d,\d{3} tokens", agentic("goal", "show").out)


def test_a_goal_that_is_resumed_waits_for_its_server(env: dict[str, str], server: FakeVLLM, project: Path) -> None:
    """A machine that restarts brings its server up later."""
    server.otherwise = lambda request: answer(["word "] * 400, pause=0.02)
    words = [sys.executable, "-m", "agentic", "goal", "add adds", "--check", "sh check.sh", *OPTIONS]
    with FakeVLLM() as away:
        away.otherwise = server.otherwise
        port, endpoint = int(away.url.split(":")[-1].split("/")[0]), ["--endpoint", away.url]
        process = subprocess.Popen([*words, *endpoint], cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert away.wait_for(lambda: away.running > 0, seconds=30)
        process.kill()
        process.wait()
    again = [*words[:4], "resume", *OPTIONS, *endpoint, "-c", "llm.retry_seconds=0.2"]
    process = subprocess.Popen(again, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told_until_proved(process, port)


def test_a_killed_goal_goes_on_where_it_was(agentic: Agentic, env: dict[str, str], server: FakeVLLM, project: Path) -> None:
    server.otherwise = lambda request: answer(["word "] * 400, pause=0.02)
    words = [sys.executable, "-m", "agentic", "goal", "add adds", "--check", "sh check.sh", "--endpoint", server.url, *OPTIONS]
    for _ in range(3):
        process = subprocess.Popen(words, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert server.wait_for(lambda: server.running > 0, seconds=30)
        process.kill()
        process.wait()
        assert server.wait_for(lambda: server.running == 0, seconds=30)
        words = [sys.executable, "-m", "agentic", "goal", "resume", "--endpoint", server.url, *OPTIONS]
    server.otherwise = writing(("calc.py", RIGHT))
    done = agentic("goal", "resume", "--endpoint", server.url, *OPTIONS)
    assert done.code == 0, done.err
    assert "the goal is proved: 4 turns" in done.err


def rewritten(name: str, content: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(content)


WEAKER: dict[str, Callable[[Path], object]] = {
    "the test says something else": rewritten("test_calc.py", TEST.replace("== 3", "== -1")),
    "a test is skipped": rewritten("test_calc.py", TEST.replace("def test_add", "@pytest.mark.skip\ndef test_add")),
    "a test is gone": lambda root: (root / "test_calc.py").unlink(),
    "conftest.py collects nothing": rewritten("conftest.py", "collect_ignore = ['test_calc.py']\n"),
    "pytest.ini chooses": rewritten("pytest.ini", "[pytest]\naddopts = -k zero\n"),
    "pyproject.toml chooses": rewritten("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-k zero'\n"),
    "the script ends well": rewritten("check.sh", "exit 0\n"),
    "a module in its place": rewritten("pytest.py", "raise SystemExit(0)\n"),
    "a package in its place": lambda root: (root / "pytest").mkdir() or (root / "pytest" / "__init__.py").write_text("") or None,
    "the interpreter ends at its start": rewritten("sitecustomize.py", "import os\nos._exit(0)\n"),
    "the program ends the tests": rewritten("calc.py", "import os\nos._exit(0)\n"),
    "the checker is kept quiet": rewritten("calc.py", "def add(a, b):\n    return a - b  # type: ignore\n"),
    "a Makefile": rewritten("Makefile", "test:\n\ttrue\n"),
}


@pytest.mark.parametrize("way", WEAKER)
def test_what_is_done_to_the_checks_does_not_count(way: str, project: Path) -> None:
    checks = (PYTEST, "sh check.sh", "make test")
    before, hushed = fixed_files(project, checks), hushes(project)
    assert weakened(project, checks, before, hushed) == []
    (project / "calc.py").write_text(RIGHT)
    (project / "test_more.py").write_text("def test_more():\n    assert True\n")
    assert weakened(project, checks, before, hushed) == []  # work that counts
    WEAKER[way](project)
    assert weakened(project, checks, before, hushed) != [], way


def test_a_check_that_was_weakened_is_no_proof_until_it_is_accepted(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    server.otherwise = writing(("check.sh", "exit 0\n"))
    code, told = goal(agentic, server, "--budget", "1 turns")
    assert code == 1 and "does not count: check.sh was changed" in told
    assert agentic("goal", "accept").code == 0
    done = agentic("goal", "resume", "--endpoint", server.url, *OPTIONS)
    assert done.code == 0, done.err


def test_a_check_that_ran_fewer_tests_is_no_proof(agentic: Agentic, server: FakeVLLM, project: Path) -> None:
    """The program ends the process with exit code 0 before the tests have run."""
    server.otherwise = writing(("calc.py", "import sys\n\n\ndef add(a, b):\n    getattr(__import__('os'), '_' + 'exit')(0)\n"))
    code, told = goal(agentic, server, "--budget", "1 turns", check=PYTEST)
    assert code == 1 and f"fails: {PYTEST}" in told


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("8h", Allowance(50, 0, 28_800)),
        ("2M tokens", Allowance(50, 2_000_000, 28_800)),
        ("200 turns", Allowance(200, 0, 28_800)),
        ("90m", Allowance(50, 0, 5_400)),
    ],
)
def test_a_budget_is_read(text: str, made: Allowance) -> None:
    assert budget_of([text]) == made


@given(st.text(max_size=12))
def test_any_budget_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(budget_of([text]), Allowance)
    except ConfigError:
        pass


def test_a_failure_is_the_same_whatever_its_numbers() -> None:
    tries = tuple(Try(f"1 failed in 0.0{number} s", ("a.py",)) for number in range(4))
    assert Goal("g", ("c",), tries=tries, failing="1 failed in 2.34 s").is_stuck
    assert not Goal("g", ("c",), tries=tries, failing="2 errors").is_stuck
    assert not Goal("g", ("c",), tries=tries[:3], failing="1 failed in 2 s").is_stuck


@pytest.mark.parametrize(
    ("output", "succeeded", "count"),
    [
        ("2 passed in 0.01s", True, 2),
        ("1 failed, 1 passed in 0.01s", False, 2),
        ("Ran 5 tests in 0.001s\n\nOK (skipped=2)", True, 3),
        ("test result: ok. 7 passed; 0 failed; 0 ignored", True, 7),
        ("  12 passing (3s)", True, 12),
        ("all good", True, None),
    ],
)
def test_how_many_tests_ran_is_read(output: str, succeeded: bool, count: int | None) -> None:
    assert number_of_tests(output, succeeded) == count


def test_a_goal_that_is_done_again_is_a_line_for_cron(agentic: Agentic, project: Path) -> None:
    done = agentic("goal", "add adds", "--check", "sh check.sh", "--every", "1d")
    assert done.code == 0 and done.out.startswith("0 3 * * * ") and "--check 'sh check.sh'" in done.out
    assert os.fspath(project) in done.out


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3 failed in 0.52s", "3 failed in 1.04s", True),
        ("a.py:12: wrong", "a.py:14: wrong", True),
        ("<f at 0x7f3a> in /tmp/pytest-12/x", "<f at 0x55cc> in /tmp/pytest-13/x", True),
        ("12 failed", "11 failed", False),
        ("3 of 50", "4 of 50", False),
        ("x is not defined", "y is not defined", False),
    ],
)
def test_a_failure_is_the_same_but_for_what_differs_each_time(one: str, other: str, same: bool) -> None:
    """Fewer failures are no standstill."""
    assert (shape(one) == shape(other)) is same
