"""The command that starts what a run has made, and the ones to try next: the last lines of `agentic run`."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from agentic import Settings
from agentic.events import RunFinished
from agentic.lib.patterns import late_pattern
from agentic.lib.wire import loads

MOST_BYTES = 200_000  # of a file that is looked into
_MAIN = late_pattern(r"""^if __name__ == ["']__main__["']:""", re.MULTILINE)
_RELATIVE = late_pattern(r"^\s*from \.", re.MULTILINE)
_STOPPED = ("failed", "interrupted", "refused")  # which say themselves how it goes on


def next_steps(root: Path, settings: Settings, is_chat: bool, event: RunFinished) -> list[str]:
    """The lines for a run that left something that can be started, [] for others and in a chat, which goes on by itself."""
    if is_chat or event.status in _STOPPED:
        return []
    there = _seen_from_here(root)
    into, place = ("", "") if there == "." else (f"cd {shlex.quote(there)} && ", f" -C {shlex.quote(there)}")
    if command := command_of(root, event.files):
        starts = f"{into}{command}"
    elif page := next((file for file in event.files if Path(file).name == "index.html" and _is_there(root, file)), ""):
        starts = f"open {Path(there) / page} in a browser"
    else:
        return []
    return [
        f"start it:      {starts}",
        f"go on:         agentic{place}{_options(settings)} --continue",
        f"take it back:  {into}agentic sessions undo",
    ]


def _options(settings: Settings) -> str:
    """The options by which the user chose the model, to be said again."""
    from agentic.config.edit import toml_text

    words: list[str] = []
    for key in (key for key, origin in settings.origins.items() if origin == "command line"):
        if key == "llm.endpoints":
            words += [word for url in settings.llm.endpoints for word in ("--endpoint", url)]
        elif key == "llm.model":
            words += ["--model", settings.llm.model]
        elif key.startswith("llm."):
            value = settings.values[key]
            words += ["-c", f"{key}={value if isinstance(value, str) and value.isidentifier() else toml_text(value)}"]
    return "".join(f" {shlex.quote(word)}" for word in words)


def command_of(root: Path, files: Sequence[str]) -> str:
    """The command that starts one of these files, in their folder; "" where none is known to.

    >>> command_of(Path("."), ["README.md"])
    ''
    """
    for shape, command in _SHAPES.items():
        for file in files:
            path, name = root / file, file if not file.startswith("-") else f"./{file}"
            if re.fullmatch(shape, path.name) and _is_there(root, file) and (made := command(path, name, _text(path))):
                return made
    return ""


def _is_there(root: Path, file: str) -> bool:
    """True for a file that was not deleted since, of a name that can be shown."""
    return file.isprintable() and (root / file).is_file()


def _program(path: Path, file: str, text: str) -> str:
    if not _MAIN.search(text):
        return ""
    return _module(Path(file).with_suffix("").parts) if _RELATIVE.search(text) else f"python3 {shlex.quote(file)}"


def _server(path: Path, file: str, text: str) -> str:
    return f"python3 {shlex.quote(file)} runserver" if "django" in text else ""


def _package(path: Path, file: str, text: str) -> str:
    return _module(Path(file).parent.parts)


def _module(parts: Sequence[str]) -> str:
    into, names = ("cd src && ", parts[1:]) if parts[:1] == ("src",) else ("", parts)
    return f"{into}python3 -m {'.'.join(names)}" if names and all(name.isidentifier() for name in names) else ""


def _npm(path: Path, file: str, text: str) -> str:
    with suppress(ValueError, TypeError, AttributeError):
        if loads(text).get("scripts", {}).get("start"):
            return f"{_within(file)}npm install && npm start"
    return ""


def _cargo(path: Path, file: str, text: str) -> str:
    return f"{_within(file)}cargo run" if (path.parent / "src/main.rs").is_file() else ""


def _go(path: Path, file: str, text: str) -> str:
    is_program = text.lstrip().startswith("package main") and (path.parent / "go.mod").is_file()
    return f"{_within(file)}go run ." if is_program else ""


def _script(path: Path, file: str, text: str) -> str:
    shell = re.match(r"#!\S*?\b(bash|sh)\b|#!/usr/bin/env (bash|sh)\b", text)
    return f"{shell[1] or shell[2]} {shlex.quote(file)}" if shell else ""


_SHAPES: Mapping[str, Callable[[Path, str, str], str]] = MappingProxyType(
    {
        r"manage\.py": _server,
        r"package\.json": _npm,
        r"Cargo\.toml": _cargo,
        r"main\.go": _go,
        r"__main__\.py": _package,
        r"(?!test_|tests?\.|conftest\.|conf\.|setup\.)[^.].*(?<!_test)\.py": _program,
        r"[^.].*\.(?:sh|bash)": _script,
    }
)
"""Functions by the shape of a file's name: each gives the command for a path, its name in the folder and its text, or ""."""


def _within(file: str) -> str:
    folder = str(Path(file).parent)
    return "" if folder == "." else f"cd {shlex.quote(folder)} && "


def _text(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", "replace")
    return ""


def _seen_from_here(root: Path) -> str:
    with suppress(OSError, ValueError):
        return str(root.resolve().relative_to(Path.cwd().resolve()))
    return str(root)
