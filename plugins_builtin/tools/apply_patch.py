"""V4A patches ("*** Begin Patch"), applied as a whole or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from agentic import Change, Setup, ToolError, ToolOutput, ToolSpec, Workspace
from agentic.lib.files.text import Text, decode, encode_new, is_notebook
from plugins_builtin.tools.patch_format import Hunk, PatchSection, parse


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


def updated(text: str, hunks: Sequence[Hunk], newline: str = "\n") -> str:
    """`text` with the hunks applied in their order. Raises ToolError for one whose lines are not there."""
    lines = text.split("\n")
    ending = newline.removesuffix("\n")
    made: list[str] = []
    done = place = 0
    for hunk in hunks:
        place = _place_of(lines, hunk, _behind(lines, hunk.anchor, place))
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


def _place_of(lines: Sequence[str], hunk: Hunk, start: int) -> int:
    """Returns the index of the hunk's old lines in `lines`: exactly, or but for white space. Raises ToolError without them."""
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


def _edits(section: PatchSection, workspace: Workspace) -> list[Edit]:
    """Returns the section's edits of the files. Raises ToolError, OutsideWorkspace; nothing is changed yet."""
    path = _path(section.path, workspace)
    if section.added is not None:
        if workspace.exists(path):
            raise ToolError(f"{path} is there already: update it instead of adding it")
        return [(path, encode_new("".join(f"{line}\n" for line in section.added), path), None)]
    data = workspace.current(path).data
    if section.hunks is None:
        return [(path, None, None)]
    file: Text = decode(data, path)
    target = _path(section.move_to, workspace) if section.move_to else path
    try:
        text = updated(file.text, section.hunks, file.newline)
        made = file.encode(text) if is_notebook(path) == is_notebook(target) else encode_new(text, target)
    except ToolError as error:
        raise ToolError(f"{path}: {error}; nothing of the patch was applied") from error
    if target == path:
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
