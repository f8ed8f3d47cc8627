"""A chat's window: prompts and turns of one session while its settings stay the same."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar

from agentic import AgenticError, Answered, Conversation, Event, Question, Settings, api
from agentic.commands.start import palette_of
from agentic.events import EndpointSeen, Idle, Unfolded
from agentic.folders import state_folder
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.attention import Attention
from agentic.lib.terminal.keys import Replies
from plugins_builtin.terminal.asking import RegionAsker
from plugins_builtin.terminal.completion import Names
from plugins_builtin.terminal.detached.chat import ChatLeaving
from plugins_builtin.terminal.draft import TELL_NO_SHIFT, TELL_SHIFT, LineOptions
from plugins_builtin.terminal.keys import Actions, ChatKeys, key_rows
from plugins_builtin.terminal.message_line import MessageLine
from plugins_builtin.terminal.modes import Modes
from plugins_builtin.terminal.opening import first_blocks, look_around
from plugins_builtin.terminal.own_commands import OwnCommands, leave_if_cancelled
from plugins_builtin.terminal.palette import pick_command
from plugins_builtin.terminal.region import Region
from plugins_builtin.terminal.screen import TerminalScreen
from plugins_builtin.terminal.slash import Slash
from plugins_builtin.terminal.status_command import OwnStatus
from plugins_builtin.terminal.stray import stray_lines
from plugins_builtin.terminal.telling import tell_user
from plugins_builtin.terminal.words import error_in_words
from plugins_builtin.terminal.wrapping import wrapped

T = TypeVar("T")
DRAFT = "draft"


class ChatWindow:
    """A session's loop of prompts and turns; what a slash command gets as its chat. `next` is the window to open after it."""

    def __init__(self, root: Path, settings: Settings, stdout: TextIO, typed: bytes = b"") -> None:
        self.settings = settings
        self.next: tuple[Settings, str] | None = None
        self.palette = palette_of(settings, stdout)
        self.conversation: Conversation
        self._stdout = stdout
        self._work: asyncio.Future[Any] | None = None
        self._is_open = self._stopped = self._asked_to_leave = False
        self._slash, self._modes = Slash(self), Modes()
        self._line = MessageLine(lambda: self._work is not None, self._slash.is_one, lambda text: self.screen.note(text))  # noqa: PLW0108
        self._attention = Attention(self._to_terminal, settings.ui.notify, partial(tell_user, settings.ui.notify_command))
        self._keys = ChatKeys(self._actions(), dict(settings.ui.keys))
        self._names = names = Names(root, self._slash)
        ui, history = settings.ui, state_folder() / "chat_history"
        looks = partial(setattr, self._attention, "has_focus")
        line = LineOptions(history, ui.editing, Replies(), names.helps, looks, lambda: self.leaving.hung_up(), ui.accessible)  # noqa: PLW0108
        self._region = Region(stdout, self.palette, names, line, self._keys, lambda width: self.screen.footer.line(width))  # noqa: PLW0108
        self._region.ended = self.leave
        self._region.queued = lambda: self._line.queue.rows(self._work is not None)
        self._line.region = self._region
        self.leaving = ChatLeaving(self._region, self._attention, lambda: self._work is not None)
        self.screen = TerminalScreen(settings, root, self.palette, self._region, asks_itself=True)
        self._ask_user = RegionAsker(self._region, lambda rows: self.screen.block("question", rows), api.check_rule)
        self._own_status = OwnStatus(settings.ui.status_command, self._region, self.screen.footer)
        self._own = OwnCommands(self, self.screen, self._region.write)
        self._line.type(typed)

    def _actions(self) -> Actions:
        def put_action(action: str) -> None:
            if self._work is None:
                self._line.queue.put_action(action)

        return Actions(
            works=lambda: self._work is not None,
            send=self._send,
            stop=self.stop,
            interrupt=self._interrupt,
            leave=self.leave,
            edit_last=lambda: put_action("edit_last"),
            mode=lambda: put_action("mode"),
            palette=lambda: put_action("palette"),
            unfold=lambda: self.screen.handle(Unfolded()),
            paste=self._line.paste,
            paste_picture=self._line.paste_picture,
            editor=self._line.open_editor,
            take_back=self._line.take_back,
            detach=lambda: self.leaving.leave_by_key(),  # noqa: PLW0108
            keys_list=lambda: self.say("\n".join(key_rows(self._keys))),
        )

    def _send(self, after: bool) -> None:
        if not self.leaving.is_typed(self._line.draft):
            self._line.send(after)

    def take_over(self, before: "ChatWindow") -> None:
        """Takes what was typed there and not handled."""
        self._line.take_over(before._line)

    @property
    def root(self) -> Path:
        return self.conversation.root

    @property
    def session_id(self) -> str:
        return self.conversation.session.id

    def say(self, text: str) -> None:
        width = self._region.size[0]
        self.screen.block("told", [row for line in sanitize(text).split("\n") for row in wrapped(line, width)])

    def write(self, text: str) -> None:
        self.screen.block("told", text.removesuffix("\n").split("\n"))

    def _to_terminal(self, codes: str) -> None:
        with suppress(OSError):  # the terminal is gone, which is noticed where its keys are read
            self._stdout.write(codes)
            self._stdout.flush()

    def _title(self, text: str) -> None:
        self._to_terminal(f"\x1b]0;{text}\x07" if self.settings.ui.notify else "")

    async def emit(self, event: Event) -> None:
        await self.conversation.emit(event)

    async def run(self, command: str) -> str:
        return (await self.follow(self.conversation.run_command(command))).for_model

    async def endpoints(self) -> list[EndpointSeen]:
        return await self.conversation.endpoints()

    async def reopen(self, settings: Settings, session: str) -> None:
        """A session in which nothing was said yet is not kept: a new one follows it."""
        is_unnamed = session == self.session_id and not self.conversation.session.metadata("title")
        self.next = settings, "" if is_unnamed else session

    @asynccontextmanager
    async def on_screen(self) -> AsyncIterator[None]:
        """Meanwhile the window is on the screen; what is typed before its session is open waits for that."""
        self._to_terminal(TELL_SHIFT)
        try:
            with stray_lines(self._region.write):
                async with self._region.running():
                    yield
        finally:
            self._to_terminal(TELL_NO_SHIFT)

    async def loop(self, conversation: Conversation, text: str = "") -> None:
        """Until the user leaves or another window is to follow, beginning with `text` as if it had been typed."""
        self.conversation, self._is_open = conversation, True
        self._slash.look()
        self._names.look()
        conversation.steer(self._steer)
        session = conversation.session
        self.screen.footer.mode, self.screen.footer.window = conversation.mode, conversation.model.window
        warming, looking = asyncio.ensure_future(conversation.warm()), asyncio.ensure_future(self._look())  # while the user types
        if kept := session.metadata(DRAFT):
            self._region.draft = kept + self._region.draft
        try:
            await conversation.announce("chat")
            self._begin()
            await self._take_turns(text)
            if self.next is None and session.metadata("title"):
                self.screen.note("(agentic --continue goes on with this)")
        finally:
            session.set_metadata(DRAFT, "" if self.next is not None else self._line.draft)
            for task in (warming, looking):
                task.cancel()

    def _begin(self) -> None:
        """The first screen, or the conversation so far."""
        for kind, rows in first_blocks(self.conversation, self.palette, self._region.size[0]):
            self.screen.block(kind, rows)

    async def _look(self) -> None:
        await look_around(self.conversation, self.screen, self.palette)
        self._region.refresh()
        await self._own_status.show(self.root, self.session_id)

    async def _take_turns(self, text: str) -> None:
        if text:
            self._line.queue.put(text)
        while self.next is None:
            self._names.look()
            said = await self._line.queue.next()
            if said.action == "leave":
                return
            try:
                if said.action:
                    await self._act(said.action)
                else:
                    self._asked_to_leave = False
                    await self._handle(said.text)
            except asyncio.CancelledError:
                leave_if_cancelled()
            except AgenticError as error:
                self.say(error_in_words(error))
            self.screen.handle(Idle())
            await self._own_status.show(self.root, self.session_id)

    async def _act(self, action: str) -> None:
        match action:
            case "edit_last":
                await self._edit_last()
            case "mode":
                await self._modes.next(self.conversation, self._slash.summaries)
                self._show_mode()
            case "palette":
                if command := await pick_command(self._region, self._slash.summaries):
                    self._region.draft = f"{command} "

    async def _edit_last(self) -> None:
        """Takes the last turn back, and puts what was asked into the line."""
        turns = self.conversation.session.turns()
        await self._slash.run("/rewind 1")
        self._region.draft = str(turns[-1].data.get("task", "")) if turns else ""

    async def _handle(self, text: str) -> None:
        for picture in self._line.folds.take_pictures():
            self.conversation.attach(picture)
        self.screen.show_message(text)
        if text.startswith("!"):
            await self._own.shell(text.lstrip("!"), keep=text.startswith("!!"))
        elif text.startswith("#"):
            await self._own.note(text.lstrip("#").strip())
        elif not await self._slash.run(self._modes.command(text)):
            await self.ask(text)
        self._show_mode()

    def _show_mode(self) -> None:
        self.screen.footer.mode = self._modes.name(self.conversation)
        self._region.refresh()

    def _steer(self) -> str:
        """Returns what the user has typed since the last step, for the agent's next one."""
        if said := self._line.queue.take_for_agent():
            self.screen.show_message(said)
        return said

    def _interrupt(self) -> None:
        """Ctrl-C."""
        if self._work is not None:
            self.stop()
        elif self._line.empty():
            self._asked_to_leave = False
        elif not self._is_open:
            signal.raise_signal(signal.SIGINT)  # as where nothing reads the keys
        elif self._asked_to_leave:
            self.leave()
        else:
            self._asked_to_leave = True
            self.screen.note("(Ctrl-C once more leaves, as Ctrl-D does)")

    async def ask(self, text: str) -> bool:
        """Does a task; Ctrl-C or Escape stops it and keeps what came. An error ends the turn, not the chat. True if it was done."""
        try:
            await self.follow(self.conversation.turn(text, may_ask=False))
        except AgenticError as error:
            lines = f"{self.palette.mark('✗', 'x')} {sanitize(error_in_words(error))}".split("\n")
            self.screen.block("error", [self.palette.paint("bad", line) for line in lines])
            return False
        except asyncio.CancelledError:
            self._stopped = True  # the screen has said so
        leave_if_cancelled()
        self._attention.call(f"agentic is done with: {text}")
        return not self._stopped

    async def follow(self, work: Coroutine[Any, Any, T]) -> T:
        """Does it; Ctrl-C or Escape cancels it, and what was typed meanwhile comes back into the line."""
        self._work = future = asyncio.ensure_future(work)
        self._stopped = False
        try:
            self._attention.begin()
            self._title("agentic: working")
            return await future
        finally:
            self._title("agentic")
            self._attention.end()
            self._work = None
            if self._stopped:
                self._line.take_all_back()
            self._region.refresh()

    def leave(self) -> None:
        self._line.queue.put_action("leave")

    def stop(self) -> None:
        if self._work is not None:
            self._stopped = True
            self._work.cancel()

    async def confirm(self, question: str) -> bool:
        return (await self.answer(Question(question, own=True))).reply != "no"

    async def answer(self, question: Question) -> Answered:
        self._attention.call(f"agentic asks: {question.what}")
        self._title("agentic: question")
        return await self._ask_user(question)
