"""One agent: model call, tool calls, results, until the model is done or a limit is reached."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agentic.errors import ContextOverflow, ModelOutputError
from agentic.events import (
    ContextTrimmed,
    Event,
    LlmRequest,
    UsageReported,
    Warned,
)
from agentic.hooks.batching import Batcher, Lane
from agentic.hooks.context import ContextStrategy
from agentic.hooks.tools import Tool
from agentic.plugins.dispatcher import Dispatcher
from agentic.run.approval import Approver
from agentic.run.budget import Budget
from agentic.run.outcome.evidence import CODE
from agentic.run.prompt import repair_message, source_files, system_message, task_message
from agentic.run.protocols import Turn, by_name
from agentic.run.streaming import follow
from agentic.run.tool_calls import ToolCaller
from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, Usage
from agentic.wire import AnswerBuilder
from agentic.workspace import Workspace

MAX_UNREADABLE = 3
MAX_SAME = 3
RETRY_TEMPERATURE = 0.7
_CODE_FILE = re.compile(r"[\w./-]+\.(?:py|js|ts|go|rs|sh|c|java|rb)\b")


@dataclass(frozen=True, slots=True)
class Means:
    """What an agent works with; sub-agents share all of it."""

    batcher: Batcher
    events: Dispatcher
    protocol: str
    tools: Mapping[str, Tool]
    context: ContextStrategy
    approver: Approver
    workspace: Workspace
    budget: Budget
    temperature: float | None
    session: str


class Agent:
    """Keeps its own history. `run` may be called again after `tell`: it goes on where it stopped."""

    def __init__(self, means: Means, max_iterations: int, name: str = "main", lane: Lane = Lane.INTERACTIVE) -> None:
        self._means = means
        self._name = name
        self._lane = lane
        self._left = max_iterations
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._protocol = by_name(means.protocol)
        self._specs = [tool.spec for _, tool in sorted(means.tools.items())]
        self.history: list[Message] = [system_message(self._protocol, self._specs)]
        self.tools = ToolCaller(means.tools, means.workspace, means.approver, means.events.before_tool, self._emit)
        self.usage = Usage()
        self.turns = Counter[str]()
        self._temperature = means.temperature
        self._task = ""

    def start(self, task: str) -> None:
        """Puts the task, and the folder's small files while they fit into a third of the budget, at the top of the history."""
        self._task = task
        means = self._means  # a third of the budget in tokens is as many bytes as the budget has tokens
        self.history.append(task_message(task, means.workspace, means.budget.prompt, self._protocol.reminder))
        named = set(_CODE_FILE.findall(task))
        self._protocol.expect(named.pop() if len(named) == 1 else "")

    @property
    def last_words(self) -> str:
        """What the model said last."""
        return next((message.content for message in reversed(self.history) if message.role == "assistant"), "")

    async def repair(self, wrong: str) -> None:
        """Begins the conversation anew with what is wrong and the files to correct: a small model repeats what it said before."""
        means = self._means
        count = means.budget.count_all
        before, dropped = count(self.history), len(self.history) - 1
        files = [path for path in self.tools.evidence.written if path.endswith(CODE)] or source_files(means.workspace)
        del self.history[1:]
        self._seen.clear()
        self.history.append(repair_message(self._task, means.workspace, means.budget.prompt, wrong, files))
        self._protocol.expect(files[0] if len(files) == 1 else "")
        await self._emit(ContextTrimmed(before=before, after=count(self.history), dropped=dropped))

    def tell(self, text: str) -> None:
        """A word to the model."""
        if self.history[-1].role == "user":  # templates want the roles to alternate
            self.history[-1] = replace(self.history[-1], content=f"{self.history[-1].content}\n\n{text}")
        else:
            self.history.append(Message("user", text))

    async def run(self) -> tuple[str, str]:
        """(status, the model's last words). Raises AgenticError when the model cannot be asked."""
        unreadable = 0
        while self._left > 0:
            self._left -= 1
            turn = await self._ask_model()
            self.history.append(turn.message)
            done = await self.tools.call_all(turn.calls)
            if done:
                self.history += self._protocol.results(done)
                if stuck := self._stuck(done):
                    await self._warn(stuck)
                    return "refused" if self.tools.blocked else "gave_up", stuck
            self.turns["unreadable" if turn.problem else "readable"] += 1
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

    def _says_all(self, turn: Turn, done: Sequence[tuple[ToolCall, ToolOutput]]) -> bool:
        """Whether an answer of files alone may be the last one: in the fenced protocol a model says and does at once."""
        return (
            self._protocol.name == "fenced"
            and not self.tools.blocked
            and all(call.name == "write_file" and "not valid" not in output.text for call, output in done)
        )

    def _stuck(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> str:
        for call, output in done:
            key = (call.name, call.arguments, output.text)
            self._seen[key] += 1
            if self._seen[key] == MAX_SAME - 1:
                self.vary()
            if self._seen[key] == MAX_SAME:
                return f"the model made the same call {MAX_SAME} times with the same result ({call.name}); stopped"
        return ""

    def vary(self) -> None:
        """The next answers should differ from what came before, since that did not work."""
        self._temperature = max((self._temperature or 0.0) + 0.15, RETRY_TEMPERATURE)

    async def _ask_model(self) -> Turn:
        """One answer; an overflow shrinks the prompt once, broken model output is asked for again in a changed way, twice."""
        temperature = self._temperature
        overflowed, broken = False, 0
        while True:
            try:
                answer, cut_off = await self._stream(temperature)
            except ContextOverflow:
                if overflowed or not self._shrink():
                    raise
                overflowed = True
            except ModelOutputError as error:
                broken += 1
                if broken > 2:
                    raise
                await self._warn(f"{error}; asking again")
                temperature = RETRY_TEMPERATURE + 0.1 * broken
            else:
                break
        turn = self._protocol.read(answer, self._specs, cut_off)
        if not turn.calls and not turn.problem and not answer.content.strip():
            return Turn(turn.message, problem="Your answer was empty. Go on with the task.")
        return turn

    def _fitted(self) -> list[Message]:
        means = self._means
        return means.context.fit(self.history, means.budget.prompt, means.budget.count)

    def _shrink(self) -> bool:
        """Whether there was something to leave out: the same bytes are never sent again."""
        before = self._fitted()
        self._means.budget.shrink(self._means.budget.count_all(before, self._specs))
        return self._fitted() != before

    async def _stream(self, temperature: float | None) -> tuple[Message, bool]:
        means = self._means
        info = await means.batcher.info()
        request = ChatRequest(
            tuple(self._fitted()),
            max_tokens=means.budget.answer,
            temperature=temperature,
            session=f"{means.session}-{self._name}",
        )
        request = await means.events.before_request(self._protocol.request(request, self._specs))
        estimated = means.budget.count_all(request.messages, request.tools)
        await self._emit(LlmRequest(endpoint=info.url, prompt_tokens=estimated, budget=means.budget.prompt))
        started = time.monotonic()
        answer = AnswerBuilder()
        try:
            await follow(means.batcher.submit(request, self._lane), answer, self._emit)
        except asyncio.CancelledError:
            if answer.message().content:  # what the user has seen stays in the history
                self.history.append(Message("assistant", answer.message().content))
            raise
        await self._account(answer.usage, estimated, time.monotonic() - started)
        return answer.message(), answer.finish_reason == "length"

    async def _account(self, usage: Usage | None, estimated: int, seconds: float) -> None:
        if usage is None:
            return
        self.usage += usage
        self._means.budget.learn(estimated, usage.prompt_tokens)
        await self._emit(
            UsageReported(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cached_tokens=usage.cached_tokens,
                seconds=round(seconds, 3),
            )
        )

    async def _warn(self, message: str) -> None:
        await self._emit(Warned(message=message))

    async def _emit(self, event: Event) -> None:
        event.agent = self._name
        await self._means.events.emit(event)
