"""A session for other programs and for people."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agentic.api import session_store
from agentic.errors import ConfigError
from agentic.lib.messages import from_record
from agentic.sessions.session import Record, Session
from plugins_builtin.sessions.page import as_html


def format_of(path: Path) -> str:
    """The format of a file of that name. Raises ConfigError."""
    formats = {".jsonl": "jsonl", ".md": "markdown", ".html": "html", ".htm": "html"}
    if path.suffix not in formats:
        raise ConfigError(f"{path.name}: which format is that?", f"name a file that ends in {', '.join(formats)}")
    return formats[path.suffix]


def as_jsonl(session: Session) -> Iterator[str]:
    """Every record, one object a line: `seq`, `time`, `kind`, `agent`, and the record's own fields under `data`."""
    for record in session.records():
        yield json.dumps({"seq": record.seq, "time": record.time, "kind": record.kind, "agent": record.agent, "data": record.data})


def as_markdown(session: Session) -> Iterator[str]:
    """The conversation as text: who said what, which tools ran and what they gave."""
    yield f"# {session.metadata('title') or session.id}\n"
    yield f"Session {session.id} in {session.metadata('root')}\n"
    waiting: Record | None = None  # a message may be amended until the next one comes
    for record in session.records("message", "amended", "event"):
        if record.kind == "event":
            if text := _event(record):
                yield text
            continue
        if waiting and record.kind == "message" and (text := _message(waiting)):
            yield text
        waiting = record
    if waiting and (text := _message(waiting)):
        yield text


def _message(record: Record) -> str:
    message = from_record(record.data)
    if message is None or message.role == "system":
        return ""
    who = message.role if record.agent == "main" else f"{message.role} ({record.agent})"
    calls = "".join(f"\n{_block(f'{call.name} {call.arguments}')}" for call in message.tool_calls)
    said = _block(message.text) if message.role == "tool" else message.text
    return f"## {who}, {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(record.time))}\n\n{said}{calls}\n"


def _event(record: Record) -> str:
    data = record.data
    if data.get("type") == "context_trimmed":
        return f"*(the context was cut from {data.get('before')} to {data.get('after')} tokens)*\n"
    if data.get("type") == "attempts_chosen":
        return "\n".join(_attempts(data))
    return ""


def _attempts(data: Mapping[str, Any]) -> Iterator[str]:
    """Which attempt was taken, and what each of the others changed."""
    yield f"*({data.get('why')})*\n"
    for each in data.get("attempts") or ():
        if each.get("number") != data.get("number"):
            yield f"Attempt {each.get('number')}, not taken ({each.get('state')}):\n\n{_block(str(each.get('diff')).strip())}\n"


def _block(text: str) -> str:
    ticks = "```"
    while ticks in text:
        ticks += "`"
    return f"{ticks}\n{text}\n{ticks}"


FORMATS: Mapping[str, Callable[[Session], Iterator[str]]] = {
    "jsonl": as_jsonl,
    "markdown": as_markdown,
    "html": as_html,
}


def written(name: str, root: Path, target: str) -> Path:
    """The new file with the session of that name. Raises ConfigError."""
    path = root / Path(target or f"agentic-{name}.html").expanduser()
    form = FORMATS[format_of(path)]
    with closing(session_store().read(name)) as session:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.writelines(f"{part}\n" for part in form(session))
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}", "/export FILE, with another name") from error
    return path
