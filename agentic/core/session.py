"""A session's parts, built in the order of what each needs: policy, sandbox, approver, workspace, tools, services."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from agentic.core.agent_services import AgentServices
from agentic.core.approval import ApprovalMode, Approver
from agentic.core.guards import policy_of, session_launcher, tools_of
from agentic.core.kinds import kinds_of
from agentic.core.policy import SessionWatches
from agentic.core.proofs import Proofs, RunCommand
from agentic.core.runtime import Runtime
from agentic.core.sections import covered_files, frozen_sections
from agentic.core.toolbox import Toolbox, about_of
from agentic.errors import ConfigError, TrustError
from agentic.hooks import SessionSetup
from agentic.hooks.fan_out import CallBudget
from agentic.hooks.launcher import Launcher
from agentic.hooks.protocol import ProtocolChoice
from agentic.lib.calls import Grant
from agentic.lib.children import Child
from agentic.lib.children.jobs import Jobs
from agentic.lib.guard import FAULTS
from agentic.lib.isolation import describe
from agentic.lib.record import record
from agentic.lib.workspace import Grants, Workspace
from agentic.sessions import Blackboard, Session
from agentic.sessions.undo import Journal, further_roots, keep_further_roots
from agentic.types import Outcome, Plan

PROTOCOLS = "agentic_tool_protocols"
MAX_CALLS = 1_000
TOKENS_A_CALL = 131  # of window: 1,000 calls at 131k
Delegate = Callable[[Plan], Awaitable[Outcome]]


@record(frozen=True, slots=True)
class SessionMemory:
    """The part of the session that tools may know."""

    session: Session
    blackboard: Blackboard

    def share(self, key: str, value: str, by: str) -> None:
        self.blackboard.share(key, value, by)

    def recall(self, name: str) -> str | None:
        content = self.session.content(name)
        return content.decode("utf-8", "replace") if content is not None else None


@asynccontextmanager
async def open_services(
    runtime: Runtime,
    session: Session,
    approval: ApprovalMode,
    delegate: Delegate,
    run_command: RunCommand,
    late_about: str | None = None,
) -> AsyncIterator[tuple[AgentServices, Blackboard]]:
    """Builds what the agents of `session` work with, in the order of what each needs; each is whole when it is made.

    `delegate` carries out plans, `run_command` is the main agent's: both are called when that agent is there. `late_about` is what
    the model is told that late tools are about, None for what those here are. Raises AgenticError as `Conversation.open`.
    """
    settings = runtime.settings
    blackboard, journal, jobs, toolbox = Blackboard(session), Journal(session), Jobs(), Toolbox(runtime.events)
    roots, warn = roots_of(runtime, session), runtime.events.warn

    async def unchangeable(folder: Path) -> Collection[str]:
        return await launcher.unchangeable(folder)

    async def start(argv: Sequence[str], folder: Path, output: int, grant: Grant | None = None) -> Child:
        return await launcher.start(argv, folder, output, grant or Grant(hidden=watches.private))

    more = {"lingers": jobs.running, "unchangeable": unchangeable, "roots": roots}
    policy = policy_of(runtime.host, runtime.setup, journal=journal, warn=warn, **more)
    launcher = session_launcher(runtime, policy, roots)
    approver = Approver(approval, runtime.events.emit, policy, launcher)
    workspace = Workspace(runtime.root, journal, Grants(needs_word=policy.needs_word, roots=roots), launcher.temporary)
    sources = {name: source for name, source in runtime.every("agentic_tool_sources").items() if about_of(name, source)}
    about = ", ".join(about_of(name, source) for name, source in sources.items()) if late_about is None else late_about
    memory = SessionMemory(session, blackboard)
    tools = tools_of(runtime, memory, delegate, toolbox.find, about, start, jobs, approver.ask_user)
    toolbox.open(tools, sources, about)
    background = []
    watches = SessionWatches(policy, roots)
    if approver.mode == "all" or approver.can("execute"):
        background.append(asyncio.ensure_future(watches.of(workspace).prepare()))
    try:
        if approver.mode == "all":
            await require_sandbox(launcher)
        protocol = await protocol_of(runtime, session)
        llm = runtime.llm.of(runtime.build(PROTOCOLS, protocol).profile)
        toolbox.list_for(llm.family(), settings.tools.enabled, runtime.llm.budget.tier == "full")
        services = AgentServices(
            llm=llm,
            events=runtime.events,
            protocol=protocol,
            make_protocol=lambda: runtime.build(PROTOCOLS, protocol),
            toolbox=toolbox,
            strategy=runtime.build("agentic_context_strategies", settings.context.strategy),
            approver=approver,
            workspace=workspace,
            calls=CallBudget(limits_of(runtime)[0]),
            prompts=runtime.prompts,
            proofs=Proofs(runtime.every("agentic_checkers"), workspace, approver, runtime.events, run_command),
            watches=watches.of,
            instructions=frozen_sections(runtime, session),
            jobs=jobs,
            covered=covered_files(runtime),
            effort=_frozen(session, "effort", settings.llm.reasoning_effort),
            debug=settings.ui.debug,
            safeguards=policy.safeguards() if settings.tools.mask_secrets else None,
            kinds=kinds_of(runtime.host, runtime.root, runtime.events.warn),
        )
        async with sessions_of_plugins(runtime, session):
            yield services, blackboard
    finally:
        await toolbox.aclose()
        await jobs.aclose()
        for task in background:
            task.cancel()
        await watches.aclose()
        await launcher.aclose()


async def protocol_of(runtime: Runtime, session: Session) -> str:
    """Returns the protocol that the user named; else the session's first on this model; else the one that is chosen."""
    host, name, known = runtime.host, runtime.settings.tools.protocol, session.metadata("protocol")
    is_named = name not in host.offers(f"{PROTOCOLS}.choosers")
    if not is_named and known in host.offers(PROTOCOLS) and session.metadata("model") == runtime.info.model:
        return known
    more = {"kind": ProtocolChoice, "model": runtime.llm, "info": runtime.info}
    return (await host.select(PROTOCOLS, name, runtime.setup, **more)).name


@asynccontextmanager
async def sessions_of_plugins(runtime: Runtime, session: Session) -> AsyncIterator[None]:
    """Enters the sessions of plugins, and leaves them with ours; one that fails costs a warning."""
    async with AsyncExitStack() as stack:
        for plugin, info in runtime.host.infos("session").items():
            try:
                setup = runtime.setup(plugin, kind=SessionSetup, session=session)
                async with asyncio.timeout(info.seconds):
                    assert info.session is not None
                    await stack.enter_async_context(_mended(runtime, plugin, info.session(setup)))
            except FAULTS as error:
                runtime.events.warn(f"{runtime.host.owner(plugin)}: its session cannot begin: {describe(error)}")
        yield


@asynccontextmanager
async def _mended(runtime: Runtime, plugin: str, inner: AbstractAsyncContextManager[Any]) -> AsyncIterator[None]:
    """The plugin's own, whose end raises nothing: a warning says what went wrong."""
    await inner.__aenter__()
    try:
        yield
    finally:
        try:
            await inner.__aexit__(None, None, None)
        except FAULTS as error:
            runtime.events.warn(f"{runtime.host.owner(plugin)}: its session cannot end: {describe(error)}")


async def require_sandbox(launcher: Launcher) -> None:
    """For a mode in which nobody looks at commands. Raises TrustError."""
    await launcher.ready()
    if not (launcher.confines or launcher.is_off):
        tried = "; ".join(f"{name}: {why}" for name, why in launcher.refused.items()) or "no plugin offers one"
        raise TrustError(
            f"--approve all needs a sandbox, and none works here ({tried})", "--no-sandbox, if nothing has to hold them"
        )


def roots_of(runtime: Runtime, session: Session) -> list[Path]:
    """Returns the further folders of the settings, and those that the user added to the session before. Raises ConfigError."""
    named = [*runtime.settings.tools.folders, *map(str, further_roots(session))]
    roots = list(dict.fromkeys(further_root(runtime.root, each) for each in named))
    if roots:
        keep_further_roots(session, roots)
    return roots


def further_root(first: Path, path: str) -> Path:
    """The real folder of that name. Raises ConfigError for what cannot be one beside the first."""
    root = Path(path).expanduser().resolve()
    if not root.is_dir():
        raise ConfigError(f"{path} is no folder", "--add-dir DIR names one that is there")
    if root == first.resolve() or root in first.resolve().parents:
        raise ConfigError(f"{path} holds the folder that this run works in", "name one beside it, or begin there")
    return root


def _frozen(session: Session, name: str, now: Any) -> str:
    """The session's value; `now`'s, where it has none yet."""
    if not session.has_metadata(f"frozen:{name}"):
        session.set_metadata(f"frozen:{name}", str(now))
    return session.metadata(f"frozen:{name}")


def limits_of(runtime: Runtime) -> tuple[int, float]:
    """(model calls, seconds) of a run: what is set, else what the window lets a model do."""
    settings, origins = runtime.settings.workflow, runtime.settings.origins
    calls, seconds = settings.max_iterations, float(settings.timeout_seconds)
    large = min(MAX_CALLS, runtime.llm.budget.window // TOKENS_A_CALL)
    if origins["workflow.max_iterations"] == "default" and large > calls:
        if origins["workflow.timeout_seconds"] == "default":
            seconds *= large / calls
        calls = large
    return calls, seconds
