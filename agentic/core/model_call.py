"""An answer of the model within a conversation: an overflow shrinks the prompt, broken output is asked for again otherwise."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from agentic.core.context import Context
from agentic.core.roles import SUB_AGENT
from agentic.core.service import Emit, LlmService
from agentic.core.tool_calls import ToolCaller
from agentic.errors import AgenticError, ContextOverflow, ModelOutputError
from agentic.events import Warned
from agentic.hooks.batching import Lane
from agentic.lib.wire import AnswerBuilder
from agentic.types import ANNOUNCED, THOUGHT_ENDED, ChatRequest, Message, Sampling, ToolSpec, Usage

Make = Callable[[Sequence[Message], Sampling], ChatRequest]


class _Overflowed(Exception):
    """The server's window ended; `tokens` is what the prompt had."""

    def __init__(self, error: ContextOverflow, tokens: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.tokens = tokens


class ModelCall:
    """`known` are the tools whose calls are recognised, `tries` how many broken answers are borne; `usage` adds up.

    The agent's kind, which `tools` has, may want a model of another role.

    `quotes`: what the last answer says of calls was taken for a quotation; `as_text`: it was a call as text, which nobody can be
    asked about, or which was not needed, as the model `calls_natively`.
    """

    def __init__(
        self, llm: LlmService, context: Context, lane: Lane, emit: Emit, known: Sequence[ToolSpec], tools: ToolCaller
    ) -> None:
        self._llm = llm
        self._context = context
        self._lane = lane
        self._role = SUB_AGENT if lane is Lane.SUB_AGENT else ""
        self._tools = tools
        self._emit = emit
        self._known = known
        self.calls_natively = any(
            not call.recovered for message in context.history.get_messages_for_llm() for call in message.tool_calls
        )
        self.quotes = self.announces = self.thought_too_long = False
        self.as_text: Literal["", "call", "arguments"] = ""
        self.made = 0  # tokens of the last answer
        self.usage = Usage()

    async def answer(self, make: Make, sampling: Sampling) -> tuple[Message, bool]:
        """(the answer, whether it ran into the token limit). Raises AgenticError."""
        overflowed, broken = False, 0
        while True:
            try:
                return await self._stream(make, sampling)
            except _Overflowed as overflow:
                if overflowed:
                    self._context.trust_window()
                    raise overflow.error from overflow
                overflowed = True
                self._context.overflowed(overflow.tokens, overflow.error.limit)
            except ContextOverflow:
                self._context.trust_window()
                raise
            except ModelOutputError as error:
                broken += 1
                if broken >= self._llm.profile.unreadable:
                    raise
                await self._emit(Warned(message=f"{error}; asking again"))
                sampling = replace(sampling.for_another(), temperature=0.7 + 0.1 * min(broken, 5))

    async def _stream(self, make: Make, sampling: Sampling) -> tuple[Message, bool]:
        role = (self._tools.kind.role if self._tools.kind is not None else "") or self._role
        less = self._llm.family().least if self.thought_too_long else ""

        def request(messages: Sequence[Message]) -> ChatRequest:
            asked = make(messages, sampling)
            return replace(asked, role=role, effort=less or asked.effort)

        prepared = await self._context.request(request)
        making = AnswerBuilder()
        try:
            answer = await self._llm.answer(prepared, self._lane, self._emit, making, self._context.history.partial)
        except ContextOverflow as error:
            raise _Overflowed(error, prepared.tokens) from error
        except ModelOutputError:
            raise
        except AgenticError:
            if making.message().content:  # what came before it broke off
                self._context.history.partial(making.message().text)
            raise
        except asyncio.CancelledError:
            if making.message().content:  # what the user has seen stays in the history
                self._context.history.add(Message("assistant", making.message().content))
            raise
        cut_off, self.announces = answer.finish_reason == "length", answer.finish_reason == ANNOUNCED
        self.thought_too_long = answer.finish_reason == THOUGHT_ENDED
        self.usage += answer.usage or Usage()
        self.made = answer.usage.completion_tokens if answer.usage else prepared.request.max_tokens or 0
        if cut_off and answer.usage and self._fills_window(answer.usage, prepared.request.max_tokens or 0):
            full = ContextOverflow("the model's window ended before its answer did", "serve a larger window")
            raise _Overflowed(full, prepared.tokens)
        known = self._known if prepared.request.tools else ()  # else its text is the form that was asked for
        self.calls_natively = self.calls_natively or bool(answer.message.tool_calls)
        repaired = self._llm.repaired(answer.message, known, not self.calls_natively and self._tools.can_ask)
        self.quotes, self.as_text = repaired.quotes and not self.calls_natively, repaired.as_text
        return repaired.message, cut_off

    def _fills_window(self, usage: Usage, asked: int) -> bool:
        """Tells a window that ended early from a server's own limit of an answer, which a short conversation meets, too."""
        return usage.completion_tokens < asked and usage.prompt_tokens + usage.completion_tokens > self._llm.budget.window // 2
