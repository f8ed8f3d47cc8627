"""What a plugin author imports. Names load on first use, so `import agentic` costs next to nothing."""

TYPE_CHECKING = False  # as type checkers know it; `typing` itself costs a quarter of what `agentic --version` takes

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

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
    from agentic.hooks import Command, Provider, Setup, hookimpl
    from agentic.hooks.batching import Batcher, Lane
    from agentic.hooks.complexity import ComplexityEstimator, Llm
    from agentic.hooks.context import ContextStrategy
    from agentic.hooks.decomposition import Decomposer
    from agentic.hooks.events import Verdict
    from agentic.hooks.fan_out import FanOut, Spawn
    from agentic.hooks.screen import Renderer
    from agentic.hooks.tools import Tool
    from agentic.hooks.transport import CountsTokens, ReportsLoad, Resumes, SendsBatches, Transport
    from agentic.types import (
        ChatRequest,
        Complexity,
        Delta,
        EndpointInfo,
        EndpointLoad,
        Message,
        Outcome,
        PartialAnswer,
        Plan,
        Subtask,
        TokenCount,
        ToolCall,
        ToolCallDelta,
        ToolNote,
        ToolOutput,
        ToolSpec,
        Usage,
        recall_id,
    )
    from agentic.workspace import Workspace

_HOMES = {
    "agentic.errors": "AgenticError ConfigError ContextOverflow EndpointUnavailable ModelOutputError Overloaded PluginError"
    " RequestRejected StreamBroken ToolError TrustError",
    "agentic.hooks": "Command Provider Setup hookimpl",
    "agentic.hooks.batching": "Batcher Lane",
    "agentic.hooks.complexity": "ComplexityEstimator Llm",
    "agentic.hooks.context": "ContextStrategy",
    "agentic.hooks.decomposition": "Decomposer",
    "agentic.hooks.events": "Verdict",
    "agentic.hooks.fan_out": "FanOut Spawn",
    "agentic.hooks.screen": "Renderer",
    "agentic.hooks.tools": "Tool",
    "agentic.hooks.transport": "CountsTokens ReportsLoad Resumes SendsBatches Transport",
    "agentic.types": "ChatRequest Complexity Delta EndpointInfo EndpointLoad Message Outcome PartialAnswer Plan Subtask TokenCount"
    " ToolCall ToolCallDelta ToolNote ToolOutput ToolSpec Usage recall_id",
    "agentic.workspace": "Workspace",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AgenticError",
    "Batcher",
    "ChatRequest",
    "Command",
    "Complexity",
    "ComplexityEstimator",
    "ConfigError",
    "ContextOverflow",
    "ContextStrategy",
    "CountsTokens",
    "Decomposer",
    "Delta",
    "EndpointInfo",
    "EndpointLoad",
    "EndpointUnavailable",
    "FanOut",
    "Lane",
    "Llm",
    "Message",
    "ModelOutputError",
    "Outcome",
    "Overloaded",
    "PartialAnswer",
    "Plan",
    "PluginError",
    "Provider",
    "Renderer",
    "ReportsLoad",
    "RequestRejected",
    "Resumes",
    "SendsBatches",
    "Setup",
    "Spawn",
    "StreamBroken",
    "Subtask",
    "TokenCount",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolError",
    "ToolNote",
    "ToolOutput",
    "ToolSpec",
    "Transport",
    "TrustError",
    "Usage",
    "Verdict",
    "Workspace",
    "__version__",
    "hookimpl",
    "recall_id",
]


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    if name not in _HOME_OF:
        raise AttributeError(f"module 'agentic' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
