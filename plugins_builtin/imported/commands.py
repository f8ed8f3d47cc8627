"""Commands in Markdown, as other agents have them: `/NAME ARGUMENTS` sends the file's text with the arguments put in."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import ChatCommand
from agentic.hooks.chat import Chat
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from agentic.trust import Runnable, Trust, digest_of
from plugins_builtin.imported.texts import MAX_FILES, FoundText, folders, read

PROJECT = (".agents/commands", ".claude/commands", ".opencode/commands", ".opencode/command")
USER = ("~/.agents/commands", "~/.claude/commands", "~/.config/opencode/commands", "~/.config/opencode/command")
_FIELDS = ("description", "argument-hint")
_SHELL = late_pattern(r"!`([^`\n]+)`")
# `$1` is a word of the arguments; `$10`, `$5.00`, `$1,000`, `\$1`, `$$1`, those in an awk program's quotes,
# and `$5` where no `$4` is, are not.
_FILLED = late_pattern(
    r"(?P<program>\b(?:[gmn]?awk|perl)\b(?:[^'\n`]*'[^'\n]*')+)|(?P<all>\$ARGUMENTS\b)|(?<![\\\w$])\$(?P<number>[1-9])(?![\w]|[.,]\d)"
)
_NAME = late_pattern(r"[\w.:-]+")


@record(frozen=True, slots=True)
class FolderCommand:
    """`top` is that of the project that it is of, None for the user's own."""

    name: str
    text: FoundText
    top: Path | None

    @property
    def fault(self) -> str:
        """Why it cannot be used, "" where it can."""
        return self.text.fault or ("" if self.text.body else "it has no text")

    def runnable(self, root: Path) -> Runnable | None:
        """Returns what the user has to trust in this command: None for one of the user's own, or one that runs nothing."""
        commands = _SHELL.findall(self.text.body)
        if self.top is None or not commands:
            return None
        digest = digest_of(root, [self.name, self.text.body], commands)
        return Runnable("command", self.name, str(self.text.path.relative_to(self.top)), "; ".join(commands), digest)


def chat_commands(root: Path) -> Sequence[ChatCommand]:
    """Returns the commands that can be used. One that runs something is left out unless it is the user's own or is trusted."""
    trust = Trust(root)
    return [
        ChatCommand(each.name, _summary(each.text), _with(each.text))
        for each in _usable(root)
        if (runnable := each.runnable(root)) is None or trust.has(runnable)
    ]


def found_runnables(root: Path) -> Sequence[Runnable]:
    """The project's commands that run something."""
    return [runnable for each in _usable(root) if (runnable := each.runnable(root)) is not None]


def unsupported(root: Path) -> Iterator[str]:
    """Yields lines that tell the user what cannot be used, or only in part."""
    for each in _all(root):
        more = [name for name in each.text.fields if name not in _FIELDS]
        if each.fault:
            yield f"{each.text.path}: cannot be used: {each.fault}"
        elif more:
            yield f"{each.text.path}: not supported: the field {', '.join(more)}"
    trust = Trust(root)
    yield from (f"{each.file}: not trusted: `agentic trust`" for each in found_runnables(root) if not trust.has(each))


def _usable(root: Path) -> Sequence[FolderCommand]:
    """Returns the commands that can be used; of several with one name, the nearest."""
    found: dict[str, FolderCommand] = {}
    for each in _all(root):
        if _NAME.fullmatch(each.name) and not each.fault:
            found.setdefault(each.name, each)
    return list(found.values())


def _all(root: Path) -> Iterator[FolderCommand]:
    """The nearest first; a file in a folder below is `FOLDER:NAME`."""
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.rglob("*.md"), MAX_FILES)):
            yield FolderCommand(":".join(path.relative_to(folder).with_suffix("").parts), read(path, top), top)


def _summary(text: FoundText) -> str:
    hint = text.field("argument-hint")
    described = text.field("description") or " ".join(text.body.split())
    return f"{hint} {described}".strip()[:80]


def _with(text: FoundText) -> Callable[[str, Chat], Any]:
    async def run(argument: str, chat: Chat) -> None:
        pieces = filled(text.body, argument)
        pieces[1::2] = [await chat.run(command) for command in pieces[1::2]]
        await chat.ask("".join(pieces).strip())

    return run


def filled(body: str, argument: str) -> list[str]:
    """The text with `$ARGUMENTS` and `$1` to `$9`, taken apart: every second piece is a command, whose output takes its place."""
    words = _words(argument)
    used = False
    named = {int(match["number"]) for match in _FILLED.finditer(body) if match["number"]}
    count = next(number for number in range(1, 11) if number not in named) - 1

    def put(match: re.Match[str]) -> str:
        nonlocal used
        if match["program"] or int(match["number"] or 0) > count:
            return match[0]
        used = True
        place = int(match["number"] or 0)
        return argument if match["all"] else "".join(words[place - 1 : place])

    pieces = [_FILLED.sub(put, piece) for piece in _SHELL.split(body)]
    if not used:
        pieces[-1] += f"\n\n{argument}".rstrip()
    return pieces


def _words(argument: str) -> list[str]:
    """Splits the argument into words as a shell does, or at white space where a shell could not."""
    try:
        return shlex.split(argument)
    except ValueError:
        return argument.split()
