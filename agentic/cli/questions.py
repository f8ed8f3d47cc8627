"""Questions to the user, on the terminal, whatever the renderer: every byte of what is wanted, and one answer."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator

from agentic.core.approval import Question, Reply
from agentic.sanitize import sanitize

DEAF_SECONDS = 0.3  # nobody can have read a question by then: what is typed was meant for something else
MAX_BLANKS = 16  # in a row; more are told as a number
_REPLIES: dict[str, Reply] = {"y": "once", "yes": "once", "s": "session", "p": "project", "u": "user"}


async def ask_in_terminal(question: Question) -> Reply:
    """Prints the whole question to stderr, a page at a time, and reads the answer."""
    lines = list(shown(question))
    size = shutil.get_terminal_size()
    wrapped = [piece for line in lines for piece in _folded(line, size.columns)]
    room = max(4, size.lines - 4)
    await asyncio.sleep(DEAF_SECONDS)
    _forget_typed_keys()
    for start in range(0, len(wrapped), room):
        page = wrapped[start : start + room]
        print("\n".join(page), file=sys.stderr)
        if start + room < len(wrapped):
            left = len(wrapped) - start - room
            print(f"  ({left} more lines: Enter shows them, n refuses) ", end="", file=sys.stderr, flush=True)
            if (await _line_from_stdin()).strip().lower().startswith("n"):
                return "no"
    if question.proposals:
        rules = ", ".join(map(sanitize, question.proposals))
        print(f"  always: {rules}  (s: in this session, p: in this project, u: everywhere)", file=sys.stderr)
    keys = "y/N/s/p/u" if question.proposals else "y/N"
    print(f"  allow? [{keys}] ", end="", file=sys.stderr, flush=True)
    reply = _REPLIES.get((await _line_from_stdin()).strip().lower(), "no")
    return reply if question.proposals or reply in ("no", "once") else "once"


def shown(question: Question) -> Iterator[str]:
    """The question's lines: each of the body behind a bar, with what cannot be seen spelled out."""
    who = "" if question.agent == "main" else f"{question.agent.removeprefix('sub-')}: "
    what = visible(question.what if not question.body else question.what.partition("\n")[0])
    yield f"? {who}{what}" if len(what) <= 100 or not question.body else f"? {who}{what[:100]}…"
    for line in question.body.removesuffix("\n").split("\n") if question.body else ():
        yield f"  │ {visible(line)}"
    for warning in question.warnings:
        yield f"  ! {visible(warning)}"
    if question.plugin:
        yield f"  plugin {visible(question.plugin)} wants you to decide: {visible(question.reason) or 'it gives no reason'}"


def visible(line: str) -> str:
    """Control and invisible characters written out; blanks that would push the rest away counted."""
    text = line.replace("\r", "\\u{d}").replace("\t", "\\t") if re.search(r"\r|\t.*\S.*\t|\t{4}|\S\t", line) else line
    text = re.sub(rf" {{{MAX_BLANKS + 1},}}(?=\S|$)", lambda match: f" ⟨{len(match[0])} blanks⟩ ", text)
    return sanitize(text)


def _folded(line: str, columns: int) -> Iterator[str]:
    """Cut to the screen's width, the bar in front of each piece."""
    from rich.cells import cell_len, set_cell_size

    bar = "  │ " if line.startswith("  │ ") else ""
    while cell_len(line) > columns:
        piece = set_cell_size(line, columns).rstrip() if cell_len(line[:columns]) > columns else line[:columns]
        piece = line[: max(len(bar) + 1, min(len(piece), columns))]
        yield piece
        line = bar + line[len(piece) :]
    yield line


def _forget_typed_keys() -> None:
    import termios

    try:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    except termios.error:
        return


async def _line_from_stdin() -> str:
    """One line, without a thread that would hold the process when it is told to stop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(sys.stdin)
        if not future.done():
            future.set_result(os.read(sys.stdin.fileno(), 4096).decode("utf-8", "replace"))

    loop.add_reader(sys.stdin, readable)
    try:
        return await future
    finally:
        loop.remove_reader(sys.stdin)
