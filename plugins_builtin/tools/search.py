"""Searching the files' text: by ripgrep where it is installed, else by our own walker in a process that can be ended."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any

from agentic import Setup, ToolError, ToolOutput, ToolSpec, Workspace
from agentic.lib.files import printable_name
from agentic.lib.files.beneath import FOLDER, Beneath, open_beneath
from plugins_builtin.tools.search_files import MAX_LINE, TOO_SLOW

MAX_SECONDS = 20.0  # for one search: there are expressions that take longer than anybody lives
_RG_ERROR = 2
_OPEN = "/proc/self/fd"
_HAS_OPEN = os.path.isdir(_OPEN)
# Nothing of the user's or the project's own settings for it; the files that our walker shows, in the same order.
_FLAGS = (
    *("--no-config", "--no-messages", "--no-heading", "--with-filename", "--line-number", "--color=never", "--sort=path", "--null"),
    *("--hidden", "--no-require-git", "--no-ignore-dot", "--no-ignore-global", "--max-columns=0", "--no-binary"),
    *(f"--glob=!{name}" for name in (".git", ".hg", ".svn", "node_modules", "venv", ".venv", "__pycache__")),
)


class Search:
    spec = ToolSpec(
        "search",
        "Finds the lines that match a regular expression.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "a regular expression"},
                "path": {"type": "string", "description": "a folder or file; the whole workspace without it"},
                "max_results": {"type": "integer"},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        "read",
        "The quickest way to find where something is defined or used. Narrow it with path before raising max_results.",
        refinements=("max_results",),
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        query, limit = arguments["query"], max(1, arguments.get("max_results") or 50)
        where = workspace.relative(arguments.get("path") or ".")
        if not workspace.exists(where):
            raise ToolError(f"{where} does not exist")
        found: list[str] = []
        try:
            async with asyncio.timeout(MAX_SECONDS):
                if not await _by_ripgrep(workspace, where, query, limit, found):
                    await _by_hand(workspace, where, query, limit, found)
        except TimeoutError:
            found.append(f"(stopped after {MAX_SECONDS:g} s: name a path)")
        if len(found) > limit:
            found[limit:] = [f"(stopped at {limit} lines)"]
        return ToolOutput("\n".join(found) or "(nothing found)")


async def _by_ripgrep(workspace: Workspace, where: str, query: str, limit: int, found: list[str]) -> bool:
    """A line more than the limit; False where there is no ripgrep, or it cannot read the expression."""
    if (program := shutil.which("rg")) is None:
        return False
    if not workspace.has_literal(where) or not _HAS_OPEN:
        return False
    try:  # held open: by its name, it could be another folder by the time that ripgrep looks
        with Beneath(workspace.root) as root:
            folder = open_beneath(root, where, FOLDER)
    except OSError:  # a file: quickly searched
        return False
    try:
        return await _ripgrep((program, *_FLAGS, "--regexp", query, "--", "."), folder, workspace, where, limit, found)
    finally:
        os.close(folder)


async def _ripgrep(words: tuple[str, ...], folder: int, workspace: Workspace, where: str, limit: int, found: list[str]) -> bool:
    async with aclosing(_lines(words, f"{_OPEN}/{folder}")) as lines:
        async for line in lines:
            if isinstance(line, int):
                return line != _RG_ERROR
            path, _, rest = line.partition(b"\0")
            number, _, text = rest.decode("utf-8", "replace").partition(":")
            name = printable_name(os.path.join("" if where == "." else where, os.fsdecode(path.removeprefix(b"./"))))
            if workspace.grants.needs_word(name, "read"):
                continue
            found.append(f"{name}:{number}: {text.strip()[:MAX_LINE]}")
            if len(found) > limit:
                break
    return True


async def _by_hand(workspace: Workspace, where: str, query: str, limit: int, found: list[str]) -> None:
    try:
        re.compile(query)
    except (re.error, RecursionError, OverflowError):
        query = re.escape(query)
    names = [where] if workspace.stamp(where) else list(workspace.files(where))
    names = [name for name in names if not workspace.grants.needs_word(name, "read")]
    wanted = {"root": str(workspace.root), "query": query, "limit": limit, "names": names}
    words = (sys.executable, "-P", "-m", "plugins_builtin.tools.search_files")
    async with aclosing(_lines(words, str(workspace.root), json.dumps(wanted).encode())) as lines:
        async for line in lines:
            if isinstance(line, bytes):
                found.append(line.decode("utf-8", "replace").rstrip("\n"))
            elif line == TOO_SLOW:
                found.append("(stopped: there is a line on which this expression takes too long; make it simpler)")


async def _lines(words: tuple[str, ...], folder: str, stdin: bytes = b"") -> AsyncGenerator[bytes | int]:
    """The program's lines, and its exit code at the end; it is killed when nobody reads on."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 24,
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        with suppress(ConnectionError):
            process.stdin.write(stdin)
            await process.stdin.drain()
            process.stdin.close()
        with suppress(ValueError):  # a line of more than any limit
            async for line in process.stdout:
                yield line
        yield await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
