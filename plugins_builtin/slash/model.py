"""Slash commands on the model: which, where, how much it thinks, what it may do without a question."""

from collections.abc import Sequence

from agentic import Chat, ChatCommand, ConfigError, Question
from agentic.config import schema

GROUP = "Model"
EFFORTS, MODES = (tuple(filter(None, schema.KEYS[name].choices)) for name in ("llm.reasoning_effort", "approval.mode"))


async def _model(name: str, chat: Chat) -> None:
    if name:
        await chat.reopen(chat.settings.changed("llm.model", name, "/model"), chat.session_id)
    else:
        await _list_models(chat)


async def _list_models(chat: Chat) -> None:
    """Lists what the endpoints serve; of more than one model the user may choose."""
    info = chat.conversation.model
    lines, names = [f"{info.model} at {info.url}"], dict[str, None]()
    for url, found in await chat.conversation.served():
        if isinstance(found, str):
            lines.append(f"  {url}: {found}")
        else:
            window = f", {found.window:,} tokens" if found.window else ""
            served = found.served or (found.model,)
            names |= dict.fromkeys(served)
            lines.append(f"  {url}: {', '.join(served)}{window}")
    chat.say("\n".join(lines))
    if len(names) > 1:
        answer = await chat.answer(Question("Go on with which model?", choices=tuple(names), own=True))
        if answer.word in names and answer.word != info.model:
            await _model(answer.word, chat)


def _models(argument: str, chat: Chat) -> Sequence[str]:
    return chat.conversation.models


async def _endpoint(url: str, chat: Chat) -> None:
    if not url:
        await _list_models(chat)
        return
    settings = chat.settings.changed("llm.endpoints", [url], "/endpoint").changed("llm.model", "", "/endpoint")
    await chat.reopen(settings.changed("llm.transport", "auto", "/endpoint"), chat.session_id)


async def _effort(effort: str, chat: Chat) -> None:
    session = chat.conversation.session
    if not effort:
        chat.say(f"effort: {session.metadata('frozen:effort') or 'as the server has it'}")
        return
    if effort not in EFFORTS:
        raise ConfigError(f"there is no effort {effort!r}", f"choose from {', '.join(EFFORTS)}")
    session.set_metadata("frozen:effort", effort)
    chat.say(f"effort: {effort}")
    await chat.reopen(chat.settings.changed("llm.reasoning_effort", effort, "/effort"), chat.session_id)


def _efforts(argument: str, chat: Chat) -> Sequence[str]:
    return EFFORTS


async def _approve(mode: str, chat: Chat) -> None:
    if mode and mode not in MODES:
        raise ConfigError(f"there is no mode {mode!r}", f"choose from {', '.join(MODES)}")
    if mode:
        await chat.conversation.approve(mode)
    chat.say(f"approval: {chat.conversation.mode}")


def _modes(argument: str, chat: Chat) -> Sequence[str]:
    return MODES


async def _permissions(rest: str, chat: Chat) -> None:
    rules = [f"{decision:<6} {rule}  # {origin}" for decision, rule, origin in chat.conversation.rules]
    chat.say("\n".join([*rules, f"else   as the mode says: {chat.conversation.mode}"]))


COMMANDS = (
    ChatCommand("model", "[NAME] lists what the endpoints serve, or goes on with one", _model, _models, group=GROUP),
    ChatCommand("endpoint", "[URL] shows the endpoint, or goes on with another one", _endpoint, group=GROUP),
    ChatCommand("effort", "[low|medium|high|…] how much the model thinks", _effort, _efforts, group=GROUP),
    ChatCommand("approve", "[MODE] what needs a question: ask, edits, all, none", _approve, _modes, group=GROUP),
    ChatCommand("permissions", "the rules that hold here", _permissions, group=GROUP),
)
