"""The examples of the pages: each line that calls agentic is one that it understands, and the tutorials are gone through."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import pytest

from agentic.cli.group import group
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic, Done
from tests.plugins_builtin.test_manual import ROOT, markdown

_BLOCK = re.compile(r"```(?:console|bash|sh)\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`(agentic [^`]+)`")
_LINE = re.compile(r"^(?:\$ )?((?:\w+=\S+ )*(?:\S*/)?agentic( .*|)|.*(?:\| |&& )agentic .*)$")
_ENDS = {"|", "||", "&&", ";", ">", ">>", "<"}


def calls(text: str) -> Iterator[list[str]]:
    """The arguments of each call of agentic on a page."""
    yield from block_calls(text)
    for line in _INLINE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if not re.search(r"[][…|]", line):
            yield from _calls_of(line)


def block_calls(text: str) -> Iterator[list[str]]:
    """The arguments of each call in its blocks, which are there to be typed."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if _LINE.match(line):
                yield from _calls_of(line.removeprefix("$ "))


def _calls_of(line: str) -> Iterator[list[str]]:
    words = shlex.shlex(re.sub(r"\s#\s.*", "", line), posix=True, punctuation_chars=";|&<>")
    words.whitespace_split, words.commenters = True, ""
    found: list[str] | None = None
    for word in [*words, ";"]:
        if word in _ENDS:
            if found is not None:
                yield found
            found = None
        elif found is not None:
            found.append(word)
        elif word.rpartition("/")[2] == "agentic":
            found = []


def examples() -> list[tuple[str, list[str]]]:
    return [(path.relative_to(ROOT).as_posix(), call) for path in markdown() for call in calls(path.read_text())]


def refused(arguments: list[str]) -> str:
    """Why agentic would not take them, "" where it would; nothing is run."""
    context, command = click.Context(group, info_name="agentic"), None
    rest = list(arguments)
    place: click.Command = group
    while isinstance(place, click.Group) and rest and not rest[0].startswith("-"):
        below = place.get_command(context, rest[0])
        if below is None:
            break
        place = command = _plain(below)
        rest = rest[1:]
    if command is None or (isinstance(place, click.Group) and place is group):
        place = _plain(group.get_command(context, "chat"))
    if arguments in (["--help"], ["--version"]):
        return ""
    try:
        context = click.Context(place, info_name="agentic", **place.context_settings)
        bare = [f"{word}=" if word == "--local" else word for word in rest]  # whose value may be left out
        given, _, _ = place.make_parser(context).parse_args(bare)
    except click.UsageError as error:
        return error.format_message()
    if isinstance(place, click.Group):
        return f"no command {rest[0]}" if rest and not rest[0].startswith("-") else ""
    missing = [
        each.name for each in place.params if isinstance(each, click.Argument) and each.required and not given.get(str(each.name))
    ]
    return f"missing: {missing}" if missing else ""


def _plain(command: click.Command | None) -> click.Command:
    assert command is not None
    plain: click.Command = getattr(command, "wrapped", command)
    return plain


def test_there_are_examples() -> None:
    assert len(examples()) > 100


@pytest.mark.parametrize(("page", "call"), examples(), ids=lambda each: " ".join(each) if isinstance(each, list) else each)
def test_an_example_is_understood(page: str, call: list[str]) -> None:
    assert refused(call) == "", f"{page}: agentic {shlex.join(call)}"


@pytest.mark.parametrize(
    "call", ["run --no-such-option x", "nothing-such --x", "serve --gpus 3", "config set --usr a b", "local pul"]
)
def test_an_example_that_is_wrong_is_seen(call: str) -> None:
    assert refused(call.split())


# `--local` fetches a model of a gigabyte: tests/real/test_local.py runs it where one is there.
typed = sorted({tuple(call) for path in markdown() for call in block_calls(path.read_text()) if "--local" not in call})
PLUGIN = "from agentic import hookimpl\n\n\n@hookimpl\ndef agentic_tools():\n    return []\n"
# What they need that a bare machine has not, and what they say then.
LACKS = {
    "./model.gguf": "model.gguf", "mcp login": "mcp", "mcp test": "mcp", "attach": "no session", "stop": "no session",
    "--resume": "no session", "sessions export ID": "no session", "goal resume": "no goal", "serve": "card",
}  # fmt: skip
# What somebody has typed before.
BEFORE = {
    "mcp rm": ["mcp add files -- npx -y x ."], "mcp test": ["mcp add files -- npx -y x ."],
    "mcp login": ["mcp add github https://example.com/mcp"], "workflow.max_iterations": ["config set workflow.max_iterations 20"],
    "--against last": ["bench --seconds 5"],
    "batch merge": [f"batch prompts.jsonl -o part{number}.jsonl --shard {number}/2" for number in (1, 2)],
}  # fmt: skip


@pytest.fixture
def typing_place(work: Path) -> Path:
    """A folder with what the examples speak of."""
    texts = {
        "greet.py": 'def greet(name):\n    return "Hello " + name\n',
        "test_greet.py": "from greet import greet\n\n\ndef test_greet():\n    assert greet('a') == 'Hello, a'\n",
        "reader.py": "def parse(text):\n    return text\n",
        "lines.py": PLUGIN,
        "shout.py": PLUGIN,
        "release.json": '{"type": "object", "properties": {"version": {"type": "string"}}}',
        "prompts.jsonl": '{"prompt": "one"}\n{"prompt": "two"}\n',
        "ten.jsonl": '{"prompt": "one"}\n',
        "calculator/main.py": "x = 1\n",
        "IN.jsonl": '{"prompt": "one"}\n',
        "tasks/one/task.txt": "correct greet.py",
        "tasks/one/check.txt": "true",
        "tasks/one/files/greet.py": "x = 1\n",
    }
    for name, text in texts.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    return work


@pytest.mark.parametrize("call", typed, ids=" ".join)
def test_an_example_is_run(agentic: Agentic, server: FakeVLLM, typing_place: Path, call: tuple[str, ...]) -> None:
    """It does its work in a folder with a session, or says in a line what it needs that this machine has not."""
    server.otherwise = corrects
    ours = {"AGENTIC_LLM_ENDPOINTS": server.url, "AGENTIC_TOOLS_PROTOCOL": "native", "AGENTIC_SANDBOX_MODE": "off"}
    ours["AGENTIC_APPROVAL_MODE"] = "all"

    def typed_in(words: Iterable[str]) -> Done:
        told = [re.sub(r"http://[\w.]+:800\d/v1", server.url, word).replace("$SLURM_ARRAY_TASK_ID", "1") for word in words]
        told = [name for word in told for name in (sorted(map(str, typing_place.glob(word))) if "*" in word else [word])]
        return agentic(*told, stdin="fix it\n" if "-" in told else "", more=ours, seconds=120)

    said = " ".join(call)
    for before in ("run 'correct greet.py'", *(line for name, lines in BEFORE.items() if name in said for line in lines)):
        typed_in(shlex.split(before))
    done = typed_in(call)
    lacks = next((words for name, words in LACKS.items() if name in said), "")
    if done.code not in (0, 1):
        assert lacks in done.err and lacks, f"{done.code}: {done.err}"
        assert done.err.strip().count("\n") <= 3


def test_each_extra_that_a_page_installs_is_one_that_ci_installs() -> None:
    named = {
        name for path in markdown() for found in re.findall(r"'\.\[([\w,-]+)\]'", path.read_text()) for name in found.split(",")
    }
    installs = "".join(path.read_text() for path in (ROOT / "README.md", ROOT / ".ci" / "run"))
    installed = {name for found in re.findall(r"""['"]\.\[([\w,-]+)\]['"]""", installs) for name in found.split(",")}
    assert named and named <= installed & set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    )


def shown_lines(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return [line[2:] for block in _BLOCK.findall(text) for line in block.splitlines() if line.startswith("$ ")]


def corrects(request: Request) -> ScriptedAnswer:
    """A model that corrects greet.py where it may, and says so."""
    if not request.json.get("tools") or request.json["messages"][-1]["role"] == "tool":
        return answer("done")
    edit = {"path": "greet.py", "content": 'def greet(name):\n    return "Hello, " + name\n'}
    return answer(tool_calls=tool_call("write_file", edit))


@pytest.fixture
def shell(env: dict[str, str], tmp_path: Path, server: FakeVLLM) -> Callable[[str, Path], str]:
    """Runs lines in one shell, as somebody types them who allows all; what they print. A usage error is none that one may make."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, module in (("agentic", "agentic"), ("python3", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {f"-m {module}" if module else ""} "$@"\n')
        (tools / name).chmod(0o755)
    server.otherwise = corrects
    given = {"AGENTIC_LLM_ENDPOINTS": server.url, "AGENTIC_TOOLS_PROTOCOL": "native", "AGENTIC_APPROVAL_MODE": "all"}
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    own = env | given | {"AGENTIC_SANDBOX_MODE": "off", "PATH": path}

    def run(line: str, folder: Path) -> str:
        done = subprocess.run(["bash", "-c", line], cwd=folder, env=own, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in (0, 1), f"{line}: {done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return run


def test_the_first_edit_is_gone_through(shell: Callable[[str, Path], str], work: Path) -> None:
    lines = shown_lines("tutorials/first-edit.md")
    place = work / "greeting"
    shell(lines[0], work)
    said = {line: shell(line, place) for line in lines[1:]}
    assert "1 passed" in said['agentic run "correct greet.py, so that test_greet.py passes"']
    assert '"Hello, " + name\n' in (place / "greet.py").read_text()  # undone, and done again


@pytest.mark.parametrize(
    "page", ["tutorials/two-servers.md", "tutorials/one-card.md", "how-to/small-windows.md", "how-to/large-batch.md"]
)
def test_a_page_is_gone_through(shell: Callable[[str, Path], str], server: FakeVLLM, work: Path, page: str) -> None:
    (work / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    for line in shown_lines(page):
        if not line.startswith("pip "):
            shell(re.sub(r"http://localhost:8001/v1$", server.url, line) if "doctor" in line else line, work)


def test_the_plugin_is_made(shell: Callable[[str, Path], str], work: Path) -> None:
    text = (ROOT / "docs" / "tutorials" / "plugin.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (work / "lines.py").write_text(program)
    tries, makes, *_ = shown_lines("tutorials/plugin.md")
    assert "done" in shell(tries, work)
    shell(makes, work)
    assert (
        work / "agentic-linecount" / "tests"
    ).is_dir()  # tests/agentic/test_hooks.py installs such plugins, and runs their tests
