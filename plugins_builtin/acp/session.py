"""A session of an editor: a conversation that is held open, its questions, modes and slash commands."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from acp import Client, RequestError, text_block, tool_content, update_agent_message_text
from acp.helpers import update_available_commands, update_current_mode
from acp.schema import (
    AvailableCommand,
    AvailableCommandInput,
    SessionConfigOptionSelect,
    SessionConfigSelectOption,
    SessionMode,
    SessionModeState,
    UnstructuredCommandInput,
)

from agentic import AgenticError, Answered, ChatCommand, Conversation, ImagePart, Question, Settings, api
from agentic.events import EndpointSeen, Event, RunFinished
from agentic.lib.palette import PLAIN, Palette
from agentic.trust import Trust
from plugins_builtin.acp.blocks import text_and_pictures
from plugins_builtin.acp.questions import EditorQuestions
from plugins_builtin.acp.updates import Updates

MODES = {
    "ask": ("Ask", "asks before it changes a file or runs a command"),
    "edits": ("Edit", "changes files without a question, asks before commands"),
    "all": ("All", "asks nothing; the sandbox holds commands"),
    "none": ("Read only", "changes nothing and asks nothing"),
}
T = TypeVar("T")
_STOPS = {"interrupted": "cancelled", "limit": "max_turn_requests", "timeout": "max_turn_requests"}


class EditorSession:
    """`client` is the editor's side; the conversation is open from `open` to `close`.

    It is the renderer of its conversation, and what a slash command gets as its chat.
    """

    def __init__(self, client: Client, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.id = ""
        self._client = client
        self._updates = Updates(root)
        self._questions = EditorQuestions(client, lambda: self.id, self._updates)
        self.conversation: Conversation
        self._holding: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._turn: asyncio.Task[None] | None = None
        self._status = ""
        self._mode = settings.approval.mode or "ask"
        self._kind = ""
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._telling = asyncio.ensure_future(self._tell_all())

    async def open(self, resume: str = "") -> None:
        """Raises AgenticError."""
        ready: asyncio.Future[Conversation] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._holding = asyncio.ensure_future(self._hold(resume, ready))
        self.conversation = await ready
        self.id = self.conversation.session.id
        if self._mode != self.settings.approval.mode:
            await self.conversation.approve(self._mode)
        if self._kind:
            self.conversation.become(self._kind)

    async def _hold(self, resume: str, ready: "asyncio.Future[Conversation]") -> None:
        """Opens the conversation and closes it, in one task."""
        try:
            screen = api.Screen(own=self)
            async with api.open_conversation(self.root, self.settings, self.answer, resume, screen) as conversation:
                ready.set_result(conversation)
                await self._over.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def aclose(self) -> None:
        """Stops what goes on, and closes the conversation."""
        await self.cancel()
        await self._let_go()
        self._telling.cancel()

    async def _let_go(self) -> None:
        self._over.set()
        if self._holding is not None:
            await asyncio.gather(self._holding, return_exceptions=True)

    async def _reopened(self, settings: Settings) -> None:
        """The same session with other settings. One in which nothing was said yet has no title, and would not be kept."""
        title = self.conversation.session.metadata("title")
        self.conversation.session.set_metadata("title", title or "(new)")
        before, self.settings = self.settings, settings
        await self._let_go()
        try:
            await self.open(self.id)
        except AgenticError:
            self.settings = before
            await self.open(self.id)
            raise
        finally:
            self.conversation.session.set_metadata("title", title)

    # ---- what the editor asks for

    async def prompt(self, blocks: Sequence[Any]) -> str:
        """A turn; why it stopped. Raises RequestError."""
        if self._turn is not None and not self._turn.done():
            raise RequestError(-32600, "a turn is going on already")
        text, pictures = text_and_pictures(blocks, self.root)
        self._turn = asyncio.ensure_future(self._does(text, pictures))
        try:
            await asyncio.shield(self._turn)
        except asyncio.CancelledError:
            if not self._turn.done():  # the connection ends
                raise
            return "cancelled"
        except AgenticError as error:
            raise RequestError(-32603, error.with_remedy, {"details": error.with_remedy}) from error
        finally:
            await asyncio.shield(self._events.join())
        return _STOPS.get(self._status, "end_turn")

    async def _does(self, text: str, pictures: Sequence[ImagePart]) -> None:
        await self._ask_for_trust()
        self._status = "done"
        name, _, argument = text.removeprefix("/").partition(" ")
        if text.startswith("/") and name in self._commands():
            await self.conversation.run_slash(name, argument.strip(), self)
            return
        for picture in pictures:
            self.conversation.attach(picture)
        await self.ask(text)

    async def cancel(self) -> None:
        """Ends the turn; what came of it stays."""
        if self._turn is not None and not self._turn.done():
            self._turn.cancel()
            await asyncio.gather(self._turn, return_exceptions=True)

    @property
    def modes(self) -> SessionModeState:
        modes = [SessionMode(id=name, name=title, description=said) for name, (title, said) in MODES.items()]
        modes += [
            SessionMode(id=f"agent:{kind.name}", name=kind.name, description=kind.summary)
            for kind in self.conversation.kinds.values()
        ]
        return SessionModeState(current_mode_id=f"agent:{self._kind}" if self._kind else self._mode, available_modes=modes)

    async def set_mode(self, name: str) -> None:
        """An approval mode, or "agent:" and a kind of agent. Raises AgenticError, RequestError."""
        if name.startswith("agent:"):
            self.conversation.become(name.removeprefix("agent:"))
            self._kind = name.removeprefix("agent:")
        elif name in MODES:
            await self.conversation.approve(name)
            if self._kind:
                self.conversation.become("")
            self._mode, self._kind = name, ""
        else:
            raise RequestError.invalid_params({"modeId": f"there is no mode {name!r}"})
        await self._tell(update_current_mode(name))

    @property
    def options(self) -> list[Any]:
        """The models that the endpoint serves, where there is a choice."""
        info = self.conversation.model
        served = [SessionConfigSelectOption(value=name, name=name) for name in dict.fromkeys((info.model, *info.served))]
        if len(served) < 2:
            return []
        option = SessionConfigOptionSelect(
            type="select", id="model", name="Model", category="model", current_value=info.model, options=served
        )
        return [option]

    async def set_model(self, name: str) -> None:
        """Raises AgenticError."""
        await self._reopened(self.settings.changed("llm.model", name, "the editor"))

    async def tell_commands(self) -> None:
        """Which slash commands there are."""
        shown = [
            AvailableCommand(
                name=name,
                description=command.summary,
                input=AvailableCommandInput(root=UnstructuredCommandInput(hint="what it is about")),
            )
            for name, command in self._commands().items()
        ]
        await self._tell(update_available_commands(shown))

    def _commands(self) -> Mapping[str, ChatCommand]:
        """Returns the slash commands of plugins and of the folder that make sense in an editor."""
        return {name: each for name, each in self.conversation.slash_commands().items() if not each.only_in}

    # ---- what happens

    def handle(self, event: Event) -> None:
        """Takes an event at once; the editor is told of events in their order (`agentic.Renderer`)."""
        if isinstance(event, RunFinished):
            self._status = event.status
        for update in self._updates.of(event):
            self._events.put_nowait(update)

    def close(self) -> None:
        """The conversation is over; the editor's session may go on."""

    async def _tell_all(self) -> None:
        while True:
            update = await self._events.get()
            try:
                await self._tell(update)
            except ConnectionError:  # the editor is gone: its closed streams end all this
                continue
            finally:
                self._events.task_done()

    async def _tell(self, update: Any) -> None:
        await self._client.session_update(self.id, update)

    async def _ask_for_trust(self) -> None:
        """Once, what the folder brings that would run; with a yes the conversation is opened anew, with it."""
        unknown = api.undecided(self.root, self.settings)
        if not unknown:
            return
        shown = "\n".join(f"{each.kind} {each.name} ({each.file}): {each.runs}" for each in unknown)
        chosen = await self._questions.permission(
            "trust", "Trust what this folder would run?", [tool_content(text_block(shown))], {"yes": "Trust it"}
        )
        if chosen is None:
            return
        Trust(self.root).decide(unknown, trusted=chosen == "yes")
        if chosen == "yes":
            await self._reopened(self.settings)
            await self.tell_commands()

    # ---- what a slash command may do (`agentic.Chat`)

    @property
    def session_id(self) -> str:
        return self.conversation.session.id

    @property
    def palette(self) -> Palette:
        return PLAIN

    def write(self, text: str) -> None:
        self.say(text.removesuffix("\n"))

    def say(self, text: str) -> None:
        self._events.put_nowait(update_agent_message_text(f"{text}\n"))

    async def emit(self, event: Event) -> None:
        await self.conversation.emit(event)

    async def ask(self, text: str) -> bool:
        await self.conversation.turn(text)
        return self._status in ("done", "unchecked")

    async def answer(self, question: Question) -> Answered:
        """Puts a question to the user. What the editor cannot put is answered with no."""
        return await self._questions.answer(question)

    async def follow(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    async def reopen(self, settings: Settings, session: str) -> None:
        if session != self.id:
            raise AgenticError("an editor's session cannot become another one", "open that session in the editor")
        await self._reopened(settings)

    def leave(self) -> None:
        """The editor closes its sessions itself."""

    async def run(self, command: str) -> str:
        return (await self.conversation.run_command(command)).for_model

    async def endpoints(self) -> list[EndpointSeen]:
        return await self.conversation.endpoints()

    def history(self) -> list[Any]:
        """Returns what was said, as updates, for an editor that opens the session again."""
        return list(self._updates.replayed(self.conversation.session))
