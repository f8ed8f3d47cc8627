"""The prompt that an agent's model gets: its history within the budget, the same bytes as before wherever they can be."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from agentic.core.roles import SMALL
from agentic.core.service import Emit, LlmService, PluginLlm, Prepared, answer_of
from agentic.errors import ContextOverflow, ModelOutputError
from agentic.events import ContextReport, ContextTrimmed, Warned
from agentic.hooks.batching import Lane
from agentic.hooks.context import Condenses, ContextStrategy
from agentic.lib.estimate import upper_estimate
from agentic.lib.prefix import PrefixGuard
from agentic.lib.record import record
from agentic.sessions import ConversationHistory
from agentic.types import ChatRequest, Message, ToolSpec, recall_id

ATTEMPTS = 4
THRASH_TURNS = 3
STUB_CHARACTERS = 200  # a shorter output is no longer than the line that would stand in for it
_LITTLE = 16
_log = logging.getLogger("agentic.context")


@record(frozen=True, slots=True)
class PromptOptions:
    """`recalls` is the tool that shows an output which was left out, "" for none; with `debug` each prompt is reported.

    `exact`: prompts are counted by the server where it can.
    """

    recalls: str = ""
    debug: bool = False
    exact: bool = True


class Context:
    """An agent's prompts. `history` is the whole truth; what a request leaves out was declared by a `context_trimmed`.

    `news` give what there is to say since the last request, "" for nothing: it is the end of the next one.
    """

    def __init__(
        self,
        strategy: ContextStrategy,
        llm: LlmService,
        history: ConversationHistory,
        emit: Emit,
        options: "PromptOptions | None" = None,
    ) -> None:
        options = options or PromptOptions()
        self.history = history
        self._strategy = strategy
        self._llm = llm
        self._emit = emit
        self._recalls, self._debug, self._exact = options.recalls, options.debug, options.exact
        self._guard = PrefixGuard()
        self._turn = 0
        self._trims: list[int] = []
        self._shared = 0
        self._sent: Message | None = None
        self.news: list[Callable[[], str]] = []

    async def request(self, make: Callable[[Sequence[Message]], ChatRequest]) -> Prepared:
        """A request within the budget, as it will be sent. Raises ContextOverflow where that cannot be."""
        budget, counter = self._llm.budget, self._llm.counter
        self._turn += 1
        for tell in self.news:
            if said := tell():
                self.history.say(said)
        self._tell_what_is_shared()
        room = budget.prompt
        for _ in range(ATTEMPTS):
            await self._fit(room - counter.of_tools(make(()).tools))
            prepared = await self._llm.prepare(make(self.history.get_messages_for_llm()), self._exact)
            if prepared.tokens <= budget.prompt:
                break
            room -= prepared.tokens - budget.prompt + _LITTLE
        else:
            raise ContextOverflow(
                f"the prompt has {prepared.tokens} tokens, {budget.prompt} fit", "shorten the task, or serve a larger window"
            )
        if warning := self._guard.check(prepared.stages):
            await self._emit(Warned(message=warning))
        self._sent = self.history.get_messages_for_llm()[-1]
        request, room = prepared.request, budget.room_for_answer(prepared.tokens, self._llm.profile.long_answers)
        if self._debug:
            await self._emit(self.report(request.tools, prepared.tokens))
        return replace(prepared, request=replace(request, max_tokens=min(request.max_tokens or room, room)))

    def overflowed(self, tokens: int, limit: int) -> None:
        """The server took no prompt of this length: shorter ones from now on. `limit` is the window that it named, or 0."""
        self._llm.budget.shrink(tokens, limit)

    def trust_window(self) -> None:
        """No prompt was short enough: the next turn tries the window that the server told."""
        self._llm.budget.restore()

    async def replace(self, messages: Sequence[Message]) -> None:
        """Begins the conversation anew with these."""
        await self._declare(self.history.get_messages_for_llm(), messages)

    async def clipped(self, text: str) -> str:
        """A tool result within its share of the window; the whole of it stays for the tool that recalls it."""
        if len(text) > STUB_CHARACTERS:
            self.history.session.keep_output(text)
        limit = self._llm.budget.result
        if upper_estimate(text) <= limit or (tokens := await self._llm.tokens_of(text)) <= limit:
            return text
        half = int(len(text) * limit / tokens * 0.9) // 2
        how = f": {self._recalls} {recall_id(text)} shows them" if self._recalls else ""
        return f"{text[:half]}\n(… {len(text) - 2 * half} characters left out{how} …)\n{text[len(text) - half :]}"

    async def summarise(self, ask: str, make: Callable[[Sequence[Message]], ChatRequest]) -> tuple[int, int]:
        """Goes on with the model's summary of the conversation; (its tokens before, those now). Raises AgenticError."""
        counter, before = self._llm.counter, self.history.get_messages_for_llm()
        most = max(_LITTLE, self._llm.budget.prompt // 4)

        def compact(messages: Sequence[Message]) -> ChatRequest:
            return replace(
                make(messages), purpose="compact", role=SMALL, max_tokens=most
            )  # as the turns are: their prefix is computed

        if not (summary := await self.aside(ask, compact)):
            raise ModelOutputError("the model gave no summary; the conversation is as it was")
        head = [message for message in before[:1] if message.role == "system"]
        after = [*head, Message("user", f"(What was said and done before, in short:)\n{summary}")]
        await self._declare(before, after)
        return sum(map(counter.of, before)), sum(map(counter.of, after))

    async def aside(self, ask: str, make: Callable[[Sequence[Message]], ChatRequest]) -> str:
        """Asks the model at the end of the conversation, which stays as it is, and returns its answer. Raises AgenticError."""
        counter, question = self._llm.counter, Message("user", ask)
        room = self._llm.budget.prompt - counter.of_tools(make(()).tools) - counter.of(question) - _LITTLE
        said = self._strategy.fit(self.history.get_messages_for_llm(), room, counter.of)
        (answer,) = await self._llm.gather([make([*said, question])], Lane.INTERACTIVE)
        return answer_of(answer).message.text.strip()

    def report(self, tools: Sequence[ToolSpec], tokens: int = 0) -> ContextReport:
        """Reports how many tokens each part of the prompt takes."""
        counter, budget, messages = self._llm.counter, self._llm.budget, self.history.get_messages_for_llm()
        parts = dict.fromkeys(("system", "tools", "said", "tool results", "newest"), 0)
        parts["tools"] = counter.of_tools(tools) if tools else 0
        for number, message in enumerate(messages):
            newest = number == len(messages) - 1
            kind = "system" if message.role == "system" else "tool results" if message.notes else "said"
            parts["newest" if newest and number else kind] += counter.of(message)
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
        count, before = self._llm.counter.of, self.history.get_messages_for_llm()
        try:
            after = self._strategy.fit(before, room, count)
        except ContextOverflow:
            if not isinstance(self._strategy, Condenses):
                raise
            after = await self._strategy.condense(before, room, count, PluginLlm(self._llm, SMALL))
        if list(after) == before:
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
        count = self._llm.counter.of
        self.history.rewrite(after)
        self._guard.trimmed()
        self._shared = 0  # what was said of it may be gone
        sizes = sum(map(count, before)), sum(map(count, after))
        _log.info("%s: trimmed from %d to %d tokens", self.history.agent, *sizes)
        await self._emit(ContextTrimmed(before=sizes[0], after=sizes[1], dropped=len(before) - len(after)))

    def _tell_what_is_shared(self) -> None:
        """Adds what other agents shared since to the end of a message that was not sent yet: it stays there from then on."""
        board, newest = self.history.blackboard, self.history.get_messages_for_llm()[-1]
        if newest is self._sent or newest.role not in ("user", "tool"):
            return
        if news := board.section(self._shared, but_by=self.history.agent if self._shared else ""):
            self.history.amend(newest.with_text(f"{newest.text}\n\n{news}"))
        self._shared = board.newest
