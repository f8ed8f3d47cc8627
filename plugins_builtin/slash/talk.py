"""Slash commands on the conversation: where its tokens are, a shorter one, a plan first, another agent, a review."""

from collections.abc import Sequence

from agentic import Chat, ChatCommand, ConfigError, Question
from agentic.lib.diff import difference
from agentic.sessions.undo import changed_files, turn_before

GROUP = "Conversation"
MAIN = "main"  # as /agent calls an agent of no special kind


async def _context(rest: str, chat: Chat) -> None:
    report = chat.conversation.context()
    lines = [f"{name:<14}{tokens:>7}  {100 * tokens / report.budget:4.0f} %" for name, tokens in report.parts.items()]
    lines.append(f"{'together':<14}{report.tokens:>7}  of {report.budget} (window {report.window}, tier {report.tier})")
    lines.append(f"counted by {report.method}" + (f": {report.error}" if report.error else ""))
    lines.append(f"session {chat.session_id}, {chat.conversation.length} messages")
    chat.say("\n".join(lines))


async def _compact(focus: str, chat: Chat) -> None:
    before, after = await chat.follow(chat.conversation.compact(focus))
    chat.say(f"the conversation has {after} tokens now instead of {before}")


async def _plan(task: str, chat: Chat) -> None:
    if not task:
        raise ConfigError("/plan needs a task", "/plan add a --verbose flag")
    conversation = chat.conversation
    kind = next((each for each in conversation.kinds.values() if each.plans), None)
    if kind is None:
        raise ConfigError("no agent here makes plans", "`agentic plugins` shows which plugins are loaded")
    before = conversation.kind
    conversation.become(kind.name)
    try:
        done = await chat.ask(task)
    finally:
        conversation.become(before.name if before else "")
    if done:
        await _after_plan(conversation.last_words, chat)


async def _after_plan(plan: str, chat: Chat) -> None:
    """The user approves the plan, changes it, or says what else."""
    answer = await chat.answer(Question("carry this plan out", editable={"plan.md": plan}))
    if answer.edited:
        await chat.ask(chat.conversation.prompt("chat.carry_out_edited", plan=answer.edited["plan.md"]))
    elif answer.reply != "no":
        await chat.ask(chat.conversation.prompt("chat.carry_out"))
    elif answer.word:
        await chat.ask(answer.word)


async def _agent(name: str, chat: Chat) -> None:
    if name:
        chat.conversation.become("" if name == MAIN else name)
        chat.say(f"the next task is for {'no special agent' if name == MAIN else f'the agent {name}'}")
    else:
        lines = [f"{kind.name}: {kind.summary}" for kind in chat.conversation.kinds.values()]
        chat.say("\n".join([*lines, f"{MAIN}: an agent like any other"]))


def _agents(argument: str, chat: Chat) -> Sequence[str]:
    return [*chat.conversation.kinds, MAIN]


async def _review(what: str, chat: Chat) -> None:
    conversation = chat.conversation
    changed = changed_files(conversation.session, conversation.workspace)
    mine = "".join(difference(path, *edit) for path, edit in changed.items())
    if not mine:
        raise ConfigError("this session changed nothing that could be reviewed")
    room = conversation.context().budget  # in tokens, so about a quarter of it as text
    changes = mine if len(mine) <= room else f"{mine[:room]}\n(and more: read {', '.join(changed)})"
    with conversation.reading_only():
        await chat.ask(conversation.prompt("chat.review", what=what or "correctness", changes=changes))


async def _aside(question: str, chat: Chat) -> None:
    """The answer stays on the screen; the conversation is as it was, so its cache is, too."""
    if not question:
        raise ConfigError("/btw needs a question", "/btw what does this flag do?")
    conversation, session = chat.conversation, chat.conversation.session
    before = turn_before(session, 1)
    try:
        with conversation.reading_only():
            await chat.ask(question)
    finally:
        if (begun := turn_before(session, 1)) != before:
            conversation.rewind(begun)


COMMANDS = (
    ChatCommand("context", "where the tokens of the next prompt are", _context, group=GROUP),
    ChatCommand("btw", "QUESTION is answered, and forgotten: nothing of it stays in the conversation", _aside, group=GROUP),
    ChatCommand("compact", "[FOCUS] goes on with a summary of what was said", _compact, group=GROUP),
    ChatCommand("plan", "TASK: a plan first, in which nothing is changed; then you decide", _plan, group=GROUP),
    ChatCommand("agent", "[NAME] lists the kinds of agents, or goes on as one", _agent, _agents, group=GROUP),
    ChatCommand("review", "[WHAT] has the changes reviewed; nothing is changed", _review, group=GROUP),
)
