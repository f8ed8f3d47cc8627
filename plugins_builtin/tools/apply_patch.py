"""V4A patches ("*** Begin Patch"), applied as a whole or not at all.

The format is that of the makers of gpt-oss (`gpt_oss/tools/apply_patch.py`): sections that add, delete or update a file, the last
with `*** Move to:`, hunks behind `@@` anchors, and context that may differ in white space.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentic import Change, Setup, ToolError, ToolOutput, ToolSpec, Workspace
from agentic.files.text import Text, decode

_BEGIN, _END, _END_OF_FILE = "*** Begin Patch", "*** End Patch", "*** End of File"
_ADD, _DELETE, _UPDATE, _MOVE = "*** Add File: ", "*** Delete File: ", "*** Update File: ", "*** Move to: "
_AROUND = re.compile(r"```\w*|(?:apply_patch\s*)?<<-?\s*(?P<quote>['\"]?)(?P<word>[\w.-]+)(?P=quote)")
_SECTIONS = (_END, *(head.rstrip() for head in (_UPDATE, _DELETE, _ADD)))


class ApplyPatch:
    spec = ToolSpec(
        "apply_patch",
        "Changes files: *** Begin Patch, then *** Update File: PATH with hunks (@@ anchor; lines begin with space, - or"
        " +), *** Add File: PATH (+ lines) or *** Delete File: PATH, then *** End Patch.",
        {
            "type": "object",
            "properties": {"patch": {"type": "string"}},
            "required": ["patch"],
            "additionalProperties": False,
        },
        "write",
        "Give three lines of context around each change. *** Move to: PATH behind an update renames the file. All of it is applied,"
        " or nothing.",
        opt_in=True,
        staged=True,
    )

    def __init__(self, setup: Setup | None = None) -> None:
        """Needs nothing."""

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        sections = parse(arguments["patch"])
        edits = [edit for section in sections for edit in _edits(section, workspace)]
        changes = _changed(edits, workspace)
        return ToolOutput("\n".join(f"{change.kind} {change.path}" for change in changes), changes=changes)


@dataclass(slots=True)
class Hunk:
    """`old` are the lines that are looked for behind the `anchor`; `pieces` are (place in `old`, lines taken out, lines put in)."""

    anchor: str
    old: list[str] = field(default_factory=list)
    pieces: list[tuple[int, list[str], list[str]]] = field(default_factory=list)
    at_end: bool = False


@dataclass(slots=True)
class Section:
    """What happens to one file: `added` are a new file's lines, `hunks` an old one's changes, neither deletes it."""

    path: str
    added: list[str] | None = None
    hunks: list[Hunk] | None = None
    move_to: str = ""


def parse(patch: str) -> list[Section]:
    """The sections. Raises ToolError telling the model what is wrong."""
    lines = _bare([line.removesuffix("\r") for line in patch.strip().split("\n")])
    sections: list[Section] = []
    place = 1
    while place < len(lines) - 1:
        section, place = _section(lines, place)
        if any(section.path == other.path for other in sections):
            raise ToolError(f"the patch has two sections for {section.path}: make it one")
        sections.append(section)
    return sections


def _bare(lines: list[str]) -> list[str]:
    """The lines of the patch itself, without the here-document or the fence around it; its last line may be missing."""
    if opened := _AROUND.fullmatch(lines[0]):
        last = opened["word"] or "```"
        lines = lines[1:]
        if lines and lines[-1].strip() == last:
            lines = lines[:-1]
    if not lines or lines[0] != _BEGIN:
        raise ToolError(f"the patch has to begin with {_BEGIN!r} and to end with {_END!r}")
    return lines if lines[-1] == _END else [*lines, _END]


def _section(lines: Sequence[str], place: int) -> tuple[Section, int]:
    head = lines[place]
    end = place + 1
    while not lines[end].startswith(_SECTIONS):
        end += 1
    body = list(lines[place + 1 : end])
    for prefix in (_ADD, _DELETE, _UPDATE):
        if head.startswith(prefix) and head != prefix:
            section = Section(head.removeprefix(prefix))
            break
    else:
        raise ToolError(f"the patch has a line that belongs to no file: {head!r:.80}")
    if prefix == _ADD:
        wrong = next((line for line in body if not line.startswith("+")), None)
        if wrong is not None:
            raise ToolError(f"each line of an added file begins with +, unlike {wrong!r:.80}")
        section.added = [line[1:] for line in body]
    elif prefix == _UPDATE:
        if body and body[0].startswith(_MOVE):
            section.move_to = body.pop(0).removeprefix(_MOVE)
        section.hunks = _hunks(body)
    elif body:
        raise ToolError(f"the patch has a line that belongs to no file: {body[0]!r:.80}")
    return section, end


def _hunks(body: Sequence[str]) -> list[Hunk]:
    hunks: list[Hunk] = []
    place = 0
    while place < len(body):
        anchor = None
        if body[place] == "@@" or body[place].startswith("@@ "):
            anchor = body[place][3:]
            place += 1
        elif hunks or body[place] == _END_OF_FILE:
            raise ToolError(f"the patch has a line where @@ has to stand: {body[place]!r:.80}")
        hunk = Hunk(anchor or "")
        place = _fill(hunk, body, place)
        hunks.append(hunk)
    return hunks


def _fill(hunk: Hunk, body: Sequence[str], place: int) -> int:
    """Reads a hunk's lines; where they end."""
    start = place
    taken: list[str] = []
    put: list[str] = []

    def close() -> None:
        nonlocal taken, put
        if taken or put:
            hunk.pieces.append((len(hunk.old) - len(taken), taken, put))
            taken, put = [], []

    kept = True
    while place < len(body) and not body[place].startswith(("@@", "***")):
        sign, line = (body[place] or " ")[0], body[place][1:]
        if sign not in "+- ":
            raise ToolError(f"a line of a hunk begins with a space, - or +, unlike {body[place]!r:.80}")
        if sign == " " and not kept:
            close()
        kept = sign == " "
        if sign == "+":
            put.append(line)
        else:
            if sign == "-":
                taken.append(line)
            hunk.old.append(line)
        place += 1
    close()
    if place < len(body) and body[place] == _END_OF_FILE:
        hunk.at_end = True
        return place + 1
    if place == start or (place < len(body) and body[place].startswith("***")):
        raise ToolError("the patch has an empty hunk" if place == start else f"the patch has the line {body[place]!r:.80}")
    return place


def updated(text: str, hunks: Sequence[Hunk], newline: str = "\n") -> str:
    """`text` with the hunks applied in their order. Raises ToolError for one whose lines are not there."""
    lines = text.split("\n")
    ending = newline.removesuffix("\n")
    made: list[str] = []
    done = place = 0
    for hunk in hunks:
        place = _found(lines, hunk, _behind(lines, hunk.anchor, place))
        for offset, taken, put in hunk.pieces:
            start = place + offset
            if start < done:
                raise ToolError("two hunks of the patch overlap")
            made += lines[done:start]
            made += [line + ending for line in _reindented(lines[start : start + len(taken)], taken, put)]
            done = start + len(taken)
        place += len(hunk.old)
    return "\n".join(made + lines[done:])


def _behind(lines: Sequence[str], anchor: str, start: int) -> int:
    """The place behind the anchor's line, `start` where it has gone by or is not there."""
    if not anchor.strip():
        return start
    for bare in (_as_it_is, str.strip):
        bared, wanted = list(map(bare, lines)), bare(anchor)
        if wanted not in bared[:start] and wanted in bared[start:]:
            return bared.index(wanted, start) + 1
    return start


def _found(lines: Sequence[str], hunk: Hunk, start: int) -> int:
    """Where the hunk's old lines stand: exactly, or but for white space."""
    starts = [len(lines) - len(hunk.old), start] if hunk.at_end else [start]
    for first in starts:
        if not hunk.old:
            return first
        for bare in (_as_it_is, str.rstrip, str.strip):
            wanted = list(map(bare, hunk.old))
            for place in range(max(0, first), len(lines) - len(wanted) + 1):
                if list(map(bare, lines[place : place + len(wanted)])) == wanted:
                    return place
    shown = "\n".join(hunk.old)
    raise ToolError(f"these lines are not in the file{' at its end' if hunk.at_end else ''}; read it again:\n{shown[:600]}")


def _as_it_is(line: str) -> str:
    return line.removesuffix("\r")


def _reindented(there: Sequence[str], taken: Sequence[str], put: Sequence[str]) -> Sequence[str]:
    """The new lines, moved by as much as the old ones are off in the patch, where that is the same for all of them."""
    differing = [(mine, other) for mine, other in zip(there, taken, strict=False) if mine.rstrip("\r") != other and other.strip()]
    if not put or not differing or [line.strip() for line in there] != [line.strip() for line in taken]:
        return put
    have, want = _indent(differing[0][1]), _indent(differing[0][0])
    if any(not other.startswith(have) or mine.rstrip("\r") != want + other[len(have) :] for mine, other in differing):
        return put
    if any(line.strip() and not line.startswith(have) for line in put):
        return put
    return [want + line[len(have) :] if line.strip() else line for line in put]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


Edit = tuple[str, bytes | None, int | None]
"""A path, what it is to hold, None for no file, and the mode of a new one."""


def _edits(section: Section, workspace: Workspace) -> list[Edit]:
    """What the section makes of the files. Raises ToolError, OutsideWorkspace; nothing is changed yet."""
    path = _path(section.path, workspace)
    if section.added is not None:
        if workspace.exists(path):
            raise ToolError(f"{path} is there already: update it instead of adding it")
        return [(path, "".join(f"{line}\n" for line in section.added).encode("utf-8", "replace"), None)]
    data = workspace.current(path).data
    if section.hunks is None:
        return [(path, None, None)]
    file: Text = decode(data, path)
    try:
        made = file.encode(updated(file.text, section.hunks, file.newline))
    except ToolError as error:
        raise ToolError(f"{path}: {error}; nothing of the patch was applied") from error
    if not section.move_to or (target := _path(section.move_to, workspace)) == path:
        return [(path, made, None)]
    if workspace.exists(target):
        raise ToolError(f"{path} cannot be moved to {target}, which is there already")
    return [(target, made, workspace.mode(path)), (path, None, None)]


def _path(path: str, workspace: Workspace) -> str:
    name = workspace.relative(path)
    if ".git" in name.split("/"):
        raise ToolError(f"{name} belongs to git: no patch changes it")
    return name


def _changed(edits: Sequence[Edit], workspace: Workspace) -> tuple[Change, ...]:
    """All of it, or none: what cannot be written raises before anything is."""
    stage, changes = workspace.stage(), []
    for path, data, mode in edits:
        there = stage.exists(path)
        if data is None:
            stage.remove(path)
            changes.append(Change(path, "deleted"))
        else:
            changed = stage.write(path, data, mode)
            changes.append(Change(path, "unchanged" if not changed else "updated" if there else "created"))
    workspace.commit(stage.edits)
    return tuple(changes)
