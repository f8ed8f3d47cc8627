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
