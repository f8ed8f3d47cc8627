"""`/attempts N TASK` and `/take N` in a chat."""

from dataclasses import replace

from agentic import Chat, ConfigError, Question
from agentic.lib.contents import Contents, content_of, put_all
from agentic.lib.listing import first_few
from plugins_builtin.attempts import MOST
from plugins_builtin.attempts.fan_out import wanted
from plugins_builtin.attempts.kept import MAX_NAMED, last_kept, write


async def attempts(argument: str, chat: Chat) -> None:
    """Does a turn with that many attempts. Raises ConfigError."""
    number, _, task = argument.strip().partition(" ")
    if not number.isdecimal() or not 2 <= int(number) <= MOST or not task.strip():
        raise ConfigError(f"/attempts {argument}: a number from 2 to {MOST} and a task", "/attempts 4 fix the failing test")
    wanted[chat.session_id] = int(number)
    try:
        await chat.ask(task.strip())
    finally:
        wanted.pop(chat.session_id, None)


async def take(argument: str, chat: Chat) -> None:
    """Brings what another attempt did into the folder, in place of what was taken. Raises ConfigError."""
    session, space = chat.conversation.session, chat.conversation.workspace
    kept = last_kept(session)
    number = int(argument) if argument.strip().isdecimal() else -1
    if number not in kept.files:
        numbers = ", ".join(map(str, kept.files))
        raise ConfigError(f"/take {argument}: there is no such attempt", f"the last task has these: {numbers}")
    now: Contents = {path: content_of(space, path) for path in kept.before}
    then, there = kept.left_by(kept.taken), kept.left_by(number)
    if changed := [path for path in now if now[path] not in (then[path], there[path], kept.before[path])]:
        question = Question(f"take attempt {number} although these changed since: {', '.join(changed)}", own=True)
        if (await chat.answer(question)).reply == "no":
            return
    session.append("turn", {"task": f"/take {number}"})
    files = [path for path in there if there[path] != now[path]]
    put_all(space, {path: there[path] for path in files}, kept.modes.get(number, {}))
    write(session, replace(kept, taken=number))
    names = first_few(files, MAX_NAMED)
    if files:
        chat.conversation.tell(f"(The user took another attempt at the task instead. These files are as it left them: {names}.)")
    chat.say(f"attempt {number} is taken: {names} (/undo takes that back)" if files else f"attempt {number} is what is there")
