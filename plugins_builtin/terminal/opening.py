"""The beginning of a chat: what was found, and of a conversation that goes on its last screens."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from agentic import AgenticError, Conversation
from agentic.events import ToolCalled, ToolResult, read_event
from agentic.lib.messages import from_record
from agentic.lib.palette import Palette
from agentic.lib.sanitize import hide_logins, sanitize
from agentic.sessions import Session
from plugins_builtin.terminal import blocks
from plugins_builtin.terminal.prose import Prose
from plugins_builtin.terminal.screen import TerminalScreen
from plugins_builtin.terminal.words import describe, one_line
from plugins_builtin.terminal.wrapping import wrapped

MAX_TURNS = 20  # that are shown again


def first_blocks(conversation: Conversation, palette: Palette, width: int) -> Iterator[tuple[str, Sequence[str]]]:
    """(kind, rows) of what stands on the screen before the first message."""
    if conversation.length > 1:
        yield from _replayed(conversation.session, palette, width)
    yield "first", _first_rows(conversation, palette, width)


def _first_rows(conversation: Conversation, palette: Palette, width: int) -> list[str]:
    """The first screen: what was found, and how to begin."""
    from agentic import __version__

    model, settings = conversation.model, conversation.settings
    urls = [hide_logins(url).partition("://")[2].removesuffix("/v1") or url for url in settings.llm.endpoints] or [model.url]
    window = f"window {model.window:,}" if model.window else ""
    name = f"agentic {__version__}"
    first, *more = wrapped(" · ".join(filter(None, [name, sanitize(model.model), window, ", ".join(urls)])), width)
    found = [first.replace(name, palette.paint("bold", name), 1), *more]
    title = conversation.session.metadata("title")
    goes_on = f"going on with session {conversation.session.id}: {one_line(title)}" if conversation.length > 1 else ""
    hint = "/ for commands, @ for files, ? for keys, Shift-Tab for the mode"
    return [*found, *(wrapped(goes_on, width) if goes_on else ()), *(palette.paint("dim", row) for row in wrapped(hint, width))]


def _replayed(session: Session, palette: Palette, width: int) -> Iterator[tuple[str, Sequence[str]]]:
    """(kind, rows) of the blocks of its last turns, as they were shown."""
    turns = session.turns()
    since = turns[-MAX_TURNS].seq - 1 if len(turns) >= MAX_TURNS else 0
    if since:
        yield "note", [palette.paint("dim", f"({len(turns) - MAX_TURNS} earlier turns: agentic sessions show)")]
    calls: dict[str, str] = {}
    for record in session.records("turn", "message", "event", after=since):
        if record.agent != "main":
            continue
        if record.kind == "turn":
            yield "said", blocks.message_rows(str(record.data.get("task", "")), palette)
        elif record.kind == "message":
            message = from_record(record.data)
            if message is not None and message.role == "assistant" and message.text.strip():
                prose = Prose(palette, lambda: width)
                yield "answer", [*prose.feed(sanitize(message.text)), *prose.end()]
        elif isinstance(event := read_event(record.data), ToolCalled):
            calls[event.id] = describe(event)
        elif isinstance(event, ToolResult):
            yield "call", [blocks.call_row(event, calls.pop(event.id, event.name), "", palette)]


async def look_around(conversation: Conversation, screen: TerminalScreen, palette: Palette) -> None:
    """Before the first turn: the servers' load in the footer, and a row for each of them that does not answer."""
    with suppress(AgenticError):
        for seen in await conversation.endpoints():
            screen.footer.note(seen)
            if seen.cache == "off":
                text = f"{seen.endpoint}: no prompt is cached (--no-enable-prefix-caching): each step computes all of it again"
                screen.block("told", [palette.paint("warning", sanitize(hide_logins(text)))])
    for url, info in await conversation.served():
        if isinstance(info, str):
            screen.footer.fails(url)
            screen.block("told", [palette.paint("warning", sanitize(hide_logins(f"{url}: {info}")))])
