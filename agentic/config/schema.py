"""Every configuration key: its type by its default, its scope, its meaning."""

from dataclasses import dataclass
from typing import Any, Literal

Scope = Literal["user", "select", "tighten"]
"""Who may set a key. user: the user alone. select: a project too. tighten: a project too, to something stricter."""


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    default: Any
    scope: Scope
    help: str
    choices: tuple[str, ...] = ()
    secret: bool = False
    minimum: float = 0


KEYS = {
    key.name: key
    for key in (
        # Which transport serves decides where the code of a project goes, so a project may not choose it.
        Key("llm.transport", "auto", "user", "auto: the endpoints if one answers within a second, else the embedded engine"),
        Key("llm.endpoints", ["http://localhost:8001/v1", "http://localhost:8002/v1"], "user", "in the order of preference"),
        Key("llm.model", "", "select", "empty: what the endpoint serves"),
        Key("llm.api_key", "", "user", "sent to the endpoints; better in the environment as AGENTIC_LLM_API_KEY", secret=True),
        Key("llm.proxy", "", "user", "URL of an HTTP proxy; proxy variables of the environment are not read"),
        Key("llm.follow_redirects", False, "user", "whether an endpoint may redirect"),
        Key("llm.temperature", -1.0, "select", "below 0: the server's default", minimum=-1),
        Key("llm.reasoning_effort", "", "select", "empty: the server's default", ("", "low", "medium", "high")),
        Key("llm.connect_timeout", 5.0, "tighten", "seconds until a connection stands"),
        Key("llm.first_token_timeout", 180.0, "tighten", "seconds until the first token; a long prompt takes its time"),
        Key("llm.progress_timeout", 60.0, "tighten", "seconds between two pieces of an answer; keep-alives do not count"),
        Key("llm.total_timeout", 1800.0, "tighten", "seconds for one answer"),
        Key("llm.vllm.enable_prefix_caching", True, "select", "what `agentic serve` writes"),
        Key("llm.vllm.prefix_cache_size", 1024, "select", "tokens of the common prefix that stay stable", minimum=1),
        Key("llm.vllm.common_prefixes", ["system_prompt", "workflow_context"], "select", "what the prompt keeps stable"),
        Key("llm.local.model", "qwen2.5-coder-1.5b", "user", "the embedded engine's model: a name or a FILE.gguf"),
        Key("llm.local.context", 8192, "tighten", "window of the embedded engine in tokens", minimum=512),
        Key("llm.local.parallel", 2, "tighten", "requests that the embedded engine serves at once", minimum=1),
        Key("llm.local.threads", 0, "tighten", "0: all cores"),
        Key("batching.strategy", "admission", "select", "which request goes where and when"),
        Key("batching.batch_size", 4, "tighten", "requests in flight per endpoint to begin with", minimum=1),
        Key("batching.batch_timeout", 0.1, "tighten", "the longest a request may be held for a better place, in seconds"),
        Key("context.strategy", "window", "select", "what of a history goes into a request"),
        Key("context.context_window", 0, "tighten", "tokens; 0: what the server says, 4096 where it says nothing"),
        Key("context.reserved_for_response", 1024, "select", "of 4096; in proportion for other windows", minimum=1),
        Key("workflow.max_iterations", 50, "tighten", "model calls in a run", minimum=1),
        Key("workflow.timeout_seconds", 1200, "tighten", "for a whole run", minimum=1),
        Key("workflow.recursion_limit", 100, "tighten", "node transitions in a run", minimum=1),
        Key("complexity.estimator", "llm", "select", "who says how large a task is"),
        Key("decomposition.strategy", "llm", "select", "who splits a large task"),
        Key("sub_agents.enabled", True, "tighten", "whether a large task may be split"),
        Key("sub_agents.fan_out", "local", "select", "where sub-agents run"),
        Key("sub_agents.complexity_threshold", 0.7, "select", "from which complexity on a task is split; 0: every task"),
        Key("sub_agents.max_concurrent", 4, "tighten", "sub-agents at once", minimum=1),
        Key("sub_agents.subtask_max_iterations", 10, "tighten", "model calls in a sub-agent", minimum=1),
        Key("sub_agents.timeout_seconds", 300, "tighten", "for one sub-agent", minimum=1),
        Key("tools.protocol", "auto", "select", "how a model is asked for tool calls", ("auto", "native", "json", "fenced")),
        Key("tools.enabled", [], "select", "empty: all that plugins offer"),
        Key("tools.command_timeout", 120, "tighten", "seconds for one command", minimum=1),
        Key("approval.mode", "", "user", "empty: ask in a terminal, none without one", ("", "ask", "edits", "all", "none")),
        Key("plugins.disabled", [], "tighten", "names of plugins that are not loaded"),
        Key("plugins.require", [], "select", 'what must be installed, e.g. "agentic-foo>=1"'),
        Key("ui.debug", False, "user", "tracebacks, and where each prompt's tokens are: the same as --debug"),
        Key("ui.renderer", "", "user", "empty: rich in a terminal, plain in a pipe"),
    )
}

PLUGIN_PREFIX = "plugin."
