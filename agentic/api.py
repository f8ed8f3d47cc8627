"""Running a task from a program: what the command line, an editor, a notebook or an action in CI stands on.

async for event in agentic.run("fix the failing test", root="project", settings={"approval.mode": "edits"}):
    if isinstance(event, RunFinished):
        print(event.status, event.result)
"""

import asyncio
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic.config import Settings, load
from agentic.core.runs import announce_start as announce_start, carry_out as carry_out
from agentic.core.runtime import Runtime as Runtime, Screen as Screen, open_runtime
from agentic.events import Event, RunFinished
from agentic.folders import state_folder
from agentic.hooks.chat import Conversation as Conversation
from agentic.lib.questions import Answered as Answered, Ask as Ask, Question as Question, Reply as Reply
from agentic.logs import start_logging
from agentic.plugins import host_of
from agentic.queries import (
    family as family,
    found_servers as found_servers,
    policy as policy,
    prompts as prompts,
    runnables as runnables,
    sandbox_report as sandbox_report,
    sandbox_status as sandbox_status,
    selected_by_default as selected_by_default,
    take_up as take_up,
    undecided as undecided,
)
from agentic.sessions import Session, SessionStore
from agentic.types import LATEST, Outcome

if TYPE_CHECKING:
    from agentic.core.approval import ApprovalMode
    from agentic.core.conversation import OpenConversation
    from agentic.hooks.fan_out import SubAgent
    from agentic.hooks.runner import Part

MAX_AHEAD = 1000  # events that a slow consumer may be behind: the run waits for it then
Approve = Callable[[Question], bool | Reply | Answered | Awaitable[bool | Reply | Answered]]
"""Answers a question: yes or no, one of the words of `Reply` ("session" is always, in this session), or an `Answered`."""
Sink = Callable[[Event], Awaitable[None]]


def load_settings(root: Path, overrides: Mapping[str, Any] | None = None, pairs: tuple[str, ...] = ()) -> Settings:
    """The settings for a run in `root`, with the sections of the plugins that are installed. Raises AgenticError."""
    return with_plugins(load(root, overrides, pairs))


def with_plugins(settings: Settings) -> Settings:
    """The same with the sections of the plugins that are installed. Raises AgenticError."""
    host = host_of(settings)
    return settings.with_plugins(host.sections(), {status.name for status in host.statuses})


@asynccontextmanager
async def open_run(
    root: Path, settings: Settings, screen: Screen | None = None, sink: Sink | None = None
) -> AsyncIterator[Runtime]:
    """Opens a run with what the settings select. `sink` gets every event. Raises AgenticError."""
    host = host_of(settings)
    host.require(settings.plugins.require)
    start_logging(settings.log.file, settings.ui.debug)
    with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - nothing blocks there
        screen = screen or Screen()
        screen = replace(screen, renderer=screen.renderer or host.stand_in("agentic_renderers"), stdout=screen.stdout or nowhere)
        async with open_runtime(settings, host, root, screen, sink) as runtime:
            yield runtime


@asynccontextmanager
async def open_session(
    root: Path, settings: Settings, resume: str = "", screen: Screen | None = None, sink: Sink | None = None, has_tools: bool = True
) -> AsyncIterator[tuple[Runtime, Session]]:
    """A run and its session: new for "", this folder's LATEST, or the one of that id. One in which nothing was said is not kept.

    Where it `has_tools`, a plugin that may be a guard and cannot be loaded raises ConfigError.
    """
    if has_tools:
        host_of(settings).require_guards()
    async with open_run(root, settings, screen, sink) as runtime:
        if has_tools:
            _look_around(runtime, root)
        async with _session(runtime, root, resume) as session:
            yield runtime, session


def _look_around(runtime: Runtime, root: Path) -> None:
    """Says which things of the folder are not used, and what a command did that a kill cut off."""
    from agentic.core.runnables import left_out

    if unused := left_out(runtime.host, root, runtime.events.warn):
        runtime.events.warn(unused)
    if cut_off := policy(root, runtime.settings, runtime.host).take_up():
        runtime.events.warn(cut_off)


@asynccontextmanager
async def _session(runtime: Runtime, root: Path, resume: str) -> AsyncIterator[Session]:
    store = session_store()
    session, notice = store.open(store.latest(root) if resume == LATEST else resume) if resume else (store.new(root), "")
    try:
        session.tell_faults(runtime.events.warn)
        if notice:
            runtime.events.warn(notice)
        if resume and (elsewhere := _began_elsewhere(session, root)):
            runtime.events.warn(elsewhere)
        yield session
    finally:
        empty = bool(session.id) and not session.metadata("title")
        session.close()
        if empty:
            store.remove(session.id)


def _began_elsewhere(session: Session, root: Path) -> str:
    """A warning that the session began in another folder, "" where it began in this one."""
    before, here = session.metadata("root"), os.path.realpath(root)
    return f"session {session.id} began in {before}; it goes on in {here}" if before and before != here else ""


def check_rule(text: str) -> None:
    """Raises ConfigError for what is no rule of `[permissions]`."""
    policy(Path(), load_settings(Path())).check_rule(text)


def session_store() -> SessionStore:
    """Returns the store of the user's sessions."""
    return SessionStore(state_folder() / "sessions")


async def run(
    task: str,
    *,
    root: Path | str = ".",
    settings: Settings | Mapping[str, Any] | None = None,
    approve: Approve | None = None,
    resume: str = "",
    screen: Screen | None = None,
    schema: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Event, None]:
    """Does `task` in `root` and yields what happens; the last event is `RunFinished`.

    `settings` are dotted keys over the user's and the project's own, or what `load_settings` gave. `approve` answers what the
    approval mode leaves open; without it the answer is no. With a JSON `schema` the result of a task that is done is JSON that it
    allows. Closing the generator early (`contextlib.aclosing`) stops the run and keeps what came of it.
    Raises AgenticError (its `exit_code` is the command line's) when the task could not be worked on at all.
    """
    folder, found = _resolved(root, settings)

    async def work(runtime: Runtime, session: Session) -> None:
        from agentic.core.conversation import OpenConversation

        async with OpenConversation.open(runtime, session, _approval(found, approve)) as conversation:
            await carry_out(runtime, session, "run", task, _worked(conversation, task, schema))

    ended = False
    async for event in stream(folder, found, work, resume, screen):
        if not (ended and event.transient):
            yield event
        ended = ended or isinstance(event, RunFinished)


@asynccontextmanager
async def open_conversation(
    root: Path,
    settings: Settings,
    approve: Approve | None = None,
    resume: str = "",
    screen: Screen | None = None,
    has_tools: bool = True,
) -> AsyncIterator[Conversation]:
    """A session for one task after the other: `await turn(conversation, task)`. `Screen(own=renderer)` sees what happens.

    Raises AgenticError.
    """
    from agentic.core.conversation import OpenConversation

    async with (
        open_session(root, settings, resume, screen, has_tools=has_tools) as (runtime, session),
        OpenConversation.open(runtime, session, _approval(settings, approve)) as conversation,
    ):
        yield conversation


async def turn(conversation: Conversation, task: str, command: str = "chat") -> None:
    """A task; the last event is its `RunFinished`. Cancelling it stops the task and keeps what came. Raises AgenticError."""
    await conversation.turn(task, command)


@asynccontextmanager
async def open_part(
    root: Path, settings: Settings, part: "Part", session: Session, sink: Sink
) -> "AsyncIterator[tuple[SubAgent, Callable[..., str]]]":
    """(the agent for a part of another process's plan, the texts that models read). `sink` gets every event. Raises AgenticError.

    Observers see nothing of it: what happens is told where the plan is carried out, and they see it there.
    """
    from agentic.core.part import open_part as open_agent

    host_of(settings).require_guards()
    async with open_run(root, settings, sink=sink) as runtime:
        runtime.events.forget_observers()
        async with open_agent(runtime, part, session) as agent:
            yield agent, runtime.prompts


async def _worked(conversation: "OpenConversation", task: str, schema: Mapping[str, Any] | None) -> Outcome:
    outcome = await conversation.work(task)
    if schema is None or outcome.status not in ("done", "unchecked"):
        return outcome
    return replace(outcome, summary=await conversation.shaped(schema))


def _resolved(root: Path | str, settings: Settings | Mapping[str, Any] | None) -> tuple[Path, Settings]:
    folder = Path(root).absolute()
    return folder, settings if isinstance(settings, Settings) else load_settings(folder, settings)


def run_sync(task: str, **options: Any) -> Iterator[Event]:
    """`run` for programs without an event loop; the run goes on while the next event is asked for."""
    with asyncio.Runner() as runner:
        events = run(task, **options)
        try:
            while (event := runner.run(_next(events))) is not None:
                yield event
        finally:
            runner.run(events.aclose())


async def _next(events: AsyncGenerator[Event, None]) -> Event | None:
    return await anext(events, None)


async def stream(
    root: Path,
    settings: Settings,
    work: Callable[[Runtime, Session], Awaitable[None]],
    resume: str = "",
    screen: Screen | None = None,
    has_tools: bool = True,
) -> AsyncGenerator[Event, None]:
    """Opens a session, does `work` in it and yields its events as they come. Raises what `work` raises."""
    events: asyncio.Queue[Event | None] = asyncio.Queue(MAX_AHEAD)

    async def do() -> None:
        try:
            async with open_session(root, settings, resume, screen, events.put, has_tools) as (runtime, session):
                await work(runtime, session)
        finally:
            await asyncio.shield(events.put(None))

    task = asyncio.ensure_future(do())
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        if not task.done():
            task.cancel()
            await _drained(events, task)


async def _drained(events: "asyncio.Queue[Event | None]", task: "asyncio.Task[None]") -> None:
    """Lets a cancelled run come to its end: nobody reads its last events any more."""
    while not task.done():
        reader = asyncio.ensure_future(events.get())
        await asyncio.wait([task, reader], return_when=asyncio.FIRST_COMPLETED)
        reader.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _approval(settings: Settings, approve: Approve | None) -> "ApprovalMode":
    from agentic.core.approval import ApprovalMode

    return ApprovalMode(settings.approval.mode or ("ask" if approve else "none"), _asking(approve))


def _asking(approve: Approve | None) -> Ask | None:
    if approve is None:
        return None

    async def ask(question: Question) -> Answered | Reply | bool:
        answer = approve(question)
        return await answer if inspect.isawaitable(answer) else answer

    return ask
