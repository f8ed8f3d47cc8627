"""Attempts asked the same questions: a program of the model's calls what they changed, and what it prints is compared."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from agentic import AgenticError, Attempt, Message
from agentic.hooks.fan_out import Lead
from agentic.lib.contents import lines_of
from agentic.lib.patterns import late_pattern

if TYPE_CHECKING:
    from plugins_builtin.attempts.contender import Contender

RUNNERS = {".py": "python3", ".js": "node", ".mjs": "node", ".rb": "ruby"}
MAX_BYTES = 12_000  # of files that the model is shown
MAX_LINES = 40
TOKENS = 1_200
_CODE = late_pattern(r"```[\w+-]*\n(.*?)(?:^```|\Z)", re.MULTILINE | re.DOTALL)


async def answers_of(
    contenders: "Sequence[Contender]", lead: Lead, prompt: Callable[..., str], task: str
) -> Mapping[int, tuple[str, ...]]:
    """Answers of each attempt, by its number: the lines that the program prints with it, else what its files hold."""
    contents = {each.number: _contents(each) for each in contenders}
    if len(set(contents.values())) == 1:
        return contents
    program, ending = await _program(contenders[0], lead, prompt, task)
    if not program:
        return contents
    printed = {each.number: await _printed(each.attempt, program, ending) for each in contenders}
    return printed if any(printed.values()) else contents


def _contents(contender: "Contender") -> tuple[str, ...]:
    """The files as one answer: without blank lines, which mean nothing."""
    files = sorted(contender.best.files.items())
    lines = [(path, lines_of(data or b"")) for path, data in files]
    return (repr(lines),)


async def _program(contender: "Contender", lead: Lead, prompt: Callable[..., str], task: str) -> tuple[str, str]:
    """(a program that asks, the ending of its file); "" where the files are of no kind that can be asked."""
    files = {path: data for path, data in contender.best.files.items() if data and os.path.splitext(path)[1] in RUNNERS}
    if not files:
        return "", ""
    ending = os.path.splitext(next(iter(files)))[1]
    shown = "\n\n".join(f"{path}\n```\n{data.decode('utf-8', 'replace')}\n```" for path, data in files.items())
    ask = prompt("attempts.questions", task=task, files=shown[:MAX_BYTES], language=RUNNERS[ending].rstrip("3"))
    try:
        said = await lead.llm.complete([Message("user", ask)], max_tokens=TOKENS)
    except AgenticError:
        return "", ""
    found = _CODE.search(said)
    return (found[1] if found else said), ending


async def _printed(attempt: Attempt, program: str, ending: str) -> tuple[str, ...]:
    """The lines that the program prints in the attempt's tree; none where that needs a question. Its file is gone afterwards."""
    path = attempt.agent.workspace.root / f"agentic_questions{ending}"
    try:
        path.write_text(program, encoding="utf-8")
        output = await attempt.check(f"{RUNNERS[ending]} {path.name}")
    except (AgenticError, OSError):
        return ()
    finally:
        with suppress(OSError):
            path.unlink()
    return () if output is None or output.failed else tuple(output.text.splitlines()[:MAX_LINES])
