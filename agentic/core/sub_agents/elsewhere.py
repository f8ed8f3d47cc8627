"""Parts of a plan in other processes, through a `Runner`. Limits, events, merging, undo and evidence stay here."""

import asyncio
import shutil
import tempfile
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentic import __version__
from agentic.config import Settings
from agentic.config.layers import variable_of
from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.approval import ApprovalMode
from agentic.core.sub_agents.member import out_of_time
from agentic.core.sub_agents.merging import Check, Merging
from agentic.core.sub_agents.trees import Trees
from agentic.errors import AgenticError, ConfigError, ToolError
from agentic.events import LlmRequest, SandboxReady, read_event
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Lane
from agentic.hooks.runner import Part, Runner
from agentic.lib.git import top_of
from agentic.sessions import ConversationHistory
from agentic.sessions.messages import from_record, to_record
from agentic.trust import Trust
from agentic.types import Outcome, Subtask, Usage

START_SECONDS = 15.0  # that starting and ending may take, beside the part's own time
_HOME = "agentic-parts-"
_OF_THIS_MACHINE = ("log.file", "ui.renderer")
_HERE = ("localhost", "0.0.0.0", "::1", "::")


def refuse_unfit(runner: Runner, name: str, endpoints: Sequence[str], approval: ApprovalMode) -> None:
    """Raises ConfigError where parts cannot run there: nobody can be asked, or the model is out of reach."""
    if approval.asks:
        why = f"sub_agents.runner = {name!r}: a sub-agent there cannot ask, and --approve {approval.mode} does"
        raise ConfigError(why, "--approve all or none, or --no-sub-agents, or leave the runner out")
    for url in endpoints:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ConfigError(f"sub_agents.runner = {name!r}: {url} serves this process only", "name an endpoint, or no runner")
        if runner.elsewhere and ((parts.hostname or "") in _HERE or (parts.hostname or "").startswith("127.")):
            why = f"sub_agents.runner = {name!r}: {url} is another server on each machine"
            raise ConfigError(why, "name the endpoint by an address that the other machines reach")


def secrets_of(settings: Settings) -> dict[str, tuple[str, Any]]:
    """The variable and the value of each secret that is set, by its key."""
    secret = {name for name, key in settings.declared() if key.secret}
    return {name: (variable_of(name), settings.values[name]) for name in sorted(secret) if settings.values.get(name)}


def _shown(kind: AgentKind | None) -> dict[str, Any]:
    """Describes what an agent of the kind may do; what it is told stands in its messages."""
    if kind is None:
        return {}
    limits = {"tools": list(kind.tools), "without": list(kind.without), "reads_only": kind.reads_only}
    return {"name": kind.name, **limits, "role": kind.role}


class Elsewhere:
    """The parts of one plan."""

    def __init__(
        self, runner: Runner, settings: Settings, services: AgentServices, merging: Merging, home: Path, folder: str, trees: Trees
    ) -> None:
        self._runner = runner
        self._settings = settings
        self._services = services
        self._merging = merging
        self._home = home
        self._folder = folder
        self._trees = trees
        self._turns = Counter[str]()
        self._kept = False

    @classmethod
    async def open(cls, runner: Runner, settings: Settings, services: AgentServices, check: Check) -> "Elsewhere":
        """Raises ToolError where git cannot be run."""
        root = services.workspace.root
        try:
            top = await top_of(root)
        except ToolError:
            top = root
        top = top if root.is_relative_to(top) else root
        home = Path(tempfile.mkdtemp(prefix=_HOME))
        try:
            trees = await Trees.open(top, home)
        except ToolError:
            shutil.rmtree(home, ignore_errors=True)
            raise
        merging = Merging(services.workspace, home, check)
        return cls(runner, settings, services, merging, home, str(Path(top.name) / root.relative_to(top)), trees)

    async def close(self) -> None:
        """When all have ended; patches that were not taken stay."""
        if not self._kept:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)

    async def run(self, agent: Agent, subtask: Subtask, seconds: float, turns: int, outputs: Sequence[str]) -> Outcome:
        """Returns the outcome of the part, which `agent` has begun. `outputs` are what it may want to recall.

        Its `turns` are taken from the calls that are left, and what it did not use comes back. Raises nothing but CancelledError.
        """
        calls, name = self._services.calls, agent.context.history.agent
        calls.left -= turns
        try:
            tree = await self._trees.now()
            part = await self._part(agent, subtask, seconds, turns, tree, outputs)
            async with asyncio.timeout(seconds + START_SECONDS):
                ended = await self._follow(part, agent)
            return await self._taken(name, tree, ended)
        except TimeoutError:
            return Outcome("timeout", out_of_time(agent, seconds))
        except AgenticError as error:
            return Outcome("failed", error.with_remedy)
        finally:
            calls.left += max(0, turns - self._turns[name])

    async def _part(
        self, agent: Agent, subtask: Subtask, seconds: float, calls: int, tree: str, outputs: Sequence[str]
    ) -> dict[str, Any]:
        services, history = self._services, agent.context.history
        secrets = secrets_of(self._settings)
        return {
            "version": __version__,
            "agent": history.agent,
            "session": history.session.id,
            "subtask": asdict(subtask),
            "kind": _shown(agent.tools.kind),
            "late": services.toolbox.about,
            "trusted": Trust(services.workspace.root).digests,
            "messages": [to_record(message) for message in agent.history],
            "task": agent.task,
            "protocol": history.session.metadata("protocol"),
            "model": history.session.metadata("model"),
            "tier": services.llm.budget.tier,
            "tools": [spec.name for spec in agent.specs],
            "settings": self._settings.portable({*secrets, *_OF_THIS_MACHINE})
            | {"context.context_window": services.llm.budget.window},
            "secrets": {key: variable for key, (variable, _) in secrets.items()},
            "effort": services.effort,
            "calls": calls,
            "seconds": seconds,
            "lane": Lane.SUB_AGENT.value,
            "approval": services.approver.mode,
            "shared": [{"key": each.key, "value": each.value, "by": each.by} for each in history.blackboard.entries],
            "outputs": list(outputs),
            "folder": self._folder,
            "tree": b64encode(await self._trees.bundle(tree)).decode(),
        }

    async def _follow(self, part: Part, agent: Agent) -> Mapping[str, Any]:
        """The last record. Raises AgenticError where there is none."""
        stream: Any = self._runner.run(part)
        async with aclosing(stream) as records:
            async for record in records:
                if record.get("type") == "outcome":
                    return record  # type: ignore[no-any-return]
                await self._take_up(record, agent)
        raise AgenticError("it ended without an outcome")

    async def _take_up(self, record: Mapping[str, Any], agent: Agent) -> None:
        history, kind = agent.context.history, record.get("type")
        if kind == "history":
            _remember(history, str(record.get("kind")), record.get("data"))
        elif kind == "shared":
            history.blackboard.share(str(record.get("key")), str(record.get("value")), history.agent)
        elif kind == "output":
            history.session.keep_output(str(record.get("text")))
        elif (event := read_event(record)) is not None and not isinstance(event, SandboxReady):
            if isinstance(event, LlmRequest) and event.purpose == "turn":
                self._turns[history.agent] += 1
            event.agent, event.run = history.agent, ""
            await self._services.events.emit(event)

    async def _taken(self, agent: str, tree: str, ended: Mapping[str, Any]) -> Outcome:
        """The outcome with its patch in the folder, or why that is not there."""
        outcome = _outcome(ended)
        try:
            patch = b64decode(str(ended.get("patch", "")), validate=True)
            sides = await self._trees.sides(tree, patch)
        except (ValueError, ToolError) as error:
            return Outcome("failed", f"{outcome.summary}\nIts patch cannot be read: {error}", usage=outcome.usage)
        below = Path(self._folder).parts[1:]
        prefix = f"{'/'.join(below)}/" if below else ""
        inside = {name.removeprefix(prefix): each for name, each in sides.items() if name.startswith(prefix)}
        kept = self._home / f"{agent}.patch"
        try:
            files = await self._merging.merge(inside, f"its patch is left in {kept}")
        except AgenticError as error:
            self._kept = True
            kept.write_bytes(patch)
            said = f"{outcome.summary}\nNone of its changes were taken: {error}"
            return Outcome("failed", said, usage=outcome.usage, evidence=outcome.evidence)
        return Outcome(outcome.status, outcome.summary, files, outcome.usage, outcome.evidence, unwritten=outcome.unwritten)


def _remember(history: ConversationHistory, kind: str, data: Any) -> None:
    """Puts what the agent there said and heard into its history here."""
    if not isinstance(data, dict):
        return
    if kind == "view":
        messages = [from_record(each) for each in data.get("messages", ()) if isinstance(each, dict)]
        history.rewrite([message for message in messages if message is not None])
    elif (message := from_record(data)) is not None:
        (history.amend if kind == "amended" and len(history) else history.add)(message)


def _outcome(record: Mapping[str, Any]) -> Outcome:
    usage, unwritten = record.get("usage"), record.get("unwritten")
    counts = {name: value for name, value in usage.items() if type(value) is int} if isinstance(usage, dict) else {}
    known = {name: counts.get(name, 0) for name in ("prompt_tokens", "completion_tokens")}
    return Outcome(
        str(record.get("status")),
        str(record.get("summary")),
        usage=Usage(**known, cached_tokens=counts.get("cached_tokens")),
        evidence=_texts(record.get("evidence")),
        unwritten={str(name): _texts(files) for name, files in unwritten.items()} if isinstance(unwritten, dict) else {},
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
