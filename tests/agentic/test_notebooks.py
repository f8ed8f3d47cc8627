"""Notebooks are read and edited as the text of their cells; all else in the file stays as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import ToolError, Workspace
from agentic.lib.files.text import decode, encode_new
from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic

OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["3\n"]}
CELLS = [
    {"cell_type": "markdown", "id": "a1", "metadata": {}, "source": ["# Sums\n", "\n", "größer"]},
    {"cell_type": "code", "execution_count": 3, "id": "b2", "metadata": {"tags": ["x"]}, "outputs": [OUTPUT],
     "source": ["x = 1 + 2\n", "print(x)"]},
    {"cell_type": "code", "execution_count": None, "id": "c3", "metadata": {}, "outputs": [], "source": []},
]  # fmt: skip
BOOK = {"cells": CELLS, "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}
TEXT = "# %% [markdown]\n# Sums\n\ngrößer\n# %%\nx = 1 + 2\nprint(x)\n# %%\n"


def stored(book: Any, **style: Any) -> bytes:
    return (json.dumps(book, **{"indent": 1, "ensure_ascii": False, **style}) + "\n").encode()


@pytest.mark.parametrize("style", [{}, {"indent": 2}, {"indent": None}, {"ensure_ascii": True}, {"indent": "\t"}])
def test_cells_are_read_as_text_and_only_the_edited_one_changes(style: dict[str, Any]) -> None:
    data = stored(BOOK, **style)
    book = decode(data, "a.ipynb")
    assert book.text == TEXT
    assert book.encode(book.text) == data
    changed = book.encode(TEXT.replace("1 + 2", "1 + 3"))
    assert changed == stored({**BOOK, "cells": [CELLS[0], {**CELLS[1], "source": ["x = 1 + 3\n", "print(x)"]}, CELLS[2]]}, **style)


def test_cells_come_and_go() -> None:
    book = decode(stored(BOOK), "a.ipynb")
    made = json.loads(book.encode(TEXT.replace("# %%\nx", "# %%\nimport os\n# %% [markdown]\nA sum.\n# %%\nx")))
    assert [cell["source"] for cell in made["cells"]] == [CELLS[0]["source"], ["import os"], ["A sum."], CELLS[1]["source"], []]
    assert made["cells"][3] == CELLS[1]
    assert made["cells"][1].keys() == CELLS[1].keys()
    assert len({cell["id"] for cell in made["cells"]}) == 5
    fewer = json.loads(book.encode(TEXT.replace("# %%\nx = 1 + 2\nprint(x)\n", "")))
    assert fewer["cells"] == [CELLS[0], CELLS[2]]


@given(st.lists(st.tuples(st.sampled_from(["code", "markdown", "raw"]), st.text())), st.booleans())
def test_any_cells_give_their_text_and_their_bytes_back(cells: list[tuple[str, str]], lines: bool) -> None:
    book = {
        "cells": [{"cell_type": kind, "metadata": {}, "source": [text] if lines else text} for kind, text in cells],
        "nbformat": 4,
    }
    data = stored(book, ensure_ascii=True)
    found = decode(data, "a.ipynb")
    assert found.encode(found.text) == data
    grown = json.loads(found.encode(f"{found.text}# %% [markdown]\nthe end\n")) if not found.text.startswith("{") else None
    assert grown is None or grown["cells"][:-1] == book["cells"]


@pytest.mark.parametrize("text", ["{}", "[1]", '{"cells": [1]}', '{"cells":  [], "a": 1}', '{"cells": [], "cells": []}', "no JSON"])
def test_what_could_not_be_written_again_as_it_was_is_shown_as_it_is(text: str) -> None:
    assert decode(text.encode(), "a.ipynb").text == text


def code(source: str, output: str = "", **more: Any) -> dict[str, Any]:
    outputs = [{**OUTPUT, "text": [output]}] if output else []
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source.splitlines(keepends=True),
    }
    return {**cell, **more}


def outputs_of(cells: list[dict[str, Any]], text: str) -> list[tuple[str, str]]:
    """(source, output) of each cell after the text has been put in place of those cells."""
    book = decode(stored({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), "a.ipynb")
    made = json.loads(book.encode(text))["cells"]
    return [("".join(cell["source"]), "".join(each["text"][0] for each in cell["outputs"])) for cell in made]


def test_what_a_cell_gave_out_stays_with_it() -> None:
    trains = [code("train(data, epochs=10)", "0.9"), code("plot(history)")]
    text = "# %%\nimport os\n# %%\ntrain(data, epochs=20)\n# %%\nplot(history)\n"
    assert outputs_of(trains, text) == [("import os", ""), ("train(data, epochs=20)", "0.9"), ("plot(history)", "")]
    moved = [code("a = 1", "A"), code("b = 1", "B")]
    assert outputs_of(moved, "# %%\nb = 1\n# %%\na = 1\n") == [("b = 1", "B"), ("a = 1", "A")]
    assert outputs_of(moved, "# %%\nb = 2\n") == [("b = 2", "B")]


def test_attachments_move_with_their_cell() -> None:
    picture = {"cell_type": "markdown", "attachments": {"p.png": {}}, "metadata": {}, "source": ["![x](attachment:p.png)"]}
    words = {"cell_type": "markdown", "metadata": {}, "source": ["words"]}
    book = decode(stored({"cells": [words, picture], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), "a.ipynb")
    made = json.loads(book.encode("# %% [markdown]\n# Title\n# %% [markdown]\n![x](attachment:p.png)\n# %% [markdown]\nwords\n"))
    assert [cell.get("attachments") for cell in made["cells"]] == [None, {"p.png": {}}, None]


@pytest.mark.parametrize("text", ["{}", '{"cells": [], "nbformat_minor": "5"}', '{\r\n"cells": []}', '{"cells": {}}'])
def test_cells_are_not_written_over_what_is_edited_as_json(text: str) -> None:
    with pytest.raises(ToolError, match="edited as JSON"):
        decode(text.encode(), "a.ipynb").encode("# %%\nb\n")
    assert decode(text.encode(), "a.ipynb").encode('{"a": 1}') == b'{"a": 1}'


@pytest.mark.parametrize("text", ["", "\n", "this was never a notebook"])
def test_where_there_is_nothing_to_keep_a_notebook_is_made(text: str) -> None:
    assert json.loads(decode(text.encode(), "a.ipynb").encode("# %%\nb\n"))["cells"][0]["source"] == ["b"]


def test_titles_of_cells_are_kept_as_their_first_line() -> None:
    cells = json.loads(encode_new("# %%\na = 1\n# %% Load data\nb = 1\n#%%\nc = 1\n", "a.ipynb"))["cells"]
    assert ["".join(cell["source"]) for cell in cells] == ["a = 1", "# Load data\nb = 1", "c = 1"]


def test_a_patch_that_moves_a_file_writes_what_its_new_name_says(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "s.py").write_text("# %%\na = 1\n")
    patch = "*** Begin Patch\n*** Update File: s.py\n*** Move to: s.ipynb\n@@\n-a = 1\n+a = 2\n*** End Patch"
    server.script(answer(tool_calls=tool_call("apply_patch", {"input": patch})), answer("done"))
    agentic("run", "move it", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
    assert json.loads((work / "s.ipynb").read_text())["cells"][0]["source"] == ["a = 2"] and not (work / "s.py").exists()


def test_a_notebook_is_made_of_cells_and_of_nothing_else() -> None:
    made = json.loads(encode_new("# %% [markdown]\nHi\n# %%\nprint(1)\n", "a.ipynb"))
    assert [(cell["cell_type"], cell["source"]) for cell in made["cells"]] == [("markdown", ["Hi"]), ("code", ["print(1)"])]
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert encode_new(stored(BOOK).decode(), "a.ipynb") == stored(BOOK)
    with pytest.raises(ToolError, match="begin each cell with a line"):
        encode_new("print(1)\n", "a.ipynb")


def test_the_tools_work_in_notebooks(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a.ipynb").write_bytes(stored(BOOK))
    server.script(
        answer(tool_calls=tool_call("read_file", {"path": "a.ipynb"})),
        answer(tool_calls=tool_call("edit_file", {"path": "a.ipynb", "old": "x = 1 + 2", "new": "x = 5"})),
        answer("done"),
    )
    agentic("run", "change it", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
    assert server.chats[1].json["messages"][-1]["content"].startswith(TEXT)
    assert json.loads((work / "a.ipynb").read_bytes())["cells"][1] == {**CELLS[1], "source": ["x = 5\n", "print(x)"]}
    assert Workspace(work).read("a.ipynb").data.endswith(b"}\n")
