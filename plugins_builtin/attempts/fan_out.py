"""The attempts at one task: when they are made, and which of them is taken."""

import os
import time
from contextlib import AsyncExitStack
from dataclasses import replace

from agentic import FanOutSetup, Message, Outcome, Parts, Plan, Question, Sampling, Subtask, ToolError
from agentic.events import Warned, WorkflowEvent
from agentic.hooks.checks import JudgeVerdict
from agentic.lib.contents import Contents, contents_of, put_back
from agentic.lib.git import git, top_of
from agentic.lib.listing import first_few
from agentic.sessions.undo import changed_files, turn_before
from agentic.types import Change
from plugins_builtin.attempts import MOST
from plugins_builtin.attempts.choosing import ChosenAttempt, chosen, first_proved
from plugins_builtin.attempts.contender import Contender, FirstQuestion
from plugins_builtin.attempts.events import AttemptsChosen
from plugins_builtin.attempts.kept import MAX_NAMED, keep, keep_lead, left_by_lead, put_down, write
from plugins_builtin.attempts.race import Race, fields_of
from plugins_builtin.attempts.states import State, best_of
from plugins_builtin.attempts.tournament import diff_of

TEMPERATURES = (None, 0.4, 0.7, 0.9, 1.0)
"""Each attempt's, None for the model's usual one; those after the last have the last one's."""
MANY = 200  # changed files, from which on not all of them may be known by name
HINT_FROM = 2  # attempts without one
MAX_DIFF = 20_000  # characters of one that an event has
wanted: dict[str, int] = {}
"""The attempts that the user wants for the next task, by session."""


class Attempts:
    """Takes whole tasks (`agentic.hooks.fan_out.TakesTasks`)."""

    def __init__(self, setup: FanOutSetup) -> None:
        self._setup = setup
        self._lead = setup.lead
        self._options = setup.options
        self._count = 0
        self._task = self._has_failed = ""
        self._began = 0.0
        self._needs_none = False  # the lead has proved the task
        self._late = False  # the lead takes long, and the servers have room
        self._overtaken: State | None = None  # the lead's work then
        self._tries: list[State] = []  # of the lead's own

    async def take(self, task: str, verdict: JudgeVerdict | None) -> Plan | None:
        """A plan of one part, which `run` has done several times."""
        late, self._late = self._late, False
        if verdict is None:
            self._task, self._has_failed, self._tries, self._overtaken, self._began = task, "", [], None, time.monotonic()
            self._needs_none = False
            await self._bring_back()
            count = wanted.get(self._lead.history.session.id) or self._options.count
        elif late and verdict.status == "done" and self._lead.workspace.originals:
            self._needs_none = True  # it is proved by now
            return None
        elif (late or verdict.status == "gave_up") and self._has_failed != task:  # once for a task
            count, self._has_failed = self._options.auto, task
        else:
            count = 0
        if verdict is not None and count < 2 and self._lead.restarts:
            await self._again(verdict)
        if count > MOST:
            await self._lead.emit(Warned(message=f"{MOST} attempts instead of {count}: more are never made"))
            count = MOST
        if count < 2 or (why := await self._not_here()):
            if count >= 2:
                await self._lead.emit(Warned(message=f"one attempt only: {why}"))
            return None
        if verdict is not None:  # they begin where this one did, and what it came to stays among what is chosen from
            self._keep(verdict)
            self._overtaken = self._tries[-1] if late else None
            began = self._as_it_began()
            keep_lead(self._lead.history.session, self._lead.workspace, self._tries[-1].files, began)
            put_back(self._lead.workspace, began)
        self._count = count
        return Plan((Subtask("attempt", f"{count} attempts", task),))

    async def _bring_back(self) -> None:
        """Brings back what the agent had done before attempts that a kill cut off."""
        files, changed = left_by_lead(self._lead.history.session, self._lead.workspace)
        if not files and not changed:
            return
        put_back(self._lead.workspace, files)
        put_down(self._lead.history.session)
        words = [f"what was done before them is back: {first_few([*files], MAX_NAMED)}"] if files else []
        words += [f"not brought back, because changed since: {first_few(changed, MAX_NAMED)} (/take 1 does)"] if changed else []
        await self._lead.emit(Warned(message=f"attempts were cut off; {'; '.join(words)}"))

    async def wants_it(self) -> bool:
        """True where the lead takes long while the servers have room."""
        options = self._options
        if options.auto < 2 or self._needs_none or self._has_failed == self._task or time.monotonic() - self._began < options.after:
            return False
        has_room = any(seen.waiting == 0 and seen.running < seen.places for seen in await self._lead.seen())
        self._late = has_room and not await self._not_here()
        return self._late

    async def _again(self, verdict: JudgeVerdict) -> None:
        """Has the lead begin anew, in its own folder: told what is wrong with its best try, or as if there had been none.

        Neither helps every time, so they take turns.
        """
        space = self._lead.workspace
        self._keep(verdict)
        best = best_of(self._tries)
        if len(self._tries) % 2:
            put_back(space, best.files)
            await self._lead.restart(best.verdict.word, best.verdict.files)
        else:
            put_back(space, self._as_it_began())
            await self._lead.restart()

    def _as_it_began(self) -> Contents:
        """The files that the agent and its commands changed, as they were before the task."""
        session, space = self._lead.history.session, self._lead.workspace
        changed = changed_files(session, space, turn_before(session, 1))
        return {path: before for path, (before, _) in changed.items() if not os.path.isabs(path)} | dict(space.originals)

    def _keep(self, verdict: JudgeVerdict) -> None:
        space = self._lead.workspace
        self._tries.append(State(verdict, contents_of(space, self._as_it_began())))

    def settle(self, verdict: JudgeVerdict) -> JudgeVerdict:
        """Brings back the best of the lead's tries, the earlier of equals, where it was not the last one."""
        if not self._tries or (best := best_of(self._tries)).rank > State(verdict, {}).rank:
            return verdict
        put_back(self._lead.workspace, best.files)
        return best.verdict

    async def _not_here(self) -> str:
        """Why attempts cannot be made here, "" where they can."""
        lead = self._lead
        if not lead.may_run:
            return f"nothing may be run in the mode {lead.mode}, with nobody to ask (--approve all)"
        try:
            await git(await top_of(lead.workspace.root), "rev-parse", "--verify", "HEAD")
            listed = await git(lead.workspace.root, "ls-files", "--cached", "--others", "--exclude-standard")
        except ToolError as error:
            return f"this folder is in no git repository with a commit ({error})"
        here = [name for name in os.listdir(lead.workspace.root) if name != ".git"]
        return "git ignores this folder" if here and not listed else ""

    async def run(self, plan: Plan, spawn: Parts) -> list[Outcome]:
        """Returns the outcome of the attempt that was taken. Where none is, what the lead had done itself is there again."""
        is_taken = False
        try:
            outcome = await self._best_of(plan.subtasks[0], spawn)
            is_taken = bool(outcome.files)
            return [outcome]
        except ToolError as error:  # no trees
            await self._lead.emit(Warned(message=f"one attempt only: {error}"))
            return [Outcome("not_needed", "")]
        finally:
            if self._tries and not is_taken:
                put_back(self._lead.workspace, best_of(self._tries).files)
                put_down(self._lead.history.session)

    async def _best_of(self, subtask: Subtask, spawn: Parts) -> Outcome:
        async with AsyncExitStack() as stack:
            contenders = [await self._contender(subtask, number, spawn, stack) for number in range(self._count)]
            stack.push_async_callback(stop_all, contenders)
            race = Race(contenders, self._options.rounds, self._lead.emit)
            proved = await race.first_proved()
            if proved is not None:
                await stop_all([each for each in contenders if each is not proved])
                choice = first_proved(proved, len(contenders))
            else:
                choice = await chosen(contenders, self._lead, self._setup.prompt, subtask.objective)
            return await self._taken(choice, contenders, race)

    async def _contender(self, subtask: Subtask, number: int, spawn: Parts, stack: AsyncExitStack) -> Contender:
        lead, asks, before = self._lead, FirstQuestion(self._lead), None
        opened, overtaken = lead.opening, self._overtaken if not number else None
        if overtaken is not None:  # it goes on with what the lead has done
            *before, opened = lead.messages
        if number >= HINT_FROM:
            opened = opened.and_then(Message("user", self._setup.prompt("attempts.another_way")))
        part = replace(subtask, title=f"attempt {number + 1}")
        attempt = await stack.enter_async_context(spawn.attempt(part, _sampling(number), opened, before, asks))
        if overtaken is not None:
            put_back(attempt.agent.workspace, overtaken.files)
            attempt.agent.took({path: Change(path) for path in overtaken.files})
        return Contender(number + 1, attempt, asks)

    async def _taken(self, choice: ChosenAttempt, contenders: list[Contender], race: Race) -> Outcome:
        contender = choice.contender
        kept = keep(self._lead.history.session, contenders, self._lead.workspace)
        event = self._event(choice, contenders)
        await self._lead.emit(event)
        await self._lead.emit(WorkflowEvent(node="spawn_sub_agents", message=in_words(event)))
        if (refused := await self._agreed(choice, race)) is not None:
            return refused
        files = contender.best.files if contender.states else {}
        put_back(contender.attempt.agent.workspace, files)
        outcome = await contender.attempt.merge(checked=True, only=files if len(files) < MANY else None)
        if outcome.files:  # what could not be merged is not there
            now = replace(kept, taken=contender.number, files={**kept.files, contender.number: files})
            write(self._lead.history.session, now)
        return replace(outcome, summary=f"{choice.why}\n{outcome.summary}".strip())

    async def _agreed(self, choice: ChosenAttempt, race: Race) -> Outcome | None:
        """Puts what the attempt did, and wants to do next, to the user where the mode asks; an outcome for no."""
        contender, shown = choice.contender, None
        while contender.command or (self._lead.asks and contender.best.files and contender.best.files != shown):
            shown = contender.best.files if contender.states else {}
            command = contender.command
            question = Question(f"take attempt {contender.number}: {choice.why}", body=diff_of(contender, self._lead.workspace))
            if command:
                question = replace(question, warnings=(f"it goes on with: {command}",))
            answer = await self._lead.ask(replace(question, is_diff=bool(question.body)))
            if answer.reply == "no":
                said = f": {answer.word}" if answer.word else ""
                return Outcome("refused", f"{choice.why}\nIt was not taken: the user said no{said}.")
            if command:
                waiting = contender.asks.question
                if waiting is not None and waiting.choices is not None:  # the model's, which wants words and no yes
                    answer = await self._lead.ask(waiting)
                contender.asks.answer(answer)
                contender.states.pop()  # of the middle of its work
                await contender.go_on()
                await race.is_repaired(contender)
        return None

    def _event(self, choice: ChosenAttempt, contenders: list[Contender]) -> AttemptsChosen:
        shown = [
            {**fields_of(each), "diff": diff_of(each, self._lead.workspace)[:MAX_DIFF] if each.states else ""}
            for each in contenders
        ]
        return AttemptsChosen(
            number=choice.contender.number,
            how=choice.how,
            why=choice.why,
            agree=choice.agree,
            attempts=tuple(shown),
            seconds=round(time.monotonic() - min(each.started for each in contenders), 1),
            alone=round(contenders[0].seconds, 1),
        )


def in_words(event: AttemptsChosen) -> str:
    """Tells people which attempt was taken and why, and what all of them cost."""
    prompt, cached, made = (sum(each[f"{name}_tokens"] for each in event.attempts) for name in ("prompt", "cached", "completion"))
    share = f", {cached / prompt:.0%} of the prompts from the cache" if prompt and cached else ""
    alone = f" ({event.alone:.0f} s for the first alone)" if event.alone else ""
    return f"{event.why} · {event.seconds:.0f} s{alone} · {prompt + made:,} tokens{share}"


async def stop_all(contenders: list[Contender]) -> None:
    for each in contenders:
        await each.stop()


def _sampling(number: int) -> Sampling:
    return Sampling(TEMPERATURES[min(number, len(TEMPERATURES) - 1)], seed=number or None)
