"""A program: reads a page of HTML from standard input and prints it as Markdown. It may take a moment and a share of the memory."""

import resource
import sys
import threading
from typing import Any

SECONDS = 10  # of a processor
WAIT_SECONDS = 4 * SECONDS  # for them, on a busy machine
MEMORY = 1 << 30
_DEEP = 20_000  # calls: pages nest some thousand elements
_STACK = 256 << 20
_LEFT_OUT = ("script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "iframe", "svg", "button")


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.setrecursionlimit(_DEEP)
    threading.stack_size(_STACK)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            text = readable(sys.stdin.buffer.read(), sys.argv[1])
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        except (RecursionError, MemoryError, ValueError, AssertionError) as error:  # what the parser raises at markup
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        sys.exit(f"{type(failed[0]).__name__}: {failed[0]}")


def readable(page: bytes, charset: str) -> str:
    """The page's own text as Markdown, without what stands around it on every page. `charset` is what the server says, or ""."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page, "html.parser", from_encoding=charset or None)
    title = soup.title.get_text(strip=True) if soup.title else ""
    main = next((found for name in ("main", "article", "body") if (found := soup.find(name)) and found.get_text(strip=True)), soup)
    whole = main.get_text("\n", strip=True)
    for element in main.find_all(_LEFT_OUT):
        element.decompose()
    text = _markdown(main) or whole  # where all of the page is in what is left out elsewhere
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(filter(None, (f"# {title}" if title and f"# {title}" not in text else "", "\n".join(kept).strip())))


def _markdown(main: Any) -> str:
    """Its bare text where the converter fails at it."""
    from markdownify import MarkdownConverter

    try:
        return str(MarkdownConverter(heading_style="ATX", strip=["img"]).convert_soup(main)).strip()
    except (RecursionError, ValueError, AttributeError):
        return str(main.get_text("\n", strip=True))


if __name__ == "__main__":
    main()
