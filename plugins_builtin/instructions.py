"""AGENTS.md: what the user's and a project's own instructions say, from the project's top down to the folder that is worked in.

Where a folder has none, its CLAUDE.md stands in. A line or a word `@path` brings another file in, relative to the one it stands
in; a project's files bring in nothing from outside the project.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agentic import Addition, AgenticError, ChatCommand, PromptSection, Setup, Workspace, hookimpl
from agentic.folders import config_folder
from agentic.hooks.chat import Chat
from agentic.lib.files import project_top, read_regular
from agentic.lib.files.text import decode
from agentic.lib.patterns import late_pattern
from agentic.once import OncePerSession

FILES = ("AGENTS.md", "CLAUDE.md")
MAX_DEPTH = 5  # of files that bring in files
MAX_BYTES = 1_000_000
_CODE = late_pattern(r"(^[ \t]*(?:```|~~~).*?(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_IMPORT = late_pattern(r"(?:(?<=\s)|^)@([\w~./-]+\.(?:md|mdc|rst|txt))\b")  # texts: no file of keys is brought in
_INIT = """\
Write an AGENTS.md for this project: what a new colleague has to know and cannot see at once. Look at its files first. Say how it is
built, tested and started, with the exact commands (run them, where that is harmless); how it is laid out; what its code looks like;
and what must not be done. At most sixty lines, no generalities. Where there is one already, make it better instead."""
Read = Callable[[str], str]
"""The text of a file by its name. Raises AgenticError, OSError."""


def _text(setup: Setup) -> str:
    found = [("yours", name, text) for name, text in _users()]
    found += [("of this project", name, text) for name, text in _projects(setup.root.resolve())]
    return "\n\n".join(f"Instructions {whose} ({name}):\n{text}" for whose, name, text in found if text)


def _users() -> Iterator[tuple[str, str]]:
    """The user's own, for every project."""

    def read(name: str) -> str:
        return decode(read_regular(Path(name).expanduser(), MAX_BYTES), name).text

    for path in (config_folder() / FILES[0], Path("~/.claude").expanduser() / FILES[1]):
        if text := _with_imports(str(path), read):
            yield path.name, text
            return


def _projects(root: Path) -> Iterator[tuple[str, str]]:
    top = project_top(root)
    project = Workspace(top)

    def read(name: str) -> str:
        return decode(project.read(name).data, name).text

    for names in _names(top, root):
        for name in names:
            if text := _with_imports(name, read):
                yield name, text
                break


def _names(top: Path, root: Path) -> Iterator[tuple[str, ...]]:
    """Yields, for each folder from `top` down to `root`, the names that its instructions may have, relative to `top`."""
    below = root.relative_to(top).parts
    for depth in range(len(below) + 1):
        yield tuple("/".join((*below[:depth], file)) for file in FILES)


def _with_imports(name: str, read: Read, above: tuple[str, ...] = ()) -> str:
    """A file's text with the files that it brings in; "" where it cannot be read. What cannot be brought in stays as it stands."""
    try:
        text = read(name).strip()
    except (AgenticError, OSError):
        return ""

    def bring(match: re.Match[str]) -> str:
        other = os.path.normpath(os.path.join("" if match[1].startswith("~") else os.path.dirname(name), match[1]))
        if other in (*above, name) or len(above) + 1 >= MAX_DEPTH:
            return match[0]
        return _with_imports(other, read, (*above, name)) or match[0]

    return "".join(part if number % 2 else _IMPORT.sub(bring, part) for number, part in enumerate(_CODE.split(text)))


def _unread(root: Path) -> Iterator[str]:
    """The project's own instructions that are there and cannot be read, and why."""
    top = project_top(root)
    project = Workspace(top)
    for name in (name for names in _names(top, root) for name in names if os.path.lexists(top / name)):
        try:
            decode(project.read(name).data, name)
        except (AgenticError, OSError) as error:
            yield f"{name} is not used: {error}"


_ONCE = OncePerSession("AGENTS.md and CLAUDE.md of the folders above")


@hookimpl
async def agentic_before_task(session: str, setup: Setup) -> Addition | None:
    await _ONCE.warn(session, setup.emit, lambda: list(_unread(setup.root.resolve())))
    return None


@hookimpl
def agentic_prompts() -> Iterable[PromptSection]:
    sizes = {"nano": 1_000, "small": 3_000, "full": 16_000}
    yield PromptSection("instructions", "your AGENTS.md, and those of the project", _text, sizes, covers=FILES)


async def _init(argument: str, chat: Chat) -> None:
    await chat.ask(f"{_INIT}\n\n{argument}".strip())


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("init", "has an AGENTS.md written for this project, or makes it better", _init, group="Project")
