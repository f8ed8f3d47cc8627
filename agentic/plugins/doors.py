"""The host's provider hooks in one table: what each takes, what it has to be like, and which setting selects it.

The table names modules and classes: a hook's are imported when it is asked for, since few are in one start.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

from agentic.hooks import Hook
from agentic.hooks.old import NEW

TOOL_NAME = r"[A-Za-z0-9_-]{1,64}"  # what OpenAI-compatible servers take for a function's name
COMMAND_NAME = r"[a-z][a-z0-9-]*"
TRANSPORT_EXTRAS = "CachesPrefixes CountsTokens FollowsEndpoints ReportsLoad Resumes SendsBatches"
GUARD_EXTRAS = "KeepsRules KeepsSafe ReadsCommands WatchesCommands"
BATCHER_EXTRAS = "Closes FollowsEndpoints Routes Warms Watches"


class Row(NamedTuple):
    """A hook by names: of the module in `agentic.hooks`, the record, the protocol, the optional protocols."""

    module: str
    record: str = "Provider"
    protocol: str = ""
    optional: str = ""
    selected_by: str = ""
    names: str = r"\S+"
    guards: bool = False
    through: str = ""


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "agentic_transports": Row("transport", "Provider", "Transport", TRANSPORT_EXTRAS, "llm.transport"),
        "agentic_transports.choosers": Row("choosing", "Chooser", selected_by="llm.transport", through="agentic_transports"),
        "agentic_batchers": Row("batching", "Provider", "Batcher", BATCHER_EXTRAS, "batching.strategy"),
        "agentic_context_strategies": Row("context", "Provider", "ContextStrategy", "Condenses", "context.strategy"),
        "agentic_complexity_estimators": Row("complexity", "Provider", "ComplexityEstimator", "", "complexity.estimator"),
        "agentic_decomposers": Row("decomposition", "Provider", "Decomposer", "", "decomposition.strategy"),
        "agentic_fan_outs": Row("fan_out", "Provider", "FanOut", "CarriesOut", "sub_agents.fan_out"),
        "agentic_fan_outs.tasks": Row("fan_out", "TaskProvider", "TakesTasks", through="agentic_fan_outs"),
        "agentic_tools": Row("tools", "Provider", "Tool", "", "tools.enabled", TOOL_NAME),
        "agentic_tool_sources": Row("tools", "ToolSourceProvider", "ToolSource", "Announces", through="agentic_tools"),
        "agentic_renderers": Row("screen", "Provider", "Renderer", "", "ui.renderer"),
        "agentic_launchers": Row("launcher", "Provider", "Launcher", "Reports", guards=True),
        "agentic_permissions": Row("permissions", "Provider", "Permissions", GUARD_EXTRAS, guards=True),
        "agentic_tool_protocols": Row("protocol", "Provider", "ToolProtocol", "", "tools.protocol", through="agentic_models"),
        "agentic_tool_protocols.choosers": Row("choosing", "Chooser", selected_by="tools.protocol", through="agentic_models"),
        "agentic_output_repairs": Row("protocol", "RepairProvider", "OutputRepair", through="agentic_models"),
        "agentic_vocabularies": Row("protocol", "Vocabulary", through="agentic_models"),
        "agentic_families": Row("protocol", "Family", through="agentic_models"),
        "agentic_checkers": Row("checks", "Provider", "Checker", "ComparesFiles"),
        "agentic_checkers.before_end": Row("checks", "BeforeEnd", through="agentic_checkers"),
        "agentic_prompts": Row("prompt", "PromptTemplate"),
        "agentic_prompt_sections": Row("prompt", "PromptSection", through="agentic_prompts"),
        "agentic_agents": Row("agents", "AgentKind", names=COMMAND_NAME, through="agentic_prompts"),
        "agentic_runnables": Row("trust", "RunnableFinder", through="agentic_plugin"),
        "agentic_commands": Row("commands", "Command", names=rf"{COMMAND_NAME}( {COMMAND_NAME})?"),
        "agentic_chat_commands": Row("chat", "ChatCommand", names=COMMAND_NAME, through="agentic_commands"),
    }
)
EVENTS = tuple(f"agentic_{name}" for name in ("before_task", "before_request", "before_tool", "after_tool", "on_event"))
# Event hooks by which a plugin guards the user; provider hooks say so themselves.
_GUARDING_EVENTS = ("agentic_before_tool", "agentic_before_request", "agentic_on_event")
_OF_PLUGINS = ("agentic_plugin", "agentic_add_hooks")


def _home_of(name: str) -> str:
    """Returns the module of `agentic.hooks` that declares a hook."""
    if name in _OF_PLUGINS:
        return ""
    if name in NEW:
        return ".old"
    return {"agentic_models": ".protocol"}.get(name) or (".events" if name in EVENTS else f".{ROWS[name].module}")


def is_known(name: str) -> bool:
    """True if it is one of the host's hooks, or an old name of one."""
    return name in (*_OF_PLUGINS, *EVENTS, *NEW, "agentic_models") or (name in ROWS and not ROWS[name].through)


def specification(name: str) -> Any:
    """Returns the function that declares one of the host's hooks."""
    module = import_module(f"agentic.hooks{_home_of(name)}")
    return getattr(module, name) if name not in NEW else getattr(module, name, module.gives_records)


class HookTable(Mapping[str, Hook]):
    """The host's provider hooks, and those that plugins add, by their names."""

    def __init__(self) -> None:
        self._made: dict[str, Hook] = {}
        self._through = {name: row.through or name for name, row in ROWS.items()}
        self._guarding = {*_GUARDING_EVENTS, *(name for name, row in ROWS.items() if row.guards)}

    def __getitem__(self, name: str) -> Hook:
        if name not in self._made:
            self._made[name] = _made_of(ROWS[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._through))

    def __len__(self) -> int:
        return len(self._through)

    def add(self, name: str, hook: Hook) -> None:
        """Adds a hook of a plugin's own."""
        self._made[name], self._through[name] = hook, name
        self._guarding |= {name} if hook.guards else set()

    def kinds(self, hook: str) -> list[str]:
        """The kinds of records that come through a hook, its own first."""
        return sorted((name for name, through in self._through.items() if through == hook), key=lambda name: name != hook) or [hook]

    def through(self, kind: str) -> str:
        """Returns the hook that records of that kind come through."""
        return self._through.get(kind, kind)

    def guarding(self) -> set[str]:
        """Returns the hooks that make a plugin one that no project may switch off."""
        return self._guarding


def _made_of(row: Row) -> Hook:
    module = import_module(f"agentic.hooks.{row.module}")
    record, protocol = getattr(module, row.record), getattr(module, row.protocol) if row.protocol else None
    optional = tuple(getattr(module, name) for name in row.optional.split())
    return Hook(record, protocol, optional, row.selected_by, row.names, row.guards, None, row.through)
