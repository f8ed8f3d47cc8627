"""The user's own commands in a chat: `!command` and `#note`."""

import asyncio
import codecs
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from agentic import Chat, Question
from agentic.lib.diff import difference
from agentic.lib.sanitize import sanitize
from agentic.lib.workspace import FileNotFoundToolError
from plugins_builtin.terminal.screen import TerminalScreen

NOTES = "AGENTS.md"
MAX_TOLD = 8_000  # characters of a command's output that the model is told


class OwnCommands:
    """`write(rows)` shows output as it comes."""

    def __init__(self, chat: Chat, screen: TerminalScreen, write: Callable[[Sequence[str]], None]) -> None:
        self._chat = chat
        self._screen = screen
        self._write = write

    async def shell(self, line: str, keep: bool) -> None:
        """The user's own command, as typed, in the user's shell. The model is told, unless the user wants to `keep` it."""
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = await asyncio.create_subprocess_exec(
            *(shell, "-c", line), cwd=self._chat.root, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        said: list[bytes] = []
        try:
            code = await self._chat.follow(self._followed(process, said))
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = await process.wait()
            leave_if_cancelled()
        output = b"".join(said).decode("utf-8", "replace")
        self._screen.note(f"(exit code {code})")
        if not keep:
            shown = output if len(output) <= MAX_TOLD else f"{output[: MAX_TOLD // 2]}\n…\n{output[-MAX_TOLD // 2 :]}"
            self._chat.conversation.tell(f"(The user ran this, with exit code {code}:)\n$ {line}\n{shown}".rstrip())

    async def _followed(self, process: asyncio.subprocess.Process, said: list[bytes]) -> int:
        assert process.stdout is not None
        decoder, begun = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while data := await process.stdout.read(65536):
            said.append(data)
            whole, newline, begun = (begun + decoder.decode(data)).rpartition("\n")
            if newline:
                self._write(sanitize(whole).split("\n"))
        if begun := begun + decoder.decode(b"", True):
            self._write(sanitize(begun).split("\n"))
        return await process.wait()

    async def note(self, note: str) -> None:
        """A line for the file that agents read first, after a question."""
        if not note:
            self._chat.say(f"#NOTE adds a line to {NOTES}")
            return
        space = self._chat.conversation.workspace
        before: bytes | None = None
        with suppress(FileNotFoundToolError):
            before = space.read(NOTES).data
        after = (before.rstrip(b"\n") + b"\n" if before else b"") + f"- {note}\n".encode()
        answer = await self._chat.answer(
            Question(f"add this to {NOTES}", body=difference(NOTES, before, after), is_diff=True, own=True)
        )
        if answer.reply != "no":
            space.grant(NOTES, "write")
            space.write(NOTES, after)
            self._chat.say(f"noted in {NOTES}; new sessions read it")


def leave_if_cancelled() -> None:
    """It was the turn that was stopped, unless it is the chat that ends."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
