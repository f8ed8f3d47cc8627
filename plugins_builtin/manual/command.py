"""`agentic docs`."""

import sys
from difflib import get_close_matches
from shutil import get_terminal_size

import click

from agentic import ConfigError
from plugins_builtin.manual.pages import found_in, pages, title_of

MAX_FOUND = 20
MAX_LINE = 110
MAX_WIDTH = 100


@click.command("docs", epilog="The manual: agentic docs start")
@click.argument("words", nargs=-1, metavar="[PAGE | WORDS]")
def command(words: tuple[str, ...]) -> None:
    """Shows a page of the manual, lists all of them, or finds WORDS in them. It needs no network.

    For example: agentic docs chat
    """
    known = pages()
    if not words:
        wide = max(map(len, known))
        click.echo("\n".join(f"{name:<{wide}}  {title_of(text)}" for name, text in known.items()))
        click.echo("\n`agentic docs PAGE` shows one, `agentic docs WORDS` finds words in all of them")
    elif len(words) == 1 and words[0].removesuffix(".md") in known:
        _show(known[words[0].removesuffix(".md")])
    else:
        _list(list(words), list(known))


def _list(words: list[str], names: list[str]) -> None:
    hits = found_in(words)
    if not hits:
        near = get_close_matches(words[0], names, 1)
        raise ConfigError(f"no page has {' '.join(words)}", f"agentic docs {near[0]}" if near else "agentic docs lists the pages")
    for section, line in hits[:MAX_FOUND]:
        click.echo(f"{section.page}: {section.heading}\n    {line[:MAX_LINE]}")
    if len(hits) > MAX_FOUND:
        click.echo(f"(and {len(hits) - MAX_FOUND} more: name more words)")


def _show(text: str) -> None:
    """Prints it: the text to programs, laid out and a screen at a time in a terminal."""
    if not sys.stdout.isatty():
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=min(MAX_WIDTH, get_terminal_size().columns), force_terminal=True)
    with console.capture() as laid_out:
        console.print(Markdown(text, hyperlinks=False))
    click.echo_via_pager(laid_out.get())
