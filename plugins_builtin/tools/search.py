"""Searching the files' text: by ripgrep where it is installed, which leaves out what .gitignore does, as our own walker."""

import asyncio
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from agentic import AgenticError, Setup, ToolError, ToolOutput, ToolSpec, Workspace
from agentic.threads import on_daemon_thread
from plugins_builtin.tools.files import walk
from plugins_builtin.tools.text import decode

MAX_LINE = 200
_RG_ERROR = 2
# Nothing of the user's or the project's own settings for it; the files that our walker shows, in the same order.
_FLAGS = (
    *("--no-config", "--no-messages", "--no-heading", "--with-filename", "--line-number", "--color=never", "--sort=path"),
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
        guidance="The quickest way to find where something is defined or used. Narrow it with path before raising max_results.",
        refinements=("max_results",),
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        query, limit = arguments["query"], max(1, arguments.get("max_results") or 50)
        where = workspace.relative(arguments.get("path") or ".")
        if not (workspace.root / where).exists():
            raise ToolError(f"{where} does not exist")
        found = await _by_ripgrep(workspace, where, query, limit)
        if found is None:
            found = await on_daemon_thread(partial(_by_hand, workspace, where, query, limit))
        if len(found) > limit:
            found[limit:] = [f"(stopped at {limit} lines)"]
        return ToolOutput("\n".join(found) or "(nothing found)")


async def _by_ripgrep(workspace: Workspace, where: str, query: str, limit: int) -> list[str] | None:
    """One line more than the limit; None where there is no ripgrep, or it cannot read the expression."""
    if (program := shutil.which("rg")) is None:
        return None
    process = await asyncio.create_subprocess_exec(
        *(program, *_FLAGS, "--regexp", query, "--", where),
        cwd=workspace.root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    found = []
    try:
        async for line in process.stdout:
            path, number, text = line.decode("utf-8", "replace").removeprefix("./").split(":", 2)
            found.append(f"{path}:{number}: {text.strip()[:MAX_LINE]}")
            if len(found) > limit:
                break
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        code = await process.wait()
    return None if code == _RG_ERROR else found


def _by_hand(workspace: Workspace, where: str, query: str, limit: int) -> list[str]:
    try:
        pattern = re.compile(query)
    except re.error:
        pattern = re.compile(re.escape(query))
    names = [where] if (workspace.root / where).is_file() else walk(workspace, where)
    return list(islice((hit for name in names for hit in _hits(workspace, name, pattern)), limit + 1))


def _hits(workspace: Workspace, name: str, pattern: re.Pattern[str]) -> Iterator[str]:
    try:
        text = decode(workspace.current(name).data, name).text
    except AgenticError:  # binary, unreadable or a link that leads out
        return
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            yield f"{name}:{number}: {line.strip()[:MAX_LINE]}"
