"""The slash commands that only a terminal needs: on sessions, the clipboard, the way out; and how one is found by what is typed."""

import base64
import re
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from difflib import get_close_matches
from itertools import islice

from agentic import AgenticError, Chat, ChatCommand, ConfigError, Question, api
from agentic.lib.palette import THEMES, palette_for
from agentic.sessions.store import Summary
from plugins_builtin.terminal.words import how_busy

MAX_LISTED = 20
COPY = " (copy)"
BLANK = r"[ \n]"  # between a command and its arguments, and between words of a message
ONLY_IN, SESSIONS, TALK = "terminal", "Sessions", "Conversation"
# As other agents, shells and people say it.
_OTHER_NAMES = {
    "/exit": "/quit",
    "/new": "/clear",
    "/models": "/model",
    "/brought": "/imported",
    "exit": "/quit",
    "quit": "/quit",
    "?": "/help",
}
_GROUPS = (TALK, "Model", "Files", "Project", SESSIONS)
KEYS = """\
Enter sends; while the agent works, it reaches it with its next step, Alt-Enter after the turn, Arrow-Up takes it back
Alt-Enter, Shift-Enter or \\ at a line's end begins a new line; Tab completes; Ctrl-R searches; Ctrl-G opens $EDITOR
Esc or Ctrl-C stops the turn; Esc Esc edits the last message; Ctrl-O shows what was folded; Ctrl-D leaves
@file and @folder put it into the message; #note goes to AGENTS.md
!command runs it, and the model is told; !!command keeps it to you"""


class Slash:
    """The slash commands of one chat."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._known: dict[str, ChatCommand] = {}

    def look(self) -> None:
        """Looks up the commands that plugins and this folder offer now."""
        offered = self._chat.conversation.slash_commands()
        self._known = {f"/{name}": each for name, each in offered.items() if each.only_in in ("", ONLY_IN)}

    @property
    def summaries(self) -> dict[str, str]:
        """The summary of each command, by its name."""
        return {name: command.summary for name, command in self._known.items()}

    async def run(self, text: str) -> bool:
        """True if the text was a slash command, which is done then. Raises AgenticError."""
        word, *rests = re.split(BLANK, text, maxsplit=1)
        if word.startswith("/") or not rests:
            word = _OTHER_NAMES.get(word, word)
        if word.startswith("/") and word not in self._known:
            self.look()
        if word in self._known:
            await self._chat.conversation.run_slash(word[1:], "".join(rests).strip(), self._chat)
        elif text.startswith("/") and "/" not in word[1:]:
            near = get_close_matches(word, self._known, 1)
            self._chat.say(f"there is no command {word}; " + (f"did you mean {near[0]}?" if near else "/help lists them"))
        else:
            return False
        return True

    def is_one(self, text: str) -> bool:
        """True for a slash command."""
        return re.split(BLANK, text, maxsplit=1)[0] in self._known

    def complete(self, word: str, argument: str) -> list[str]:
        """Returns the completions of a command's argument."""
        return self._chat.conversation.complete_slash(word[1:], argument, self._chat) if word in self._known else []


async def _help(rest: str, chat: Chat) -> None:
    groups: dict[str, list[str]] = {name: [] for name in _GROUPS}
    for name, command in sorted(chat.conversation.slash_commands().items(), key=lambda each: each[0] != "help"):
        if command.only_in in ("", ONLY_IN):
            groups.setdefault(command.group, []).append(f"  /{name:<12}{command.summary}")
    lines = [line for group, listed in groups.items() if listed for line in (group, *listed)]
    chat.say("\n".join([*lines, "Keys", *(f"  {line}" for line in KEYS.split("\n"))]))


async def _copy(rest: str, chat: Chat) -> None:
    words = chat.conversation.last_words
    if not words:
        raise ConfigError("there is no answer here that could be copied")
    chat.write(f"\x1b]52;c;{base64.b64encode(words.encode()).decode()}\x07")
    chat.say(f"copied {len(words)} characters, where the terminal lets programs do that")


async def _quit(rest: str, chat: Chat) -> None:
    chat.leave()


async def _detach(rest: str, chat: Chat) -> None:
    from plugins_builtin.terminal.window import ChatWindow

    if isinstance(chat, ChatWindow):
        chat.leaving.leave()


async def _clear(rest: str, chat: Chat) -> None:
    await chat.reopen(chat.settings, "")


async def _fork(rest: str, chat: Chat) -> None:
    """A copy has a name of its own."""
    store = api.session_store()
    copy, title = store.fork(chat.conversation.session), chat.conversation.session.metadata("title")
    session, _ = store.open(copy)
    with closing(session):
        session.set_metadata("title", f"{title.removesuffix(COPY)}{COPY}".strip())
    await chat.reopen(chat.settings, copy)


async def _sessions(words: str, chat: Chat) -> None:
    found = list(islice(api.session_store().search(chat.root, words.split()), MAX_LISTED))
    chat.say("\n".join(f"{summary.id}  {summary.title}" for summary in found) or "no such sessions here")


async def _resume(name: str, chat: Chat) -> None:
    if not name:
        others = (summary for summary in api.session_store().of(chat.root) if summary.id != chat.session_id)
        listed = {_about(summary): summary.id for summary in islice(others, MAX_LISTED)}
        if not listed:
            raise ConfigError("this folder has no other session", "`agentic sessions` lists those of all folders")
        answer = await chat.answer(Question("Go on with which session?", choices=tuple(listed), own=True))
        name = listed.get(answer.word, "")
    if name:
        await chat.reopen(chat.settings, name)


def _about(summary: Summary) -> str:
    """A session in a line: its title, when, how many turns."""
    turns = 0
    with suppress(AgenticError), closing(api.session_store().read(summary.id)) as session:
        turns = len(session.turns())
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.changed))
    return f"{summary.title or '(nothing was said)'} · {when} · {turns} {'turn' if turns == 1 else 'turns'} · {summary.id}"


def _sample(theme: str) -> str:
    """A row in the colours of that theme."""
    paint = palette_for(theme, "utf-8").paint
    said, code = paint("user_back", " what you say "), paint("keyword", "return") + " " + paint("string", '"text"')
    change = f"{paint('added_back', '+ added')} {paint('removed_back', '- removed')}"
    return (
        f"{theme:<11}{said}  {paint('heading', 'Heading')}  {paint('code', 'code')}  {code}  {change}  {paint('accent', 'chosen')}"
    )


async def _theme(name: str, chat: Chat) -> None:
    if not name:
        chat.write("\n".join(_sample(theme) for theme in THEMES if theme != "auto"))
        answer = await chat.answer(Question("Which theme?", choices=THEMES, own=True))
        name = answer.word
    if name and name not in THEMES:
        raise ConfigError(f"there is no theme {name!r}", f"choose from {', '.join(THEMES)}")
    if name:
        await chat.reopen(chat.settings.changed("ui.theme", name, "/theme"), chat.session_id)


async def _status(rest: str, chat: Chat) -> None:
    conversation = chat.conversation
    info, report = conversation.model, conversation.context()
    rows = [
        ("folder", str(chat.root)),
        ("session", f"{chat.session_id} {conversation.session.metadata('title')}".rstrip()),
        ("model", f"{info.model} at {info.url}" + (f", window {info.window:,}" if info.window else "")),
        ("context", f"{report.tokens:,} of {report.budget:,} tokens"),
        ("approval", conversation.mode),
        *((seen.endpoint, how_busy(seen)) for seen in await conversation.endpoints()),
    ]
    wide = max(len(name) for name, _ in rows)
    chat.say("\n".join(f"{name:<{wide}}  {about}" for name, about in rows))


def _ids(argument: str, chat: Chat) -> Sequence[str]:
    return [summary.id for summary in islice(api.session_store().of(chat.root), MAX_LISTED)]


async def _rename(name: str, chat: Chat) -> None:
    if not name:
        raise ConfigError("/rename needs a name", "/rename the parser")
    chat.conversation.session.set_metadata("title", name)
    chat.say(f"this session is called {name!r} now")


COMMANDS = (
    ChatCommand("help", "this list", _help, group=TALK, only_in=ONLY_IN),
    ChatCommand("copy", "copies the last answer", _copy, group=TALK, only_in=ONLY_IN),
    ChatCommand("clear", "begins a new session", _clear, group=SESSIONS, only_in=ONLY_IN),
    ChatCommand("fork", "goes on in a copy of this session", _fork, group=SESSIONS, only_in=ONLY_IN),
    ChatCommand(
        "sessions", "[WORDS] lists this folder's sessions, or those that have the words", _sessions, group=SESSIONS, only_in=ONLY_IN
    ),
    ChatCommand("resume", "[ID] goes on with a session (without ID: choose one)", _resume, _ids, group=SESSIONS, only_in=ONLY_IN),
    ChatCommand("status", "the folder, the session, the model, the context, the servers", _status, group=TALK, only_in=ONLY_IN),
    ChatCommand("theme", "[NAME] chooses the colours", _theme, lambda argument: THEMES, group=TALK, only_in=ONLY_IN),
    ChatCommand("detach", "leaves the session running: agentic attach comes back to it", _detach, group=SESSIONS, only_in=ONLY_IN),
    ChatCommand("rename", "NAME names this session", _rename, group=SESSIONS, only_in=ONLY_IN),
    ChatCommand("quit", "leaves (as Ctrl-D does)", _quit, group=SESSIONS, only_in=ONLY_IN),
)
