"""Exact replacement; then a unique match that only differs in white space; else the nearest lines, for another try."""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from agentic import Change, Setup, ToolError, ToolOutput, ToolSpec, Workspace
from agentic.lib.files.text import decode

MAX_COMPARED = 20_000  # lines, and characters of one: looking for what is nearest takes its time
NEAREST_LINES = 12


class EditFile:
    spec = ToolSpec(
        "edit_file",
        "Replaces one piece of a file. `old` is its exact text, in whole lines, and occurs once.",
        {
            "type": "object",
            "properties": {"path": {"type": "string"}, "old": {"type": "string"}, "new": {"type": "string"}},
            "required": ["path", "old", "new"],
            "additionalProperties": False,
        },
        "write",
        "Read the lines first and copy them exactly, with their indentation. Prefer this over write_file for a file that exists;"
        " for several places make several calls.",
        staged=True,
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        path = arguments["path"]
        file = decode(workspace.current(path).data, path)
        text = replace(file.text, arguments["old"], arguments["new"], file.newline)
        workspace.write(path, file.encode(text))
        return ToolOutput(f"Edited {path}.", changes=(Change(path),))


def replace(text: str, old: str, new: str, newline: str) -> str:
    """`text` with the one place that `old` names replaced by `new`. Raises ToolError telling the model what to do."""
    old, new = (part.replace("\r\n", "\n") for part in (old, new))
    if old == new:
        raise ToolError("old and new are the same; nothing was changed")
    if not old.strip():
        raise ToolError("old is empty; give the exact lines to replace, or use write_file")
    end = "\r" if newline == "\r" else "\r?\n"
    places = list(re.finditer(re.escape(old).replace("\\\n", end), text))
    if len(places) == 1:
        return text[: places[0].start()] + _ended(places[0][0], new, newline) + text[places[0].end() :]
    if places:
        raise ToolError(f"old occurs {len(places)} times; take more lines around it so that it occurs once")
    return _replace_loosely(text, old, new, newline)


def _replace_loosely(text: str, old: str, new: str, newline: str) -> str:
    lines = text.splitlines(keepends=True)
    wanted = [_bare(line) for line in old.strip("\r\n").splitlines()]
    bare = [_bare(line) for line in lines]
    places = [i for i in range(len(lines) - len(wanted) + 1) if bare[i : i + len(wanted)] == wanted]
    if len(places) != 1:
        raise ToolError(f"old does not occur in the file{_nearest(lines, bare, wanted)}")
    first = places[0]
    replaced = lines[first : first + len(wanted)]
    moved = _reindent(new.strip("\r\n").splitlines(), _indent(old.strip("\r\n")), _indent(replaced[0]))
    ending = replaced[-1][len(replaced[-1].rstrip("\r\n")) :]
    piece = "".join(replaced).removesuffix(ending)
    return "".join([*lines[:first], _ended(piece, "\n".join(moved), newline) + ending, *lines[first + len(wanted) :]])


def _ended(piece: str, new: str, newline: str) -> str:
    """`new` in the place of the piece: a line that stays, or that one other takes the place of, keeps its end."""
    ends = re.findall(r"\r?\n", piece)
    if set(ends) <= {newline}:
        return new.replace("\n", newline)
    lines = new.split("\n")
    ended = [newline] * (len(lines) - 1)
    for _, first, last, start, stop in SequenceMatcher(None, re.split(r"\r?\n", piece), lines, autojunk=False).get_opcodes():
        if last - first == stop - start:
            kept = ends[first:last]
            ended[start : start + len(kept)] = kept[: len(ended) - start]
    return "".join(line + end for line, end in zip(lines, [*ended, ""], strict=True))


def _bare(line: str) -> str:
    return " ".join(line.split())


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _reindent(lines: Sequence[str], have: str, want: str) -> list[str]:
    """The replacement moved by as much as the model's first line was off."""
    return [want + line.removeprefix(have) if line.startswith(have) and line.strip() else line for line in lines]


def _nearest(lines: Sequence[str], bare: Sequence[str], wanted: Sequence[str]) -> str:
    if not lines:
        return ": it is empty"
    if len(lines) > MAX_COMPARED or max(map(len, lines)) > MAX_COMPARED:
        return ""
    anchor = max(wanted, key=len)
    best = max(range(len(bare)), key=lambda i: SequenceMatcher(None, bare[i], anchor, autojunk=False).quick_ratio())
    start = max(0, min(best - len(wanted) // 2 - 2, len(lines) - NEAREST_LINES))
    shown = "".join(f"{n}: {line.rstrip()}\n" for n, line in enumerate(lines[start : start + NEAREST_LINES], start + 1))
    return f". The nearest lines are:\n{shown}"
