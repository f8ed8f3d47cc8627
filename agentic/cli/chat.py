"""`agentic chat`: a conversation with tools; what `agentic` alone starts in a terminal."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from agentic import api
from agentic.cli.loop import run
from agentic.cli.questions import Asker
from agentic.cli.start import interruptible, palette_of, screen_of
from agentic.cli.typeahead import Typeahead
from agentic.commands import RunCommand, common_options, session_options
from agentic.config import Settings
from agentic.core.approval import Approver
from agentic.core.conversation import Conversation
from agentic.core.questions import Answered, Question
from agentic.core.runtime import Runtime
from agentic.errors import AgenticError, ConfigError
from agentic.events import EndpointSeen, Event, Typed
from agentic.folders import state_folder
from agentic.hooks.batching import Watches
from agentic.hooks.chat import ChatCommand
from agentic.plugins.guard import FAULTS
from agentic.plugins.isolation import describe
from agentic.sanitize import sanitize
from agentic.sessions import Session
from agentic.sessions.undo import ChangedSince, last_turn, redo, turn_before, undo
from agentic.workspace import Workspace

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

HELP = {
    "/help": "this list",
    "/context": "where the tokens of the next prompt are",
    "/model": "[NAME] shows the model, or goes on with another one",
    "/endpoint": "[URL] shows the endpoint, or goes on with another one",
    "/undo": "takes back what the last turn's tools and commands did to the files",
    "/redo": "does the last /undo over",
    "/rewind": "[N] goes back N turns, files and conversation (without N: one)",
    "/clear": "begins a new session",
    "/resume": "[ID] lists this folder's sessions, or goes on with one",
    "/quit": "leaves (as Ctrl-D does)",
}
MAX_LISTED = 20
KEYS = "Enter sends, Alt-Enter or \\ at a line's end begins a new line, Tab completes, Ctrl-C stops the turn, Ctrl-D leaves"


class Reopen(Exception):
    """The chat goes on with other settings, or another session."""

    def __init__(self, settings: Settings, resume: str) -> None:
        super().__init__()
        self.settings = settings
        self.resume = resume


@click.command("chat", cls=RunCommand)
@session_options
@common_options
def command(root: Path, settings: Settings, resume: str) -> int:
    """A conversation with tools in this folder. /help lists its commands."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("chat needs a terminal", "agentic ask PROMPT, or agentic run TASK, work without one")
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the conversation
    try:
        return run(interruptible(_chat(root, settings, stdout, resume), (signal.SIGTERM, signal.SIGHUP)))
    finally:
        sys.stdout = stdout


async def _chat(root: Path, settings: Settings, stdout: TextIO, resume: str) -> int:
    good: tuple[Settings, str] | None = None
    while True:
        try:
            screen = screen_of(settings, stdout)
            async with api.open_session(root, settings, resume, screen) as (runtime, session):
                chat = Chat(runtime, session, stdout)
                approver = Approver(settings.approval.mode or "ask", chat.answer, runtime.events.emit)
                async with Conversation.open(runtime, session, approver) as conversation:
                    good = settings, session.id
                    await chat.loop(conversation)
                return 0
        except Reopen as other:
            settings, resume = other.settings, other.resume
        except AgenticError as error:
            if good is None or (settings, resume) == good:
                raise
            _say(stdout, _told(error))
            settings, resume = good


class Chat:
    """One session's loop of prompts and turns, while settings stay the same; what a plugin's slash command gets."""

    def __init__(self, runtime: Runtime, session: Session, stdout: TextIO) -> None:
        self._runtime = runtime
        self.root = runtime.root
        self.settings = runtime.settings
        self._session = session
        self._stdout = stdout
        self._typeahead = Typeahead(self._show_typed)
        self._ask = Asker(palette_of(self.settings, sys.stderr), self._typeahead.feed)
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/context": self._context,
            "/model": self._model,
            "/endpoint": self._endpoint,
            "/undo": self._undo,
            "/redo": self._redo,
            "/rewind": self._rewind,
            "/clear": self._clear,
            "/resume": self._resume,
        }
        self._plugins_commands: dict[str, tuple[str, ChatCommand]] = {
            f"/{name}": (offer.plugin, offer.record)
            for name, offer in runtime.host.offers("agentic_chat_commands").items()
            if f"/{name}" not in HELP
        }

    def say(self, text: str) -> None:
        """Shows a text to the user."""
        _say(self._stdout, text)

    async def emit(self, event: Event) -> None:
        """Shows an event."""
        await self._runtime.events.emit(event)

    async def ask(self, text: str) -> None:
        """One turn of the model, as if the user had typed `text`."""
        await self._turn(text)

    async def endpoints(self) -> list[EndpointSeen]:
        """How busy each endpoint is that answers and tells."""
        batcher = self._runtime.batcher
        return await batcher.look() if isinstance(batcher, Watches) else []

    async def loop(self, conversation: Conversation) -> None:
        """Until the user leaves. Raises Reopen."""
        from agentic.cli.prompt_line import make_prompt

        self._conversation = conversation
        await api.announce_start(self._runtime, self._session, "chat", "")
        if len(self._conversation.agent.history) > 1:
            self.say(f"(going on with session {self._session.id}: {self._session.metadata('title')})")
        else:
            self.say("(/help lists the commands)")
        warming = asyncio.ensure_future(self._conversation.warm())  # while the user types
        prompt = make_prompt(
            self.root, [*HELP, *self._plugins_commands], self._complete, state_folder() / "chat_history", self._stdout
        )
        with self._typeahead.owning_the_keyboard():
            try:
                await self._take_turns(prompt)
            finally:
                warming.cancel()

    async def _take_turns(self, prompt: "PromptSession[str]") -> None:
        text = ""
        while text != "/quit":
            if text:
                await self._handle(text)
                if text := self._typeahead.take_lines():
                    self.say(f"› {text}")
                    continue
            if self._typeahead.leaving:
                return
            try:
                text = (await prompt.prompt_async(default=self._typeahead.take_text())).strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return

    async def _handle(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word in self._commands:
            try:
                await self._commands[word](rest.strip())
            except AgenticError as error:
                self.say(_told(error))
        elif word in self._plugins_commands:
            await self._plugins_command(*self._plugins_commands[word], rest.strip())
        elif text.startswith("/") and "/" not in word[1:]:
            self.say(f"there is no command {word}; /help lists them")
        elif text:
            await self._turn(text)

    async def _turn(self, text: str) -> None:
        """One task; Ctrl-C stops it and keeps what came. An error ends the turn, not the chat."""
        loop, runtime = asyncio.get_running_loop(), self._runtime
        work = asyncio.ensure_future(
            api.carry_out(runtime, self._session, "chat", text, self._conversation.work(text, may_ask=False))
        )
        loop.add_signal_handler(signal.SIGINT, work.cancel)
        try:
            with self._typeahead.listening(), suppress(asyncio.CancelledError, AgenticError):  # the screen has said so
                await work
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # it is the chat that ends
            raise asyncio.CancelledError

    async def answer(self, question: Question) -> Answered:
        """Asks the user, while nobody else reads the keyboard."""
        with self._typeahead.paused():
            return await self._ask(question)

    async def _plugins_command(self, plugin: str, command: ChatCommand, argument: str) -> None:
        try:
            await command.run(argument, self)
        except AgenticError as error:
            self.say(_told(error))
        except FAULTS as error:
            self.say(f"{self._runtime.host.owner(plugin)}: /{command.name} failed: {describe(error)}")

    def _complete(self, word: str, argument: str) -> list[str]:
        """What a slash command's argument may go on as; a plugin that fails completes nothing."""
        complete = self._plugins_commands[word][1].complete if word in self._plugins_commands else None
        try:
            return [str(each) for each in complete(argument)] if complete else []
        except FAULTS:
            return []

    def _show_typed(self, text: str) -> None:
        self._runtime.events.show(Typed(text=text))

    async def _help(self, rest: str) -> None:
        more = {word: command.summary for word, (_, command) in self._plugins_commands.items()}
        self.say("\n".join([*(f"{name:<10} {what}" for name, what in (HELP | more).items()), KEYS]))

    async def _context(self, rest: str) -> None:
        agent = self._conversation.agent
        report = agent.context.report(agent.specs)
        lines = [f"{name:<14}{tokens:>7}  {100 * tokens / report.budget:4.0f} %" for name, tokens in report.parts.items()]
        lines.append(f"{'together':<14}{report.tokens:>7}  of {report.budget} (window {report.window}, tier {report.tier})")
        lines.append(f"counted by {report.method}" + (f": {report.error}" if report.error else ""))
        lines.append(f"session {self._session.id}, {len(agent.history)} messages")
        self.say("\n".join(lines))

    async def _model(self, name: str) -> None:
        if name:
            raise Reopen(self.settings.changed("llm.model", name, "/model"), self._session.id)
        self.say(f"{self._runtime.info.model} at {self._runtime.info.url}")

    async def _endpoint(self, url: str) -> None:
        if not url:
            return await self._model("")
        settings = self.settings.changed("llm.endpoints", [url], "/endpoint").changed("llm.model", "", "/endpoint")
        raise Reopen(settings.changed("llm.transport", "auto", "/endpoint"), self._session.id)

    async def _undo(self, rest: str) -> None:
        since = last_turn(self._session)
        files = await self._confirmed("undo", lambda force: undo(self._session, self._workspace, since, force)) if since else []
        if files:
            self._conversation.agent.tell(f"(The user took your last changes back. As before now: {', '.join(files)}.)")
        self.say(f"taken back: {', '.join(files)}" if files else "there is nothing to take back")

    async def _redo(self, rest: str) -> None:
        files = await self._confirmed("redo", lambda force: redo(self._session, self._workspace, force))
        if files:
            self._conversation.agent.tell(f"(The user brought your changes back. As you left them now: {', '.join(files)}.)")
        self.say(f"done over: {', '.join(files)}" if files else "there is nothing to do over")

    async def _rewind(self, rest: str) -> None:
        count = int(rest) if rest.isdigit() else 1
        since = turn_before(self._session, count)
        if not since:
            raise ConfigError(f"this session has no {count} turns to go back", "/rewind N, with fewer")
        files = await self._confirmed("rewind", lambda force: undo(self._session, self._workspace, since, force))
        self._conversation.agent.context.history.rewind(since)
        self.say(f"back by {count}" + (f"; taken back: {', '.join(files)}" if files else ""))

    async def _confirmed(self, what: str, change: Callable[[bool], list[str]]) -> list[str]:
        """Files that the user changed since are only overwritten after a question."""
        try:
            return change(False)
        except ChangedSince as error:
            question = Question(f"{what} although these changed since: {', '.join(error.paths)}")
            return change(True) if (await self.answer(question)).reply != "no" else []

    @property
    def _workspace(self) -> Workspace:
        return self._conversation.workspace

    async def _clear(self, rest: str) -> None:
        raise Reopen(self.settings, "")

    async def _resume(self, name: str) -> None:
        if name:
            raise Reopen(self.settings, name)
        mine = islice(api.session_store().of(self.root), MAX_LISTED)
        self.say("\n".join(f"{summary.id}  {summary.title}" for summary in mine) or "no sessions here")


def _told(error: AgenticError) -> str:
    return f"{error}\n  → {error.remedy}" if error.remedy else str(error)


def _say(stdout: TextIO, text: str) -> None:
    stdout.write(sanitize(text) + "\n")
    stdout.flush()
