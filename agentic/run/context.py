"""What an agent's model gets to read: its history within the budget, the same bytes as before wherever they can be."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from agentic.errors import ContextOverflow
from agentic.events import ContextReport, ContextTrimmed, Event, Warned
from agentic.hooks.complexity import Llm
from agentic.hooks.context import Condenses, ContextStrategy
from agentic.plugins.dispatcher import Dispatcher
from agentic.run.budget import Budget
from agentic.run.prefix import PrefixGuard, Stage
from agentic.run.tokens import TokenCounter, upper_estimate
from agentic.sessions import ConversationHistory
from agentic.types import ChatRequest, Message, ToolSpec, recall_id

ATTEMPTS = 4
THRASH_TURNS = 3
STUB_CHARACTERS = 200  # a shorter output is no longer than the line that would stand in for it
_LITTLE = 16


@dataclass(frozen=True, slots=True)
class ContextMeans:
    """What fits prompts into the window, for all agents of a run."""

    strategy: ContextStrategy
    budget: Budget
    counter: TokenCounter
    llm: Llm
    report: bool = False


class Context:
    """One agent's prompts. `history` is the whole truth; what a request leaves out was declared by a `context_trimmed`."""

    def __init__(
        self,
        means: ContextMeans,
        history: ConversationHistory,
        events: Dispatcher,
        emit: Callable[[Event], Awaitable[None]],
        agent: str,
    ) -> None:
        self.history = history
        self._means = means
        self._events = events
        self._emit = emit
        self._agent = agent
        self._guard = PrefixGuard()
        self._turn = 0
        self._trims: list[int] = []
        self._shared = 0
        self._sent: Message | None = None

    async def request(self, make: Callable[[Sequence[Message]], ChatRequest], endpoint: str) -> tuple[ChatRequest, int]:
        """(a request within the budget, its tokens). Raises ContextOverflow where that cannot be."""
        means = self._means
        self._turn += 1
        self._tell_what_is_shared()
        room = means.budget.prompt
        for _ in range(ATTEMPTS):
            tools = make(()).tools
            await self._fit(room - means.counter.of_tools(tools))
            stages: list[Stage] = [("", make(without_old_reasoning(self.history.get_messages_for_llm())))]
            request = await self._events.before_request(stages[0][1], stages)
            tokens = await means.counter.count(request, endpoint)
            if tokens <= means.budget.prompt:
                break
            room -= tokens - means.budget.prompt + _LITTLE
        else:
            raise ContextOverflow(
                f"the prompt has {tokens} tokens, {means.budget.prompt} fit", "shorten the task, or serve a larger window"
            )
        if warning := self._guard.check(stages):
            await self._emit(Warned(message=warning))
        self._sent = self.history.get_messages_for_llm()[-1]
        if means.report:
            await self._emit(self.report(request.tools, tokens))
        room = means.budget.room_for_answer(tokens)
        return replace(request, max_tokens=min(request.max_tokens or room, room)), tokens

    def overflowed(self, tokens: int) -> None:
        """The server took no prompt of this length: shorter ones from now on."""
        self._means.budget.shrink(tokens)

    async def replace(self, messages: Sequence[Message]) -> None:
        """Begins the conversation anew with these."""
        await self._declare(self.history.get_messages_for_llm(), messages)

    async def clipped(self, text: str, endpoint: str) -> str:
        """A tool result within its share of the window; the whole of it stays for `recall`."""
        if len(text) > STUB_CHARACTERS:
            self.history.session.keep_output(text)
        limit = self._means.budget.result
        if upper_estimate(text) <= limit or (tokens := await self._means.counter.of_text(text, endpoint)) <= limit:
            return text
        half = int(len(text) * limit / tokens * 0.9) // 2
        left_out = f"(… {len(text) - 2 * half} characters left out: recall {recall_id(text)} shows them …)"
        return f"{text[:half]}\n{left_out}\n{text[len(text) - half :]}"

    def report(self, tools: Sequence[ToolSpec], tokens: int = 0) -> ContextReport:
        """Where the tokens are."""
        count, messages = self._means.counter.of, self.history.get_messages_for_llm()
        parts = dict.fromkeys(("system", "tools", "said", "tool results", "newest"), 0)
        parts["tools"] = self._means.counter.of_tools(tools) if tools else 0
        for number, message in enumerate(messages):
            newest = number == len(messages) - 1
            kind = "system" if message.role == "system" else "tool results" if message.notes else "said"
            parts["newest" if newest and number else kind] += count(message)
        counter, budget = self._means.counter, self._means.budget
        return ContextReport(
            parts=parts,
            tokens=tokens or sum(parts.values()),
            budget=budget.prompt,
            window=budget.window,
            tier=budget.tier,
            method=counter.method,
            error=counter.error,
        )

    async def _fit(self, room: int) -> None:
        means, before = self._means, self.history.get_messages_for_llm()
        try:
            after = means.strategy.fit(before, room, means.counter.of)
        except ContextOverflow:
            if not isinstance(means.strategy, Condenses):
                raise
            after = await means.strategy.condense(before, room, means.counter.of, means.llm)
        if after == before:
            return
        self._trims = [turn for turn in self._trims if turn > self._turn - THRASH_TURNS]
        if self._trims and self._trims[-1] != self._turn:
            raise ContextOverflow(
                f"the conversation had to be cut twice within {THRASH_TURNS} turns: the window is too small for this work",
                "serve a larger window (--max-model-len), or split the task into smaller ones",
            )
        self._trims.append(self._turn)
        await self._declare(before, after)

    async def _declare(self, before: Sequence[Message], after: Sequence[Message]) -> None:
        count = self._means.counter.of
        self.history.rewrite(after)
        self._guard.trimmed()
        self._shared = 0  # what was said of it may be gone
        dropped = len(before) - len(after)
        await self._emit(ContextTrimmed(before=sum(map(count, before)), after=sum(map(count, after)), dropped=dropped))

    def _tell_what_is_shared(self) -> None:
        """What other agents shared since, as the end of a message that was not sent yet: it stays there from then on."""
        board, newest = self.history.blackboard, self.history.get_messages_for_llm()[-1]
        if newest is self._sent or newest.role not in ("user", "tool"):
            return
        if news := board.section(self._shared, but_by=self._agent if self._shared else ""):
            self.history.amend(replace(newest, content=f"{newest.content}\n\n{news}"))
        self._shared = board.newest


def without_old_reasoning(messages: Sequence[Message]) -> list[Message]:
    """Reasoning belongs to the turn it was made in: after a final answer the server drops it (harmony), and so do we."""
    final = max((i for i, m in enumerate(messages) if m.role == "assistant" and m.content and not m.tool_calls), default=-1)
    return [replace(m, reasoning="") if i <= final and m.reasoning else m for i, m in enumerate(messages)]
