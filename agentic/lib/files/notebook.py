"""Jupyter notebooks as text: each cell after a line `# %%`, `# %% [markdown]` or `# %% [raw]`, without what it gave out.

An edit of the text changes those cells; all else of the file stays byte for byte, what the cells gave out too.
"""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from agentic.errors import ToolError
from agentic.lib.files.text import Text
from agentic.lib.record import record

_HEAD = re.compile(r"#\s?%%(?: \[(markdown|raw)\])?(?: (\S.*))?")
_INDENT = re.compile(r"\{\n([ \t]+)\"")
_NEW: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
_STYLE: dict[str, Any] = {"indent": 1, "ensure_ascii": False}
_BARE = "the file is a notebook: begin each cell with a line `# %%`, or `# %% [markdown]` for text"
_JSON = "the file is a notebook that is edited as JSON, and this would be none"
LEAST_ALIKE = 0.5
MAX_PAIRS, MAX_COMPARED = 10_000, 2_000  # of cells; characters of a cell
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


class JsonNotebook(Text):
    """A notebook that is shown as the JSON that it is, because agentic could not write it again as it was."""

    def encode(self, text: str) -> bytes:
        """Raises ToolError for a text that would break the JSON."""
        if _is_json(self.text):
            if text != self.text and not _is_json(text):
                raise ToolError(_JSON)
        elif not self.text.strip() or _HEAD.match(text):  # there is nothing to keep
            return new_notebook(text)
        return Text(self.text, self.encoding, self.mark).encode(text)


def notebook(file: Text) -> Text:
    """The file as the text of its cells; as it is where it is no notebook that could be written again as it was."""
    plain = JsonNotebook(file.text, file.encoding, file.mark)
    book = _book(file.text)
    if book is None:
        return plain
    style, body = _style_of(file.text), file.text.removesuffix("\n")
    if json.dumps(book, **style) != body:
        return plain
    cells = [(cell["cell_type"], _source(cell)) for cell in book["cells"]]
    text = "".join(map(_percent_of, cells))
    return Notebook(text, file.encoding, file.mark, file.text, style) if _read(text) == cells else plain


def new_notebook(text: str) -> bytes:
    """A file for the text of its cells, or for the JSON of a notebook. Raises ToolError for what is neither."""
    return Notebook("", "utf-8", b"", "", _STYLE).encode(text)


def _style_of(text: str) -> dict[str, Any]:
    """Returns the style that a program wrote the JSON in, by its beginning."""
    style: dict[str, Any] = {"ensure_ascii": text.isascii() and "\\u" in text}
    if indent := _INDENT.match(text):
        return {**style, "indent": "\t" if "\t" in indent[1] else len(indent[1])}
    return style if re.match(r'\{"\w+": ', text) else {**style, "separators": (",", ":")}


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _book(text: str) -> dict[str, Any] | None:
    try:
        book = json.loads(text)
        is_one = isinstance(book, dict) and isinstance(book["cells"], list) and all(map(_is_cell, book["cells"]))
        is_one = is_one and isinstance(book.get("nbformat_minor", 0), int)
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
    """None where there is something before the first cell. A title behind `# %%` becomes the cell's first line."""
    cells: list[tuple[str, list[str]]] = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        if head := _HEAD.fullmatch(line.rstrip()):
            cells.append((head[1] or "code", [f"# {head[2]}"] if head[2] else []))
        elif cells:
            cells[-1][1].append(line)
        elif line.strip():
            return None
    return [(kind, "\n".join(lines)) for kind, lines in cells]


def _with_sources(before: Sequence[dict[str, Any]], cells: Cells, has_ids: bool) -> list[dict[str, Any]]:
    """The cells with those sources: one that was there, wherever it is now, keeps all else that it has."""
    left = list(before)
    found: dict[int, dict[str, Any]] = {}
    for place, (kind, source) in enumerate(cells):
        same = next((cell for cell in left if cell["cell_type"] == kind and _source(cell) == source), None)
        if same is not None:
            left = [cell for cell in left if cell is not same]
            found[place] = same
    for _, place, cell in _alike(left, [(place, cell) for place, cell in enumerate(cells) if place not in found]):
        if place not in found and any(each is cell for each in left):
            left = [each for each in left if each is not cell]
            found[place] = _with_source(cell, cells[place][1])
    return [found.get(place) or _with_source(_new_cell(kind, has_ids), source) for place, (kind, source) in enumerate(cells)]


def _alike(left: Sequence[dict[str, Any]], cells: Sequence[tuple[int, tuple[str, str]]]) -> list[tuple[float, int, dict[str, Any]]]:
    """Returns how much each cell that changed is like one that was there, the most alike first."""
    if len(left) == len(cells) == 1:
        return [(1.0, cells[0][0], left[0])] if left[0]["cell_type"] == cells[0][1][0] else []
    if len(left) * len(cells) > MAX_PAIRS:
        return []
    pairs = [
        (SequenceMatcher(None, _source(cell)[:MAX_COMPARED], source[:MAX_COMPARED], autojunk=False).ratio(), place, cell)
        for place, (kind, source) in cells
        for cell in left
        if cell["cell_type"] == kind
    ]
    return sorted((pair for pair in pairs if pair[0] >= LEAST_ALIKE), key=lambda pair: -pair[0])


def _with_source(cell: dict[str, Any], source: str) -> dict[str, Any]:
    lines = re.findall(r"[^\n]*\n|[^\n]+", source)
    return {**cell, "source": source if isinstance(cell["source"], str) else lines}


def _new_cell(kind: str, has_id: bool) -> dict[str, Any]:
    ran: dict[str, Any] = {"execution_count": None} if kind == "code" else {}
    gave: dict[str, Any] = {"outputs": []} if kind == "code" else {}
    name = {"id": secrets.token_hex(4)} if has_id else {}
    return {"cell_type": kind, **ran, **name, "metadata": {}, **gave, "source": []}
