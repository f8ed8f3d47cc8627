"""The names that a plugin author imports. They load on first use, so `import agentic` costs next to nothing."""

TYPE_CHECKING = False  # as type checkers know it; `typing` itself costs a quarter of what `agentic --version` takes

__version__ = "0.1.0"


_IN_LIB = frozenset("children diff expressions files palette running sanitize temporary threads wire workspace".split())  # noqa: SIM905


class _OldNames:
    """Finds modules by the names that they had (`agentic.moved`); nothing is imported before one is asked for."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        if not name.startswith("agentic.") or name.split(".")[1] not in _IN_LIB:
            return None
        from agentic.moved import find_spec

        return find_spec(name)


__import__("sys").meta_path.insert(0, _OldNames)

if TYPE_CHECKING:
    from typing import Any

    from agentic.api import (
        Answered as Answered,
        Conversation as Conversation,
        Question as Question,
        run as run,
        run_sync as run_sync,
    )
    from agentic.config import Section as Section, Settings as Settings, setting as setting
    from agentic.errors import (
        AgenticError as AgenticError,
        ConfigError as ConfigError,
        ContextOverflow as ContextOverflow,
        EndpointUnavailable as EndpointUnavailable,
        ModelOutputError as ModelOutputError,
        Overloaded as Overloaded,
        PluginError as PluginError,
        RequestRejected as RequestRejected,
        StreamBroken as StreamBroken,
        ToolError as ToolError,
        TrustError as TrustError,
    )
    from agentic.events import Event as Event
    from agentic.hooks import (
        Hook as Hook,
        Hooks as Hooks,
        Options as Options,
        PluginInfo as PluginInfo,
        Provider as Provider,
        SessionSetup as SessionSetup,
        Setup as Setup,
        hookimpl as hookimpl,
        hookspec as hookspec,
    )
    from agentic.hooks.agents import AgentKind as AgentKind
    from agentic.hooks.batching import (
        Batcher as Batcher,
        BatcherSetup as BatcherSetup,
        Closes as Closes,
        Lane as Lane,
        Routes as Routes,
        Warms as Warms,
        Watches as Watches,
    )
    from agentic.hooks.chat import Chat as Chat, ChatCommand as ChatCommand
    from agentic.hooks.checks import (
        BeforeEnd as BeforeEnd,
        Check as Check,
        Checker as Checker,
        CheckResult as CheckResult,
        Failure as Failure,
    )
    from agentic.hooks.choosing import ChoiceSetup as ChoiceSetup, Chooser as Chooser
    from agentic.hooks.command_launchers import CommandLauncher as CommandLauncher, Launch as Launch, LaunchPolicy as LaunchPolicy
    from agentic.hooks.command_readers import (
        CommandReader as CommandReader,
        CommandReading as CommandReading,
        SimpleCommand as SimpleCommand,
    )
    from agentic.hooks.commands import Command as Command
    from agentic.hooks.complexity import ComplexityEstimator as ComplexityEstimator, Llm as Llm
    from agentic.hooks.context import Condenses as Condenses, ContextStrategy as ContextStrategy
    from agentic.hooks.decomposition import Decomposer as Decomposer
    from agentic.hooks.events import Addition as Addition, Verdict as Verdict
    from agentic.hooks.fan_out import (
        Attempt as Attempt,
        FanOut as FanOut,
        FanOutSetup as FanOutSetup,
        Parts as Parts,
        Spawn as Spawn,
        SubAgent as SubAgent,
    )
    from agentic.hooks.launcher import Launcher as Launcher, LauncherSetup as LauncherSetup
    from agentic.hooks.permissions import (
        CommandWatch as CommandWatch,
        Judgement as Judgement,
        Permissions as Permissions,
        PermissionsSetup as PermissionsSetup,
    )
    from agentic.hooks.prompt import PromptSection as PromptSection, PromptTemplate as PromptTemplate
    from agentic.hooks.protocol import (
        Asks as Asks,
        ModelProfile as ModelProfile,
        OutputRepair as OutputRepair,
        RepairProvider as RepairProvider,
        ToolProtocol as ToolProtocol,
        Turn as Turn,
        Vocabulary as Vocabulary,
    )
    from agentic.hooks.runner import Part as Part, Runner as Runner, RunnerSetup as RunnerSetup, sub_agent as sub_agent
    from agentic.hooks.safeguards import Safeguard as Safeguard
    from agentic.hooks.screen import Renderer as Renderer, RendererSetup as RendererSetup
    from agentic.hooks.tools import (
        Announces as Announces,
        Memory as Memory,
        Tool as Tool,
        ToolSetup as ToolSetup,
        ToolSource as ToolSource,
        ToolSourceProvider as ToolSourceProvider,
    )
    from agentic.hooks.transport import (
        CachesPrefixes as CachesPrefixes,
        CountsTokens as CountsTokens,
        FollowsEndpoints as FollowsEndpoints,
        ReportsLoad as ReportsLoad,
        Resumes as Resumes,
        SendsBatches as SendsBatches,
        Transport as Transport,
        TransportProvider as TransportProvider,
    )
    from agentic.hooks.trust import RunnableFinder as RunnableFinder
    from agentic.lib.calls import CallContext as CallContext, Grant as Grant
    from agentic.lib.families import Family as Family
    from agentic.lib.files import files_below as files_below
    from agentic.lib.workspace import Workspace as Workspace
    from agentic.types import (
        Answer as Answer,
        Change as Change,
        ChatRequest as ChatRequest,
        Complexity as Complexity,
        Delta as Delta,
        EndpointInfo as EndpointInfo,
        EndpointLoad as EndpointLoad,
        ImagePart as ImagePart,
        Message as Message,
        Outcome as Outcome,
        PartialAnswer as PartialAnswer,
        Plan as Plan,
        Sampling as Sampling,
        Subtask as Subtask,
        TextPart as TextPart,
        TokenCount as TokenCount,
        ToolCall as ToolCall,
        ToolCallDelta as ToolCallDelta,
        ToolNote as ToolNote,
        ToolOutput as ToolOutput,
        ToolSpec as ToolSpec,
        Usage as Usage,
        recall_id as recall_id,
    )

_HOMES = {
    "agentic.api": "Answered Conversation Question run run_sync",
    "agentic.config": "Section Settings setting",
    "agentic.errors": "AgenticError ConfigError ContextOverflow EndpointUnavailable ModelOutputError Overloaded PluginError"
    " RequestRejected StreamBroken ToolError TrustError",
    "agentic.events": "Event",
    "agentic.lib.calls": "CallContext Grant",
    "agentic.lib.files": "files_below",
    "agentic.hooks": "Hook Hooks Options PluginInfo Provider SessionSetup Setup hookimpl hookspec",
    "agentic.hooks.agents": "AgentKind",
    "agentic.hooks.batching": "Batcher BatcherSetup Closes Lane Routes Warms Watches",
    "agentic.hooks.chat": "Chat ChatCommand",
    "agentic.hooks.checks": "BeforeEnd Check CheckResult Checker Failure",
    "agentic.hooks.choosing": "ChoiceSetup Chooser",
    "agentic.hooks.command_readers": "CommandReader CommandReading SimpleCommand",
    "agentic.hooks.commands": "Command",
    "agentic.hooks.complexity": "ComplexityEstimator Llm",
    "agentic.hooks.context": "Condenses ContextStrategy",
    "agentic.hooks.decomposition": "Decomposer",
    "agentic.hooks.events": "Addition Verdict",
    "agentic.hooks.fan_out": "Attempt FanOut FanOutSetup Parts Spawn SubAgent",
    "agentic.hooks.command_launchers": "CommandLauncher Launch LaunchPolicy",
    "agentic.hooks.launcher": "Launcher LauncherSetup",
    "agentic.hooks.permissions": "CommandWatch Judgement Permissions PermissionsSetup",
    "agentic.hooks.prompt": "PromptSection PromptTemplate",
    "agentic.lib.families": "Family",
    "agentic.hooks.protocol": "Asks ModelProfile OutputRepair RepairProvider ToolProtocol Turn Vocabulary",
    "agentic.hooks.runner": "Part Runner RunnerSetup sub_agent",
    "agentic.hooks.safeguards": "Safeguard",
    "agentic.hooks.screen": "Renderer RendererSetup",
    "agentic.hooks.tools": "Announces Memory Tool ToolSetup ToolSource ToolSourceProvider",
    "agentic.hooks.transport": "CachesPrefixes CountsTokens FollowsEndpoints ReportsLoad Resumes SendsBatches Transport"
    " TransportProvider",
    "agentic.hooks.trust": "RunnableFinder",
    "agentic.types": "Answer Change ChatRequest Complexity Delta EndpointInfo EndpointLoad ImagePart Message Outcome PartialAnswer"
    " Plan Sampling Subtask TextPart TokenCount ToolCall ToolCallDelta ToolNote ToolOutput ToolSpec Usage recall_id",
    "agentic.lib.workspace": "Workspace",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:
    __all__ = [*_HOME_OF, "__version__"]  # noqa: PLE0604 - they are texts


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _HOME_OF:
        raise AttributeError(f"module 'agentic' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
