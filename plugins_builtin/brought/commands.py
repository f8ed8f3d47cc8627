"""Commands in Markdown, as other agents have them: `/NAME ARGUMENTS` sends the file's text with the arguments put in."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import ChatCommand
from agentic.hooks.chat import Chat
from agentic.trust import Runnable, Trust, digest_of
from plugins_builtin.brought.texts import MAX_FILES, Text, folders, read

PROJECT = (".agents/commands", ".claude/commands", ".opencode/commands", ".opencode/command")
USER = ("~/.agents/commands", "~/.claude/commands", "~/.config/opencode/commands", "~/.config/opencode/command")
_FIELDS = ("description", "argument-hint")
_SHELL = re.compile(r"!`([^`\n]+)`")
_NUMBERED = re.compile(r"\$(\d)")
_NAME = re.compile(r"[\w.:-]+")


def chat_commands(root: Path) -> Sequence[ChatCommand]:
    """Of several with one name the nearest; one that runs something only where the user trusts it."""
    trust = Trust(root)
    runnables = {each.name: each for each in found_runnables(root)}
    return [
        ChatCommand(name, _summary(text), _with(text))
        for name, (text, _) in _all(root).items()
        if name not in runnables or trust.has(runnables[name])
    ]


def found_runnables(root: Path) -> Sequence[Runnable]:
    """The project's commands that run something."""
    found = []
    for name, (text, top) in _all(root).items():
        if top is not None and (commands := _SHELL.findall(text.body)):
            digest = digest_of(root, [name, text.body], commands)
            found.append(Runnable("command", name, str(text.path.relative_to(top)), "; ".join(commands), digest))
    return found


def unsupported(root: Path) -> Iterator[str]:
    """What cannot be used, or only in part, for the user."""
    trust = Trust(root)
    runnables = {each.name: each for each in found_runnables(root)}
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.rglob("*.md"), MAX_FILES)):
            text = read(path, top)
            more = [each for each in text.fields if each not in _FIELDS]
            if text.fault or not text.body:
                yield f"{path}: cannot be used: {text.fault or 'it has no text'}"
            elif more:
                yield f"{path}: not supported: the field {', '.join(more)}"
    yield from (f"{each.file}: not trusted: `agentic trust`" for each in runnables.values() if not trust.has(each))


def _all(root: Path) -> dict[str, tuple[Text, Path | None]]:
    """By name, with the top of the project that it is of; a file in a folder below is `FOLDER:NAME`."""
    found: dict[str, tuple[Text, Path | None]] = {}
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.rglob("*.md"), MAX_FILES)):
            name = ":".join(path.relative_to(folder).with_suffix("").parts)
            if not _NAME.fullmatch(name) or name in found:
                continue
            text = read(path, top)
            if not text.fault and text.body:
                found[name] = text, top
    return found


def _summary(text: Text) -> str:
    hint = text.field("argument-hint")
    described = text.field("description") or " ".join(text.body.split())
    return f"{hint} {described}".strip()[:80]


def _with(text: Text) -> Callable[[str, Chat], Any]:
    async def run(argument: str, chat: Chat) -> None:
        pieces = filled(text.body, argument)
        pieces[1::2] = [await chat.run(command) for command in pieces[1::2]]
        await chat.ask("".join(pieces).strip())

    return run


def filled(body: str, argument: str) -> list[str]:
    """The text with `$ARGUMENTS` and `$1` to `$9`, taken apart: every second piece is a command, whose output takes its place."""
    words = argument.split()

    def numbered(match: re.Match[str]) -> str:
        number = int(match[1])
        return words[number - 1] if 0 < number <= len(words) else ""

    pieces = _SHELL.split(body)
    if "$ARGUMENTS" not in body and not _NUMBERED.search(body):
        pieces[-1] += f"\n\n{argument}".rstrip()
    return [_NUMBERED.sub(numbered, piece).replace("$ARGUMENTS", argument) for piece in pieces]
