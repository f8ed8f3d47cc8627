"""The digest of all that a command would run of a project: its definition, the files that it names, and those that these name."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentic.lib.files import files_below, project_top, read_regular
from agentic.lib.git import tracked_files
from agentic.lib.patterns import late_pattern

MAX_BYTES = 100_000_000  # of what was decided, and of all that one thing is bound to
MAX_FILES = 20_000  # of a project that a command is bound to as a whole; of more, size and times stand for the content
_ENDS = (".py", "/__init__.py", ".js", ".cjs", ".mjs", ".ts", "/index.js", ".sh", ".rb", ".pl", ".pm", ".php")


MAX_NAMED, MAX_SCRIPT_BYTES = 200, 1_000_000  # files that a script names, directly or by others; of one that is read for names
_NAME = late_pattern(r"[\w.][\w./-]{0,200}")
_PACKAGE = late_pattern(r"[\"'](@[\w.-]+/[\w.-]+|[\w][\w.-]*)(?=[/\"'])")  # as `require` and `import` name one
_OF_NODE = (".js", ".cjs", ".mjs", ".ts", ".mts", ".cts")
_REACHES = late_pattern(  # a module or a file by another name than its own
    r"sys\.path|PYTHONPATH|importlib|runpy|__import__|import_module|\bexec\(|\beval\(|subprocess|os\.system|from \.\."
    r"|require\((?![\"']\.{0,2}/)|import\((?![\"']\.)|child_process"
    r"|\b(?:from|import)\s*[\"'](?!\.{0,2}/)"
)
_OF_SHELL = """
if then else elif fi for do done while until case esac in return exit set export local readonly shift trap : [ [[ test read unset
. source ! { } #
"""
_OF_SHELLS = frozenset(_OF_SHELL.split())
_PLAIN_WORD = late_pattern(r"[\w./@:+,=%-]+")
_INTERPRETERS = frozenset(
    {"sh", "bash", "dash", "zsh", "python", "python3", "node", "nodejs", "ruby", "perl", "php", "deno", "bun"}
)
# Programs that are fetched or installed, and get no code of the project's.
_SYSTEMS = """
npx bunx uvx pipx docker podman ruff gofmt rustfmt black git gh curl echo printf true false cat date ls pwd grep rg head tail wc
sort uniq cut tr diff jq touch mkdir cp mv rm basename dirname realpath stat file which uname whoami notify-send say osascript
"""
_ELSEWHERE = frozenset(_SYSTEMS.split())
PROJECT_VARIABLES = ("CLAUDE_PROJECT_DIR", "AGENTIC_PROJECT_DIR")


def digest_of(root: Path, definition: Any, commands: Iterable[str] = (), files: Iterable[Path] = ()) -> str:
    """Returns the digest of a definition that JSON can hold, of the project's files that the commands name, and of these files.

    A command that cannot be followed to files (`make`, a shell's own words) is bound to all that the project has: what git
    tracks, and what no .gitignore leaves out.
    """
    made = hashlib.sha256(json.dumps(definition, sort_keys=True, ensure_ascii=True).encode())
    root = root.resolve()
    top, named = project_top(root), list(files)
    for command in commands:
        found = _files_named(command, root, top)
        reached = None if found is None else _with_what_they_name(found, root, top)
        if reached is None:
            paths = tuple(sorted({*files_below(top), *tracked_files(top)}))
            made.update(_whole(top, _state_of(top, paths), paths))
        named += reached or [*(found or []), *_packages_named(found or [], root, top)]
    _add_all(made, named, top)
    return made.hexdigest()


def _state_of(top: Path, paths: Iterable[str]) -> bytes:
    """By which it is known that no file of the project was changed; nobody can set back when an inode was changed last."""
    made = hashlib.sha256()
    for path in paths:
        with suppress(OSError):
            seen = os.stat(top / path)
            about = f"{path}\0{seen.st_ino}\0{seen.st_size}\0{seen.st_mtime_ns}\0{seen.st_ctime_ns}\0"
            made.update(about.encode("utf-8", "surrogatepass"))
    return made.digest()


@lru_cache(maxsize=4)
def _whole(top: Path, state: bytes, paths: tuple[str, ...]) -> bytes:
    """Returns the digest of all that the project has in that state: several things of one start are bound to the same."""
    made = hashlib.sha256()
    _add_all(made, (top / path for path in paths), top)
    return made.digest()


def _add_all(made: Any, paths: Iterable[Path], top: Path) -> None:
    budget = MAX_BYTES
    for number, path in enumerate(dict.fromkeys(paths)):
        budget -= _add(made, path, os.path.relpath(path, top), budget if number < MAX_FILES else -1)


def _add(made: Any, path: Path, name: str, budget: int) -> int:
    """Adds a file under its name, the same in a copy; how many bytes were read. Over budget, its size and times stand for it."""
    try:
        seen = os.stat(path, follow_symlinks=True)
        if not stat.S_ISREG(seen.st_mode):
            return 0
        if seen.st_size > budget:
            made.update(f"\0{name}\0{seen.st_size}\0{seen.st_mtime_ns}\0{seen.st_ctime_ns}".encode("utf-8", "surrogatepass"))
            return 0
        data = read_regular(path, budget)
    except (OSError, ValueError):  # most words are no files
        return 0
    made.update(f"\0{name}\0{len(data)}\0".encode("utf-8", "surrogatepass") + data)
    return len(data)


def _files_named(command: str, root: Path, top: Path) -> list[Path] | None:
    """The project's files that are run; None where it cannot be told: then it may be any of them."""
    for variable in PROJECT_VARIABLES:
        command = re.sub(rf'"?\$(?:{variable}\b|\{{{variable}\}})"?', lambda found: str(top), command)
    words = command.split()
    if not words or not all(_PLAIN_WORD.fullmatch(word) for word in words):
        return None
    found = [place for word in words for place in _places(word, root, top) if place.is_file()]
    program = os.path.basename(words[0])
    is_ours = bool(_places(words[0], root, top)) and "/" in words[0]
    if program in _ELSEWHERE and _reaches_in(program, words[1:], root, top):
        return None
    if program in ("npx", "bunx"):
        found += _installed(words[1:], root, top)
    if is_ours or program in _ELSEWHERE:
        return found if found or not is_ours else None
    of_a_file = program in _INTERPRETERS and any(place.is_file() for word in words[1:2] for place in _places(word, root, top))
    return found if of_a_file else None


def _with_what_they_name(scripts: Iterable[Path], root: Path, top: Path) -> list[Path] | None:
    """Scripts, and the project's files that their text names, to source, import or start them; None where it cannot be told."""
    found = dict.fromkeys(scripts)
    waiting = list(found)
    while waiting and len(found) < MAX_NAMED:
        script = waiting.pop()
        text = _text_of(script)
        if _reaches(text, is_shell=script.suffix in ("", ".sh", ".bash")):
            return None
        words = set(_NAME.findall(text))
        stems = words | {word.replace(".", "/") for word in words}
        names = words | {f"{stem}{end}" for stem in stems for end in _ENDS}
        places = [Path(os.path.normpath(folder / name)) for name in names for folder in (script.parent, root, top)]
        inside = [place for place in dict.fromkeys(places) if place.is_relative_to(top) and place != top]
        packages = [place for place in inside if place.is_dir() and place not in script.parents]
        inside += [each for place in packages for each in sorted(place.glob(f"*{script.suffix}"))[:MAX_NAMED]]
        new = [place for place in inside if place not in found and place.is_file()]
        found |= dict.fromkeys(new)
        waiting += new
    return None if waiting else sorted(found)


def _packages_named(scripts: Iterable[Path], root: Path, top: Path) -> list[Path]:
    """Returns the files of the packages in `node_modules` that the scripts name, and of those that these name in turn."""
    found: dict[Path, None] = {}
    names: set[str] = set()
    waiting = list(scripts) if any((folder / "node_modules").is_dir() for folder in (root, top)) else []
    while waiting and len(found) < MAX_FILES:
        script = waiting.pop()
        unseen = set(_PACKAGE.findall(_text_of(script))) - names if script.suffix in _OF_NODE else set()
        names |= unseen
        new = [place for place in _installed(sorted(unseen), root, top) if place not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return sorted(found)


def _text_of(script: Path) -> str:
    """Returns the script's text, "" where it cannot be read."""
    with suppress(OSError, ValueError):
        return read_regular(script, MAX_SCRIPT_BYTES).decode("utf-8", "replace")
    return ""


def _reaches(text: str, is_shell: bool) -> bool:
    """True where a script starts or loads what its text does not name as a file."""
    if _REACHES.search(text):
        return True
    if not is_shell:
        return False
    for command in re.split(r"&&|\|\||[;&|\n()`]|\b(?:then|do|else)\b", text):
        words = [word for word in command.split() if not re.match(r"\w+=", word)]
        if words and not (words[0] in _OF_SHELLS | _ELSEWHERE | _INTERPRETERS or "/" in words[0] or words[0].startswith("#")):
            return True
    return False


def _reaches_in(program: str, words: Sequence[str], root: Path, top: Path) -> bool:
    """True if a program from elsewhere may run what the project has: a folder of it, a file in a container."""
    if program in ("docker", "podman") and words[:1] not in (["run"], ["exec"], ["pull"], ["ps"]):
        return True
    pieces = {piece for word in words for piece in (word, *re.split(r"[=:,]", word)) if piece and not piece.startswith("-")}
    if program in ("docker", "podman") and any(place.is_file() for piece in pieces for place in _places(piece, root, top)):
        return True
    return any(place.is_dir() for piece in pieces for place in _places(piece, root, top))


def _installed(words: Sequence[str], root: Path, top: Path) -> list[Path]:
    """Returns the paths in the project's `node_modules` of the packages and programs that are named."""
    names = [
        name for word in words if re.fullmatch(r"@?[\w-][\w./-]*", word) and ".." not in word for name in (word, f".bin/{word}")
    ]
    places = {folder / "node_modules" / name for folder in (root, top) for name in names}
    folders = [place for place in sorted(places) if place.is_dir()]
    return [
        *(place for place in sorted(places) if place.is_file()),
        *(each for place in folders for each in sorted(place.rglob("*"))),
    ]


def _places(word: str, root: Path, top: Path) -> list[Path]:
    places = {Path(os.path.normpath(folder / word)) for folder in (root, top)}
    return sorted(place for place in places if place.is_relative_to(top))
