"""The host's provider hooks in one table: what each takes, what it has to be like, and which setting selects it."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from agentic.hooks import Hook, Provider
from agentic.hooks.agents import AgentKind
from agentic.hooks.batching import Batcher, Closes, Routes, Warms, Watches
from agentic.hooks.chat import ChatCommand
from agentic.hooks.checks import Checker
from agentic.hooks.commands import Command
from agentic.hooks.complexity import ComplexityEstimator
from agentic.hooks.context import Condenses, ContextStrategy
from agentic.hooks.decomposition import Decomposer
from agentic.hooks.fan_out import CarriesOut, FanOut
from agentic.hooks.launcher import Launcher, Reports
from agentic.hooks.permissions import KeepsRules, KeepsSafe, Permissions, WatchesCommands
from agentic.hooks.prompt import PromptSection, PromptTemplate
from agentic.hooks.protocol import OutputRepair, ToolProtocol, Vocabulary
from agentic.hooks.screen import Renderer
from agentic.hooks.tools import Announces, Tool, ToolSource
from agentic.hooks.transport import CachesPrefixes, CountsTokens, FollowsEndpoints, ReportsLoad, Resumes, SendsBatches, Transport
from agentic.hooks.trust import RunnableFinder

TOOL_NAME = r"[A-Za-z0-9_-]{1,64}"  # what OpenAI-compatible servers take for a function's name
COMMAND_NAME = r"[a-z][a-z0-9-]*"


DOORS: Mapping[str, Hook] = MappingProxyType(
    {
        "agentic_transports": Hook(
            Provider,
            Transport,
            (CachesPrefixes, CountsTokens, FollowsEndpoints, ReportsLoad, Resumes, SendsBatches),
            "llm.transport",
        ),
        "agentic_batchers": Hook(Provider, Batcher, (Closes, FollowsEndpoints, Routes, Warms, Watches), "batching.strategy"),
        "agentic_context_strategies": Hook(Provider, ContextStrategy, (Condenses,), "context.strategy"),
        "agentic_complexity_estimators": Hook(Provider, ComplexityEstimator, (), "complexity.estimator"),
        "agentic_decomposers": Hook(Provider, Decomposer, (), "decomposition.strategy"),
        "agentic_fan_outs": Hook(Provider, FanOut, (CarriesOut,), "sub_agents.fan_out"),
        "agentic_tools": Hook(Provider, Tool, (), "tools.enabled", TOOL_NAME),
        "agentic_tool_sources": Hook(Provider, ToolSource, (Announces,)),
        "agentic_renderers": Hook(Provider, Renderer, (), "ui.renderer"),
        "agentic_launchers": Hook(Provider, Launcher, (Reports,), guards=True),
        "agentic_permissions": Hook(Provider, Permissions, (KeepsRules, KeepsSafe, WatchesCommands), guards=True),
        "agentic_tool_protocols": Hook(Provider, ToolProtocol, (), "tools.protocol"),
        "agentic_output_repairs": Hook(Provider, OutputRepair),
        "agentic_checkers": Hook(Provider, Checker),
        "agentic_vocabularies": Hook(Vocabulary),
        "agentic_prompts": Hook(PromptTemplate),
        "agentic_prompt_sections": Hook(PromptSection),
        "agentic_agents": Hook(AgentKind, names=COMMAND_NAME),
        "agentic_runnables": Hook(RunnableFinder),
        "agentic_chat_commands": Hook(ChatCommand, names=COMMAND_NAME),
        "agentic_commands": Hook(Command, names=COMMAND_NAME),
    }
)
# Event hooks by which a plugin guards the user; provider hooks say so themselves.
_GUARDING_EVENTS = ("agentic_before_tool", "agentic_before_request", "agentic_on_event")


def guarding(hooks: Mapping[str, Hook]) -> set[str]:
    """Returns the hooks that make a plugin one that no project may switch off."""
    return {*_GUARDING_EVENTS, *(name for name, hook in hooks.items() if hook.guards)}


def specifications() -> list[Any]:
    """The modules that hold the hook specifications."""
    homes = [import_module("agentic.hooks"), import_module("agentic.hooks.events")]
    for door in DOORS.values():
        home = import_module((door.protocol or door.record).__module__)
        if home not in homes:
            homes.append(home)
    return homes
