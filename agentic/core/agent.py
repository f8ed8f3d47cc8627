"""One agent: model call, tool calls, results, until the model is done or a limit is reached."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentic.core.approval import Approver
from agentic.core.call_budget import CallBudget
from agentic.core.context import Context
from agentic.core.outcome.evidence import CODE
from agentic.core.outcome.suspects import blamed, suspects
from agentic.core.prompt import repair_message, source_files, surroundings, system_message, task_message, tiered
from agentic.core.protocols import by_name
from agentic.core.protocols.protocol import Turn
from agentic.core.service import LlmService
from agentic.core.tool_calls import ToolCaller
from agentic.core.toolbox import Toolbox
from agentic.errors import ContextOverflow, ModelOutputError
from agentic.events import Event, Warned
from agentic.hooks.batching import Lane
from agentic.hooks.context import ContextStrategy
from agentic.plugins.dispatcher import Dispatcher
from agentic.sessions import ConversationHistory
from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, Usage
from agentic.wire import AnswerBuilder
from agentic.workspace import Workspace

MAX_UNREADABLE = 3
MAX_SAME = 3
RETRY_TEMPERATURE = 0.7
LAST_TURN = "This is your last turn. Call no tool: say what you did, and begin a line with `Open:` for what is missing."
_CODE_FILE = re.compile(r"[\w./-]+\.(?:py|js|ts|go|rs|sh|c|java|rb)\b")


@dataclass(frozen=True, slots=True)
class AgentServices:
    """What an agent works with; sub-agents share all of it."""

    llm: LlmService
    events: Dispatcher
    protocol: str
    toolbox: Toolbox
    strategy: ContextStrategy
    approver: Approver
    workspace: Workspace
    calls: CallBudget
    instructions: str = ""
    covered: frozenset[str] = frozenset()
    effort: str = ""
    debug: bool = False


class Overflowed(Exception):
    """The server's window ended; `tokens` is what the prompt had."""

    def __init__(self, error: ContextOverflow, tokens: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.tokens = tokens


class Agent:
    """Goes on with its history. `run` may be called again after `start` or `tell`.

    A sub-agent's next turn once it `has_to_end` is its last.
    """

    def __init__(
        self, services: AgentServices, history: ConversationHistory, max_iterations: int, lane: Lane = Lane.INTERACTIVE
    ) -> None:
        self._services = services
        self._name = history.agent
        self._lane = lane
        self._max_iterations = self._left = max_iterations
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._protocol = by_name(services.protocol)
        tier = services.llm.budget.tier
        self.specs = [tiered(tool.spec, tier) for _, tool in sorted(services.toolbox.listed.items())]
        self.tools = ToolCaller(services.toolbox, services.workspace, services.approver, services.events, self._emit, self._name)
        recalls = services.toolbox.that("recalls")
        self.context = Context(
            services.strategy, services.llm, history, self._emit, recalls.spec.name if recalls else "", services.debug
        )
        self.has_to_end: Callable[[], bool] = lambda: False
        self.task = ""
        self.usage = Usage()
        self.answers = Counter[str]()
        self._temperature: float | None = None
        self._around = ""
        self._before: list[Message] = []
        if not len(history):
            history.add(system_message(self._protocol, self.specs, tier, services.instructions))

    @property
    def history(self) -> list[Message]:
        """The conversation as the model will read it."""
        return self.context.history.get_messages_for_llm()

    def start(self, task: str) -> None:
        """The next thing to do; the first one comes with the folder's file names and, where they are few, its files."""
        self.task = task
        self._left = self._max_iterations
        if self._lane is not Lane.SUB_AGENT:
            self._services.calls.left = self._max_iterations
        self._seen.clear()
        self.tools.begin()
        self._temperature = None
        self.context.history.session.append("turn", {"task": task}, self._name)
        self._before = self.history
        around = "" if self._protocol.name == "fenced" else surroundings(self._services.workspace.root)
        told, self._around = self._around, around
        if len(self._before) > 1:
            self.tell(f"{around}\n\n{task}" if around != told else task)
        else:  # a third of the budget in tokens is as many bytes as the budget has tokens
            room = self._services.llm.budget.prompt
            self.context.history.add(
                task_message(task, around, self._services.workspace, room, self._protocol.reminder, self._services.covered)
            )
        named = set(_CODE_FILE.findall(task))
        self._protocol.expect(named.pop() if len(named) == 1 else "")

    @property
    def last_words(self) -> str:
        """What the model said last."""
        return next((message.text for message in reversed(self.history) if message.role == "assistant"), "")

    async def repair(self, wrong: str) -> None:
        """Begins the task anew with what is wrong and the files to correct: a small model repeats what it said before."""
        services = self._services
        files = [path for path in self.tools.evidence.written if path.endswith(CODE)]
        files = blamed(wrong, files) or suspects(wrong, source_files(services.workspace))
        self._seen.clear()
        message = repair_message(self.task, services.workspace, services.llm.budget.prompt, wrong, files)
        self._protocol.expect(files[0] if len(files) == 1 else "")
        before = self._before
        if before[-1].role == "user":
            message = before[-1].and_then(message)
            before = before[:-1]
        await self.context.replace([*before, message])

    def opening(self) -> ChatRequest:
        """What every request of this agent begins with, as a request."""
        return self._make([self.history[0], Message("user", ".")], None)

    def tell(self, text: str) -> None:
        """A word to the model."""
        self.context.history.say(text)

    def answer_for_others(self, text: str) -> None:
        """What was done for it by others, as its own words."""
        self.context.history.add(Message("assistant", text))

    async def run(self) -> tuple[str, str]:
        """(status, the model's last words). Raises AgenticError when the model cannot be asked."""
        unreadable = 0
        while self._left > 0 and self._services.calls.left > 0:
            reports = self._must_report()
            if reports:
                self.tell(LAST_TURN)
            self._left -= 1
            self._services.calls.left -= 1
            turn = await self._ask_model()
            self.context.history.add(turn.message)
            if reports:
                return reports, turn.text or turn.message.text
            done = await self.tools.call_all(turn.calls)
            if done:
                shown = [(call, await self._clipped(output)) for call, output in done]
                for message in self._protocol.results(shown):
                    self.context.history.add(message)
                if stuck := self._stuck(done):
                    await self._warn(stuck)
                    return "refused" if self.tools.blocked else "gave_up", stuck
            self.answers["unreadable" if turn.problem else "readable"] += 1
            if turn.problem:
                unreadable += 1
                if unreadable == MAX_UNREADABLE:
                    return "gave_up", f"the model's answers could not be used {MAX_UNREADABLE} times in a row: {turn.problem}"
                self.tell(turn.problem)
                continue
            unreadable = 0
            if not turn.calls or self._says_all(turn, done):
                return "refused" if self.tools.blocked else "done", turn.text
        return "limit", "the limit of model calls was reached (workflow.max_iterations)"

    async def _clipped(self, output: ToolOutput) -> ToolOutput:
        return ToolOutput(await self.context.clipped(output.for_model), output.failed, output.exit_code)

    def _must_report(self) -> str:
        """Why a sub-agent's next turn is its last: limit, timeout, "" where it is not."""
        if self._lane is not Lane.SUB_AGENT or self._left == self._max_iterations:
            return ""
        if self._left == 1 or self._services.calls.only_to_report:
            return "limit"
        return "timeout" if self.has_to_end() else ""

    def _says_all(self, turn: Turn, done: Sequence[tuple[ToolCall, ToolOutput]]) -> bool:
        """Whether an answer of files alone may be the last one: in the fenced protocol a model says and does at once."""
        return (
            self._protocol.name == "fenced"
            and not self.tools.blocked
            and all(output.changes and not output.problems for _, output in done)
        )

    def _stuck(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> str:
        for call, output in done:
            key = (call.name, call.arguments, output.text)
            self._seen[key] += 1
            if self._seen[key] == MAX_SAME - 1:
                self.raise_temperature()
            if self._seen[key] == MAX_SAME:
                return f"the model made the same call {MAX_SAME} times with the same result ({call.name}); stopped"
        return ""

    def raise_temperature(self) -> None:
        """The next answers should differ from what came before, since that did not work."""
        self._temperature = max((self._temperature or 0.0) + 0.15, RETRY_TEMPERATURE)

    async def _ask_model(self) -> Turn:
        """One answer; an overflow shrinks the prompt once, broken model output is asked for again in a changed way, twice."""
        temperature = self._temperature
        overflowed, broken = False, 0
        while True:
            try:
                answer, cut_off = await self._stream(temperature)
            except Overflowed as overflow:
                if overflowed:
                    raise overflow.error from overflow
                overflowed = True
                self.context.overflowed(overflow.tokens)
            except ModelOutputError as error:
                broken += 1
                if broken > 2:
                    raise
                await self._warn(f"{error}; asking again")
                temperature = RETRY_TEMPERATURE + 0.1 * broken
            else:
                break
        turn = self._protocol.read(answer, self.specs, cut_off)
        if not turn.calls and not turn.problem and not answer.text.strip():
            thought = "You have only thought so far. Now call a tool or give your answer." if answer.reasoning else ""
            return Turn(turn.message, problem=thought or "Your answer was empty. Go on with the task.")
        return turn

    async def _stream(self, temperature: float | None) -> tuple[Message, bool]:
        services = self._services
        prepared = await self.context.request(lambda messages: self._make(messages, temperature))
        making = AnswerBuilder()
        try:
            answer = await services.llm.answer(prepared, self._lane, self._emit, making, self.context.history.partial)
        except ContextOverflow as error:
            raise Overflowed(error, prepared.tokens) from error
        except asyncio.CancelledError:
            if making.message().content:  # what the user has seen stays in the history
                self.context.history.add(Message("assistant", making.message().content))
            raise
        cut_off = answer.finish_reason == "length"
        self.usage += answer.usage or Usage()
        if cut_off and answer.usage and answer.usage.completion_tokens < (prepared.request.max_tokens or 0):
            full = ContextOverflow("the model's window ended before its answer did", "serve a larger window")
            raise Overflowed(full, prepared.tokens)
        return answer.message, cut_off

    def _make(self, messages: Sequence[Message], temperature: float | None) -> ChatRequest:
        session = f"{self.context.history.session.id}-{self._name}"
        request = ChatRequest(
            tuple(messages), temperature=temperature, session=session, effort=self._services.effort, purpose="turn"
        )
        return self._protocol.request(request, self.specs)

    async def _warn(self, message: str) -> None:
        await self._emit(Warned(message=message))

    async def _emit(self, event: Event) -> None:
        event.agent = self._name
        await self._services.events.emit(event)
