"""gpt-oss's answers, read from their tokens; prompts go to it in ids, where those are known."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from agentic import ChatRequest, Delta, EndpointInfo, PartialAnswer
from plugins_builtin.vllm.exact import ExactPrompts, Fingerprint
from plugins_builtin.vllm.harmony_stream import HarmonyDecoder
from plugins_builtin.vllm.resume import HarmonyResumeDecoder, ResumePlan, resumed

if TYPE_CHECKING:
    from plugins_builtin.vllm.transport import VllmTransport


class AnswersByIds:
    """Reads answers that `transport` brings. `exact` has the ids of each conversation."""

    def __init__(self, transport: "VllmTransport", exact: bool) -> None:
        self._transport = transport
        self.exact = ExactPrompts(exact)

    async def read(
        self, request: ChatRequest, info: EndpointInfo, by: Fingerprint, ids: list[int] | None
    ) -> AsyncGenerator[Delta, None]:
        """Streams the answer; its prompt goes as `ids` where they are known."""
        decoder, received = HarmonyDecoder(), PartialAnswer()
        more = {"kv_transfer_params": {"prompt_token_ids": ids}} if ids is not None else {}
        pieces = self._transport.streamed(request, info.url, decoder, more)
        while True:
            rest, before = cast(ResumePlan | None, None), len(received.token_ids)
            async with aclosing(pieces):
                async for delta in pieces:
                    if delta.prompt_ids:
                        self.exact.compare(request, by, delta.prompt_ids, ids)
                    received.add(delta)
                    if delta.finish_reason == "length" and decoder.reads_ids and len(received.token_ids) > before:
                        rest = self._rest(request, received, info)
                    yield replace(delta, finish_reason="", usage=None) if rest is not None else delta
            if rest is None:
                break
            decoder = cast(HarmonyResumeDecoder, rest.decoder)
            pieces = self._transport.deltas_of(rest, request, info.url)
        if decoder.finish_reason != "length" and decoder.reads_ids:
            self.exact.keep(request, by, received.prompt_ids, decoder.made_ids, decoder.reader)

    def _rest(self, request: ChatRequest, received: PartialAnswer, info: EndpointInfo) -> ResumePlan | None:
        """How an answer goes on that a limit of the server's own cut, below what was asked for; None where it was no such limit."""
        if len(received.token_ids) >= min(request.max_tokens or info.window, info.window - len(received.prompt_ids)):
            return None
        whole = replace(received, shown=len(received.token_ids))
        return resumed(request, whole, info, self._transport.encoded(request, info), gpt_oss=True)
