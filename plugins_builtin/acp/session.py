"""A session of an editor: a conversation that is held open, its questions, modes and slash commands."""

import asyncio
import base64
import json
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from acp import RequestError, text_block, tool_content, update_agent_message_text
from acp.helpers import update_available_commands, update_current_mode
from acp.schema import (
    AvailableCommand,
    AvailableCommandInput,
    PermissionOption,
    SessionConfigOptionSelect,
    SessionConfigSelectOption,
    SessionMode,
    SessionModeState,
    ToolCallUpdate,
    UnstructuredCommandInput,
)

from agentic import AgenticError, Answered, ChatCommand, Conversation, ImagePart, Question, Settings, api
from agentic.events import EndpointSeen, Event, RunFinished
from agentic.lib.palette import PLAIN, Palette
from agentic.trust import Trust
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

    def __init__(self, client: Any, root: Path, settings: Settings) -> None:
        self.root = root
        self.settings = settings
        self.id = ""
        self._client = client
        self._updates = Updates(root)
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
            async with api.open_conversation(self.root, self.settings, self._answer, resume, screen) as conversation:
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
        text, pictures = _read(blocks, self.root)
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
        chosen = await self._permission(
            "trust", "Trust what this folder would run?", [tool_content(text_block(shown))], {"yes": "Trust it"}
        )
        if chosen is None:
            return
        Trust(self.root).decide(unknown, trusted=chosen == "yes")
        if chosen == "yes":
            await self._reopened(self.settings)
            await self.tell_commands()

    async def _answer(self, question: Question) -> Answered:
        """Puts a question of the host's to the user. What the editor cannot put is answered with no."""
        call = self._updates.current.get(question.agent, "question")
        content = [self._updates.proposed(path, text) for path, text in question.editable.items()] if question.is_diff else []
        if not content and (said := "\n".join(filter(None, (question.body, *question.warnings, question.reason)))):
            content = [tool_content(text_block(said))]
        if question.choices is not None:
            options = {f"choice-{number}": choice for number, choice in enumerate(question.choices)}
            chosen = await self._permission(call, question.what, content, options)
            return Answered("once", options[chosen]) if chosen in options else Answered("no")
        allow = {"once": "Allow"} | (
            {"session": "Always, in this session", "project": "Always, here"} if question.proposals else {}
        )
        chosen = await self._permission(call, question.what, content, allow)
        return Answered(chosen) if chosen in allow else Answered("no")  # type: ignore[arg-type]

    async def _permission(self, call: str, title: str, content: Sequence[Any], allow: Mapping[str, str]) -> str | None:
        """Which of `allow` the user chose, "no", or None where the turn is over."""
        options = [
            PermissionOption(option_id=name, name=said, kind="allow_always" if said.startswith("Always") else "allow_once")
            for name, said in allow.items()
        ]
        options.append(PermissionOption(option_id="no", name="Reject", kind="reject_once"))
        update = ToolCallUpdate(tool_call_id=call, title=title, status="pending", content=list(content) or None)
        answer = await self._client.request_permission(session_id=self.id, tool_call=update, options=options)
        return str(answer.outcome.option_id) if answer.outcome.outcome == "selected" else None

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
        return await self._answer(question)

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


def _read(blocks: Sequence[Any], root: Path) -> tuple[str, list[ImagePart]]:
    """(the text, the pictures) of a prompt."""
    texts, pictures = [], []
    for block in blocks:
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "image":
            pictures.append(ImagePart(_decoded(block.data), block.mime_type))
        elif block.type == "resource_link":
            texts.append(_mention(block.uri, root))
        elif block.type == "resource":
            text = getattr(block.resource, "text", None)
            texts.append(f"\n{_mention(block.resource.uri, root)}\n```\n{text}\n```\n" if text is not None else block.resource.uri)
    return "".join(texts).strip(), pictures


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise RequestError.invalid_params({"data": "a picture that is no base64"}) from error


def _mention(uri: str, root: Path) -> str:
    """A file of the folder by its name, with the sign that brings it along."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme == "file" and path.is_relative_to(root):
        return f"@{path.relative_to(root)}"
    return uri


def servers_of(given: Sequence[Any] | None) -> str:
    """The MCP servers that an editor hands over, as `.mcp.json` has them; "" for none."""
    servers: dict[str, Any] = {}
    for each in given or ():
        if hasattr(each, "command"):
            env = {variable.name: variable.value for variable in each.env}
            servers[each.name] = {"command": each.command, "args": list(each.args), "env": env}
        else:
            headers = {header.name: header.value for header in each.headers}
            servers[each.name] = {"type": each.type, "url": str(each.url), "headers": headers}
    return json.dumps({"mcpServers": servers}) if servers else ""
