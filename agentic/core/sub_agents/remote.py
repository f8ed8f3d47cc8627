"""The other side of a `Runner`: one part of a plan in a process of its own, told as records."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agentic import __version__
from agentic.config import Settings
from agentic.config.layers import Layer
from agentic.core.agent import Agent
from agentic.core.approval import ApprovalMode
from agentic.core.call_budget import CallBudget
from agentic.core.runtime import Runtime
from agentic.core.session import open_services
from agentic.core.sub_agents.delegation import refuse
from agentic.core.sub_agents.member import work
from agentic.core.sub_agents.report import outcome_of
from agentic.core.sub_agents.trees import Trees, unpack
from agentic.errors import AgenticError, ConfigError
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Lane
from agentic.hooks.runner import Part
from agentic.lib.record import record
from agentic.lib.temporary import new_folder, remove
from agentic.sessions import ConversationHistory, Session
from agentic.sessions.messages import from_record
from agentic.types import Outcome, Subtask, ToolOutput

Tell = Callable[[Mapping[str, Any]], None]
"""Passes a record on."""


_FIELDS: Mapping[str, Any] = MappingProxyType(
    dict.fromkeys(("version", "agent", "session", "task", "protocol", "model", "tier", "effort", "lane", "approval", "late"), str)
    | dict.fromkeys(("messages", "tools", "shared", "outputs", "trusted"), list)
    | dict.fromkeys(("subtask", "kind", "settings", "secrets"), dict)
    | {"calls": int, "seconds": float | int, "folder": str, "tree": str}
)


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
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(part.get(name), kind)]
    if wrong:
        raise AgenticError(f"the part cannot be read: {', '.join(wrong)}")
    return part


def settings_of(part: Part, environment: Mapping[str, str]) -> Settings:
    """Exactly the host's: no file of this machine counts. Raises ConfigError for a secret that is not in the environment."""
    values = dict(part["settings"])
    for key, variable in part["secrets"].items():
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
    names = Path(part["folder"]).parts
    if not names or ".." in names or Path(*names).is_absolute():
        raise AgenticError(f"the part's folder is {part['folder']!r}")
    home = new_folder()
    try:
        yield Copy(home, home / "work" / names[0], home / "work" / Path(*names))
    finally:
        remove(home)


async def open_copy(part: Part, copy: Copy) -> Trees:
    """Puts the files there. Raises AgenticError."""
    try:
        bundle = b64decode(part["tree"], validate=True)
    except ValueError as error:
        raise AgenticError(f"the part cannot be read: tree: {error}") from error
    await unpack(bundle, copy.top)
    copy.root.mkdir(parents=True, exist_ok=True)
    (copy.home / "state").mkdir()
    return await Trees.open(copy.top, copy.home / "state")


class _Session(Session):
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


def _session_of(part: Part) -> _Session:
    session = _Session.in_memory("")
    assert isinstance(session, _Session)
    session.id = part["session"]
    for name in ("protocol", "model", "tier"):
        session.set_metadata(name, part[name])
    session.set_metadata("frozen:effort", part["effort"])
    for shared in part["shared"]:
        session.append("shared", {"key": shared["key"], "value": shared["value"]}, shared["by"])
    for text in part["outputs"]:
        session.keep_output(text)
    return session


async def carry_out(runtime: Runtime, part: Part, trees: Trees, tell: Tell) -> None:
    """Does the part in `runtime`'s folder and tells what happens; the last record is its outcome. Raises AgenticError."""
    session, subtask = _session_of(part), Subtask(**{**part["subtask"], **_tuples(part["subtask"])})
    before, approval = await trees.now(), ApprovalMode(part["approval"])
    system, opening = [message for each in part["messages"] if (message := from_record(each)) is not None]
    try:

        async def run_command(command: str, check: str = "") -> ToolOutput:
            return await agent.tools.run_command(command, check)

        async with open_services(runtime, session, approval, refuse, run_command, part["late"]) as (
            services,
            board,
        ):
            history = ConversationHistory(session, board, part["agent"])
            history.add(system)
            services = replace(services, calls=CallBudget(part["calls"]))
            agent = Agent(services, history, part["calls"], Lane(part["lane"]))
            _require_alike(part, services.llm.budget.tier, [spec.name for spec in agent.specs])
            agent.tools.kind = _kind_of(part)

            def begin() -> None:
                agent.start(part["task"], opened=opening)
                session.tell = tell

            status, said, missing = await work(agent, services, subtask, part["seconds"], begin)
            said = said or agent.tools.work.summary() or agent.last_words
            outcome = outcome_of(subtask, status, said, (), agent.tools.work, agent.usage, (), missing)
    finally:
        session.close()
    tell(told(outcome, await trees.patch(before, await trees.now())))


def _kind_of(part: Part) -> AgentKind | None:
    kind = part["kind"]
    if not kind:
        return None
    tools, without = tuple(kind["tools"]), tuple(kind["without"])
    return AgentKind(kind["name"], "", "", tools, kind["reads_only"], kind["role"], without=without)


def told(outcome: Outcome, patch: bytes = b"") -> dict[str, Any]:
    """The last record."""
    return {"type": "outcome", **asdict(outcome), "patch": b64encode(patch).decode()}


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}


def _require_alike(part: Part, tier: str, tools: list[str]) -> None:
    """The prompt has to be the host's, byte for byte. Raises ConfigError."""
    if other := sorted(set(part["tools"]) ^ set(tools)):
        raise ConfigError(f"the tools here differ from the host's: {', '.join(other)}", "install the same plugins")
    if tier != part["tier"]:
        raise ConfigError(f"the window here is of tier {tier}, the host's of tier {part['tier']}", "use the same endpoints")
