"""`agentic chat`: a conversation with tools; what `agentic` alone starts in a terminal."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from agentic import api
from agentic.cli.before import ask_once, settled
from agentic.cli.chat_commands import Commands, Reopen, told
from agentic.cli.typeahead import Typeahead
from agentic.commands import RunCommand, common_options, session_options
from agentic.commands.questions import Asker
from agentic.commands.start import background_of, interruptible, palette_of, screen_of
from agentic.config import Settings
from agentic.core.approval import ApprovalMode
from agentic.core.conversation import OpenConversation
from agentic.core.questions import Answered, Question
from agentic.core.runtime import Runtime
from agentic.errors import AgenticError, ConfigError
from agentic.events import EndpointSeen, Event, Idle, Typed, Unfolded, UserSaid
from agentic.folders import state_folder
from agentic.lib.diff import difference
from agentic.lib.loop import run
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.attention import Attention
from agentic.lib.terminal.keys import TELL_NO_PASTES, TELL_PASTES
from agentic.lib.workspace import FileNotFoundToolError
from agentic.sessions import Session

if TYPE_CHECKING:
    from agentic.cli.prompt_line import Prompt

T = TypeVar("T")
NOTES = "AGENTS.md"
MAX_TOLD = 8_000  # characters of a command's output that the model is told
DRAFT = "draft"


@click.command("chat", cls=RunCommand)
@click.argument("task", default="")
@session_options
@common_options
def command(root: Path, settings: Settings, resume: str, task: str) -> int:
    """A conversation with tools in this folder, which begins with TASK where one is given. /help lists its commands.

    For example: agentic --continue
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        words = f"agentic run {shlex.quote(task)}" if task else "agentic ask PROMPT, or agentic run TASK,"
        raise ConfigError("chat needs a terminal", f"{words} works without one" if task else f"{words} work without one")
    settings = settled(settings)
    ask_once(root, settings)
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the conversation
    try:
        return run(interruptible(_chat(root, settings, stdout, resume, task), (signal.SIGTERM, signal.SIGHUP)))
    finally:
        sys.stdout = stdout


async def _chat(root: Path, settings: Settings, stdout: TextIO, resume: str, task: str) -> int:
    good: tuple[Settings, str] | None = None
    typed = background_of(settings).typed
    while True:
        try:
            screen = screen_of(settings, stdout)
            async with api.open_session(root, settings, resume, screen) as (runtime, session):
                chat = ChatWindow(runtime, session, stdout, typed)
                typed = b""
                async with OpenConversation.open(runtime, session, chat.approval) as conversation:
                    good = settings, session.id
                    first, task = task, ""
                    await chat.loop(conversation, first)
                return 0
        except Reopen as other:
            settings, resume = other.settings, other.resume
        except AgenticError as error:
            if good is None or (settings, resume) == good:
                raise
            _say(stdout, told(error))
            settings, resume = good


class ChatWindow:
    """A session's loop of prompts and turns, while settings stay the same; what a plugin's slash command gets."""

    def __init__(self, runtime: Runtime, session: Session, stdout: TextIO, typed: bytes = b"") -> None:
        self.runtime = runtime
        self.root = runtime.root
        self.settings = runtime.settings
        self.session = session
        self.models: set[str] = set()
        self._stdout = stdout
        self._work: asyncio.Future[Any] | None = None
        self._stopped = False
        self._attention = Attention(self.write, self.settings.ui.notify)
        self._typeahead = Typeahead(self._show_typed, self.stop, self._unfold, self._looks)
        self.palette = palette_of(self.settings, sys.stderr)
        self._ask_user = Asker(self.palette, self._typeahead.feed)
        self.approval = ApprovalMode(self.settings.approval.mode or "ask", self.answer)
        self.commands = Commands(self)
        if typed:
            self._typeahead.feed(typed)

    @property
    def session_id(self) -> str:
        return self.session.id

    def say(self, text: str) -> None:
        """Shows a text to the user."""
        _say(self._stdout, text)

    def write(self, text: str) -> None:
        """Writes to the terminal what is safe for it already."""
        self._stdout.write(text)
        self._stdout.flush()

    async def emit(self, event: Event) -> None:
        """Shows an event."""
        await self.runtime.events.emit(event)

    async def ask(self, text: str) -> None:
        """A turn of the model, as if the user had typed `text`."""
        await self.turn(text)

    async def run(self, command: str) -> str:
        """Runs a command, as if the model had called for it; what it gave out, or why it was not run."""
        return (await self.interruptible(self.conversation.run_command(command))).for_model

    async def endpoints(self) -> list[EndpointSeen]:
        """How busy each endpoint is that answers and tells."""
        return await self.conversation.endpoints()

    async def loop(self, conversation: OpenConversation, text: str = "") -> None:
        """Until the user leaves, beginning with `text` as if it had been typed. Raises Reopen."""
        from agentic.cli.prompt_line import Prompt

        self.conversation = conversation
        self.commands.look()
        conversation.agent.context.news.append(self._steer)
        await api.announce_start(self.runtime, self.session, "chat", "")
        if len(conversation.agent.history) > 1:
            self.say(f"(going on with session {self.session.id}: {self.session.metadata('title')})")
        else:
            self.say("(/help lists the commands and keys)")
        warming = asyncio.ensure_future(conversation.warm())  # while the user types
        prompt = Prompt(
            self.root,
            self.commands.summaries,
            self.commands.complete,
            state_folder() / "chat_history",
            self._stdout,
            self.settings.ui.editing,
            self._unfold,
            self._typeahead.replies,
        )
        self.runtime.events.on_screen = prompt.above
        self._typeahead.text = self.session.metadata(DRAFT) + self._typeahead.text
        with self._typeahead.owning_the_keyboard():
            try:
                await self._take_turns(prompt, text)
                if self.commands.kept_session:
                    self.say("(agentic --continue goes on with this)")
            finally:
                self.session.set_metadata(DRAFT, prompt.draft or self._typeahead.text)
                warming.cancel()

    async def _take_turns(self, prompt: "Prompt", text: str) -> None:
        from agentic.cli.prompt_line import EditLast

        asked_to_leave = False
        while True:
            if text:
                asked_to_leave = False
                await self._handle(text)
                if text := self._typeahead.take_next():
                    self.runtime.events.show(Idle())  # nothing of the status line stays beside it
                    self.say(f"› {text}")
                    continue
            if self._typeahead.leaving:
                return
            self.runtime.events.show(Idle())
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
        turn = next((record for record in reversed(list(self.session.records("turn"))) if record.agent == "main"), None)
        try:
            await self.commands.rewind(1)
        except AgenticError as error:
            self.say(told(error))
        else:
            self._typeahead.text = str(turn.data.get("task", "")) if turn else ""

    async def _handle(self, text: str) -> None:
        try:
            if text.startswith("!"):
                await self._shell(text.lstrip("!"), keep=text.startswith("!!"))
            elif text.startswith("#"):
                await self._note(text.lstrip("#").strip())
            elif not await self.commands.run(text):
                await self.turn(text)
        except asyncio.CancelledError:
            _leave_if_cancelled()
        except AgenticError as error:
            self.say(told(error))

    async def turn(self, text: str) -> bool:
        """A task; Ctrl-C or Escape stops it and keeps what came. An error ends the turn, not the chat. Whether it was done."""
        work = api.carry_out(self.runtime, self.session, "chat", text, self.conversation.work(text, may_ask=False))
        try:
            await self.interruptible(work)
        except AgenticError as error:
            self.write(self.palette.paint("bad", f"✗ {sanitize(told(error))}") + "\n")
            return False
        except asyncio.CancelledError:
            self._stopped = True  # the screen has said so
        _leave_if_cancelled()
        self._attention.call(f"agentic is done with: {text}")
        return not self._stopped

    async def interruptible(self, work: Coroutine[Any, Any, T]) -> T:
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
            self.runtime.events.note(UserSaid(text=said))
        return said

    async def answer(self, question: Question) -> Answered:
        """Asks the user, while nobody else reads the keyboard."""
        self._attention.call(f"agentic asks: {question.what}")
        with self._typeahead.paused():
            return await self._ask_user(question)

    def _looks(self, has_focus: bool) -> None:
        self._attention.has_focus = has_focus

    def _show_typed(self, text: str) -> None:
        self.runtime.events.show(Typed(text=text))

    def _unfold(self) -> None:
        self.runtime.events.show(Unfolded())

    async def _shell(self, line: str, keep: bool) -> None:
        """The user's own command, as typed, in the user's shell. The model is told, unless the user wants to `keep` it."""
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = await asyncio.create_subprocess_exec(
            *(shell, "-c", line), cwd=self.root, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        said: list[bytes] = []
        try:
            code = await self.interruptible(self._followed(process, said))
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
