"""`@file` and `@folder` in what a user says: which there are."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

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
