"""A program: searches the files that standard input names, and prints what it finds. What never ends is ended from outside."""

import json
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agentic import AgenticError, Workspace
from agentic.files.text import decode

MAX_LINE = 200


def main() -> None:
    wanted = json.load(sys.stdin)
    space, pattern = Workspace(Path(wanted["root"])), re.compile(wanted["query"])
    hits = (hit for name in wanted["names"] for hit in _hits(space, name, pattern))
    for hit in islice(hits, wanted["limit"] + 1):
        print(hit, flush=True)


def _hits(space: Workspace, name: str, pattern: "re.Pattern[str]") -> Iterator[str]:
    try:
        text = decode(space.current(name).data, name).text
    except AgenticError:  # binary, unreadable or a link that leads out
        return
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            yield f"{name}:{number}: {line.strip()[:MAX_LINE]}"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    main()
