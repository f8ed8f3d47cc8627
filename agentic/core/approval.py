"""Who may do what: rules, gates, the mode that the user chose, and a question where they leave one.

The question shows the very bytes: a whole command, or the difference that a change would make. What was approved is what happens.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentic.core.policy import Policy
from agentic.errors import AgenticError, ToolError
from agentic.events import ApprovalAnswered, ApprovalAsked, Event
from agentic.hooks.launcher import Launcher
from agentic.hooks.permissions import STRICTNESS, Judgement, Scope
from agentic.hooks.tools import CALLER
from agentic.lib.arguments import all_of, in_one_line
from agentic.lib.calls import Grant
from agentic.lib.edits import difference, editable
from agentic.lib.questions import Answered, Ask, Question, oddities
from agentic.lib.record import record
from agentic.lib.turns import Edited, Place, Turns, answered, stopped
from agentic.lib.workspace import Edit, NotGranted
from agentic.types import Effect, ToolSpec

if TYPE_CHECKING:
    from agentic.plugins.dispatcher import Ruling

_ALLOWED: dict[str, set[Effect]] = {
    "ask": {"read"},
    "edits": {"read", "write"},
    "all": {"read", "write", "execute"},
    "none": {"read"},
}


@record(frozen=True, slots=True)
class ApprovalMode:
    """An approval mode (`--approve`), and whoever answers what it leaves open; with nobody to ask the answer is no."""

    mode: str
    ask: Ask | None = None

    @property
    def asks(self) -> bool:
        """True where questions are put to a user."""
        return self.ask is not None and self.mode not in ("all", "none")


class Approver:
    """Decides on tool calls. One question at a time; with nobody to ask (`ask` None) the answer is no.

    Where the user changes a command or a file instead of answering, `may_run` and `may_change` raise Edited.

    `limits` are the time limits of agents, "main" that of the whole: a user who thinks costs nobody's time. `policy` and
    `launcher` are the session's.
    """

    def __init__(
        self, approval: ApprovalMode, emit: Callable[[Event], Awaitable[None]], policy: Policy, launcher: Launcher
    ) -> None:
        self.mode = approval.mode
        self._emit = emit
        self._user = approval.ask
        self._turns = Turns()
        self.limits: dict[str, asyncio.Timeout] = {}
        self.others: dict[str, Approver] = {}  # of agents that put their questions to somebody else first
        self.policy = policy
        self.launcher = launcher

    def asking(self, ask: Ask) -> "Approver":
        """The same for an agent in a folder that is nobody else's, whose files it may change: what is left to ask goes to `ask`."""

        async def untold(event: Event) -> None:
            """Nobody is asked yet."""

        return Approver(ApprovalMode("edits" if self.mode == "ask" else self.mode, ask), untold, self.policy, self.launcher)

    async def put(self, question: Question) -> Answered:
        """The user's answer to a question of the host's own or a fan-out's; "no" where nobody can be asked."""
        return await self._put_in_turn(self._ask, question) if self._ask is not None else Answered("no")

    async def may_call(self, tool: ToolSpec, ruling: "Ruling", recovered: bool = False) -> str:
        """Empty where a call that neither runs a command nor shows its changes may run with the ruling's arguments, or why not."""
        host = _host(ruling.arguments.get(tool.fetches)) if tool.fetches else ""
        judgement = self.policy.of_host(host, tool.name) if host else self.policy.of_tool(tool.name)
        question = Question(f"{tool.name} {in_one_line(ruling.arguments)}", body=all_of(ruling.arguments))
        return await self._decided(question, judgement, self.free(tool.effect), ruling, recovered)

    async def may_run(
        self, tool: ToolSpec, ruling: "Ruling", written: Iterable[str] = (), recovered: bool = False, check: str = ""
    ) -> tuple[str, Grant]:
        """("" where the command may run, else why not; what it may do beyond the sandbox's policy). `written` are changed files.

        `check` is what a checker runs with the command: the question names that, and "always" is about it with any words behind it.
        """
        await self.launcher.ready()
        command = str(ruling.arguments.get(tool.runs) or "")
        judgement = self.policy.of_command(command, tool.name, check) if command else self.policy.of_tool(tool.name)
        asked = set(ruling.arguments.get(tool.access) or ()) if tool.access else set()
        wanted = asked | judgement.needs
        more = wanted - judgement.granted
        free = self.free("execute") and not (more and (asked or self._ask is not None))
        if judgement.decision == "allow" and (asked & more or (more and self._ask is not None)):
            judgement = replace(judgement, decision="")
        body = command or all_of(ruling.arguments)
        question = Question(f"{tool.name} {command}".strip(), body=body, warnings=(*oddities(command), *self._obeyed(written)))
        question = replace(question, editable={"command.sh": command} if command else {})
        if check:
            question = replace(question, what=f"check the outcome with {check}", editable={})
        if wanted:
            question = replace(question, warnings=(*question.warnings, f"it gets: {', '.join(sorted(wanted))}"))
        if judgement.why:
            question = replace(question, warnings=(*question.warnings, judgement.why))
        if not self.launcher.confines and not self.launcher.is_off:
            question = replace(question, warnings=(*question.warnings, "no sandbox works here: nothing holds it"))
        why = await self._decided(question, judgement, free, ruling, recovered)
        given = wanted - more if free or judgement.decision == "allow" or ruling.granted else wanted
        return why, Grant.of(given) if not why else Grant()

    async def may_change(self, edits: Mapping[str, Edit], tool: ToolSpec, ruling: "Ruling", recovered: bool = False) -> str:
        """Empty where files may be changed so, else why not."""
        judgements = {path: self.policy.of_path("edit", path, tool.name) for path in edits}
        strictest = max(judgements.values(), key=lambda each: STRICTNESS[each.decision], default=Judgement())
        if all(each.decision == "allow" for each in judgements.values()) and judgements:
            judgement = Judgement("allow")
        else:
            dangers = tuple(danger for each in judgements.values() for danger in each.dangers)
            proposals = tuple(proposal for each in judgements.values() for proposal in each.proposals)
            decision = strictest.decision if strictest.decision in ("ask", "deny") else ""
            judgement = Judgement(decision, strictest.why, dangers, proposals)
        doubts = tuple(doubt for each in judgements.values() for doubt in each.doubts)
        question = Question(
            f"{tool.name} {', '.join(edits)}", body=difference(edits), warnings=(*judgement.dangers, *doubts), is_diff=True
        )
        question = replace(question, editable=editable(edits))
        free = self.free("write") and (self.mode == "all" or not doubts)
        return await self._decided(question, judgement, free, ruling, recovered)

    async def may_touch(self, wanted: NotGranted, outside: bool) -> str:
        """Empty where a tool may read or change this one path, else why not."""
        kind = "read" if wanted.access == "read" else "edit"
        judgement = self.policy.of_path(kind, wanted.path)
        if judgement.decision == "deny":
            return judgement.why
        free = self.mode == "all" and outside and kind == "read" and judgement.decision != "ask"
        if judgement.decision == "allow" or free:
            return ""
        where = ", which is outside this folder" if outside else ""
        verb = "read" if wanted.access == "read" else "change"
        question = Question(f"{verb} {wanted.path}{where}", CALLER.get(), warnings=(str(wanted),) if not outside else ())
        return await self._answer(question if judgement.dangers else replace(question, proposals=judgement.proposals))

    async def may_do(self, what: str, effect: Effect) -> str:
        """Empty where something of the host's own may be done, else why not."""
        return "" if self.free(effect) else await self._answer(Question(what, CALLER.get()))

    @property
    def _ask(self) -> Ask | None:
        return self._user if self.mode != "none" else None

    @contextmanager
    def reading_only(self) -> Iterator[None]:
        """Nothing else is approved, and nobody is asked."""
        mode, self.mode = self.mode, "none"
        try:
            yield
        finally:
            self.mode = mode

    async def ask_user(self, what: str, choices: Sequence[str]) -> str:
        """Returns the user's answer to the model's question. Raises ToolError where nobody can be asked, or none is given."""
        if CALLER.get() in self.others:
            return await self.others[CALLER.get()].ask_user(what, choices)
        if self._ask is None:
            raise ToolError("nobody can be asked here: decide yourself, and say what you assumed")
        answer = await self._put_in_turn(self._ask, Question(what, CALLER.get(), choices=tuple(choices)))
        if not answer.word and answer.reply == "no":
            raise ToolError("the user gives no answer: decide yourself, and say what you assumed")
        return answer.word or "yes"

    def free(self, effect: Effect) -> bool:
        """True if such a call needs no question, as far as the mode says; commands are free only where something holds them."""
        if effect == "execute" and self.mode == "all":
            return self.launcher.confines or self.launcher.is_off
        return effect in _ALLOWED[self.mode]

    def is_free(self, command: str) -> bool:
        """True if this command needs no question."""
        judgement = self.policy.of_command(command)
        if judgement.decision in ("deny", "ask") or judgement.dangers:
            return False
        return judgement.decision == "allow" or self.free("execute")

    @property
    def has_user(self) -> bool:
        """True if there is a user who answers questions."""
        return self._ask is not None

    @property
    def asks(self) -> bool:
        """True where what the mode leaves open is put to the user."""
        return ApprovalMode(self.mode, self._user).asks

    def can(self, effect: Effect) -> bool:
        """True if such a call could be approved at all."""
        return self.free(effect) or self.asks

    async def _decided(self, question: Question, judgement: Judgement, free: bool, ruling: "Ruling", recovered: bool) -> str:
        if ruling.decision == "deny":
            return f"denied by plugin {ruling.plugin}" + (f": {ruling.reason}" if ruling.reason else "")
        if judgement.decision == "deny":
            return judgement.why
        has_to_ask = recovered or ruling.decision == "ask" or judgement.decision == "ask" or bool(judgement.dangers)
        if not has_to_ask and (ruling.granted or free or judgement.decision == "allow"):
            return ""
        warnings = (*judgement.dangers, *question.warnings)
        if recovered:
            warnings = ("it stood in the text of the answer: the model may only have quoted it", *warnings)
        question = replace(question, agent=CALLER.get(), reason=ruling.reason, plugin=ruling.plugin)
        question = replace(question, warnings=tuple(dict.fromkeys(warnings)), proposals=() if has_to_ask else judgement.proposals)
        return await self._answer(question, judgement.why if judgement.decision == "ask" else "; ".join(judgement.dangers))

    async def _answer(self, question: Question, why: str = "") -> str:
        if self._ask is not None:
            answer = await self._put_in_turn(self._ask, question)
            if answer.edited and question.editable:
                raise Edited(answer.edited)
            return "" if answer.reply != "no" else "the user said no" + (f": {answer.word}" if answer.word else "")
        asked_by = f"; plugin {question.plugin} wants it asked: {question.reason}" if question.plugin else ""
        because = f": {why}" if why else ""
        return f"it needs an approval that nobody can give here (--approve {self.mode}){because}{asked_by}"

    async def _put_in_turn(self, ask: Ask, question: Question) -> Answered:
        """The answer, once it is this question's turn. Nobody's time runs meanwhile."""
        with stopped(self.limits.get(question.agent) if question.agent != "main" else None):
            async with self._turns.wait(question.in_one_line) as place:
                return await self._put_at(ask, question, place)

    async def _put_at(self, ask: Ask, question: Question, place: Place) -> Answered:
        """The answer, also where the user wants to answer another one first."""
        while True:
            if question.proposals and self._allowed_by_now(question):
                return Answered("once")
            with stopped(self.limits.get("main")):
                answer = await self._put(ask, replace(question, waiting=partial(self._turns.others, place)))
            if not answer.first:
                return answer
            await self._turns.let_first(place, answer.first)

    def _allowed_by_now(self, question: Question) -> bool:
        """Returns True if the user said "always" to all of it while this question waited for its turn."""
        return set(question.proposals) <= {rule for decision, rule, _ in self.policy.rules() if decision == "allow"}

    async def _put(self, ask: Ask, question: Question) -> Answered:
        """The screen is told before and after: the question itself is for whoever asks."""
        what, agent = question.what, question.agent
        asked = ApprovalAsked(what=what, reason=question.reason, plugin=question.plugin, agent=agent)
        asked.body, asked.warnings, asked.proposals = question.body, question.warnings, question.proposals
        asked.is_diff = question.is_diff
        asked.digest = hashlib.sha256(question.body.encode("utf-8", "surrogatepass")).hexdigest()
        await self._emit(asked)
        answer = answered(await ask(question))
        if question.proposals and answer.reply != "no" and answer.reply != "once":
            self._always(answer.rules or question.proposals, answer.reply)
        await self._emit(ApprovalAnswered(what=what, granted=answer.reply != "no" and not answer.edited, agent=agent))
        return answer

    def _always(self, rules: Sequence[str], scope: Scope) -> None:
        try:
            self.policy.remember(rules, scope)
        except (AgenticError, OSError):  # it holds for this session all the same
            return

    def _obeyed(self, written: Iterable[str]) -> Iterator[str]:
        """Files that were changed in this session and that some program runs or obeys."""
        for path in written:
            if why := self.policy.protected(path):
                yield f"{path} was changed in this session: {why}"


def _host(url: Any) -> str:
    try:
        return urlsplit(str(url)).hostname or ""
    except ValueError:
        return ""
