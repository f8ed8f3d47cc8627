"""Parts of a plan in other processes, through a `Runner`. Limits, events, merging, undo and evidence stay here."""

import asyncio
import shutil
import tempfile
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentic import (
    AgenticError,
    ConfigError,
    FanOutSetup,
    Lane,
    Outcome,
    Part,
    Runner,
    RunnerSetup,
    Settings,
    SubAgent,
    Subtask,
    ToolError,
    Usage,
    __version__,
)
from agentic.config.edit import toml_text
from agentic.config.layers import variable_of
from agentic.events import LlmRequest, SandboxReady, read_event
from agentic.hooks.fan_out import Lead
from agentic.lib.git import top_of
from agentic.lib.messages import from_record
from agentic.lib.record import record
from agentic.sessions import ConversationHistory
from agentic.trust import Trust
from plugins_builtin.sub_agents.member import out_of_time
from plugins_builtin.sub_agents.merging import Check, Merging
from plugins_builtin.sub_agents.trees import Trees

START_SECONDS = 15.0  # that starting and ending may take, beside the part's own time
_HOME = "agentic-parts-"
_OF_THIS_MACHINE = ("log.file", "ui.renderer")
_HERE = ("localhost", "0.0.0.0", "::1", "::")


def runner_of(setup: FanOutSetup) -> Runner:
    """Builds the runner that the settings name. Raises ConfigError where parts cannot run there."""
    assert setup.hooks is not None
    name = setup.settings.sub_agents.runner
    known = secrets_of(setup.settings).values()
    secrets = {variable: value if isinstance(value, str) else toml_text(value) for variable, value in known}
    runner: Runner = setup.hooks.build("agentic_runners", name, RunnerSetup, secrets=secrets)
    refuse_unfit(runner, name, setup.lead.endpoints, setup.lead.mode if setup.lead.asks else "")
    return runner


def refuse_unfit(runner: Runner, name: str, endpoints: Sequence[str], asking: str) -> None:
    """Raises ConfigError where parts cannot run there: the mode asks (`asking`), or the model is out of reach."""
    if asking:
        why = f"sub_agents.runner = {name!r}: a sub-agent there cannot ask, and --approve {asking} does"
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


@record(frozen=True, slots=True)
class Copies:
    """The folder for the parts: its `trees` in `home`, its name in a part, and what merges their changes back."""

    home: Path
    folder: str
    trees: Trees
    merging: Merging


class Elsewhere:
    """The parts of one plan."""

    def __init__(self, runner: Runner, settings: Settings, lead: Lead, copies: Copies) -> None:
        self._runner = runner
        self._settings = settings
        self._lead = lead
        self._home, self._folder, self._trees = copies.home, copies.folder, copies.trees
        self._merging = copies.merging
        self._turns = Counter[str]()
        self._kept = False

    @classmethod
    async def open(cls, runner: Runner, settings: Settings, lead: Lead, check: Check) -> "Elsewhere":
        """Raises ToolError where git cannot be run."""
        root = lead.workspace.root
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
        merging = Merging(lead.workspace, home, check)
        return cls(runner, settings, lead, Copies(home, str(Path(top.name) / root.relative_to(top)), trees, merging))

    async def close(self) -> None:
        """When all have ended; patches that were not taken stay."""
        if not self._kept:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)

    async def run(self, agent: SubAgent, subtask: Subtask, seconds: float, turns: int, outputs: Sequence[str]) -> Outcome:
        """Returns the outcome of the part, which `agent` has begun. `outputs` are what it may want to recall.

        Its `turns` are taken from the calls that are left, and what it did not use comes back. Raises nothing but CancelledError.
        """
        calls, name = self._lead.calls, agent.name
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

    async def _part(self, agent: SubAgent, subtask: Subtask, seconds: float, calls: int, tree: str, outputs: Sequence[str]) -> Part:
        lead, history = self._lead, agent.history
        secrets = secrets_of(self._settings)
        return Part(
            version=__version__,
            agent=agent.name,
            session=history.session.id,
            subtask=subtask,
            kind=agent.kind,
            late=lead.late,
            trusted=tuple(Trust(lead.workspace.root).digests),
            messages=tuple(agent.messages),
            task=agent.task,
            protocol=history.session.metadata("protocol"),
            model=history.session.metadata("model"),
            tier=lead.tier,
            tools=tuple(agent.tools),
            settings=self._settings.portable({*secrets, *_OF_THIS_MACHINE}) | {"context.context_window": lead.model.window},
            secrets={key: variable for key, (variable, _) in secrets.items()},
            effort=lead.effort,
            calls=calls,
            seconds=seconds,
            lane=Lane.SUB_AGENT.value,
            approval=lead.mode,
            shared=tuple({"key": each.key, "value": each.value, "by": each.by} for each in history.blackboard.entries),
            outputs=tuple(outputs),
            folder=self._folder,
            tree=b64encode(await self._trees.bundle(tree)).decode(),
        )

    async def _follow(self, part: Part, agent: SubAgent) -> Mapping[str, Any]:
        """The last record. Raises AgenticError where there is none."""
        stream: Any = self._runner.run(part)
        async with aclosing(stream) as records:
            async for record in records:
                if record.get("type") == "outcome":
                    return record  # type: ignore[no-any-return]
                await self._take_up(record, agent)
        raise AgenticError("it ended without an outcome")

    async def _take_up(self, record: Mapping[str, Any], agent: SubAgent) -> None:
        history, kind = agent.history, record.get("type")
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
            await self._lead.emit(event)

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
