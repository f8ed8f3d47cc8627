"""`agentic chat`: a conversation with tools; what `agentic` alone starts in a terminal."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from agentic.cli.loop import run
from agentic.cli.options import LocalAwareCommand, common_options, session_options
from agentic.cli.start import approval_mode, asker, load_host, opened, tell_start
from agentic.cli.typeahead import Typeahead
from agentic.config import Settings
from agentic.errors import AgenticError, ConfigError
from agentic.events import RunFinished, RunStarted, Typed
from agentic.hooks.batching import Watches
from agentic.plugins import Host
from agentic.run.approval import Approver, Ask
from agentic.run.conversation import Conversation
from agentic.run.runtime import Runtime, state_folder
from agentic.sanitize import sanitize
from agentic.sessions import Session, Shelf
from agentic.sessions.undo import last_turn, undo
from agentic.types import Outcome

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

HELP = {
    "/help": "this list",
    "/context": "where the tokens of the next prompt are",
    "/metrics": "how busy the servers are",
    "/model": "[NAME] shows the model, or goes on with another one",
    "/endpoint": "[URL] shows the endpoint, or goes on with another one",
    "/undo": "takes back what the last turn's tools wrote",
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


@click.command("chat", cls=LocalAwareCommand)
@session_options
@common_options
def command(root: Path, settings: Settings, resume: str) -> int:
    """A conversation with tools in this folder. /help lists its commands."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("chat needs a terminal", "agentic ask PROMPT, or agentic run TASK, work without one")
    from agentic.plugins.requirements import check_required

    host = load_host(settings)
    check_required(settings["plugins.require"])
    stdout, sys.stdout = sys.stdout, sys.stderr  # what a plugin prints must not end up in the conversation
    try:
        return run(_chat(root, settings, host, stdout, resume))
    finally:
        sys.stdout = stdout


async def _chat(root: Path, settings: Settings, host: Host, stdout: TextIO, resume: str) -> int:
    good: tuple[Settings, str] | None = None
    while True:
        try:
            async with opened(root, settings, resume, host, stdout) as (runtime, session):
                chat = Chat(runtime, root, session, stdout)
                await chat.open()
                good = settings, session.id
                await chat.loop()
                return 0
        except Reopen as other:
            settings, resume = other.settings, other.resume
        except AgenticError as error:
            if good is None or (settings, resume) == good:
                raise
            _say(stdout, _told(error))
            settings, resume = good


class Chat:
    """One session's loop of prompts and turns, while settings stay the same."""

    def __init__(self, runtime: Runtime, root: Path, session: Session, stdout: TextIO) -> None:
        self._runtime = runtime
        self._root = root
        self._session = session
        self._stdout = stdout
        self._typeahead = Typeahead(self._show_typed)
        self._commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "/help": self._help,
            "/context": self._context,
            "/metrics": self._metrics,
            "/model": self._model,
            "/endpoint": self._endpoint,
            "/undo": self._undo,
            "/clear": self._clear,
            "/resume": self._resume,
        }

    async def open(self) -> None:
        """Raises AgenticError when the model cannot be asked."""
        approver = Approver(approval_mode(self._runtime.settings), self._asker())
        self._conversation = await Conversation.open(self._runtime, self._root, self._session, approver)

    async def loop(self) -> None:
        """Until the user leaves. Raises Reopen."""
        from agentic.cli.prompt_line import make_prompt

        await tell_start(self._runtime, self._session, "chat", "")
        if len(self._conversation.agent.history) > 1:
            _say(self._stdout, f"(going on with session {self._session.id}: {self._session.fact('title')})")
        else:
            _say(self._stdout, "(/help lists the commands)")
        warming = asyncio.ensure_future(self._conversation.warm())  # while the user types
        prompt = make_prompt(self._root, HELP, state_folder() / "chat_history", self._stdout)
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
                    _say(self._stdout, f"› {text}")
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
                _say(self._stdout, _told(error))
        elif text.startswith("/") and "/" not in word[1:]:
            _say(self._stdout, f"there is no command {word}; /help lists them")
        elif text:
            await self._turn(text)

    async def _turn(self, text: str) -> None:
        """One task; Ctrl-C stops it and keeps what came. An error ends the turn, not the chat."""
        loop, events = asyncio.get_running_loop(), self._runtime.events
        await events.emit(RunStarted(command="chat", task=text))
        work = asyncio.ensure_future(self._conversation.work(text))
        loop.add_signal_handler(signal.SIGINT, work.cancel)
        try:
            with self._typeahead.listening():
                outcome = await work
        except asyncio.CancelledError:
            outcome = Outcome("interrupted", "interrupted")
        except AgenticError as error:
            outcome = Outcome("failed", _told(error))
        finally:
            loop.remove_signal_handler(signal.SIGINT)
        await events.emit(RunFinished(status=outcome.status, result=outcome.summary, files=outcome.files))

    def _asker(self) -> Ask | None:
        ask = asker(self._runtime)
        if ask is None:
            return None

        async def paused(what: str) -> bool:
            with self._typeahead.paused():
                return await ask(what)

        return paused

    def _show_typed(self, text: str) -> None:
        self._runtime.events.show(Typed(text=text))

    async def _help(self, rest: str) -> None:
        _say(self._stdout, "\n".join([*(f"{name:<10} {what}" for name, what in HELP.items()), KEYS]))

    async def _context(self, rest: str) -> None:
        agent = self._conversation.agent
        report = agent.context.report(agent.specs)
        lines = [f"{name:<14}{tokens:>7}  {100 * tokens / report.budget:4.0f} %" for name, tokens in report.parts.items()]
        lines.append(f"{'together':<14}{report.tokens:>7}  of {report.budget} (window {report.window}, tier {report.tier})")
        lines.append(f"counted by {report.method}" + (f": {report.error}" if report.error else ""))
        lines.append(f"session {self._session.id}, {len(agent.history)} messages")
        _say(self._stdout, "\n".join(lines))

    async def _metrics(self, rest: str) -> None:
        batcher = self._runtime.batcher
        seen = await batcher.look() if isinstance(batcher, Watches) else []
        for each in seen:
            each.asked = True
            await self._runtime.events.emit(each)
        if not seen:
            _say(self._stdout, "(nobody tells how busy they are)")

    async def _model(self, name: str) -> None:
        if name:
            raise Reopen(self._runtime.settings.changed("llm.model", name, "/model"), self._session.id)
        _say(self._stdout, f"{self._runtime.info.model} at {self._runtime.info.url}")

    async def _endpoint(self, url: str) -> None:
        if not url:
            return await self._model("")
        settings = self._runtime.settings.changed("llm.endpoints", [url], "/endpoint").changed("llm.model", "", "/endpoint")
        raise Reopen(settings.changed("llm.transport", "auto", "/endpoint"), self._session.id)

    async def _undo(self, rest: str) -> None:
        since = last_turn(self._session)
        files = undo(self._session, self._conversation.workspace, since) if since else []
        if files:
            self._conversation.agent.tell(f"(The user took your last changes back. As before now: {', '.join(files)}.)")
        _say(self._stdout, f"taken back: {', '.join(files)}" if files else "there is nothing to take back")

    async def _clear(self, rest: str) -> None:
        raise Reopen(self._runtime.settings, "")

    async def _resume(self, name: str) -> None:
        if name:
            raise Reopen(self._runtime.settings, name)
        shelf = Shelf(state_folder() / "sessions")
        mine = islice(shelf.of(self._root), MAX_LISTED)
        _say(self._stdout, "\n".join(f"{summary.id}  {summary.title}" for summary in mine) or "no sessions here")


def _told(error: AgenticError) -> str:
    return f"{error}\n  → {error.remedy}" if error.remedy else str(error)


def _say(stdout: TextIO, text: str) -> None:
    stdout.write(sanitize(text) + "\n")
    stdout.flush()
