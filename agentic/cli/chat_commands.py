"""The chat's slash commands."""

import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from agentic import api
from agentic.config import Settings, schema
from agentic.core.questions import Question
from agentic.errors import AgenticError, ConfigError
from agentic.hooks.chat import ChatCommand
from agentic.lib.diff import difference, painted
from agentic.lib.record import record
from agentic.lib.sanitize import hide_logins
from agentic.lib.workspace import Workspace
from agentic.plugins.guard import FAULTS
from agentic.plugins.isolation import describe
from agentic.sessions.undo import ChangedSince, changed_files, last_turn, redo, turn_before, undo

if TYPE_CHECKING:
    from agentic.cli.chat import ChatWindow

MAX_LISTED = 20
MAX_FILES = 8  # that are named
MAIN = "main"  # as /agent calls an agent of no special kind
BLANK = r"[ \n]"  # between a command and its arguments, and between words of a message
EFFORTS, MODES = (tuple(filter(None, schema.KEYS[name].choices)) for name in ("llm.reasoning_effort", "approval.mode"))
# As other agents, shells and people say it.
_OTHER_NAMES = {"/exit": "/quit", "/new": "/clear", "/models": "/model", "exit": "/quit", "quit": "/quit", "?": "/help"}
KEYS = """\
Enter sends; while the agent works, it reaches it with its next step, Alt-Enter after the turn, Arrow-Up takes it back
Alt-Enter, Shift-Enter or \\ at a line's end begins a new line; Tab completes; Ctrl-R searches; Ctrl-G opens $EDITOR
Esc or Ctrl-C stops the turn; Esc Esc edits the last message; Ctrl-O shows what was folded; Ctrl-D leaves
@file and @folder put it into the message; #note goes to AGENTS.md
!command runs it, and the model is told; !!command keeps it to you"""


class Reopen(Exception):
    """The chat goes on with other settings, or another session."""

    def __init__(self, settings: Settings, resume: str) -> None:
        super().__init__()
        self.settings = settings
        self.resume = resume


@record(frozen=True, slots=True)
class OwnCommand:
    """`run(argument)`; `choices` are what the argument may be."""

    group: str
    summary: str
    run: Callable[[str], Awaitable[None]]
    choices: Callable[[], Iterable[str]] = tuple


class Commands:
    """The slash commands of the host and of plugins, for one session."""

    def __init__(self, chat: "ChatWindow") -> None:
        self._chat = chat
        self._session = chat.session
        self._runtime = chat.runtime
        say, model, files, session = "Conversation", "Model", "Files", "Sessions"
        self.entries = {
            "/help": OwnCommand(say, "this list", self._help),
            "/context": OwnCommand(say, "where the tokens of the next prompt are", self._context),
            "/compact": OwnCommand(say, "[FOCUS] goes on with a summary of what was said", self._compact),
            "/plan": OwnCommand(say, "TASK: a plan first, in which nothing is changed; then you decide", self._plan),
            "/agent": OwnCommand(say, "[NAME] lists the kinds of agents, or goes on as one", self._agent, self._agent_names),
            "/review": OwnCommand(say, "[WHAT] has the changes reviewed; nothing is changed", self._review),
            "/copy": OwnCommand(say, "copies the last answer", self._copy),
            "/model": OwnCommand(model, "[NAME] lists what the endpoints serve, or goes on with one", self._model, self._names),
            "/endpoint": OwnCommand(model, "[URL] shows the endpoint, or goes on with another one", self._endpoint),
            "/effort": OwnCommand(model, "[low|medium|high|…] how much the model thinks", self._effort, lambda: EFFORTS),
            "/approve": OwnCommand(model, "[MODE] what needs a question: ask, edits, all, none", self._approve, lambda: MODES),
            "/permissions": OwnCommand(model, "the rules that hold here", self._permissions),
            "/diff": OwnCommand(files, "what this session changed", self._diff),
            "/jobs": OwnCommand(files, "[N] what runs in the background, or what it gave out; `/jobs stop N` ends it", self._jobs),
            "/agents": OwnCommand(files, "the sub-agents of this session, and what became of them", self._agents),
            "/undo": OwnCommand(files, "takes back what the last turn's tools and commands did to the files", self._undo),
            "/redo": OwnCommand(files, "does the last /undo over", self._redo),
            "/rewind": OwnCommand(session, "[N] goes back N turns, files and conversation (without N: one)", self._rewind),
            "/clear": OwnCommand(session, "begins a new session", self._clear),
            "/fork": OwnCommand(session, "goes on in a copy of this session", self._fork),
            "/sessions": OwnCommand(session, "[WORDS] lists this folder's sessions, or those that have the words", self._sessions),
            "/resume": OwnCommand(session, "[ID] goes on with a session (without ID: lists them)", self._resume, self._ids),
            "/rename": OwnCommand(session, "NAME names this session", self._rename),
            "/quit": OwnCommand(session, "leaves (as Ctrl-D does)", self._quit),
        }
        self._plugins: dict[str, tuple[str, ChatCommand]] = {}

    def look(self) -> None:
        """Looks up the commands that plugins and this folder offer now."""
        offered = self._runtime.chat_commands()
        self._plugins = {f"/{name}": each for name, each in offered.items() if f"/{name}" not in self.entries}

    @property
    def summaries(self) -> dict[str, str]:
        """The summary of each command, by its name."""
        own = {name: entry.summary for name, entry in self.entries.items()}
        return own | {name: command.summary for name, (_, command) in self._plugins.items()}

    async def run(self, text: str) -> bool:
        """True if the text was a slash command, which is done then. Raises Reopen, AgenticError."""
        word, *rests = re.split(BLANK, text, maxsplit=1)
        if word.startswith("/") or not rests:
            word = _OTHER_NAMES.get(word, word)
        rest = "".join(rests).strip()
        if word.startswith("/") and word not in self.summaries:
            self.look()
        if word in self.entries:
            await self.entries[word].run(rest)
        elif word in self._plugins:
            await self._plugins_command(*self._plugins[word], rest)
        elif text.startswith("/") and "/" not in word[1:]:
            near = get_close_matches(word, self.summaries, 1)
            self._chat.say(f"there is no command {word}; " + (f"did you mean {near[0]}?" if near else "/help lists them"))
        else:
            return False
        return True

    def complete(self, word: str, argument: str) -> list[str]:
        """Returns the completions of a command's argument; a plugin that fails completes nothing."""
        if word in self.entries:
            return list(self.entries[word].choices())
        complete = self._plugins[word][1].complete if word in self._plugins else None
        try:
            return [str(each) for each in complete(argument)] if complete else []
        except FAULTS:
            return []

    async def _plugins_command(self, plugin: str, command: ChatCommand, argument: str) -> None:
        try:
            await command.run(argument, self._chat)
        except AgenticError:  # what it has to say, with a remedy
            raise
        except FAULTS as error:
            self._chat.say(f"{self._runtime.host.owner(plugin)}: /{command.name} failed: {describe(error)}")

    async def _help(self, rest: str) -> None:
        groups: dict[str, list[str]] = {}
        for name, entry in self.entries.items():
            groups.setdefault(entry.group, []).append(f"  {name:<13}{entry.summary}")
        more = [f"  {name:<13}{command.summary}" for name, (_, command) in self._plugins.items()]
        groups |= {"Of plugins": more} if more else {}
        lines = [line for group, listed in groups.items() for line in (group, *listed)]
        self._chat.say("\n".join([*lines, "Keys", *(f"  {line}" for line in KEYS.split("\n"))]))

    async def _context(self, rest: str) -> None:
        agent = self._chat.conversation.agent
        report = agent.context.report(agent.specs)
        lines = [f"{name:<14}{tokens:>7}  {100 * tokens / report.budget:4.0f} %" for name, tokens in report.parts.items()]
        lines.append(f"{'together':<14}{report.tokens:>7}  of {report.budget} (window {report.window}, tier {report.tier})")
        lines.append(f"counted by {report.method}" + (f": {report.error}" if report.error else ""))
        lines.append(f"session {self._session.id}, {len(agent.history)} messages")
        self._chat.say("\n".join(lines))

    async def _compact(self, focus: str) -> None:
        before, after = await self._chat.interruptible(self._chat.conversation.compact(focus))
        self._chat.say(f"the conversation has {after} tokens now instead of {before}")

    async def _plan(self, task: str) -> None:
        if not task:
            raise ConfigError("/plan needs a task", "/plan add a --verbose flag")
        conversation = self._chat.conversation
        kind = next((each for each in conversation.kinds.values() if each.plans), None)
        if kind is None:
            raise ConfigError("no agent here makes plans", "`agentic plugins` shows which plugins are loaded")
        before = conversation.agent.tools.kind
        conversation.become(kind.name)
        try:
            done = await self._chat.turn(task)
        finally:
            conversation.become(before.name if before else "")
        if done:
            await self._after_plan(conversation.agent.last_words)

    async def _after_plan(self, plan: str) -> None:
        """The user approves the plan, changes it, or says what else."""
        answer = await self._chat.answer(Question("carry this plan out", editable={"plan.md": plan}))
        if answer.edited:
            await self._chat.turn(self._runtime.prompts("chat.carry_out_edited", plan=answer.edited["plan.md"]))
        elif answer.reply != "no":
            await self._chat.turn(self._runtime.prompts("chat.carry_out"))
        elif answer.word:
            await self._chat.turn(answer.word)

    async def _agent(self, name: str) -> None:
        conversation = self._chat.conversation
        if name:
            conversation.become("" if name == MAIN else name)
            return self._chat.say(f"the next task is for {'no special agent' if name == MAIN else f'the agent {name}'}")
        lines = [f"{kind.name}: {kind.summary}" for kind in conversation.kinds.values()]
        return self._chat.say("\n".join([*lines, f"{MAIN}: an agent like any other"]))

    def _agent_names(self) -> list[str]:
        return [*self._chat.conversation.kinds, MAIN]

    async def _review(self, what: str) -> None:
        changed = self._changes()
        mine = "".join(difference(path, *edit) for path, edit in changed.items())
        if not mine:
            raise ConfigError("this session changed nothing that could be reviewed")
        room = self._runtime.llm.budget.prompt  # in tokens, so about a quarter of it as text
        changes = mine if len(mine) <= room else f"{mine[:room]}\n(and more: read {', '.join(changed)})"
        with self._chat.conversation.approver.reading_only():
            await self._chat.turn(self._runtime.prompts("chat.review", what=what or "correctness", changes=changes))

    async def _copy(self, rest: str) -> None:
        words = self._chat.conversation.agent.last_words
        if not words:
            raise ConfigError("there is no answer here that could be copied")
        self._chat.write(f"\x1b]52;c;{base64.b64encode(words.encode()).decode()}\x07")
        self._chat.say(f"copied {len(words)} characters, where the terminal lets programs do that")

    def _names(self) -> list[str]:
        return sorted(self._chat.models)

    async def _model(self, name: str) -> None:
        if name:
            raise Reopen(self._chat.settings.changed("llm.model", name, "/model"), self.kept_session)
        info = self._runtime.info
        lines = [f"{info.model} at {info.url}"]
        for url in self._runtime.transport.endpoints:
            try:
                probed = await self._runtime.transport.probe(url)
            except AgenticError as error:
                lines.append(f"  {url}: {error}")
                continue
            self._chat.models |= set(probed.served)
            window = f", {probed.window:,} tokens" if probed.window else ""
            lines.append(f"  {url}: {', '.join(probed.served or (probed.model,))}{window}")
        self._chat.say("\n".join(lines))

    async def _endpoint(self, url: str) -> None:
        if not url:
            return await self._model("")
        settings = self._chat.settings.changed("llm.endpoints", [url], "/endpoint").changed("llm.model", "", "/endpoint")
        raise Reopen(settings.changed("llm.transport", "auto", "/endpoint"), self.kept_session)

    async def _effort(self, effort: str) -> None:
        if not effort:
            self._chat.say(f"effort: {self._session.metadata('frozen:effort') or 'as the server has it'}")
            return
        if effort not in EFFORTS:
            raise ConfigError(f"there is no effort {effort!r}", f"choose from {', '.join(EFFORTS)}")
        self._session.set_metadata("frozen:effort", effort)
        self._chat.say(f"effort: {effort}")
        raise Reopen(self._chat.settings.changed("llm.reasoning_effort", effort, "/effort"), self.kept_session)

    async def _approve(self, mode: str) -> None:
        if mode and mode not in MODES:
            raise ConfigError(f"there is no mode {mode!r}", f"choose from {', '.join(MODES)}")
        if mode:
            await self._chat.conversation.approve(mode)
        self._chat.say(f"approval: {self._chat.conversation.approver.mode}")

    async def _permissions(self, rest: str) -> None:
        rules = [f"{rule.decision:<6} {rule}  # {rule.origin}" for rule in self._chat.conversation.approver.permissions.rules]
        mode = self._chat.conversation.approver.mode
        self._chat.say("\n".join([*rules, f"else   as the mode says: {mode}"]))

    def _changes(self) -> dict[str, tuple[bytes | None, bytes | None]]:
        return changed_files(self._session, self._chat.conversation.workspace)

    async def _diff(self, rest: str) -> None:
        shown = [difference(path, *edit) for path, edit in self._changes().items()]
        lines = [line for diff in shown for line in painted(diff, self._chat.palette)]
        self._chat.write("\n".join(lines or ["nothing is changed"]) + "\n")

    async def _jobs(self, rest: str) -> None:
        jobs, (word, _, number) = self._chat.conversation.jobs, (rest if rest.startswith("stop") else f"show {rest}").partition(" ")
        if not number.strip():
            lines = [f"{job.number}  {job.command}  ({job.state})" for job in jobs.all()]
            self._chat.say("\n".join(lines) or "nothing runs in the background")
            return
        job = jobs.get(int(number)) if number.strip().isdigit() else None
        if job is None:
            raise ConfigError(f"there is no job {number}", "/jobs lists them")
        if word == "stop":
            await job.end()
        self._chat.say(f"{job.last()}({job.state})")

    async def _agents(self, rest: str) -> None:
        titles: dict[str, str] = {}
        ends: dict[str, str] = {}
        for entry in self._session.records("event"):
            match entry.data.get("type"):
                case "sub_agent_started":
                    titles[entry.agent] = str(entry.data.get("title") or entry.data.get("task"))
                case "sub_agent_finished":
                    files = ", ".join(map(str, entry.data.get("files") or ()))
                    ends[entry.agent] = f"{entry.data.get('status')}" + (f" ({files})" if files else "")
        lines = [f"{title}: {ends.get(agent, 'not finished')}" for agent, title in titles.items()]
        self._chat.say("\n".join(lines) or "this session had no sub-agents")

    async def _undo(self, rest: str) -> None:
        since, agent = last_turn(self._session), self._chat.conversation.agent
        files = await self._confirmed("undo", lambda force: undo(self._session, self._space, since, force)) if since else []
        if files:
            agent.tell(f"(The user took your last changes back. As before now: {', '.join(files)}.)")
        self._chat.say(f"taken back: {_listed(files)}" if files else "there is nothing to take back")

    async def _redo(self, rest: str) -> None:
        files = await self._confirmed("redo", lambda force: redo(self._session, self._space, force))
        if files:
            agent = self._chat.conversation.agent
            agent.tell(f"(The user brought your changes back. As you left them now: {', '.join(files)}.)")
        self._chat.say(f"done over: {_listed(files)}" if files else "there is nothing to do over")

    async def _rewind(self, rest: str) -> None:
        await self.rewind(int(rest) if rest.isdigit() else 1)

    async def rewind(self, count: int) -> None:
        """Takes the last turns back, what was said and what was done. Raises ConfigError where there were not so many."""
        since = turn_before(self._session, count)
        if not since:
            raise ConfigError(f"this session has no {count} turns to go back", "/rewind N, with fewer")
        files = await self._confirmed("rewind", lambda force: undo(self._session, self._space, since, force))
        self._chat.conversation.agent.context.history.rewind(since)
        self._chat.say(f"back by {count}" + (f"; taken back: {_listed(files)}" if files else ""))

    async def _confirmed(self, what: str, change: Callable[[bool], list[str]]) -> list[str]:
        """Files that the user changed since are only overwritten after a question."""
        try:
            return change(False)
        except ChangedSince as error:
            question = Question(f"{what} although these changed since: {', '.join(error.paths)}", own=True)
            return change(True) if (await self._chat.answer(question)).reply != "no" else []

    @property
    def kept_session(self) -> str:
        """The session to go on with; "" where nothing was said yet, since such a session is not kept."""
        return self._session.id if self._session.metadata("title") else ""

    @property
    def _space(self) -> Workspace:
        return self._chat.conversation.workspace

    async def _quit(self, rest: str) -> None:
        self._chat.leave()

    async def _clear(self, rest: str) -> None:
        raise Reopen(self._chat.settings, "")

    async def _fork(self, rest: str) -> None:
        raise Reopen(self._chat.settings, api.session_store().fork(self._session))

    async def _sessions(self, words: str) -> None:
        found = list(islice(api.session_store().search(self._chat.root, words.split()), MAX_LISTED))
        self._chat.say("\n".join(f"{summary.id}  {summary.title}" for summary in found) or "no such sessions here")

    def _ids(self) -> Sequence[str]:
        return [summary.id for summary in islice(api.session_store().of(self._chat.root), MAX_LISTED)]

    async def _resume(self, name: str) -> None:
        if not name:
            return await self._sessions("")
        raise Reopen(self._chat.settings, name)

    async def _rename(self, name: str) -> None:
        if not name:
            raise ConfigError("/rename needs a name", "/rename the parser")
        self._session.set_metadata("title", name)
        self._chat.say(f"this session is called {name!r} now")


def _listed(files: Sequence[str]) -> str:
    """Their names, those of caches and the like last; many are counted."""
    found = sorted(files, key=lambda path: path.startswith("."))
    more = f" and {len(found) - MAX_FILES} more" if len(found) > MAX_FILES else ""
    return ", ".join(found[:MAX_FILES]) + more


def told(error: AgenticError) -> str:
    """An error with its remedy, for people, without logins."""
    return hide_logins(f"{error}\n  → {error.remedy}" if error.remedy else str(error))
