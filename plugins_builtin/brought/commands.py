"""Commands in Markdown, as other agents have them: `/NAME ARGUMENTS` sends the file's text with the arguments put in."""

import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import ChatCommand
from agentic.hooks.chat import Chat
from plugins_builtin.brought.texts import MAX_FILES, Text, folders, read

PROJECT = (".agents/commands", ".claude/commands", ".opencode/commands", ".opencode/command")
USER = ("~/.agents/commands", "~/.claude/commands", "~/.config/opencode/commands", "~/.config/opencode/command")
_SHELL = re.compile(r"!`([^`\n]+)`")
_NUMBERED = re.compile(r"\$(\d)")
_NAME = re.compile(r"[\w.:-]+")


def chat_commands(root: Path) -> Sequence[ChatCommand]:
    """Of several with one name the nearest; a file in a folder below is `FOLDER:NAME`."""
    found: dict[str, ChatCommand] = {}
    for folder, top in folders(root, PROJECT, USER):
        for path in sorted(islice(folder.rglob("*.md"), MAX_FILES)):
            name = ":".join(path.relative_to(folder).with_suffix("").parts)
            if not _NAME.fullmatch(name) or name in found:
                continue
            text = read(path, top)
            if not text.fault and text.body:
                found[name] = ChatCommand(name, _summary(text), _with(text))
    return list(found.values())


def _summary(text: Text) -> str:
    hint = text.field("argument-hint")
    described = text.field("description") or " ".join(text.body.split())
    return f"{hint} {described}".strip()[:80]


def _with(text: Text) -> Callable[[str, Chat], Any]:
    async def run(argument: str, chat: Chat) -> None:
        await chat.ask(filled(text.body, argument))

    return run


def filled(body: str, argument: str) -> str:
    """The text with `$ARGUMENTS` and `$1` to `$9`. What it wants run becomes a word to the model: it is asked about."""
    words = argument.split()

    def numbered(match: re.Match[str]) -> str:
        number = int(match[1])
        return words[number - 1] if 0 < number <= len(words) else ""

    text = _SHELL.sub(lambda match: f"(run `{match[1]}` first, and use what it gives)", body)
    if "$ARGUMENTS" not in text and not _NUMBERED.search(text):
        return f"{text}\n\n{argument}".strip()
    return _NUMBERED.sub(numbered, text).replace("$ARGUMENTS", argument)
