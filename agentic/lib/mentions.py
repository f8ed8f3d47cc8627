"""`@file` and `@folder` in what a user says: which there are."""

import mimetypes
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agentic.lib.files import files_below
from agentic.lib.listing import MAX_LISTED
from agentic.lib.patterns import late_pattern

_MENTION = re.compile(r'(?:(?<=\s)|^)@(?:"([^"\n]+)"|(\S+))')
_AFTER = ".,;:!?)]}'\""  # punctuation that may follow one
MAX_IMAGE_BYTES = 20_000_000
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


def mentioned(text: str, root: Path) -> Iterator[str]:
    """The paths below `root` that the text mentions, each once; folders end in a slash.

    >>> list(mentioned("compare @a.py with @docs/.", root))
    ['a.py', 'docs/']
    """
    seen = set()
    for match in _MENTION.finditer(text):
        name = match[1] or match[2]
        for candidate in (name, name.rstrip(_AFTER)):
            path = root / candidate
            if candidate and _is_below(path, root) and path.exists():
                shown = os.path.relpath(path, root) + ("/" if path.is_dir() else "")
                if shown not in seen:
                    seen.add(shown)
                    yield shown
                break


def _is_below(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


_FILE = late_pattern(r"(?<![\w/.:@-])(?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,4}\b(?![/(:])")


def named_files(task: str, root: Path) -> list[str]:
    """Words that can only be files: `a.py` and `data/b.csv`, but not `e.g`, `os.path` or `example.com`."""
    named = list(dict.fromkeys(_FILE.findall(task)))
    here = {os.path.splitext(path)[1] for path in islice(files_below(root), MAX_LISTED)} if named else set()
    known = mimetypes.MimeTypes(()).types_map[True].keys() | here
    return [path for path in named if os.path.splitext(path)[1] in known]
