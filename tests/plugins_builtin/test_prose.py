"""Markdown in rows: the same however it comes, wrapped at words, and code as it was."""

import itertools
import re

import pytest
from hypothesis import example, given, strategies as st
from rich.cells import cell_len

from agentic.lib.palette import PLAIN, palette_for, without_codes
from plugins_builtin.terminal.prose import Prose
from plugins_builtin.terminal.wrapping import wrapped

DARK = palette_for("dark", "utf-8", environment={"TERM": "xterm"})


def rows_of(pieces: list[str], width: int = 40, wraps: bool = True) -> list[str]:
    prose = Prose(DARK, lambda: width, wraps)
    rows = []
    for piece in pieces:
        rows += prose.feed(piece)
        prose.tail()
    return [*rows, *prose.end()]


def bare(text: str, width: int = 40, wraps: bool = True) -> list[str]:
    return [without_codes(row) for row in rows_of([text], width, wraps)]


MARKS = [
    "a", "b ", "word ", " ", "`", "``", "**", "*", "_", "***", "#", "- ", "1. ", "> ", "\n", "\n\n", "|", "|a|b|\n", "|-|-|\n", "```",
    "```py\n", "[x](y)", "[", "](", ")", "!", "\\", '"""', "한", "中", "~~~\n", "---\n", "[ ] ", "\t",
]  # fmt: skip


@given(st.lists(st.sampled_from(MARKS), max_size=30), st.lists(st.integers(1, 5), min_size=1, max_size=9), st.integers(9, 40))
@example(["***", "*"], [1], 20)
@example(["*", "word ", "word ", "word ", "*"], [1], 9)
@example(["`", "word ", "word ", "word ", "``", "`"], [1], 9)
def test_an_answer_looks_the_same_in_whatever_pieces_it_comes(marks: list[str], sizes: list[int], width: int) -> None:
    text, pieces = "".join(marks), []
    rest = text
    for size in itertools.cycle(sizes):
        if not rest:
            break
        pieces.append(rest[:size])
        rest = rest[size:]
    assert rows_of(pieces, width) == rows_of([text], width)


@given(st.text(alphabet="ab `*_#[]()!\\>-\n", max_size=200))
def test_nothing_of_a_text_is_lost_but_marks(text: str) -> None:
    shown = "".join(bare(text, 20)).replace("•", "")
    left = re.sub(r"[\s`*_#\[\]()!\\>─-]", "", shown)
    assert left == re.sub(r"[\s`*_#\[\]()!\\>-]", "", text)


WORDS = "The quick brown fox jumps over the lazy dog, and a_long_name/with/a/path.py stands in the text as `it was here` for once. "


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_word_is_broken_and_no_row_is_wider_than_the_screen(width: int) -> None:
    text = f"{WORDS * 5}\n\n- {WORDS * 3}\n  1. {WORDS * 2}\n\n> {WORDS}\n"
    rows = bare(text, width)
    assert all(cell_len(row) <= width for row in rows)
    assert set(" ".join(rows).split()) <= {*text.replace("`", "").split(), "•"}


def test_items_and_quotes_hang() -> None:
    assert bare("- one two three four\n  1. five six seven eight\n> nine ten eleven twelve", 14) == [
        "• one two", "  three four", "  1. five six", "     seven", "     eight", "  nine ten", "  eleven", "  twelve",
    ]  # fmt: skip


def test_korean_is_broken_at_its_blanks_and_chinese_anywhere() -> None:
    assert bare("한국어 문장은 단어에서 나뉩니다", 14) == ["한국어 문장은", "단어에서", "나뉩니다"]
    assert bare("中文文字可以在任何地方换行", 10) == ["中文文字可", "以在任何地", "方换行"]


CODE = "def f(x):\n    return x  # a very long line of code that does not fit into forty columns, and is not broken\n\n\tz = 1"


def test_code_is_as_it_was() -> None:
    rows = bare(f"so:\n```python\n{CODE}\n```\nthat")
    assert rows[rows.index("```python") + 1 : rows.index("```")] == CODE.expandtabs(4).split("\n")


def test_a_path_or_a_command_is_left_whole() -> None:
    path = "/a/" + "very_" * 20 + "long/path.py"
    assert path in bare(f"It is in {path} now.")
    assert "x --with many words and more than fit in a row" in bare("Run `x --with many words and more than fit in a row` now.", 20)


def test_what_is_no_markup_stays() -> None:
    text = "2 * 3 = 6, snake_case_name, *args, **kwargs, a[0] and [1], f(x)[y]"
    assert " ".join(bare(text)) == text


def test_marks_become_styles() -> None:
    (row,) = rows_of(["**bold** *it* `code` [words](http://a/b)"], 80)
    assert row == (f"{DARK.bold}bold\x1b[0m {DARK.italic}it\x1b[0m {DARK.code}code\x1b[0m {DARK.link}words\x1b[0m (http://a/b)")
    assert Prose(PLAIN, lambda: 80).feed("# Head\n") == ["# Head"], "where nothing shows that it is one"
    assert bare("# Head") == ["Head"]


ANSWER = """\
| name | what it does | n |
|:-----|--------------|--:|
| add | sums **two** numbers | 12 |
| 덧셈 | 두 수의 합 🙂 | 3 |

The end.
"""


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_table_is_lined_up(width: int) -> None:
    rows = bare(ANSWER, width)
    table = [row for row in rows if row.startswith(("╭", "│", "├", "╰"))]
    assert len({cell_len(row) for row in table}) == 1, rows  # all of one width, also with wide letters
    assert rows[-2:] == ["", "The end."] and "**" not in "".join(rows)


def test_the_terminal_may_break_the_rows_itself() -> None:
    assert bare(WORDS * 3, 40, wraps=False) == [(WORDS * 3).replace("`", "").rstrip()]


def test_lines_of_our_own_hang_behind_their_name() -> None:
    assert wrapped("  /help     lists all commands", 20) == [
        "  /help     lists",
        "            all",
        "            commands",
    ] or wrapped("  /help     lists all commands", 30) == ["  /help     lists all commands"]


def test_marks_that_close_nothing_stay_as_they_are() -> None:
    stars = "char *a, int *b, " * 60
    assert "".join(bare(stars, 4000)).strip() == stars.strip()
