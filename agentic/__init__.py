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

    from agentic.api import Answered, Conversation, Question, run, run_sync
    from agentic.config import Section, Settings, setting
    from agentic.errors import (
        AgenticError,
        ConfigError,
        ContextOverflow,
        EndpointUnavailable,
        ModelOutputError,
        Overloaded,
        PluginError,
        RequestRejected,
        StreamBroken,
        ToolError,
        TrustError,
    )
    from agentic.events import Event
    from agentic.hooks import Hook, Hooks, Options, PluginInfo, Provider, SessionSetup, Setup, hookimpl, hookspec
    from agentic.hooks.agents import AgentKind
    from agentic.hooks.batching import Batcher, BatcherSetup, Closes, Lane, Routes, Warms, Watches
    from agentic.hooks.chat import Chat, ChatCommand
    from agentic.hooks.checks import BeforeEnd, Check, Checker, CheckResult, Failure
    from agentic.hooks.choosing import ChoiceSetup, Chooser
    from agentic.hooks.command_launchers import CommandLauncher, Launch, LaunchPolicy
    from agentic.hooks.command_readers import CommandReader, CommandReading, SimpleCommand
    from agentic.hooks.commands import Command
    from agentic.hooks.complexity import ComplexityEstimator, Llm
    from agentic.hooks.context import Condenses, ContextStrategy
    from agentic.hooks.decomposition import Decomposer
    from agentic.hooks.events import Addition, Verdict
    from agentic.hooks.fan_out import Attempt, FanOut, FanOutSetup, Parts, Spawn, SubAgent
    from agentic.hooks.launcher import Launcher, LauncherSetup
    from agentic.hooks.permissions import CommandWatch, Judgement, Permissions, PermissionsSetup
    from agentic.hooks.prompt import PromptSection, PromptTemplate
    from agentic.hooks.protocol import Asks, ModelProfile, OutputRepair, RepairProvider, ToolProtocol, Turn, Vocabulary
    from agentic.hooks.runner import Part, Runner, RunnerSetup, sub_agent
    from agentic.hooks.safeguards import Safeguard
    from agentic.hooks.screen import Renderer, RendererSetup
    from agentic.hooks.tools import Announces, Memory, Tool, ToolSetup, ToolSource, ToolSourceProvider
    from agentic.hooks.transport import (
        CachesPrefixes,
        CountsTokens,
        FollowsEndpoints,
        ReportsLoad,
        Resumes,
        SendsBatches,
        Transport,
        TransportProvider,
    )
    from agentic.hooks.trust import RunnableFinder
    from agentic.lib.calls import CallContext, Grant
    from agentic.lib.files import files_below
    from agentic.lib.workspace import Workspace
    from agentic.types import (
        Answer,
        Change,
        ChatRequest,
        Complexity,
        Delta,
        EndpointInfo,
        EndpointLoad,
        ImagePart,
        Message,
        Outcome,
        PartialAnswer,
        Plan,
        Sampling,
        Subtask,
        TextPart,
        TokenCount,
        ToolCall,
        ToolCallDelta,
        ToolNote,
        ToolOutput,
        ToolSpec,
        Usage,
        recall_id,
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

__all__ = [
    "Addition",
    "AgentKind",
    "AgenticError",
    "Announces",
    "Answer",
    "Answered",
    "Asks",
    "Attempt",
    "Batcher",
    "BatcherSetup",
    "BeforeEnd",
    "CachesPrefixes",
    "CallContext",
    "Change",
    "Chat",
    "ChatCommand",
    "ChatRequest",
    "Check",
    "CheckResult",
    "Checker",
    "ChoiceSetup",
    "Chooser",
    "Closes",
    "Command",
    "CommandLauncher",
    "CommandReader",
    "CommandReading",
    "CommandWatch",
    "Complexity",
    "ComplexityEstimator",
    "Condenses",
    "ConfigError",
    "ContextOverflow",
    "ContextStrategy",
    "Conversation",
    "CountsTokens",
    "Decomposer",
    "Delta",
    "EndpointInfo",
    "EndpointLoad",
    "EndpointUnavailable",
    "Event",
    "Failure",
    "FanOut",
    "FanOutSetup",
    "FollowsEndpoints",
    "Grant",
    "Hook",
    "Hooks",
    "ImagePart",
    "Judgement",
    "Lane",
    "Launch",
    "LaunchPolicy",
    "Launcher",
    "LauncherSetup",
    "Llm",
    "Memory",
    "Message",
    "ModelOutputError",
    "ModelProfile",
    "Options",
    "Outcome",
    "OutputRepair",
    "Overloaded",
    "Part",
    "PartialAnswer",
    "Parts",
    "Permissions",
    "PermissionsSetup",
    "Plan",
    "PluginError",
    "PluginInfo",
    "PromptSection",
    "PromptTemplate",
    "Provider",
    "Question",
    "Renderer",
    "RendererSetup",
    "RepairProvider",
    "ReportsLoad",
    "RequestRejected",
    "Resumes",
    "Routes",
    "RunnableFinder",
    "Runner",
    "RunnerSetup",
    "Safeguard",
    "Sampling",
    "Section",
    "SendsBatches",
    "SessionSetup",
    "Settings",
    "Setup",
    "SimpleCommand",
    "Spawn",
    "StreamBroken",
    "SubAgent",
    "Subtask",
    "TextPart",
    "TokenCount",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolError",
    "ToolNote",
    "ToolOutput",
    "ToolProtocol",
    "ToolSetup",
    "ToolSource",
    "ToolSourceProvider",
    "ToolSpec",
    "Transport",
    "TransportProvider",
    "TrustError",
    "Turn",
    "Usage",
    "Verdict",
    "Vocabulary",
    "Warms",
    "Watches",
    "Workspace",
    "__version__",
    "files_below",
    "hookimpl",
    "hookspec",
    "recall_id",
    "run",
    "run_sync",
    "setting",
    "sub_agent",
]


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _HOME_OF:
        raise AttributeError(f"module 'agentic' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
