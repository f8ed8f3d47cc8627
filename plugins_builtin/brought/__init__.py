"""What users bring from other agents: skills (`SKILL.md`) and commands in Markdown, of a project's and of their own folders."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from agentic import ChatCommand, PromptSection, Provider, RunnableFinder, Setup, Tool, ToolSetup, hookimpl
from agentic.hooks.chat import Chat
from agentic.trust import Runnable


def _skill_tool(setup: ToolSetup) -> Tool:
    from plugins_builtin.brought.skills import SkillTool

    return SkillTool(setup)


def _catalogue(setup: Setup) -> str:
    from plugins_builtin.brought.skills import catalogue

    return catalogue(setup.root)


def _commands(root: Path) -> Sequence[ChatCommand]:
    from plugins_builtin.brought import commands, skills

    return [*commands.chat_commands(root), *skills.chat_commands(root)]


async def _list_skills(argument: str, chat: Chat) -> None:
    from plugins_builtin.brought.skills import listed

    chat.say(listed(chat.root))


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("skill", "shows a skill of the project's or the user's", _skill_tool)


def _skills_with_scripts(root: Path) -> Sequence[Runnable]:
    from plugins_builtin.brought.skills import found_runnables

    return found_runnables(root)


def _commands_that_run(root: Path) -> Sequence[Runnable]:
    from plugins_builtin.brought.commands import found_runnables

    return found_runnables(root)


@hookimpl
def agentic_runnables() -> Iterable[RunnableFinder]:
    yield RunnableFinder("skill-scripts", "skills that have scripts", _skills_with_scripts)
    yield RunnableFinder("markdown-commands", "commands in Markdown that run something", _commands_that_run)


@hookimpl
def agentic_prompt_sections() -> Iterable[PromptSection]:
    yield PromptSection("skills", "which skills there are", _catalogue, {"nano": 300, "small": 700, "full": 2_000})


@hookimpl
def agentic_chat_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("skills", "lists the skills, and what is wrong with those that cannot be used", _list_skills, more=_commands)
