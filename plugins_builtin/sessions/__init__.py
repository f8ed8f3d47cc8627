"""Sessions for people: `agentic sessions` lists, shows, exports, removes them, takes back what they wrote; `/export` in a chat."""

from collections.abc import Iterable

from agentic import ChatCommand, Command, hookimpl
from agentic.hooks.chat import Chat


async def _export(argument: str, chat: Chat) -> None:
    from plugins_builtin.sessions.export import written

    chat.say(f"written: {written(chat.session_id, chat.root, argument)}")


@hookimpl
def agentic_commands() -> Iterable[Command | ChatCommand]:
    summary = "lists, shows, exports, removes sessions; undo reverts what they wrote"
    yield Command("sessions", summary, "plugins_builtin.sessions.command:command")
    yield ChatCommand("export", "[FILE] writes this session as .html, .md or .jsonl", _export, group="Sessions")
