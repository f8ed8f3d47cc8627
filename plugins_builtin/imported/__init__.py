"""The skills, commands and agents in Markdown that users bring from other agents, in a project's folders and their own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentic import (
    Addition,
    AgentKind,
    ChatCommand,
    PluginInfo,
    PromptSection,
    Provider,
    RunnableFinder,
    Setup,
    Tool,
    ToolSetup,
    hookimpl,
)
from agentic.hooks.chat import Chat
from agentic.once import OncePerSession

if TYPE_CHECKING:
    from agentic.trust import Runnable

_ONCE = OncePerSession("/imported lists them")


def _skill_tool(setup: ToolSetup) -> Tool:
    from plugins_builtin.imported.skills import SkillTool

    return SkillTool(setup)


def _catalogue(setup: Setup) -> str:
    from plugins_builtin.imported.skills import catalogue

    return catalogue(setup.root)


def _commands(root: Path) -> Sequence[ChatCommand]:
    from plugins_builtin.imported import commands, skills

    return [*commands.chat_commands(root), *skills.chat_commands(root)]


async def _list_skills(argument: str, chat: Chat) -> None:
    from plugins_builtin.imported.skills import skills_in_words

    chat.say(skills_in_words(chat.root))


def _unsupported(root: Path) -> list[str]:
    from plugins_builtin.imported import agents, commands, permissions, skills

    return [line for module in (skills, commands, agents, permissions) for line in module.unsupported(root)]


async def _list_unsupported(argument: str, chat: Chat) -> None:
    chat.say("\n".join(_unsupported(chat.root)) or "all skills, commands and agents are used as they are")


@hookimpl
async def agentic_before_task(session: str, setup: Setup) -> Addition | None:
    """Warns, once per session, of what cannot be used at all, before a task that might miss it."""

    def unusable() -> Sequence[str]:
        return [line for line in _unsupported(setup.root) if "cannot be used" in line and "`agentic trust`" not in line]

    await _ONCE.warn(session, setup.emit, unusable)
    return None


def _agents(root: Path) -> Sequence[AgentKind]:
    from plugins_builtin.imported.agents import kinds

    return kinds(root)


def _agents_told(setup: Setup) -> str:
    from plugins_builtin.imported.agents import catalogue

    return catalogue(setup.root) if setup.settings.sub_agents.enabled else ""


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("skill", "shows a skill of the project's or the user's", _skill_tool)


def _skills_with_scripts(root: Path) -> "Sequence[Runnable]":
    from plugins_builtin.imported.skills import found_runnables

    return found_runnables(root)


def _commands_that_run(root: Path) -> "Sequence[Runnable]":
    from plugins_builtin.imported.commands import found_runnables

    return found_runnables(root)


@hookimpl
def agentic_plugin() -> PluginInfo:
    scripts = RunnableFinder("skill-scripts", "skills that have scripts", _skills_with_scripts)
    commands = RunnableFinder("markdown-commands", "commands in Markdown that run something", _commands_that_run)
    return PluginInfo(runnables=(scripts, commands))


@hookimpl
def agentic_prompts() -> Iterable[AgentKind | PromptSection]:
    from plugins_builtin.imported.plan import PLAN

    yield replace(PLAN, more=_agents)
    yield PromptSection("agents", "which kinds of agents there are", _agents_told, {"nano": 150, "small": 400, "full": 1_000})
    yield PromptSection("skills", "which skills there are", _catalogue, {"nano": 300, "small": 700, "full": 2_000})


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    yield ChatCommand(
        "skills", "lists the skills, and what is wrong with those that cannot be used", _list_skills, None, _commands, "Project"
    )
    yield ChatCommand(
        "imported", "what is not used of skills, commands and agents in Markdown, and why", _list_unsupported, group="Project"
    )
