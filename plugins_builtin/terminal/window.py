"""A chat's window: prompts and turns of one session while its settings stay the same."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from agentic import AgenticError, Answered, Conversation, Event, Question, Settings, api
from agentic.commands.start import palette_of
from agentic.events import EndpointSeen, Idle, Typed, Unfolded, UserSaid
from agentic.folders import state_folder
from agentic.lib.diff import difference
from agentic.lib.sanitize import hide_logins, sanitize
from agentic.lib.terminal.asking import Asker
from agentic.lib.terminal.attention import Attention
from agentic.lib.terminal.keys import TELL_NO_PASTES, TELL_PASTES
from agentic.lib.workspace import FileNotFoundToolError
from plugins_builtin.terminal.slash import Slash
from plugins_builtin.terminal.typeahead import Typeahead

if TYPE_CHECKING:
    from plugins_builtin.terminal.prompt_line import Prompt

T = TypeVar("T")
NOTES = "AGENTS.md"
MAX_TOLD = 8_000  # characters of a command's output that the model is told
DRAFT = "draft"


class ChatWindow:
    """A session's loop of prompts and turns; what a slash command gets as its chat. `next` is the window to open after it."""

    def __init__(self, settings: Settings, stdout: TextIO, typed: bytes = b"") -> None:
        self.settings = settings
        self.next: tuple[Settings, str] | None = None
        self._stdout = stdout
        self._work: asyncio.Future[Any] | None = None
        self._stopped = False
        self._attention = Attention(self.write, settings.ui.notify)
        self._typeahead = Typeahead(self._show_typed, self.stop, self._unfold, self._looks)
        self.palette = palette_of(settings, sys.stderr)
        self._ask_user = Asker(self.palette, api.check_rule, self._typeahead.feed)
        self._slash = Slash(self)
        self.conversation: Conversation
        if typed:
            self._typeahead.feed(typed)

    @property
    def root(self) -> Path:
        return self.conversation.root

    @property
    def session_id(self) -> str:
        return self.conversation.session.id

    def say(self, text: str) -> None:
        """Shows a text to the user."""
        _say(self._stdout, text)

    def write(self, text: str) -> None:
        """Writes to the terminal what is safe for it already."""
        self._stdout.write(text)
        self._stdout.flush()

    async def emit(self, event: Event) -> None:
        """Shows an event."""
        await self.conversation.emit(event)

    async def run(self, command: str) -> str:
        """Runs a command, as if the model had called for it; what it gave out, or why it was not run."""
        return (await self.follow(self.conversation.run_command(command))).for_model

    async def endpoints(self) -> list[EndpointSeen]:
        """How busy each endpoint is that answers and tells."""
        return await self.conversation.endpoints()

    async def reopen(self, settings: Settings, session: str) -> None:
        """Another window follows this one. A session in which nothing was said yet is not kept: a new one follows it."""
        is_unnamed = session == self.session_id and not self.conversation.session.metadata("title")
        self.next = settings, "" if is_unnamed else session

    async def loop(self, conversation: Conversation, text: str = "") -> None:
        """Until the user leaves or another window is to follow, beginning with `text` as if it had been typed."""
        from plugins_builtin.terminal.prompt_line import LineOptions, Prompt

        self.conversation = conversation
        self._slash.look()
        conversation.steer(self._steer)
        await conversation.announce("chat")
        session = conversation.session
        if conversation.length > 1:
            self.say(f"(going on with session {session.id}: {session.metadata('title')})")
        else:
            self.say("(/help lists the commands and keys)")
        warming = asyncio.ensure_future(conversation.warm())  # while the user types
        line = LineOptions(state_folder() / "chat_history", self.settings.ui.editing, self._unfold, self._typeahead.replies)
        prompt = Prompt(self.root, self._slash.summaries, self._slash.complete, self._stdout, line)
        conversation.draw_with(prompt.above)
        self._typeahead.text = session.metadata(DRAFT) + self._typeahead.text
        with self._typeahead.owning_the_keyboard():
            try:
                await self._take_turns(prompt, text)
                if self.next is None and session.metadata("title"):
                    self.say("(agentic --continue goes on with this)")
            finally:
                session.set_metadata(DRAFT, prompt.draft or self._typeahead.text)
                warming.cancel()

    async def _take_turns(self, prompt: "Prompt", text: str) -> None:
        from plugins_builtin.terminal.prompt_line import EditLast

        asked_to_leave = False
        while True:
            if text:
                asked_to_leave = False
                await self._handle(text)
                if self.next is not None:
                    return
                if text := self._typeahead.take_next():
                    self.conversation.show(Idle())  # nothing of the status line stays beside it
                    self.say(f"› {text}")
                    continue
            if self._typeahead.leaving:
                return
            self.conversation.show(Idle())
            try:
                text = await prompt.read(self._typeahead.take_text())
                for picture in prompt.take_pictures():
                    self.conversation.attach(picture)
            except KeyboardInterrupt:
                if asked_to_leave and not prompt.draft:
                    return
                asked_to_leave = not prompt.draft
                self.say("(Ctrl-C once more leaves, as Ctrl-D does)" if asked_to_leave else "")
            except EOFError:
                return
            except EditLast:
                text = ""
                await self._edit_last()

    async def _edit_last(self) -> None:
        """Takes the last turn back, and puts what was asked into the line."""
        turns = [record for record in self.conversation.session.records("turn") if record.agent == "main"]
        try:
            await self._slash.run("/rewind 1")
        except AgenticError as error:
            self.say(error_in_words(error))
        else:
            self._typeahead.text = str(turns[-1].data.get("task", "")) if turns else ""

    async def _handle(self, text: str) -> None:
        try:
            if text.startswith("!"):
                await self._shell(text.lstrip("!"), keep=text.startswith("!!"))
            elif text.startswith("#"):
                await self._note(text.lstrip("#").strip())
            elif not await self._slash.run(text):
                await self.ask(text)
        except asyncio.CancelledError:
            _leave_if_cancelled()
        except AgenticError as error:
            self.say(error_in_words(error))

    async def ask(self, text: str) -> bool:
        """Does a task; Ctrl-C or Escape stops it and keeps what came. An error ends the turn, not the chat. True if it was done."""
        try:
            await self.follow(self.conversation.turn(text, may_ask=False))
        except AgenticError as error:
            self.write(self.palette.paint("bad", f"✗ {sanitize(error_in_words(error))}") + "\n")
            return False
        except asyncio.CancelledError:
            self._stopped = True  # the screen has said so
        _leave_if_cancelled()
        self._attention.call(f"agentic is done with: {text}")
        return not self._stopped

    async def follow(self, work: Coroutine[Any, Any, T]) -> T:
        """Does it, while the keyboard is read; Ctrl-C or Escape cancels it, and what was typed comes back into the line."""
        loop = asyncio.get_running_loop()
        self._work = future = asyncio.ensure_future(work)
        self._stopped = False
        loop.add_signal_handler(signal.SIGINT, self.stop)
        try:
            self._attention.begin()
            self.write(TELL_PASTES)
            with self._typeahead.listening():
                return await future
        finally:
            self.write(TELL_NO_PASTES)
            self._attention.end()
            self._work = None
            if self._stopped:
                self._typeahead.take_back()
            loop.remove_signal_handler(signal.SIGINT)

    def leave(self) -> None:
        """Ends the chat when what goes on now is over."""
        self._typeahead.leaving = True

    def stop(self) -> None:
        """Stops the turn, if one is going on."""
        if self._work is not None:
            self._stopped = True
            self._work.cancel()

    def _steer(self) -> str:
        """Returns what the user has typed since the last step, for the agent's next one."""
        if said := self._typeahead.take_lines():
            self.conversation.note(UserSaid(text=said))
        return said

    async def answer(self, question: Question) -> Answered:
        """Asks the user, while nobody else reads the keyboard."""
        self._attention.call(f"agentic asks: {question.what}")
        with self._typeahead.paused():
            return await self._ask_user(question)

    def _looks(self, has_focus: bool) -> None:
        self._attention.has_focus = has_focus

    def _show_typed(self, text: str) -> None:
        self.conversation.show(Typed(text=text))

    def _unfold(self) -> None:
        self.conversation.show(Unfolded())

    async def _shell(self, line: str, keep: bool) -> None:
        """The user's own command, as typed, in the user's shell. The model is told, unless the user wants to `keep` it."""
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = await asyncio.create_subprocess_exec(
            *(shell, "-c", line), cwd=self.root, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        said: list[bytes] = []
        try:
            code = await self.follow(self._followed(process, said))
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = await process.wait()
            _leave_if_cancelled()
        output = b"".join(said).decode("utf-8", "replace")
        self.say(f"(exit code {code})")
        if not keep:
            shown = output if len(output) <= MAX_TOLD else f"{output[: MAX_TOLD // 2]}\n…\n{output[-MAX_TOLD // 2 :]}"
            self.conversation.tell(f"(The user ran this, with exit code {code}:)\n$ {line}\n{shown}".rstrip())

    async def _followed(self, process: asyncio.subprocess.Process, said: list[bytes]) -> int:
        assert process.stdout is not None
        while data := await process.stdout.read(65536):
            said.append(data)
            self.write(sanitize(data.decode("utf-8", "replace")))
        return await process.wait()

    async def _note(self, note: str) -> None:
        """A line for the file that agents read first, after a question."""
        if not note:
            self.say(f"#NOTE adds a line to {NOTES}")
            return
        space = self.conversation.workspace
        before: bytes | None = None
        with suppress(FileNotFoundToolError):
            before = space.read(NOTES).data
        after = (before.rstrip(b"\n") + b"\n" if before else b"") + f"- {note}\n".encode()
        answer = await self.answer(Question(f"add this to {NOTES}", body=difference(NOTES, before, after), is_diff=True, own=True))
        if answer.reply != "no":
            space.grant(NOTES, "write")
            space.write(NOTES, after)
            self.say(f"noted in {NOTES}; new sessions read it")


def _leave_if_cancelled() -> None:
    """It was the turn that was stopped, unless it is the chat that ends."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _say(stdout: TextIO, text: str) -> None:
    stdout.write(sanitize(text) + "\n")
    stdout.flush()


def error_in_words(error: AgenticError) -> str:
    """An error with its remedy, for people, without logins."""
    return hide_logins(f"{error}\n  → {error.remedy}" if error.remedy else str(error))
