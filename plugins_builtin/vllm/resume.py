"""Going on with an answer that broke off on another server, token by token.

Whatever was delivered is never asked for again: the prompt's tokens and the delivered ones are the new prompt. Without tools that
is `/v1/completions`; with them the chat route takes the tokens in place of the rendered messages (vLLM's own way between a prefill
and a decode server), so that its tool parser reads what follows. gpt-oss needs its format read by the client.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentic import ChatRequest, Delta, EndpointInfo, PartialAnswer, RequestRejected, Usage
from agentic.lib.record import record
from agentic.lib.wire import ChunkDecoder, sampling_fields
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.harmony_reader import STOPS
from plugins_builtin.vllm.harmony_stream import HarmonyDecoder
from plugins_builtin.vllm.streaming import Decoder


@record(frozen=True, slots=True)
class ResumePlan:
    """`whole` is the end of an answer whose tokens all came: there is nothing to ask for."""

    path: str
    body: Mapping[str, Any]
    decoder: Decoder
    whole: Delta | None = None


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
        decoder = HarmonyResumeDecoder(ids, received)
        if received.token_ids[-1] in STOPS:  # only the last word of the stream is missing
            return ResumePlan("", {}, decoder, decoder.ended())
        return ResumePlan("/completions", raw | {"stop_token_ids": list(STOPS)}, decoder)
    if received.reasoning and not received.text:
        return None  # the rest of the reasoning could not be told from the answer
    if not request.tools:
        return ResumePlan("/completions", raw, ResumeDecoder(ids, received))
    chat = body | sampling | {"kv_transfer_params": {"prompt_token_ids": ids}}
    return ResumePlan("/chat/completions", chat, ResumeDecoder(ids, received, has_to_echo=True))


class _Resuming(ChunkDecoder):
    """The chunks of the rest, counted as one answer with what was received."""

    _ids: tuple[int, ...]
    _prompt = _shown = _made = 0
    _has_to_echo = False
    _begun = False

    def _goes_on(self, ids: list[int], received: PartialAnswer) -> None:
        """Numbers, for what was received goes on growing."""
        self._ids, self._prompt = tuple(ids), len(received.prompt_ids)
        self._shown, self._made = received.shown, len(received.token_ids)

    def feed(self, chunk: object) -> Delta | None:
        delta = super().feed(chunk)
        if delta is None:
            return None
        if not self._begun:
            self._begun = True
            if delta.prompt_ids != self._ids and (delta.prompt_ids or self._has_to_echo):
                raise RequestRejected("the server began the answer anew instead of going on with it")
            delta = self._first(delta)
        if delta.usage is not None:
            given = delta.usage
            usage = Usage(self._prompt, self._shown + given.completion_tokens, given.cached_tokens)
            delta = replace(delta, usage=usage)
        return replace(delta, prompt_ids=()) if delta.prompt_ids else delta

    def _first(self, delta: Delta) -> Delta:
        return delta


class ResumeDecoder(_Resuming):
    """An unfinished call is asked for again."""

    def __init__(self, ids: list[int], received: PartialAnswer, has_to_echo: bool = False) -> None:
        super().__init__()
        self._goes_on(ids, received)
        self._has_to_echo = has_to_echo

    def _first(self, delta: Delta) -> Delta:
        return replace(delta, void_calls=True)


class HarmonyResumeDecoder(_Resuming, HarmonyDecoder):
    """gpt-oss's rest: raw tokens, read behind those that were delivered."""

    def __init__(self, ids: list[int], received: PartialAnswer) -> None:
        HarmonyDecoder.__init__(self, received.token_ids[: received.shown])
        self._goes_on(ids, received)

    def ended(self) -> Delta:
        """The end of an answer whose tokens all came."""
        self.finish_reason = "tool_calls" if self.reader.calls else "stop"
        usage = Usage(self._prompt, self._made)
        return Delta(finish_reason=self.finish_reason, usage=usage, by_ids=True)
