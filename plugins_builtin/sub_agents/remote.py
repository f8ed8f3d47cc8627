"""The other side of a `Runner`: one part of a plan in a process of its own, told as records."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentic import AgenticError, ConfigError, Outcome, Part, Settings, SubAgent, __version__
from agentic.config.layers import Layer
from agentic.lib.record import record
from agentic.lib.temporary import new_folder, remove
from agentic.sessions import Session
from plugins_builtin.sub_agents.member import work
from plugins_builtin.sub_agents.report import outcome_of
from plugins_builtin.sub_agents.trees import Trees, unpack

Tell = Callable[[Mapping[str, Any]], None]
"""Passes a record on."""


def read_part(data: bytes) -> Part:
    """The part in JSON. Raises AgenticError for what is none."""
    try:
        part = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AgenticError(f"standard input holds no part: {error}") from error
    if not isinstance(part, dict):
        raise AgenticError("standard input holds no part: it is no object")
    if part.get("version") != __version__:
        raise ConfigError(f"this is agentic {__version__}, the part was sent by {part.get('version')}", "install the same version")
    return Part.from_json(part)


def settings_of(part: Part, environment: Mapping[str, str]) -> Settings:
    """Exactly the host's: no file of this machine counts. Raises ConfigError for a secret that is not in the environment."""
    values = dict(part.settings)
    for key, variable in part.secrets.items():
        if variable not in environment:
            raise ConfigError(f"the part needs {key}, and {variable} is not set on this machine", f"set {variable} where parts run")
        values[key] = environment[variable]
    endpoints = {"llm.endpoints": values.pop("llm.endpoints")} if "llm.endpoints" in values else {}
    return Settings([Layer("the part", values), Layer("the part", endpoints)])


@record(frozen=True, slots=True)
class Copy:
    """The folder as the part has it: `root` is what the agent works in, below a repository of its own."""

    home: Path
    top: Path
    root: Path


@contextmanager
def copy_of(part: Part) -> Iterator[Copy]:
    """A place for the folder's copy, gone afterwards. Raises AgenticError for a name that leads out of it."""
    names = Path(part.folder).parts
    if not names or ".." in names or Path(*names).is_absolute():
        raise AgenticError(f"the part's folder is {part.folder!r}")
    home = new_folder()
    try:
        yield Copy(home, home / "work" / names[0], home / "work" / Path(*names))
    finally:
        remove(home)


async def open_copy(part: Part, copy: Copy) -> Trees:
    """Puts the files there. Raises AgenticError."""
    try:
        bundle = b64decode(part.tree, validate=True)
    except ValueError as error:
        raise AgenticError(f"the part cannot be read: tree: {error}") from error
    await unpack(bundle, copy.top)
    copy.root.mkdir(parents=True, exist_ok=True)
    (copy.home / "state").mkdir()
    return await Trees.open(copy.top, copy.home / "state")


class TellingSession(Session):
    """Nothing is kept here: what an agent says, hears and shares is told to the host, which keeps it."""

    tell: Tell | None = None

    def append(self, kind: str, data: Mapping[str, Any], agent: str = "main") -> int:
        if self.tell is not None and kind in ("message", "amended", "view"):
            self.tell({"type": "history", "kind": kind, "data": data})
        elif self.tell is not None and kind == "shared":
            self.tell({"type": "shared", **data})
        return super().append(kind, data, agent)

    def keep_output(self, text: str) -> str:
        if self.tell is not None:
            self.tell({"type": "output", "text": text})
        return super().keep_output(text)


def session_of(part: Part) -> "TellingSession":
    """Returns the session that the part is done in."""
    session = TellingSession.in_memory("")
    assert isinstance(session, TellingSession)
    session.id = part.session
    for name in ("protocol", "model", "tier"):
        session.set_metadata(name, getattr(part, name))
    session.set_metadata("frozen:effort", part.effort)
    for shared in part.shared:
        session.append("shared", {"key": shared["key"], "value": shared["value"]}, shared["by"])
    for text in part.outputs:
        session.keep_output(text)
    return session


async def carry_out(agent: SubAgent, part: Part, trees: Trees, prompt: Callable[..., str], tell: Tell) -> None:
    """Has the agent do the part and tells what happens; the last record is its outcome."""
    session, before = agent.history.session, await trees.now()

    def begin() -> None:
        agent.start(part.task, opened=part.messages[1])
        assert isinstance(session, TellingSession)
        session.tell = tell

    status, said, missing = await work(agent, part.subtask, part.seconds, prompt, begin)
    said = said or agent.did or agent.last_words
    outcome = outcome_of(part.subtask, status, said, (), agent.ran, agent.usage, (), missing)
    tell(outcome_to_json(outcome, await trees.patch(before, await trees.now())))


def outcome_to_json(outcome: Outcome, patch: bytes = b"") -> dict[str, Any]:
    """The last record."""
    return {"type": "outcome", **asdict(outcome), "patch": b64encode(patch).decode()}
