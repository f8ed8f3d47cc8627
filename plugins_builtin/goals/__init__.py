"""Goals: turns until commands show that it is reached, over restarts of everything."""

from collections.abc import Iterable
from pathlib import Path

from agentic import ChatCommand, Command, PromptTemplate, hookimpl
from agentic.hooks.chat import Chat

TEXTS = Path(__file__).parent / "texts"


async def _goal(argument: str, chat: Chat) -> None:
    from plugins_builtin.goals.slash import goal

    await goal(argument, chat)


@hookimpl
def agentic_commands() -> Iterable[Command | ChatCommand]:
    where = "plugins_builtin.goals.command"
    yield Command("goal", "works until commands show that a goal is reached", f"{where}:goal")
    yield ChatCommand("goal", "TEXT --check COMMAND: turns until it is shown to be reached", _goal, group="Tasks")


@hookimpl
def agentic_prompts() -> Iterable[PromptTemplate]:
    for path in sorted(TEXTS.glob("*.txt")):
        yield PromptTemplate(path.stem, path.read_text(encoding="utf-8").rstrip("\n"))
