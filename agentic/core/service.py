"""The one way to a model: every request, of whatever purpose, passes here."""

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, cast

from agentic.config import Settings
from agentic.core.budget import Budget
from agentic.core.roles import VISION, in_its_role
from agentic.core.tokens import TokenCounter
from agentic.errors import AgenticError, ContextOverflow, ModelOutputError, RequestRejected, StreamBroken
from agentic.events import Event, LlmChunk, LlmRequest, Prefilling, ReasoningChunk, UsageReported
from agentic.hooks.batching import Batcher, Lane, Routes, Warms
from agentic.hooks.protocol import ModelProfile, OutputRepair
from agentic.lib.families import Family, as_known, family_of, with_older
from agentic.lib.pictures import pictures, without_pictures
from agentic.lib.record import record
from agentic.lib.repetition import Repetition
from agentic.lib.thought import ThoughtLimit
from agentic.lib.wire import AnswerBuilder
from agentic.lib.wire.repaired import Repaired, repaired
from agentic.lib.wire.request import held_to
from agentic.plugins.dispatcher import Dispatcher
from agentic.types import THOUGHT_ENDED, Answer, ChatRequest, Delta, EndpointInfo, Message, TextPart, ToolSpec

KEEP_SECONDS = 1.0
Emit = Callable[[Event], Awaitable[None]]
_log = logging.getLogger("agentic.llm")


@record(frozen=True, slots=True)
class Prepared:
    """A request as it will be sent. `stages` are what the host and each plugin that changed it made of it, `tokens` its length."""

    request: ChatRequest
    tokens: int
    stages: tuple[tuple[str, ChatRequest], ...]


class LlmService:
    """Applies the configured defaults, has the plugins look at each request, counts, sends, tells and accounts.

    `profile` is the model's, where it is known (`of`).
    """

    def __init__(
        self,
        settings: Settings,
        batcher: Batcher,
        events: Dispatcher,
        lengths: tuple[Budget, TokenCounter],
        repairs: Sequence[OutputRepair] = (),
        ask_of_picture: str = "",
    ) -> None:
        self._settings = settings.llm
        self._in_its_role = partial(in_its_role, settings=settings)
        self._sees = settings.role(VISION)
        self._ask_of_picture = ask_of_picture
        self._words: dict[str, str] = {}  # for pictures
        self._batcher = batcher
        self._events = events
        self.budget, self.counter = lengths
        self.profile, self.info = ModelProfile(), EndpointInfo("", "")
        self.families: Sequence[Family] = ()
        self._repairs = repairs

    def of(self, profile: ModelProfile) -> "LlmService":
        """The same for a model of that profile."""
        other = copy(self)
        other.profile = profile
        return other

    def family(self, model: str = "") -> Family:
        """The family of that model, of the one that is served for ""."""
        info = EndpointInfo("", model) if model else self.info
        return with_older(family_of(f"{info.model} {info.root}", self.families, info.template, info.shown), self.profile)

    async def prepare(self, request: ChatRequest, exact: bool = True) -> Prepared:
        """`exact`: counted by the server where it can; else estimated, never under, which costs no call. Raises PluginFault."""
        if request.role != VISION and (self._sees.model or self._sees.endpoint):
            request = await self._in_words(request)
        stages = [("", self._with_defaults(request))]
        request = await self._events.before_request(stages[0][1], stages)
        exact = exact and not request.role  # another model counts otherwise
        tokens = await self.counter.count(request, await self.endpoint()) if exact else self.counter.estimate(request)
        return Prepared(request, tokens, tuple(stages))

    async def _in_words(self, request: ChatRequest) -> ChatRequest:
        """The request with words in place of its pictures, of the model that sees them. Raises AgenticError."""
        new = {name: image for name, image in pictures(request).items() if name not in self._words}
        ask = TextPart(self._ask_of_picture)
        asked = [ChatRequest((Message("user", (ask, image)),), role=VISION, purpose="picture") for image in new.values()]
        for name, answer in zip(new, await self.gather(asked, Lane.INTERACTIVE) if asked else [], strict=True):
            self._words[name] = answer_of(answer).message.text.strip()
        return replace(request, messages=tuple(without_pictures(message, self._words) for message in request.messages))

    def _with_defaults(self, request: ChatRequest) -> ChatRequest:
        """Fills what the request leaves open from the settings, and what they leave open from what is known of the model."""
        settings, request = self._settings, self._in_its_role(request)
        sampling: dict[str, Any] = {
            name: value for name, value in (("top_p", settings.top_p), ("seed", settings.seed)) if value is not None
        }
        usual = ChatRequest((), (), "", settings.max_tokens, settings.temperature, extra={**sampling, **settings.extra_body})
        usual = replace(usual, effort=settings.reasoning_effort, thinking_tokens=settings.thinking_tokens)
        return as_known(self.family(request.model), request, usual, self.budget.tier == "full")

    def repaired(self, message: Message, tools: Sequence[ToolSpec], may_recover: bool = True) -> Repaired:
        """An answer as it was meant."""
        return repaired(message, tools, self._repairs, may_recover)

    async def ask(self, request: ChatRequest) -> Answer | None:
        """`agentic.Asks`: the answer, None where the server or its model cannot do this kind of request. Raises AgenticError."""
        (answer,) = await self.gather([replace(request, purpose="probe", temperature=0.0)], Lane.INTERACTIVE)
        if isinstance(answer, RequestRejected | ContextOverflow | ModelOutputError | StreamBroken):
            return None
        return answer_of(answer)

    async def endpoint(self) -> str:
        """The one in use now. Raises EndpointUnavailable."""
        return (await self._batcher.info()).url

    async def answer(
        self,
        prepared: Prepared,
        lane: Lane,
        emit: Emit | None = None,
        answer: AnswerBuilder | None = None,
        keep: Callable[[str], None] = lambda text: None,
    ) -> Answer:
        """Follows the answer to its end, folding it into `answer`. Closes the stream, and so the request, on every way out.

        With `emit` every piece is shown at once; `keep` gets the text so far, at most once a second. Raises AgenticError,
        ModelOutputError for an answer that only repeats itself.
        """
        request, answer = prepared.request, answer or AnswerBuilder()
        await self._announce(prepared, emit or self._events.emit)
        started = kept_at = time.monotonic()
        repetition, limit = Repetition(), ThoughtLimit(request.thinking_tokens, request.max_tokens)
        async with aclosing(cast(AsyncGenerator[Delta, None], self._batcher.submit(request, lane))) as stream:
            async for delta in stream:
                answer.add(delta)
                if limit.add(delta):
                    break
                if emit is None:
                    continue
                if delta.prefilled:
                    await emit(Prefilling(done=delta.prefilled[0], total=delta.prefilled[1]))
                if delta.text:
                    await emit(LlmChunk(text=delta.text))
                    if time.monotonic() - kept_at > KEEP_SECONDS:
                        kept_at = time.monotonic()
                        keep(answer.message().text)
                if delta.reasoning:
                    await emit(ReasoningChunk(text=delta.reasoning))
                if repetition.goes_on(delta.text or delta.reasoning):
                    raise ModelOutputError("the model only repeats itself")
        made = answer.answer()
        if limit.passed:
            return replace(made, finish_reason=THOUGHT_ENDED)
        await self._account(request, made, time.monotonic() - started, emit or self._events.emit)
        return made

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane) -> list[Answer | AgenticError]:
        """Plain requests in one go, in order. What does not fit the window is never sent. Raises ContextOverflow, PluginFault."""
        prepared = [await self.prepare(request) for request in requests]
        for each in prepared:
            if each.tokens > self.budget.prompt:
                raise ContextOverflow(f"the question has {each.tokens} tokens, {self.budget.prompt} fit", "ask for less at once")
            await self._announce(each, self._events.emit)
        started = time.monotonic()
        answers = await self._batcher.gather([each.request for each in prepared], lane)
        for each, answer in zip(prepared, answers, strict=True):
            if isinstance(answer, Answer):
                await self._account(each.request, answer, time.monotonic() - started, self._events.emit)
            elif not isinstance(answer, AgenticError):
                raise answer
        return [answer for answer in answers if isinstance(answer, Answer | AgenticError)]

    async def warm(self, request: ChatRequest) -> None:
        """Has the servers compute a prompt's beginning before it is needed, where the batcher can."""
        if isinstance(self._batcher, Warms):
            await self._batcher.warm((await self.prepare(replace(request, purpose="warm-up"), exact=False)).request)

    async def tokens_of(self, text: str) -> int:
        """A text's tokens, with a few for the message around it: exact where the server can count, or never under."""
        return (await self.prepare(ChatRequest((Message("user", text),), purpose="count"))).tokens

    async def _announce(self, prepared: Prepared, emit: Emit) -> None:
        request = prepared.request
        endpoint = self._batcher.home(request) if isinstance(self._batcher, Routes) else await self.endpoint()
        _log.info("%s of %d tokens to %s", request.purpose or "request", prepared.tokens, endpoint)
        event = LlmRequest(endpoint=endpoint, prompt_tokens=prepared.tokens, budget=self.budget.prompt)
        event.purpose = request.purpose or event.purpose
        await emit(event)

    async def _account(self, request: ChatRequest, answer: Answer, seconds: float, emit: Emit) -> None:
        usage = answer.usage
        if usage is None:
            return
        possible = max(0, self.counter.computed(request) - 1) // usage.block * usage.block if usage.block else None
        if request.session:
            self.counter.learn(request, usage.prompt_tokens)
        counts = usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens
        line = "%s answered in %.2f s: %d prompt tokens, %s cached, %d made, %s"
        _log.info(line, request.purpose or "request", seconds, *counts, answer.finish_reason)
        reported = UsageReported(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)
        reported.cached_tokens, reported.possible_tokens, reported.seconds = usage.cached_tokens, possible, round(seconds, 3)
        await emit(reported)


def answer_of(answer: Answer | AgenticError) -> Answer:
    """Returns an answer that `gather` gave. Raises it where it is an error."""
    if isinstance(answer, AgenticError):
        raise answer
    return answer


class PluginLlm:
    """The facade that plugins get (`agentic.Llm`): answers as text."""

    def __init__(self, service: LlmService, role: str = "") -> None:
        self._service = service
        self._role = role

    async def complete(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> str:
        return (await self.gather([messages], schema, max_tokens))[0]

    async def gather(
        self, prompts: Sequence[Sequence[Message]], schema: Mapping[str, Any] | None = None, max_tokens: int | None = None
    ) -> list[str]:
        form = held_to(schema) if schema is not None else None
        plain = ChatRequest((), max_tokens=max_tokens, temperature=0.0, response_format=form, purpose="question", role=self._role)
        requests = [replace(plain, messages=tuple(messages)) for messages in prompts]
        return [answer_of(answer).message.text for answer in await self._service.gather(requests, Lane.BACKGROUND)]
