"""gpt-oss's answers read from their token ids: vLLM's chat route drops some calls, or gives them out as thoughts."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from agentic import Delta
from agentic.wire import AnswerBuilder, ChunkDecoder
from plugins_builtin.vllm.harmony import answer_start
from plugins_builtin.vllm.harmony_reader import HarmonyReader

_log = logging.getLogger("agentic.harmony")
differences: Counter[str] = Counter()
"""What the server's own reading lost, by kind, in this process."""


class HarmonyDecoder(ChunkDecoder):
    """`before` are tokens of the answer that were delivered already. An answer without ids is taken as the server read it."""

    def __init__(self, before: Sequence[int] = ()) -> None:
        super().__init__()
        self._start = answer_start()
        self.reader = HarmonyReader()
        self.reader.feed(before)
        self.made = list(before)
        self._by_ids: bool | None = True if before else None
        self._theirs = AnswerBuilder()
        self._resumes = bool(before)

    def feed(self, chunk: object) -> Delta | None:
        delta = super().feed(chunk)
        if delta is None or self._by_ids is False:
            return delta
        if self._by_ids is None and delta.prompt_ids:
            self._by_ids = list(delta.prompt_ids[-len(self._start) :]) == self._start  # else it is another vocabulary
        if self._by_ids is None and (delta.token_ids or delta.text or delta.reasoning or delta.tool_calls):
            self._by_ids = False
        return self._read(delta) if self._by_ids else delta

    def _read(self, delta: Delta) -> Delta:
        self._theirs.add(delta)
        self.made += delta.token_ids
        piece = self.reader.feed(delta.token_ids)
        finish = delta.finish_reason
        if finish and finish != "length":
            rest = self.reader.end()
            piece.text += rest.text
            finish = "tool_calls" if self.reader.calls else "stop"
        self.finish_reason = finish or self.finish_reason
        calls = tuple(piece.calls)
        read = replace(delta, text=piece.text, reasoning=piece.reasoning, tool_calls=calls, finish_reason=finish, by_ids=True)
        if finish and not self._resumes:
            self._compare()
        return read

    def _compare(self) -> None:
        """The server's own reading beside ours: what it lost is told in the log."""
        theirs, ours = self._theirs.message(), self.reader
        named = [call.name for call in theirs.tool_calls], [each.removeprefix("functions.") for _, each in ours.calls]
        lost = [
            *(["calls"] if named[0] != named[1] else []),
            *(["text"] if "".join(theirs.text.split()) != "".join(ours.text.split()) else []),
            *(["thoughts"] if "".join(theirs.reasoning.split()) != "".join(ours.reasoning.split()) else []),
        ]
        for each in lost:
            differences[each] += 1
            _log.info("the server's own reading of this answer differs in its %s: %r, by its tokens %r", each, *named)
