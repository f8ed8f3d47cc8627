"""The safeguards of all plugins, ready for use: is this path protected or private, what do commands not see, what is a secret?"""

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

from agentic.files.walk import VERSION_CONTROL
from agentic.hooks.safeguards import Safeguard

MAX_INSIDE = 200
MASK = "[masked: {}]"
MASKED = re.compile(rb"\[masked: [A-Za-z ]+\]")


class Safeguards:
    """All `records`; `hidden` are paths that commands do not see, `variables` patterns of the names that they get."""

    def __init__(self, safeguards: Iterable[Safeguard]) -> None:
        self.records = found = list(safeguards)
        self._protected = [each for each in found if each.kind == "protected"]
        self._private = [each for each in found if each.kind == "private"]
        self._secrets = [(re.compile(each.pattern), each.why) for each in found if each.kind == "secret"]
        self.hidden = tuple(Path(os.path.expanduser(each.pattern)) for each in found if each.kind == "hidden")
        self.variables = tuple(each.pattern for each in found if each.kind == "variable")

    def protected(self, path: str) -> str:
        """What would run or obey the file of that name, "" for any other. Names count as on systems that ignore their case."""
        return next((each.why for each in self._protected if fits(path, each.pattern)), "")

    def private(self, path: str) -> str:
        """What the file of that name holds, "" for any other."""
        fitting = [each for each in self._private if fits(path, each.pattern.removeprefix("!"))]
        return fitting[-1].why if fitting and not fitting[-1].pattern.startswith("!") else ""

    def protected_paths(self, root: Path) -> tuple[Path, ...]:
        """Those that are there, of the patterns that name one place."""
        plain = [each.pattern.removesuffix("/**") for each in self._protected]
        return tuple(root / path for path in dict.fromkeys(plain) if not set(path) & set("*?[") and (root / path).exists())

    def protected_inside(self, root: Path) -> Iterator[str]:
        """The files below those folders of version control that are named: no walk goes there."""
        for each in self._protected:
            folder, _, rest = each.pattern.partition("/")
            if folder in VERSION_CONTROL and rest and rest != "**":
                path = root / each.pattern.removesuffix("/**")
                paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
                yield from (str(found.relative_to(root)) for found in islice(paths, MAX_INSIDE) if found.is_file())

    def masked(self, text: str) -> tuple[str, list[str]]:
        """(the text without the secrets in it, what they were)"""
        found: list[str] = []
        for pattern, what in self._secrets:

            def mask(match: "re.Match[str]", what: str = what) -> str:
                found.append(what)
                secret = match["secret"] if "secret" in match.re.groupindex else match[0]
                return match[0].replace(secret, MASK.format(what))

            text = pattern.sub(mask, text)
        return text, found


def fits(path: str, pattern: str) -> bool:
    """Whether a path is one that the pattern names, or lies below one. A trailing or leading slash makes no difference."""
    return bool(_compiled(os.path.normpath(pattern).casefold()).fullmatch(os.path.normpath(path).casefold()))


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> "re.Pattern[str]":
    parts = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces) + "(?:/.*)?", re.DOTALL)
