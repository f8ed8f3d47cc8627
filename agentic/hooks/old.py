"""Hooks under the names that they had until 0.1, with the one that takes their records now. They go with the next minor version."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from agentic.hooks import hookspec

NEW: Mapping[str, str] = MappingProxyType(
    {
        "agentic_tool_protocols": "agentic_models",
        "agentic_output_repairs": "agentic_models",
        "agentic_vocabularies": "agentic_models",
        "agentic_prompt_sections": "agentic_prompts",
        "agentic_agents": "agentic_prompts",
        "agentic_tool_sources": "agentic_tools",
        "agentic_chat_commands": "agentic_commands",
        "agentic_runnables": "agentic_plugin",
        "agentic_options": "agentic_plugin",
        "agentic_before_end": "agentic_checkers",
    }
)


@hookspec
def agentic_tool_protocols() -> Iterable[Any]:
    """Offers a `Provider[ToolProtocol]` each."""
    raise NotImplementedError


@hookspec
def agentic_output_repairs() -> Iterable[Any]:
    """Offers a `Provider[OutputRepair]` each."""
    raise NotImplementedError


@hookspec
def agentic_vocabularies() -> Iterable[Any]:
    """Offers a `Vocabulary` each."""
    raise NotImplementedError


@hookspec
def agentic_prompt_sections() -> Iterable[Any]:
    """Offers a `PromptSection` each."""
    raise NotImplementedError


@hookspec
def agentic_agents() -> Iterable[Any]:
    """Offers an `AgentKind` each."""
    raise NotImplementedError


@hookspec
def agentic_tool_sources() -> Iterable[Any]:
    """Offers a `Provider[ToolSource]` each."""
    raise NotImplementedError


@hookspec
def agentic_chat_commands() -> Iterable[Any]:
    """Offers a `ChatCommand` each."""
    raise NotImplementedError


@hookspec
def agentic_runnables() -> Iterable[Any]:
    """Offers a `RunnableFinder` each."""
    raise NotImplementedError


@hookspec
def agentic_options() -> Any:
    """Declares the plugin's own settings: `Options`."""
    raise NotImplementedError


@hookspec
async def agentic_before_end(
    task: str, result: str, times: int, agent: str, workspace: Any, changes: Any, setup: Any
) -> str | None:
    """Asked when the model means that the task is done: a text is told to it, and it goes on. A failure lets it end."""
    raise NotImplementedError
