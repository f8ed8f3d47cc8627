"""A program: reads a page of HTML from standard input and prints it as Markdown. It may take a moment and a share of the memory."""

import resource
import sys
import threading

SECONDS = 10
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
            text = readable(sys.stdin.buffer.read().decode("utf-8", "replace"))
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        except (RecursionError, MemoryError, ValueError, AssertionError) as error:  # what the parser raises at markup
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        sys.exit(f"{type(failed[0]).__name__}: {failed[0]}")


def readable(page: str) -> str:
    """The page's own text as Markdown, without what stands around it on every page."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(page, "html.parser")
    title = soup.title.get_text(strip=True) if soup.title else ""
    main = soup.find("main") or soup.find("article") or soup.body or soup
    for element in main.find_all(_LEFT_OUT):
        element.decompose()
    text = MarkdownConverter(heading_style="ATX", strip=["img"]).convert_soup(main)
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(filter(None, (f"# {title}" if title and f"# {title}" not in text else "", "\n".join(kept).strip())))


if __name__ == "__main__":
    main()
