"""`/goal` in a chat."""

import shlex

from agentic import Chat, ConfigError
from plugins_builtin.goals.goal import Goal, budget_of, configured
from plugins_builtin.goals.loop import WORDS, Pursuit

HOW = '/goal "all tests pass" --check "python -m pytest -q" --budget 1h'


async def goal(argument: str, chat: Chat) -> None:
    """Pursues a goal in this session; Ctrl-C pauses it. Raises ConfigError."""
    text, checks, budgets = _read(argument)
    commands = checks or configured(chat.settings)
    if not text or not commands:
        raise ConfigError("/goal needs a text, and commands that show that it is reached", HOW)
    pursuit = Pursuit(Goal(text, commands, budget_of(budgets)), chat.conversation, chat.ask, chat.say)
    ended = await pursuit.run()
    chat.say(f"{WORDS.get(ended.status, ended.status)}: {ended.spent} spent")


def _read(argument: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """(the goal, its checks, its budgets). Raises ConfigError."""
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise ConfigError(f"/goal {argument}: {error}", HOW) from error
    found: dict[str, list[str]] = {"": [], "--check": [], "--budget": []}
    while words:
        word = words.pop(0)
        if word in ("--check", "--budget") and words:
            found[word].append(words.pop(0))
        else:
            found[""].append(word)
    return " ".join(found[""]), tuple(found["--check"]), tuple(found["--budget"])
