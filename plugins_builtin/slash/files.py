"""Slash commands on what was done: the changes, taking them back, background jobs, sub-agents."""

from collections.abc import Callable, Sequence

from agentic import Chat, ChatCommand, ConfigError, Question
from agentic.lib.diff import difference, painted
from agentic.lib.listing import first_few
from agentic.sessions.undo import ChangedSince, changed_files, last_turn, redo, turn_before, undo

GROUP = "Files"
MAX_FILES = 8  # that are named


async def _diff(rest: str, chat: Chat) -> None:
    if rest.strip():
        chat.write("\n".join(painted(_diff_of_attempt(rest.strip(), chat), chat.palette)) + "\n")
        return
    changed = changed_files(chat.conversation.session, chat.conversation.workspace)
    lines = [line for path, edit in changed.items() for line in painted(difference(path, *edit), chat.palette)]
    chat.write("\n".join(lines or ["nothing is changed"]) + "\n")


def _diff_of_attempt(number: str, chat: Chat) -> str:
    """Returns the difference that an attempt at the last such task made. Raises ConfigError where there is none."""
    events = [each.data for each in chat.conversation.session.records("event") if each.data.get("type") == "attempts_chosen"]
    attempts = {str(each["number"]): str(each["diff"]) for each in (events[-1]["attempts"] if events else ())}
    if number not in attempts:
        raise ConfigError(f"/diff {number}: there is no such attempt", f"there are these: {', '.join(attempts) or 'none'}")
    return attempts[number] or "it changed nothing"


async def _add_dir(folder: str, chat: Chat) -> None:
    space = chat.conversation.workspace
    if not folder:
        chat.say("\n".join(map(str, (space.root, *space.grants.roots))))
        return
    root = chat.conversation.add_root(folder)
    chat.say(f"agents work in {root}, too, with the same rules")


async def _jobs(rest: str, chat: Chat) -> None:
    jobs, (word, _, number) = chat.conversation.jobs, (rest if rest.startswith("stop") else f"show {rest}").partition(" ")
    if not number.strip():
        lines = [f"{job.number}  {job.command}  ({job.state})" for job in jobs.all()]
        chat.say("\n".join(lines) or "nothing runs in the background")
        return
    job = jobs.get(int(number)) if number.strip().isdigit() else None
    if job is None:
        raise ConfigError(f"there is no job {number}", "/jobs lists them")
    if word == "stop":
        await job.end()
    chat.say(f"{job.last()}({job.state})")


async def _agents(rest: str, chat: Chat) -> None:
    titles: dict[str, str] = {}
    ends: dict[str, str] = {}
    for entry in chat.conversation.session.records("event"):
        match entry.data.get("type"):
            case "sub_agent_started":
                titles[entry.agent] = str(entry.data.get("title") or entry.data.get("task"))
            case "sub_agent_finished":
                files = ", ".join(map(str, entry.data.get("files") or ()))
                ends[entry.agent] = f"{entry.data.get('status')}" + (f" ({files})" if files else "")
    lines = [f"{title}: {ends.get(agent, 'not finished')}" for agent, title in titles.items()]
    chat.say("\n".join(lines) or "this session had no sub-agents")


async def _undo(rest: str, chat: Chat) -> None:
    session, space = chat.conversation.session, chat.conversation.workspace
    since = last_turn(session)
    files = await _confirmed(chat, "undo", lambda force: undo(session, space, since, force)) if since else []
    if files:
        chat.conversation.tell(f"(The user took your last changes back. As before now: {', '.join(files)}.)")
    chat.say(f"taken back: {_names_of(files)}" if files else "there is nothing to take back")


async def _redo(rest: str, chat: Chat) -> None:
    session, space = chat.conversation.session, chat.conversation.workspace
    files = await _confirmed(chat, "redo", lambda force: redo(session, space, force))
    if files:
        chat.conversation.tell(f"(The user brought your changes back. As you left them now: {', '.join(files)}.)")
    chat.say(f"done over: {_names_of(files)}" if files else "there is nothing to do over")


async def _rewind(rest: str, chat: Chat) -> None:
    """Takes the last turns back, what was said and what was done."""
    session, space = chat.conversation.session, chat.conversation.workspace
    count = int(rest) if rest.isdigit() else await _chosen_turn(chat)
    if not count:
        return
    since = turn_before(session, count)
    if not since:
        raise ConfigError(f"this session has no {count} turns to go back", "/rewind N, with fewer")
    files = await _confirmed(chat, "rewind", lambda force: undo(session, space, since, force))
    chat.conversation.rewind(since)
    chat.say(f"back by {count}" + (f"; taken back: {_names_of(files)}" if files else ""))


async def _chosen_turn(chat: Chat) -> int:
    """How many turns the user wants to go back; 0 for none."""
    turns = chat.conversation.session.turns()
    tasks = [f"{count}: {' '.join(str(record.data.get('task', '')).split())}" for count, record in enumerate(reversed(turns), 1)]
    answer = await chat.answer(Question("Go back to before which message?", choices=tuple(tasks), own=True))
    number = answer.word.partition(":")[0]
    return int(number) if answer.reply != "no" and number.isdigit() else 0


async def _confirmed(chat: Chat, what: str, change: Callable[[bool], list[str]]) -> list[str]:
    """Files that the user changed since are only overwritten after a question."""
    try:
        return change(False)
    except ChangedSince as error:
        question = Question(f"{what} although these changed since: {', '.join(error.paths)}", own=True)
        return change(True) if (await chat.answer(question)).reply != "no" else []


def _names_of(files: Sequence[str]) -> str:
    """Their names, those of caches and the like last; many are counted."""
    found = sorted(files, key=lambda path: path.startswith("."))
    return first_few(found, MAX_FILES)


COMMANDS = (
    ChatCommand("diff", "[N] what this session changed, or attempt N did", _diff, group=GROUP),
    ChatCommand("add-dir", "[DIR] lists the folders that agents work in, or adds one", _add_dir, group=GROUP),
    ChatCommand("jobs", "[N] what runs in the background, or what it gave out; `/jobs stop N` ends it", _jobs, group=GROUP),
    ChatCommand("agents", "the sub-agents of this session, and what became of them", _agents, group=GROUP),
    ChatCommand("undo", "takes back what the last turn's tools and commands did to the files", _undo, group=GROUP),
    ChatCommand("redo", "does the last /undo over", _redo, group=GROUP),
    ChatCommand("rewind", "[N] goes back N turns, files and conversation (without N: choose)", _rewind, group="Sessions"),
)
