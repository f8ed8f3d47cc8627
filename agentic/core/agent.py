"""An agent: model call, tool calls, results, until the model is done or a limit is reached."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agentic.core.agent_services import AgentServices
from agentic.core.context import Context, PromptOptions
from agentic.core.model_call import ModelCall
from agentic.core.nudges import Nudges
from agentic.core.opening import Opening, system_message, tiered
from agentic.core.tool_calls import ToolCaller
from agentic.events import Event, Warned
from agentic.hooks.batching import Lane
from agentic.hooks.protocol import Turn
from agentic.lib.arguments import note
from agentic.lib.repetition import MAX_SAME, SameCalls, status_of
from agentic.sessions import ConversationHistory
from agentic.types import ChatRequest, Message, Sampling, ToolCall, ToolOutput, Usage


class Agent:
    """Goes on with its history. `run` may be called again after `start`, `restart` or `tell`.

    A sub-agent's next turn once it `has_to_end` is its last.
    """

    def __init__(
        self, services: AgentServices, history: ConversationHistory, max_iterations: int, lane: Lane = Lane.INTERACTIVE
    ) -> None:
        self._services = services
        self._name = history.agent
        self._lane = lane
        self._max_iterations = self._left = max_iterations
        self._seen = SameCalls()
        self._protocol = services.make_protocol()
        self.profile = self._protocol.profile
        tier = services.llm.budget.tier
        self.specs = [tiered(tool.spec, tier) for _, tool in sorted(services.toolbox.listed.items())]
        self.tools = ToolCaller(services, self._emit, self._name)
        recalls = services.toolbox.that("recalls")
        options = PromptOptions(recalls.spec.name if recalls else "", services.debug)
        self.context = Context(services.strategy, services.llm, history, self._emit, options)
        known = [tool.spec for tool in services.toolbox.all.values()]
        self.context.news += [services.jobs.news] if lane is not Lane.SUB_AGENT else []
        self._model = ModelCall(services.llm, self.context, lane, self._emit, known, self.tools)
        self._nudges = Nudges(self._model, services.prompts)
        self.openings = Opening(services.workspace, services.prompts, services.llm.budget.prompt, services.covered, services.masked)
        self.has_to_end: Callable[[], bool] = lambda: False
        self.task = ""
        self.extra_usage, self.answers = Usage(), Counter[str]()
        self._sampling = services.sampling
        self.before: list[Message] = []
        self.opened = Message("user")
        self.files: Sequence[str] = ()
        if not len(history):
            history.add(system_message(services.prompts, self._protocol, self.specs, tier, services.instructions))

    @property
    def history(self) -> list[Message]:
        """The conversation as the model will read it."""
        return self.context.history.get_messages_for_llm()

    @property
    def usage(self) -> Usage:
        """Its own, and that of the sub-agents that it had."""
        return self._model.usage + self.extra_usage

    @property
    def has_calls_left(self) -> bool:
        """True if it may ask the model once more."""
        return self._left > 0 and self._services.calls.left > 0

    @property
    def last_words(self) -> str:
        return next((message.text for message in reversed(self.history) if message.role == "assistant"), "")

    def start(self, task: str, wrong: str = "", files: Sequence[str] = (), opened: Message | None = None) -> None:
        """The next thing to do, with what is `wrong` already and the files to correct; `opened` is its message, if made."""
        self.task, self.files = task, files
        self._left = self._max_iterations
        if self._lane is not Lane.SUB_AGENT:
            self._services.calls.left = self._max_iterations
        self._seen.clear()
        self._nudges.begin()
        self.tools.begin()
        self._sampling = self._services.sampling
        self.context.history.session.append("turn", {"task": task}, self._name)
        self.before, reminder = self.history, self._protocol.begin(task, files)
        if opened is not None:
            self.opened = opened
        elif wrong:
            self.opened = self.openings.again(task, wrong, files)
        elif len(self.before) > 1:
            self.opened = self.openings.later(task, self.profile.brief)
        else:
            self.opened = self.openings.first(task, reminder, self.profile.brief)
        if self.before[-1].role == "user":  # roles alternate
            self.opened = self.before.pop().and_then(self.opened)
            self.context.history.amend(self.opened)
        else:
            self.context.history.add(self.opened)

    async def restart(self, wrong: str = "", files: Sequence[str] = ()) -> None:
        """Begins the task anew, as if nothing had been said since, or with what is `wrong` and the files to correct."""
        self._seen.clear()
        self._protocol.begin(self.task, files if wrong else self.files)
        message = self.openings.again(self.task, wrong, files) if wrong else self.opened
        await self.context.replace([*self.before, message])

    def opening(self) -> ChatRequest:
        """Returns the beginning that all requests of this agent share, as a request."""
        return self.request([self.history[0], Message("user", ".")])

    def tell(self, text: str) -> None:
        """A word to the model."""
        self.context.history.say(text)

    def sample_otherwise(self) -> None:
        """The next answers should differ from what came before, since that did not work."""
        self._sampling = self._sampling.for_another()

    async def run(self, stops: Callable[[], Awaitable[bool]] | None = None) -> tuple[str, str]:
        """(status, the model's last words); "stopped" where it `stops`. Raises AgenticError when the model cannot be asked."""
        unreadable = 0
        while self.has_calls_left:
            if stops is not None and await stops():
                return "stopped", ""
            reports = self._must_report()
            if reports:
                self.tell(self._services.prompts("turn.last"))
            self._left -= 1
            self._services.calls.left -= 1
            turn = await self._ask_model()
            self.context.history.add(turn.message)
            if reports:
                return reports, turn.text or turn.message.text
            done = await self.tools.call_all(turn.calls)
            await self._remember(done)
            if stuck := self._stuck(done):
                await self._emit(Warned(message=stuck))
                return "refused" if self.tools.blocked else status_of(done, self.tools.work.changes), stuck
            if why := self._nudges.gave_up:
                return "limit", why
            self.answers["unreadable" if turn.problem else "readable"] += 1
            unreadable = unreadable + 1 if turn.problem else 0
            if unreadable == self.profile.unreadable:
                return "gave_up", f"the model's answers could not be used {unreadable} times in a row: {turn.problem}"
            if turn.problem:
                self.tell(turn.problem)
                if unreadable > 1:
                    self.sample_otherwise()
            elif not turn.calls or self._says_all(done):
                return "refused" if self.tools.blocked else "done", turn.text
        return "limit", "the limit of model calls was reached (workflow.max_iterations)"

    async def _ask_model(self) -> Turn:
        answer, cut_off = await self._model.answer(self.request, self._sampling)
        turn = self._protocol.read(answer, self.specs, cut_off)
        problem = self._nudges.about(answer, turn, cut_off)
        return Turn(turn.message, problem=problem) if problem else turn

    async def _remember(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> None:
        """The results, as the protocol tells them, with notes of what they are results of."""
        if not done:
            return
        shown = [(call, ToolOutput(await self.context.clipped(each.for_model), each.failed, each.exit_code)) for call, each in done]
        messages, notes = self._protocol.results(shown), tuple(note(call, output) for call, output in done)
        for number, message in enumerate(messages):
            mine = notes[number : number + 1] if len(messages) == len(notes) else notes
            self.context.history.add(replace(message, notes=mine))

    def _must_report(self) -> str:
        """Why a sub-agent's next turn is its last: limit, timeout, "" where it is not."""
        if self._lane is not Lane.SUB_AGENT or self._left == self._max_iterations:
            return ""
        if self._left == 1 or self._services.calls.only_to_report:
            return "limit"
        return "timeout" if self.has_to_end() else ""

    def _says_all(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> bool:
        """True if an answer of changes alone may be the last one: some models say and do at once."""
        acts = self.profile.says_and_does and not self.tools.blocked
        return acts and all(output.changes and not output.problems for _, output in done)

    def _stuck(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> str:
        times, name = self._seen.most(done, self.tools.work.count)
        if times == MAX_SAME - 1:
            self.sample_otherwise()
        return f"the model made the same call {times} times with the same result ({name}); stopped" if times >= MAX_SAME else ""

    def request(self, messages: Sequence[Message], sampling: Sampling | None = None) -> ChatRequest:
        """These messages as one of its turns would send them."""
        sampled = (sampling or self._services.sampling).fields
        made = ChatRequest(tuple(messages), effort=self._services.effort, purpose="turn", **sampled)
        return self._protocol.request(replace(made, session=f"{self.context.history.session.id}-{self._name}"), self.specs)

    async def _emit(self, event: Event) -> None:
        event.agent = self._name
        await self._services.events.emit(event)
