"""Going on with an answer that broke off on another server, token by token.

Whatever was delivered is never asked for again: the prompt's tokens and the delivered ones are the new prompt. Without tools that
is `/v1/completions`; with them the chat route takes the tokens in place of the rendered messages (vLLM's own way between a prefill
and a decode server), so that its tool parser reads what follows. gpt-oss needs its format read by the client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from agentic import ChatRequest, Delta, EndpointInfo, PartialAnswer, RequestRejected, Usage
from agentic.wire import ChunkDecoder, sampling_fields
from plugins_builtin.vllm import harmony

HARMONY_ENDS = [200002, 200012]  # <|return|>, <|call|>


class Decoder(Protocol):
    @property
    def finish_reason(self) -> str: ...

    def feed_json(self, data: bytes) -> Delta | None: ...

    def end(self, done: bool = False) -> Delta | None: ...


@dataclass(frozen=True, slots=True)
class ResumePlan:
    path: str
    body: Mapping[str, Any]
    decoder: Decoder


def resumed(
    request: ChatRequest, received: PartialAnswer, info: EndpointInfo, body: dict[str, Any], gpt_oss: bool
) -> ResumePlan | None:
    """How the rest is asked for; None where it cannot be exact: no token numbers, or a format that must be read from its start."""
    if not received.prompt_ids or not received.shown or request.response_format is not None:
        return None
    ids = [*received.prompt_ids, *received.token_ids[: received.shown]]
    left = (request.max_tokens or (info.window - len(received.prompt_ids) if info.window else 0)) - received.shown
    if left <= 0:
        return None
    sampling = sampling_fields(replace(request, max_tokens=left, token_ids=True))
    raw = {"model": body["model"], "prompt": ids, "stream": True, "stream_options": {"include_usage": True}, **sampling}
    if gpt_oss:
        if not harmony.available():
            return None
        raw.pop("reasoning_effort", None)
        return ResumePlan("/completions", raw | {"stop_token_ids": HARMONY_ENDS}, HarmonyResumeDecoder(ids, received))
    if received.reasoning and not received.text:
        return None  # the rest of the reasoning could not be told from the answer
    if not request.tools:
        return ResumePlan("/completions", raw, ResumeDecoder(ids, received))
    chat = body | sampling | {"kv_transfer_params": {"prompt_token_ids": ids}}
    return ResumePlan("/chat/completions", chat, ResumeDecoder(ids, received))


class ResumeDecoder(ChunkDecoder):
    """The chunks of the rest, counted as one answer with what was received."""

    def __init__(self, ids: list[int], received: PartialAnswer) -> None:
        super().__init__()
        self._ids = tuple(ids)
        self._received = received
        self._begun = False

    def feed(self, chunk: object) -> Delta | None:
        delta = super().feed(chunk)
        if delta is None:
            return None
        if not self._begun:
            self._begun = True
            if delta.prompt_ids and delta.prompt_ids != self._ids:
                raise RequestRejected("the server began the answer anew instead of going on with it")
            delta = replace(delta, void_calls=True)
        if delta.usage is not None:
            given = delta.usage
            usage = Usage(len(self._received.prompt_ids), self._received.shown + given.completion_tokens, given.cached_tokens)
            delta = replace(delta, usage=usage)
        return replace(delta, prompt_ids=()) if delta.prompt_ids else delta


class HarmonyResumeDecoder(ResumeDecoder):
    """gpt-oss's rest: raw tokens, sorted into reasoning, text and calls here."""

    def __init__(self, ids: list[int], received: PartialAnswer) -> None:
        super().__init__(ids, received)
        self._reader = harmony.Reader(received.token_ids[: received.shown])

    def feed(self, chunk: object) -> Delta | None:
        delta = super().feed(chunk)
        if delta is None:
            return None
        text, reasoning, calls = self._reader.feed(delta.token_ids)
        finish = "tool_calls" if delta.finish_reason == "stop" and self._reader.called else delta.finish_reason
        self.finish_reason = finish or self.finish_reason
        return replace(delta, text=text, reasoning=reasoning, tool_calls=calls, finish_reason=finish)
