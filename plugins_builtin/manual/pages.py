"""The pages of the manual, as Markdown, from the package or from the checkout that it is installed from."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentic.lib.record import record

IN_PACKAGE = Path(__file__).parent / "pages"
IN_CHECKOUT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@record(frozen=True, slots=True)
class PageSection:
    """A part of a page below a heading."""

    page: str
    heading: str
    text: str


def pages() -> dict[str, str]:
    """The text of each page by its name ("chat", "plugins/gate"); "start" is the README. In the order of reading."""
    root = IN_PACKAGE if IN_PACKAGE.is_dir() else IN_CHECKOUT
    folder = root / "docs"
    found = {"start": (root / "README.md").read_text(encoding="utf-8")}
    names = sorted((path.relative_to(folder).with_suffix("").as_posix(), path) for path in folder.rglob("*.md"))
    return found | {name: path.read_text(encoding="utf-8") for name, path in sorted(names, key=lambda each: "/" in each[0])}


def title_of(text: str) -> str:
    return next((line.removeprefix("# ") for line in text.split("\n") if line.startswith("# ")), "")


def sections(name: str, text: str) -> Iterator[PageSection]:
    """Yields the parts of a page, each from a heading to the next; a line of code that begins with # is none."""
    codes = [match.span() for match in _FENCE.finditer(text)]
    starts = [
        match
        for match in re.finditer(r"^#+ (.+)$", text, re.MULTILINE)
        if not any(start <= match.start() < end for start, end in codes)
    ]
    for match, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=True):
        yield PageSection(name, match[1], text[match.start() : end])


def found_in(words: list[str], texts: Mapping[str, str]) -> list[tuple[PageSection, str]]:
    """Each section that has all the words, with its line that has the rarest of them; those with a word in the heading first."""
    wanted = [word.casefold() for word in words]
    hits = []
    for name, text in texts.items():
        for section in sections(name, text):
            counts = {word: section.text.casefold().count(word) for word in wanted}
            if all(counts.values()):
                lines = section.text.split("\n")[1:] or [""]
                weights = [sum(1 / count for word, count in counts.items() if word in line.casefold()) for line in lines]
                hits.append((section, lines[weights.index(max(weights))].strip(" |-")))
    return sorted(hits, key=lambda hit: -sum(word in hit[0].heading.casefold() for word in wanted))
