"""The safeguards of all plugins, ready for use: is this path protected or private, what do commands not see, what is a secret?"""

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from agentic.folders import config_folder, state_folder
from agentic.lib.files.walk import VERSION_CONTROL
from agentic.lib.record import record

MASK = "[masked: {}]"
MASKED = re.compile(rb"\[masked: [A-Za-z ]+\]")

ENVIRONMENT = "pyvenv.cfg"  # a folder that holds one is an environment: all in it is run


Kind = Literal["protected", "harmless", "asked", "private", "hidden", "variable", "secret"]


@record(frozen=True, slots=True)
class Safeguard:
    """A `pattern` of one kind. Patterns of paths and names have `*` and `?`, and `**` for any folders between.

    "protected": files that something runs or obeys, by path from the workspace's root; changing one is always asked about, also
    where it is not there yet, and commands cannot write it. `why` says what would run it.
    "harmless": of these, what a command may leave there: a folder, or a file that `why` as a regular expression fits as a whole.
    One whose expression fits an empty text may be taken away, too.
    "asked": files that something may obey: changing one is asked about where a mode would allow every edit; a later pattern that
    begins with "!" takes files out again.
    "private": files that are only read after a question; a later pattern that begins with "!" takes files out again.
    "hidden": what commands do not see, from the root of the system or with `~/`.
    "variable": a name in the environment that commands get.
    "secret": a regular expression; what it finds in a tool's output, or its group `secret`, is masked before a model reads it.
    """

    kind: Kind
    pattern: str
    why: str = ""

    @property
    def name(self) -> str:
        """By which two of them are told apart."""
        return f"{self.kind}:{self.pattern}".replace(" ", "\\s")


class _Names:
    """The beginnings, ends and whole texts of the last parts of patterns: most names fit none of them, which is quickly said."""

    def __init__(self, safeguards: Iterable[Safeguard]) -> None:
        parts = {each.pattern.casefold().removesuffix("/**").rpartition("/")[2] for each in safeguards}
        self._whole = {part for part in parts if not set(part) & set("*?")}
        wild = [part for part in parts - self._whole if part.strip("*")]
        self._begins = tuple(re.split(r"[*?]", part)[0] for part in wild if part[0] not in "*?")
        self._ends = tuple(re.split(r"[*?]", part)[-1] for part in wild if part[0] in "*?")

    def may_fit(self, name: str) -> bool:
        name = name.casefold()
        return name in self._whole or name.startswith(self._begins) or name.endswith(self._ends)


class Safeguards:
    """All `records`; `hidden` are paths that commands do not see, `variables` patterns of the names that they get."""

    def __init__(self, safeguards: Iterable[Safeguard]) -> None:
        self.records = found = list(safeguards)
        self._protected = [each for each in found if each.kind == "protected"]
        named = [each.pattern.split("/") for each in self._protected]
        self._obeyed = {
            tuple(word for word in words[1:] if word != "**")
            for words in named
            if words[0] in VERSION_CONTROL and words[1:] not in ([], ["**"])
        }
        self._harmless = [(each.pattern, re.compile(each.why, re.DOTALL)) for each in found if each.kind == "harmless"]
        self._private = [each for each in found if each.kind == "private"]
        self._asked = [each for each in found if each.kind == "asked"]
        self._names = _Names((*self._protected, *self._private))
        self._secrets = [(re.compile(each.pattern), each.why) for each in found if each.kind == "secret"]
        kept = [Path(os.path.expanduser(each.pattern)) for each in found if each.kind == "hidden"]
        self.hidden: tuple[Path, ...] = (*kept, config_folder(), state_folder())  # ours, wherever they are
        self.variables = tuple(each.pattern for each in found if each.kind == "variable")

    def is_obeyed(self, path: str) -> bool:
        """True if what has this path below a repository's own folder is what version control obeys, or is around or in it."""
        parts = tuple(path.casefold().split("/"))
        return any(parts[: len(words)] == words[: len(parts)] for words in self._obeyed)

    def protected(self, path: str) -> str:
        """Returns the reason to protect the file of that name, such as what would run or obey it; "" for any other.

        Names count as on systems that ignore their case.
        """
        return next((each.why for each in self._protected if fits(path, each.pattern)), "")

    def harmless(self, path: str, text: str | None) -> bool:
        """True for what a command may leave in a protected place: a folder (`text` None), or a file with that text."""
        return any(fits_alone(path, pattern) and (text is None or form.fullmatch(text)) for pattern, form in self._harmless)

    def private(self, path: str) -> str:
        """Returns the reason to keep the file of that name private, such as what it may hold; "" for any other."""
        return _last_of(self._private, path)

    def reason_to_ask(self, path: str) -> str:
        """Why no mode allows changing the file of that name by itself, "" for any other."""
        return _last_of(self._asked, path)

    def is_hidden(self, path: Path) -> bool:
        """True if commands do not see it: it holds keys, passwords or somebody's private things."""
        return any(path == hidden or path.is_relative_to(hidden) for hidden in self.hidden)

    def protected_paths(self, root: Path) -> tuple[Path, ...]:
        """Returns the paths that exist, of the protected patterns that name one place."""
        plain = [each.pattern.removesuffix("/**") for each in self._protected]
        names = (path for path in dict.fromkeys(plain) if not set(path) & set("*?["))
        return tuple(root / path for path in names if os.path.exists(os.path.join(root, path)))

    def may_be_named(self, name: str) -> bool:
        """Quickly, of a path's last part: False where no path that ends so is protected or private."""
        return self._names.may_fit(name)

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


def _last_of(safeguards: Sequence[Safeguard], path: str) -> str:
    fitting = [each for each in safeguards if fits(path, each.pattern.removeprefix("!"))]
    return fitting[-1].why if fitting and not fitting[-1].pattern.startswith("!") else ""


def fits(path: str, pattern: str) -> bool:
    """True if a path is one that the pattern names, or lies below one. A trailing or leading slash makes no difference."""
    return bool(_compiled(os.path.normpath(pattern).casefold()).fullmatch(os.path.normpath(path).casefold()))


def fits_alone(path: str, pattern: str) -> bool:
    """The same without what lies below."""
    return fits(path, pattern) and not fits(os.path.dirname(path), pattern)


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> "re.Pattern[str]":
    parts = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces) + "(?:/.*)?", re.DOTALL)
