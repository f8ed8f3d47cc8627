"""The tests that are near an edited file, run after each edit: the model reads at once what it broke."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import PurePath

from agentic import AgenticError, ToolOutput, Workspace
from plugins_builtin.checks.common import cannot_run
from plugins_builtin.checks.python_project import Imports, interpreter, is_test, texts
from plugins_builtin.checks.python_tests import passes_in, wants_pytest

MAX_TESTS = 20  # files
MAX_SHOWN = 600  # characters of what fails
Run = Callable[[str], Awaitable[ToolOutput | None]]
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+)$|^((?:FAIL|ERROR): .+)$", re.MULTILINE)
_RAISED = re.compile(r"^(?:\w[\w.]*(?:Error|Exception)\b.*)$", re.MULTILINE)
_slow: set[tuple[str, str]] = set()
"""Commands that took too long, by the folder that they were run in: they are not run again."""


async def note_on(written: Iterable[str], space: Workspace, run: Run, seconds: float) -> str:
    """Tells in one line if the tests near these files pass, and what fails; "" where there are none, or none may be run."""
    command = command_for([path for path in written if path.endswith(".py")], space)
    if not command or (str(space.root), command) in _slow:
        return ""
    try:
        async with asyncio.timeout(seconds):
            output = await run(command)
    except TimeoutError:
        _slow.add((str(space.root), command))
        return ""
    except AgenticError:
        return ""
    return "" if output is None or cannot_run(output) else _in_words(output)


def command_for(paths: list[str], space: Workspace) -> str:
    """The command that runs the test files which import these files, and those among them; "" for none."""
    files = texts(space) if paths else {}
    imports = Imports(files)
    tests = [each for each in files if is_test(each) and (each in paths or imports.reached(each) & set(paths))]
    tests = [each for each in tests if re.search(r"\bdef test|\bclass \w*Test", files[each])][:MAX_TESTS]
    if not tests:
        return ""
    python, names = interpreter(space.root), shlex.join(tests)
    if wants_pytest(space, (files[each] for each in tests)):
        return f"{python} -m pytest -q --tb=line -pno:cacheprovider {names}"
    modules = (".".join(PurePath(each).with_suffix("").parts) for each in tests)
    return f"{python} -m unittest {shlex.join(modules)}"


def _in_words(output: ToolOutput) -> str:
    if not output.failed:
        count = passes_in(output.text)
        return f"(The tests that import it pass{f': {count}' if count else ''}.)"
    failed = [next(filter(None, match)) for match in _FAILED.findall(output.text)]
    said = "; ".join(failed) or "; ".join(_RAISED.findall(output.text)) or " ".join(output.text.split())[-MAX_SHOWN:]
    return f"(Of the tests that import it, these fail: {said[:MAX_SHOWN]})"


def files_in(output: ToolOutput) -> Mapping[str, None]:
    """The files that a call wrote."""
    return dict.fromkeys(change.path for change in output.changes if change.kind in ("created", "updated"))
