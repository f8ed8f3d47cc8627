"""`/attempts N TASK` in a chat."""

from agentic import ConfigError
from agentic.hooks.chat import Chat
from plugins_builtin.attempts import MOST
from plugins_builtin.attempts.fan_out import wanted


async def attempts(argument: str, chat: Chat) -> None:
    """Does a turn with that many attempts. Raises ConfigError."""
    number, _, task = argument.strip().partition(" ")
    if not number.isdigit() or not 2 <= int(number) <= MOST or not task.strip():
        raise ConfigError(f"/attempts {argument}: a number from 2 to {MOST} and a task", "/attempts 4 fix the failing test")
    wanted[chat.session_id] = int(number)
    try:
        await chat.ask(task.strip())
    finally:
        wanted.pop(chat.session_id, None)
