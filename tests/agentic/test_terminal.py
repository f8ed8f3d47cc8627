"""What the host itself shows in a terminal: differences, colours, whose turn a question is."""

import asyncio

import pytest
from hypothesis import given, strategies as st

from agentic.lib.diff import difference, numbered
from agentic.lib.palette import PLAIN, RESET, palette_for
from agentic.lib.terminal.background import Background, read_answer
from agentic.lib.turns import Turns

UTF = "utf-8"


@given(st.lists(st.text("ab+-@ \\", max_size=4)), st.lists(st.text("ab+-@ \\", max_size=4)))
def test_a_difference_has_the_numbers_of_both_files(before: list[str], after: list[str]) -> None:
    """Each line that went stands in the old file at its number, each other one in the new file."""
    diff = difference("f", "\n".join(before).encode(), "\n".join(after).encode())
    old, new = "\n".join(before).split("\n"), "\n".join(after).split("\n")
    for mark, number, text in numbered(diff):
        if number:
            assert (old if mark == "-" else new)[number - 1] == text
    shown = [(mark, text) for mark, number, text in numbered(diff) if number]
    changed = [f"{line[0]}{line[1:]}" for line in diff.split("\n")[2:-1] if line[:1] in ("+", "-")]
    assert [mark + text for mark, text in shown if mark != " "] == changed


def test_new_and_deleted_files_are_named() -> None:
    assert list(numbered(difference("a", b"x", None))) == [("file", 0, "a"), ("note", 0, "(the file goes)"), ("-", 1, "x")]
    assert list(numbered(difference("a", None, b"x"))) == [("file", 0, "a"), ("+", 1, "x")]


@pytest.mark.parametrize("theme", ["dark", "light", "colorblind"])
def test_added_and_removed_never_look_the_same(theme: str) -> None:
    palette = palette_for(theme, UTF, environment={"TERM": "xterm"})
    assert palette.added != palette.removed
    assert palette.paint("added", "x") == f"{palette.added}x{RESET}"


def test_nobodys_colours_and_no_terminal() -> None:
    quiet = palette_for("dark", UTF, environment={"TERM": "xterm", "NO_COLOR": "1"})
    assert quiet.added == "" and quiet.bold
    assert palette_for("dark", UTF, environment={}) == PLAIN
    assert palette_for("dark", "ascii", environment={"TERM": "xterm"}).mark("│", "|") == "|"
    light, dark = (palette_for("auto", UTF, is_light, {"TERM": "xterm"}) for is_light in (True, False))
    assert light != dark == palette_for("auto", UTF, None, {"TERM": "xterm"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b]11;rgb:ffff/ffff/dddd\x07\x1b[?62c", Background(True)),
        (b"\x1b]11;rgb:1c/1c/1c\x1b\\\x1b[?62;1c", Background(False)),
        (b"he\x1b[?6c", Background(None, b"he")),
        (b"", Background()),
        (b"a\x1b]11;rgb:ffff/ffff/ffff\x07b\x1b[?62cc", Background(True, b"abc")),
    ],
)
def test_the_terminals_answer_is_read_and_what_was_typed_is_kept(data: bytes, expected: Background) -> None:
    assert read_answer(data) == expected


def test_a_turn_can_be_given_to_another() -> None:
    async def main() -> list[str]:
        turns, order = Turns(), []

        async def ask(name: str, first: int = 0) -> None:
            async with turns.wait(name) as place:
                await asyncio.sleep(0)
                if first:
                    others = turns.others(place)
                    await turns.let_first(place, first)
                    order.append(f"after {others[first - 1]}")
                order.append(name)

        await asyncio.gather(ask("a", 2), ask("b"), ask("c"))
        return order

    assert asyncio.run(main()) == ["c", "after c", "a", "b"]


def test_one_who_waits_and_goes_leaves_the_turn_to_the_next() -> None:
    async def main() -> list[str]:
        turns, order = Turns(), []

        async def ask(name: str) -> None:
            async with turns.wait(name):
                order.append(name)
                await asyncio.sleep(0.01)

        tasks = [asyncio.ensure_future(ask(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(main()) == ["a", "c"]
