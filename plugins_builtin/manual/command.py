"""`agentic docs`."""

import posixpath
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from shutil import get_terminal_size
from textwrap import shorten
from typing import cast

import click

from agentic import ConfigError
from plugins_builtin.manual.pages import found_in, pages, title_of

MAX_FOUND = 20
MAX_LINE = 110
MAX_WIDTH = 100
_PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n+(?:\([Rr]ecorded [^\n]*\)\n)?", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)*[\w/-]+)\.md(?:#[^)]*)?\)")  # to another page
_MARKS = re.compile(r"\*\*|!?\[([^\]]*)\]\([^)]*\)")


@click.command("docs", epilog="The manual: agentic docs start")
@click.argument("words", nargs=-1, metavar="[PAGE | WORDS]")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Shows a page of the manual, lists all pages, or searches them for WORDS. It needs no network.

    For example: agentic docs chat
    """
    from plugins_builtin.manual.reference import MADE

    root = cast("click.Group", context.find_root().command)
    written, name = pages(), words[0].removesuffix(".md") if len(words) == 1 else ""
    if not words:
        titles = {name: title_of(text) for name, text in written.items()} | {name: title for name, (title, _) in MADE.items()}
        wide = max(map(len, titles))
        lines = [f"{name:<{wide}}  {title}" for name, title in titles.items()]
        how = "`agentic docs PAGE` shows one, `agentic docs WORD WORD` finds the sections that have all these words"
        click.echo_via_pager("\n".join([how, "", *lines]) + "\n")
    elif name in written:
        _show(name, written[name])
    elif name in MADE:
        _show(name, MADE[name][1](root))
    else:
        _list(" ".join(words).split(), written | {name: make(root) for name, (_, make) in MADE.items()})


def _list(words: list[str], texts: Mapping[str, str]) -> None:
    hits = found_in(words, texts)
    if not hits:
        near = get_close_matches(words[0], texts, 1)
        raise ConfigError(f"no page has {' '.join(words)}", f"agentic docs {near[0]}" if near else "agentic docs lists the pages")
    for section, line in hits[:MAX_FOUND]:
        plain = _MARKS.sub(r"\1", line).replace(" | ", "  ")
        click.echo(f"{section.page}: {section.heading}\n    {shorten(plain, MAX_LINE, placeholder=' …')}")
    if len(hits) > MAX_FOUND:
        click.echo(f"(and {len(hits) - MAX_FOUND} more: name more words)")


def _show(name: str, text: str) -> None:
    """Prints it: the text to programs, laid out and a screen at a time in a terminal."""
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from plugins_builtin.manual.laid_out import laid_out
    from plugins_builtin.manual.reference import MADE

    def link(found: re.Match[str]) -> str:
        page = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[2])).removeprefix("docs/")
        if page not in (*pages(), *MADE):
            return found[1]
        return f"{found[1]} (`agentic docs {page}`)" if found[1] != page else f"`{page}`"

    text = _LINK.sub(link, text)
    click.echo_via_pager(laid_out(_PICTURE.sub("", text), min(MAX_WIDTH, get_terminal_size().columns)))
