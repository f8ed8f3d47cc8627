"""The content of a V4A patch, as models write it.

The format is that of the makers of gpt-oss (`gpt_oss/tools/apply_patch.py`): sections that add, delete or update a file, the last
with `*** Move to:`, hunks behind `@@` anchors, and context that may differ in white space. Words, a fence or a here-document around
it are left out, and a difference as `diff -u` and git write it is read as the patch that it is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import field

from agentic import ToolError
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record

_BEGIN, _END, _END_OF_FILE = "*** Begin Patch", "*** End Patch", "*** End of File"
_ADD, _DELETE, _UPDATE, _MOVE = "*** Add File: ", "*** Delete File: ", "*** Update File: ", "*** Move to: "
_HEADS = {"add": _ADD, "create": _ADD, "delete": _DELETE, "remove": _DELETE, "update": _UPDATE, "modify": _UPDATE, "move": _MOVE}
_HEAD = late_pattern(
    r"\*\*\*[ \t]*(?:(add|create|delete|remove|update|modify)[ \t]+file|(move)[ \t]+to)[ \t]*:[ \t]*(\S.*)", re.IGNORECASE
)
_SECTIONS = (_END, *(head.rstrip() for head in (_UPDATE, _DELETE, _ADD)))
_NOTHING = "/dev/null"
_OF_GIT = ("diff ", "index ", "new file mode", "deleted file mode", "old mode", "new mode", "similarity ", "\\ No newline")


@record(slots=True)
class Hunk:
    """`old` are the lines that are looked for behind the `anchor`; `pieces` are (place in `old`, lines taken out, lines put in)."""

    anchor: str
    old: list[str] = field(default_factory=list)
    pieces: list[tuple[int, list[str], list[str]]] = field(default_factory=list)
    at_end: bool = False


@record(slots=True)
class PatchSection:
    """The change to one file: `added` are a new file's lines, `hunks` an old one's changes, neither deletes it."""

    path: str
    added: list[str] | None = None
    hunks: list[Hunk] | None = None
    move_to: str = ""


def parse(patch: str) -> list[PatchSection]:
    """The sections. Raises ToolError telling the model what is wrong."""
    lines = _bare([line.removesuffix("\r") for line in patch.strip("\r\n").split("\n")])
    sections: list[PatchSection] = []
    place = 1
    while place < len(lines) - 1:
        if not lines[place].strip():  # between two sections
            place += 1
            continue
        section, place = _section(lines, place)
        if any(section.path == other.path for other in sections):
            raise ToolError(f"the patch has two sections for {section.path}: make it one")
        sections.append(section)
    return sections


def _bare(lines: list[str]) -> list[str]:
    """The lines of the patch itself with its first and last one, which may both be missing."""
    lines = _moved_left(lines)
    marks = [line.strip().rstrip("* ") for line in lines]
    begins = [place for place, mark in enumerate(marks) if mark == _BEGIN]
    if not begins:
        heads = (place for place, line in enumerate(lines) if _HEAD.match(line) or line.startswith(("--- ", "diff --git ")))
        if (first := next(heads, None)) is None:
            raise ToolError(f"the patch has to begin with {_BEGIN!r} and to end with {_END!r}")
        begins = [first - 1]
    inner: list[str] = []
    for number, begin in enumerate(begins):
        limit = begins[number + 1] if number + 1 < len(begins) else len(lines)
        end = next((place for place in range(begin + 1, limit) if marks[place] == _END), None)
        body = lines[begin + 1 : limit if end is None else end]
        inner += body if end is not None else _without_closing(body, opened=begin > 0)
    return [_BEGIN, *_headed(inner), _END]


def _moved_left(lines: list[str]) -> list[str]:
    """Without the blanks that stand before the whole patch."""
    first = next((line for line in lines if line.strip().startswith(_BEGIN)), "")
    indent = first[: len(first) - len(first.lstrip())]
    return [line.removeprefix(indent) for line in lines] if indent else lines


def _without_closing(body: list[str], opened: bool) -> list[str]:
    """Without the fence's or the here-document's last line, where one was opened before the patch."""
    closed = opened and body and (body[-1].strip() == "```" or re.fullmatch(r"\w[\w.-]*", body[-1]))
    return body[:-1] if closed else body


def _headed(lines: Sequence[str]) -> Iterator[str]:
    """The lines with each head as the format has it, and what `diff` says as sections."""
    of_diff = [place for place in range(len(lines) - 1) if lines[place].startswith("--- ") and lines[place + 1].startswith("+++ ")]
    left_out = {place + 1 for place in of_diff}
    only: str | None = None  # of a whole file: the signs of the lines that say something
    for place, line in enumerate(lines):
        if place in of_diff:
            old, new = _file_of(line, "a/"), _file_of(lines[place + 1], "b/")
            only = "" if new == _NOTHING else "+" if old == _NOTHING else None
            yield _DELETE + old if new == _NOTHING else _ADD + new if old == _NOTHING else _UPDATE + old
            if only is None and old != new:
                yield _MOVE + new
        elif match := _HEAD.match(line):
            only = None
            yield _HEADS[(match[1] or match[2]).lower()] + _unquoted(match[3])
        elif place not in left_out and not (of_diff and line.startswith(_OF_GIT)) and (only is None or line[:1] == only != ""):
            yield line


def _file_of(line: str, side: str) -> str:
    """The path behind `---` or `+++`, without git's name of the side and without the time."""
    return _unquoted(line[4:].partition("\t")[0]).removeprefix(side)


def _unquoted(path: str) -> str:
    path = path.strip()
    return path[1:-1] if len(path) > 2 and path[0] == path[-1] and path[0] in "`'\"" else path


def _section(lines: Sequence[str], place: int) -> tuple[PatchSection, int]:
    head = lines[place]
    end = place + 1
    while not lines[end].startswith(_SECTIONS):
        end += 1
    body = list(lines[place + 1 : end])
    while body and not body[-1]:
        body.pop()
    for prefix in (_ADD, _DELETE, _UPDATE):
        if head.startswith(prefix) and head != prefix:
            section = PatchSection(head.removeprefix(prefix))
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
