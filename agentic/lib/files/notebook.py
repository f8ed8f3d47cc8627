"""Jupyter notebooks as text: each cell after a line `# %%`, `# %% [markdown]` or `# %% [raw]`, without what it gave out.

An edit of the text changes those cells; all else of the file stays byte for byte, what the cells gave out too.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from agentic.errors import ToolError
from agentic.lib.files.text import Text
from agentic.lib.record import record

_HEAD = re.compile(r"# %%(?: \[(markdown|raw)\])?")
_STYLES: list[dict[str, Any]] = [
    {"indent": indent, "ensure_ascii": plain, "separators": None if indent is not None else separators}
    for indent in (1, 2, 4, "\t", None)
    for plain in (False, True)
    for separators in ((", ", ": "), (",", ":"))
]  # in which programs write notebooks
_NEW: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
_BARE = "the file is a notebook: begin each cell with a line `# %%`, or `# %% [markdown]` for text"
Cells = list[tuple[str, str]]
"""Each cell's type (code, markdown, raw) and source."""


@record(frozen=True, slots=True)
class Notebook(Text):
    """`raw` is the JSON that the file holds, "" for a new file; `style` is how it was written."""

    raw: str
    style: Mapping[str, Any]

    def encode(self, text: str) -> bytes:
        """Raises ToolError for a text that is no notebook."""
        if text == self.text:
            return self.mark + self.raw.encode(self.encoding)
        if _book(text) is not None:  # written as JSON
            return self.mark + text.encode(self.encoding)
        book = json.loads(self.raw) if self.raw else dict(_NEW)
        book["cells"] = _with_sources(book["cells"], _cells(text), book.get("nbformat_minor", 0) >= 5)
        end = "\n" if not self.raw or self.raw.endswith("\n") else ""
        return self.mark + (json.dumps(book, **self.style) + end).encode(self.encoding)


def notebook(file: Text) -> Text:
    """The file as the text of its cells; as it is where it is no notebook that could be written again as it was."""
    book = _book(file.text)
    style = next((each for each in _STYLES if json.dumps(book, **each) == file.text.rstrip("\n")), None) if book else None
    if book is None or style is None or file.text.rstrip("\n") not in (file.text, file.text[:-1]):
        return file
    cells = [(cell["cell_type"], _source(cell)) for cell in book["cells"]]
    text = "".join(map(_percent_of, cells))
    return Notebook(text, file.encoding, file.mark, file.text, style) if _read(text) == cells else file


def new_notebook(text: str) -> bytes:
    """A file for the text of its cells, or for the JSON of a notebook. Raises ToolError for what is neither."""
    return Notebook("", "utf-8", b"", "", _STYLES[0]).encode(text)


def _book(text: str) -> dict[str, Any] | None:
    try:
        book = json.loads(text)
        is_one = isinstance(book, dict) and all(_is_cell(cell) for cell in book["cells"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return book if is_one else None


def _is_cell(cell: Any) -> bool:
    source = cell["source"]
    is_text = isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))
    return cell["cell_type"] in ("code", "markdown", "raw") and is_text


def _source(cell: Mapping[str, Any]) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def _percent_of(cell: tuple[str, str]) -> str:
    kind, source = cell
    return f"# %%{'' if kind == 'code' else f' [{kind}]'}\n" + (f"{source}\n" if source else "")


def _cells(text: str) -> Cells:
    cells = _read(text)
    if cells is None:
        raise ToolError(_BARE)
    return cells


def _read(text: str) -> Cells | None:
    """None where there is something before the first cell."""
    cells: list[tuple[str, list[str]]] = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        if head := _HEAD.fullmatch(line.rstrip()):
            cells.append((head[1] or "code", []))
        elif cells:
            cells[-1][1].append(line)
        elif line.strip():
            return None
    return [(kind, "\n".join(lines)) for kind, lines in cells]


def _with_sources(before: Sequence[dict[str, Any]], cells: Cells, has_ids: bool) -> list[dict[str, Any]]:
    """The cells with those sources: one that was there keeps all else that it has."""
    known = [(cell["cell_type"], _source(cell)) for cell in before]
    made: list[dict[str, Any]] = []
    for _, first, last, start, stop in SequenceMatcher(None, known, cells, autojunk=False).get_opcodes():
        made += _in_place_of(before[first:last], cells[start:stop], has_ids)
    return made


def _in_place_of(before: Sequence[dict[str, Any]], cells: Cells, has_ids: bool) -> Iterator[dict[str, Any]]:
    """Yields the cells; one in the place of another of its type is that cell with another source."""
    left = list(before)
    for kind, source in cells:
        place = next((number for number, cell in enumerate(left) if cell["cell_type"] == kind), None)
        cell = _new_cell(kind, has_ids) if place is None else left[place]
        left = left if place is None else left[place + 1 :]
        if _source(cell) != source:
            cell = {**cell, "source": source if isinstance(cell["source"], str) else re.findall(r"[^\n]*\n|[^\n]+", source)}
        yield cell


def _new_cell(kind: str, has_id: bool) -> dict[str, Any]:
    ran: dict[str, Any] = {"execution_count": None} if kind == "code" else {}
    gave: dict[str, Any] = {"outputs": []} if kind == "code" else {}
    name = {"id": secrets.token_hex(4)} if has_id else {}
    return {"cell_type": kind, **ran, **name, "metadata": {}, **gave, "source": []}
