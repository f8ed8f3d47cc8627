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
def gives_records() -> Iterable[Any]:
    """Declares each of them that takes no argument: the new name's page says what it gives."""
    raise NotImplementedError


@hookspec
async def agentic_before_end(
    task: str, result: str, times: int, agent: str, workspace: Any, changes: Any, setup: Any
) -> str | None:
    """Asked when the model means that the task is done: a text is told to it, and it goes on. A failure lets it end."""
    raise NotImplementedError
