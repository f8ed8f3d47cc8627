"""One agent: model call, tool calls, results, until the model is done or a limit is reached."""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentic.errors import AgenticError, ContextOverflow, ModelOutputError, ToolError
from agentic.events import (
    ContextTrimmed,
    Event,
    LlmRequest,
    ToolCalled,
    ToolResult,
    UsageReported,
    Warned,
)
from agentic.hooks.batching import Batcher, Lane
from agentic.hooks.context import ContextStrategy
from agentic.hooks.tools import Tool
from agentic.plugins.dispatcher import Dispatcher
from agentic.run.approval import Approver
from agentic.run.budget import Budget
from agentic.run.evidence import CODE, Evidence
from agentic.run.prompt import repair_message, source_files, system_message, task_message
from agentic.run.protocols import ToolProtocol, Turn
from agentic.run.protocols.arguments import parse
from agentic.run.streaming import follow
from agentic.types import ChatRequest, Message, ToolCall, ToolOutput, Usage
from agentic.wire import AnswerBuilder
from agentic.workspace import OutsideWorkspace, Workspace

MAX_UNREADABLE = 3
MAX_SAME = 3
RETRY_TEMPERATURE = 0.7
_CODE_FILE = re.compile(r"[\w./-]+\.(?:py|js|ts|go|rs|sh|c|java|rb)\b")


@dataclass(frozen=True, slots=True)
class Means:
    """What an agent works with; sub-agents share all of it."""

    batcher: Batcher
    events: Dispatcher
    protocol: ToolProtocol
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
        self._specs = [tool.spec for _, tool in sorted(means.tools.items())]
        self.history: list[Message] = [system_message(means.protocol, self._specs)]
        self.evidence = Evidence()
        self.usage = Usage()
        self.turns = Counter[str]()
        self._temperature = means.temperature
        self._task = ""
        self._blocked = False  # the last thing it tried needed an approval that it did not get

    def start(self, task: str) -> None:
        """Puts the task, and the folder's small files while they fit into a third of the budget, at the top of the history."""
        self._task = task
        means = self._means  # a third of the budget in tokens is as many bytes as the budget has tokens
        self.history.append(task_message(task, means.workspace, means.budget.prompt, means.protocol.reminder))
        named = set(_CODE_FILE.findall(task))
        means.protocol.expect(named.pop() if len(named) == 1 else "")

    @property
    def last_words(self) -> str:
        """What the model said last."""
        return next((message.content for message in reversed(self.history) if message.role == "assistant"), "")

    async def repair(self, wrong: str) -> None:
        """Begins the conversation anew with what is wrong and the files to correct: a small model repeats what it said before."""
        means = self._means
        count = means.budget.count_all
        before, dropped = count(self.history), len(self.history) - 1
        files = [path for path in self.evidence.written if path.endswith(CODE)] or source_files(means.workspace)
        del self.history[1:]
        self.history.append(repair_message(self._task, means.workspace, means.budget.prompt, wrong, files))
        means.protocol.expect(files[0] if len(files) == 1 else "")
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
            refused = len(self._means.approver.refused)
            done = [(call, await self.call(call)) for call in turn.calls]
            if done:
                self.history += self._means.protocol.results(done)
                if stuck := self._stuck(done):
                    await self._warn(stuck)
                    return "refused" if self._blocked else "gave_up", stuck
                self._blocked = len(self._means.approver.refused) > refused and all(output.failed for _, output in done)
            self.turns["unreadable" if turn.problem else "readable"] += 1
            if turn.problem:
                unreadable += 1
                if unreadable == MAX_UNREADABLE:
                    return "gave_up", f"the model's answers could not be used {MAX_UNREADABLE} times in a row: {turn.problem}"
                self.tell(turn.problem)
                continue
            unreadable = 0
            if not turn.calls or self._says_all(turn, done):
                return "refused" if self._blocked else "done", turn.text
        return "limit", "the limit of model calls was reached (workflow.max_iterations)"

    def _says_all(self, turn: Turn, done: Sequence[tuple[ToolCall, ToolOutput]]) -> bool:
        """Whether an answer of files alone may be the last one: in the fenced protocol a model says and does at once."""
        return (
            self._means.protocol.name == "fenced"
            and not self._blocked
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
        self._temperature = max((self._temperature or 0.0) + 0.1, RETRY_TEMPERATURE)

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
        turn = self._means.protocol.read(answer, self._specs, cut_off)
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
        request = await means.events.before_request(means.protocol.request(request, self._specs))
        estimated = means.budget.count_all(request.messages, request.tools)
        await self._emit(LlmRequest(endpoint=info.url, prompt_tokens=estimated, budget=means.budget.prompt))
        started = time.monotonic()
        answer = AnswerBuilder()
        try:
            await follow(means.batcher.submit(request, self._lane), answer, self._emit)
        except BaseException:
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

    async def call(self, call: ToolCall) -> ToolOutput:
        """Runs one tool call: whatever goes wrong is an output for the model."""
        started = time.monotonic()
        try:
            tool, arguments = self._resolve(call)
        except ToolError as error:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments={}))
            output = ToolOutput(str(error), failed=True)
        else:
            await self._emit(ToolCalled(id=call.id, name=call.name, arguments=arguments))
            output = await self._run_approved(call, tool, arguments)
            self._remember(tool, arguments, output)
        seconds = round(time.monotonic() - started, 3)
        await self._emit(
            ToolResult(
                id=call.id, name=call.name, text=output.text, failed=output.failed, exit_code=output.exit_code, seconds=seconds
            )
        )
        return output

    def _resolve(self, call: ToolCall) -> tuple[Tool, dict[str, Any]]:
        tool = self._means.tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name!r}; the tools are {', '.join(sorted(self._means.tools))}")
        return tool, parse(call.arguments, tool.spec.parameters)

    async def _run_approved(self, call: ToolCall, tool: Tool, arguments: dict[str, Any]) -> ToolOutput:
        means = self._means
        refused = await means.approver.may_call(call, tool.spec.effect, await means.events.before_tool(call))
        if refused:
            return ToolOutput(f"{call.name} was not run: {refused}.", failed=True)
        for _ in range(2):
            try:
                return await tool.run(arguments, means.workspace)
            except OutsideWorkspace as outside:
                if refused := await means.approver.may_leave(outside.path):
                    return ToolOutput(f"{outside}: {refused}.", failed=True)
                means.workspace.grant(outside.path)
            except AgenticError as error:
                return ToolOutput(str(error), failed=True)
            except Exception as error:  # a tool may be anybody's
                return ToolOutput(f"{call.name} failed: {type(error).__name__}: {error}", failed=True)
        return ToolOutput(f"{call.name}: that path leads outside the folder.", failed=True)

    def _remember(self, tool: Tool, arguments: Mapping[str, Any], output: ToolOutput) -> None:
        if tool.spec.effect == "execute" and output.exit_code is not None:
            self.evidence.ran(str(arguments.get("command", tool.spec.name)), output)
        elif tool.spec.effect == "write" and not output.failed:
            self.evidence.wrote(str(arguments.get("path", "")))

    async def _warn(self, message: str) -> None:
        await self._emit(Warned(message=message))

    async def _emit(self, event: Event) -> None:
        event.agent = self._name
        await self._means.events.emit(event)


def run_call(command: str) -> ToolCall:
    """A call of the `run` tool that nobody's model made."""
    return ToolCall("check", "run", json.dumps({"command": command}))
