"""A page as a terminal shows it: headings at the left, code as it is, so that it can be copied."""

from collections.abc import Iterator
from typing import ClassVar

from rich.console import Console, ConsoleOptions
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text


class _LeftHeading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        text = self.text.copy()
        text.justify = "left"
        text.stylize("bold underline" if self.tag == "h1" else "bold")
        yield text


class _PlainCode(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield Text(str(self.text).rstrip(), style="cyan", no_wrap=True, overflow="ignore")


class _Page(Markdown):
    elements: ClassVar = {**Markdown.elements, "heading_open": _LeftHeading, "fence": _PlainCode, "code_block": _PlainCode}


def laid_out(text: str, width: int) -> str:
    """The Markdown text for a terminal of that many columns."""
    console = Console(width=width, force_terminal=True)
    with console.capture() as shown:
        console.print(_Page(text, hyperlinks=False), crop=False)
    return shown.get()
