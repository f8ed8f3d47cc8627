"""A program: searches the files that standard input names, and prints what it finds. What never ends is ended from outside."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agentic import AgenticError, Workspace
from agentic.lib.expressions import matches
from agentic.lib.files.text import decode

MAX_LINE = 200
TOO_SLOW = 3  # the exit code where the expression would not end on a line


def main() -> None:
    wanted = json.load(sys.stdin)
    space = Workspace(Path(wanted["root"]))
    hits = (hit for name in wanted["names"] for hit in _hits(space, name, wanted["query"]))
    for hit in islice(hits, wanted["limit"] + 1):
        print(hit, flush=True)


def _hits(space: Workspace, name: str, pattern: str) -> Iterator[str]:
    try:
        text = decode(space.current(name).data, name).text
    except AgenticError:  # binary, unreadable or a link that leads out
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = matches(pattern, line)
        if found is None:
            raise SystemExit(TOO_SLOW)
        if found:
            yield f"{name}:{number}: {line.strip()[:MAX_LINE]}"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    main()
