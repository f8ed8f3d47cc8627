"""Formatters from the standard input to the standard output. They see a text, not the project's folder, unless the user says so."""

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from agentic.lib.children.once import outputs_of
from agentic.lib.files import read_regular
from agentic.lib.record import record

SECONDS = 10.0
QUIET = {"RUSTUP_AUTO_INSTALL": "0", "GOTOOLCHAIN": "local", "GOPROXY": "off"}  # nothing is downloaded
_EDITION = re.compile(rb'^\s*edition\s*=\s*"(\d{4})"', re.MULTILINE)


@record(frozen=True, slots=True)
class Formatter:
    """`words` with {path} and {root}; one `of_user` is used as it was named, in the project's folder.

    Where a language has one form for all, it is `for_new` files, too.
    """

    name: str
    words: tuple[str, ...]
    of_user: bool = False
    for_new: bool = False


# Those that run no code of the project's: its settings are data to them, or are left out.
_KNOWN = (
    (("*.py", "*.pyi"), ("ruff", "format", "--no-cache", "--stdin-filename", "{root}/{path}", "-")),
    (("*.go",), ("gofmt",)),
    (("*.rs",), ("rustfmt", "--emit", "stdout", "--edition", "{edition}")),
    (
        ("*.js", "*.jsx", "*.ts", "*.tsx", "*.mjs", "*.cjs", "*.css", "*.scss", "*.html", "*.vue", "*.json", "*.yaml", "*.yml"),
        ("prettier", "--no-config", "--no-editorconfig", "--stdin-filepath", "{path}"),
    ),
    (("*.sh", "*.bash"), ("shfmt", "-filename", "{path}", "-")),
    (("*.c", "*.h", "*.cc", "*.cpp", "*.hpp"), ("clang-format", "--assume-filename={root}/{path}")),
)


def formatter_for(path: str, root: Path, configured: Sequence[str]) -> Formatter | None:
    """The user's, else the first known one that is installed outside the project; None for neither."""
    for entry in configured:
        pattern, _, command = entry.partition("=")
        if fnmatchcase(os.path.basename(path), pattern.strip()) and (words := shlex.split(command)):
            return Formatter(words[0], tuple(words), of_user=True)
    for patterns, (name, *options) in _KNOWN:
        if any(fnmatchcase(os.path.basename(path), pattern) for pattern in patterns) and (program := installed(name, root)):
            return Formatter(name, (program, *options), for_new=name in ("gofmt", "rustfmt"))
    return None


def installed(program: str, root: Path) -> str:
    """Returns the path of a program, "" where it is not installed, or lies in the project, which could put anything there."""
    found = shutil.which(program)
    if found is None:
        return ""
    inside = Path(found).absolute().is_relative_to(root.resolve()) or Path(found).resolve().is_relative_to(root.resolve())
    return "" if inside else os.path.abspath(found)


async def formatted(formatter: Formatter, path: str, root: Path, before: bytes | None, after: bytes, always: bool) -> bytes | None:
    """The new text; None where it fails, or the file was not in that form before: nobody asked for the rest of it to change."""
    if not (always or formatter.of_user):
        if before is None and not formatter.for_new:
            return None
        if before is not None and await _run(formatter, path, root, before) != before:
            return None
    return await _run(formatter, path, root, after)


async def _run(formatter: Formatter, path: str, root: Path, text: bytes) -> bytes | None:
    values = {"{path}": path, "{root}": str(root), "{edition}": _edition(root)}
    words = [_filled(word, values) for word in formatter.words]
    folder = root if formatter.of_user else Path(tempfile.gettempdir())
    try:
        code, out, _ = await outputs_of(words, text, folder, os.environ | QUIET, SECONDS)
    except OSError:  # TimeoutError is one, too
        return None
    return out if code == 0 and (out or not text.strip()) else None


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _edition(root: Path) -> str:
    try:
        match = _EDITION.search(read_regular(root / "Cargo.toml", 1_000_000))
    except OSError:
        match = None
    return match[1].decode() if match else "2021"
