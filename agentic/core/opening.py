"""The messages that a conversation and its tasks begin with."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from agentic.errors import AgenticError
from agentic.hooks.protocol import ToolProtocol
from agentic.lib import mentions
from agentic.lib.contents import text_of
from agentic.lib.files import files_below
from agentic.lib.listing import MAX_LISTED, file_names, folded, surroundings, within
from agentic.lib.schemas import bare
from agentic.lib.workspace import Workspace
from agentic.plugins.prompts import Prompts
from agentic.types import ImagePart, Message, TextPart, ToolSpec

MAX_NAMES = 60
MAX_FILE_BYTES = 8_000


def system_message(prompts: Prompts, protocol: ToolProtocol, tools: Sequence[ToolSpec], tier: str, instructions: str) -> Message:
    """Byte-stable for a version, a tier, a protocol and its tools: the server's prefix cache rests on it."""
    parts = [prompts(f"system.{tier}"), protocol.instructions(tools), instructions]
    return Message("system", "\n\n".join(filter(None, parts)))


def tiered(tool: ToolSpec, tier: str) -> ToolSpec:
    """The tool as this tier describes it: bare, with its parameters' meaning, or with all guidance."""
    if tier == "nano":
        return replace(tool, parameters=bare(tool.parameters, tool.refinements))
    return replace(tool, description=f"{tool.description} {tool.guidance}".strip()) if tier == "full" else tool


class Opening:
    """Makes the messages that a task begins with.

    `room` in tokens of the prompt; files that are `covered` stand in the prompt already; `masked` takes secrets out. What is
    `attached` and what was `added` go along with the next one.
    """

    def __init__(
        self,
        workspace: Workspace,
        prompts: Prompts,
        room: int,
        covered: Collection[str] = (),
        masked: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._masked = masked
        self._workspace = workspace
        self._prompts = prompts
        self._room = room  # a third of the budget in tokens is as many bytes as the budget has tokens
        self._covered = covered
        self._around = ""
        self.attached: list[ImagePart] = []
        self.added = ""

    def first(self, task: str, reminder: str, brief: bool) -> Message:
        """The task, after what is volatile and the folder's file names; a small folder's files come along while they fit."""
        self._around = "" if brief else surroundings(self._workspace)
        names = file_names(self._workspace.root)
        small = len(names) <= MAX_NAMES and sum(map(len, names)) <= self._room // 3
        parts = [self._around] if self._around else []
        if names:
            parts.append("Files in the folder:\n" + ("\n".join(names) if small else folded(names, self._room // 3)))
        shown = {name for name in names if (small or name in task) and os.path.basename(name) not in self._covered}
        mentioned = list(mentions.mentioned(task, self._workspace.root))
        parts += self._contents(name for name in names if name in shown and name not in mentioned)
        parts += self._mentioned(mentioned)
        parts.append(f"Task: {task}" if parts else task)
        parts += self._taken()
        return self._with_images("\n\n".join([*parts, reminder] if reminder else parts), mentioned)

    def later(self, task: str, brief: bool) -> Message:
        """A task of a conversation that has begun: what is volatile comes along where it has changed."""
        around = "" if brief else surroundings(self._workspace)
        told, self._around = self._around, around
        mentioned = list(mentions.mentioned(task, self._workspace.root))
        parts = [*([around] if around != told else []), *self._mentioned(mentioned), task, *self._taken()]
        return self._with_images("\n\n".join(parts), mentioned)

    def _taken(self) -> list[str]:
        added, self.added = self.added, ""
        return [added] if added else []

    def _mentioned(self, names: Sequence[str]) -> list[str]:
        """Files that the user names with an @, as far as there is room, and what is in such folders."""
        folders = [name for name in names if name.endswith("/")]
        files = [name for name in names if name not in folders and not _is_image(name)]
        return [*(self._names_in(name) for name in folders), *self._contents(files, self._room)]

    def _names_in(self, folder: str) -> str:
        names = list(islice(files_below(self._workspace.root, folder), MAX_LISTED))
        return "\n".join([f"Files in {folder}:", *within(names, self._room // 3)])

    def _with_images(self, text: str, names: Iterable[str]) -> Message:
        pictures, self.attached = self.attached, []
        pictures += [ImagePart(data, mentions.IMAGES[Path(name).suffix.lower()]) for name in names if (data := self._image(name))]
        return Message("user", (TextPart(text), *pictures) if pictures else text)

    def _image(self, name: str) -> bytes:
        if not _is_image(name):
            return b""
        try:
            return self._workspace.current(name, mentions.MAX_IMAGE_BYTES).data
        except AgenticError:
            return b""

    def again(self, task: str, wrong: str, files: Sequence[str]) -> Message:
        """Returns the message with what has to be corrected, and nothing else: small models drown in more."""
        names = " and ".join(files) or "file"
        contents = "\n\n".join(self._contents(files))
        return Message("user", self._prompts("repair", files=contents, task=task, wrong=wrong, names=names).strip())

    def _contents(self, names: Iterable[str], most: int = MAX_FILE_BYTES) -> list[str]:
        parts, room = [], self._room
        for name in names:
            text = self._masked(text_of(self._workspace, name, most))
            if text and len(text) + len(name) <= room:
                room -= len(text) + len(name) + 16
                parts.append(f"{name}\n```\n{text.rstrip()}\n```")
        return parts


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in mentions.IMAGES
