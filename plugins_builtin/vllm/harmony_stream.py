"""gpt-oss's answers read from their token ids: vLLM's chat route drops some calls, or gives them out as thoughts."""

import logging
from collections import Counter
from collections.abc import Sequence

from agentic import Delta, ToolCallDelta
from agentic.lib.wire import Carried, ChunkDecoder
from agentic.types import ANNOUNCED
from plugins_builtin.vllm.harmony import answer_start
from plugins_builtin.vllm.harmony_reader import HarmonyReader

_log = logging.getLogger("agentic.harmony")
differences: Counter[str] = Counter()
"""What the server's own reading lost, by kind, in this process."""


class HarmonyDecoder(ChunkDecoder):
    """`before` are tokens of the answer that were delivered already. An answer without ids is taken as the server read it."""

    def __init__(self, before: Sequence[int] = ()) -> None:
        super().__init__()
        self._start = tuple(answer_start())
        self.reader = HarmonyReader()
        self.reader.feed(before)
        self.made_ids = list(before)
        self._by_ids: bool | None = True if before else None
        self._theirs: list[tuple[str, str, tuple[ToolCallDelta, ...]]] = []
        self._resumes = bool(before)

    def delta_of(self, carried: Carried) -> Delta:
        """Returns the piece of the answer that the tokens spell, in place of what the server made of them."""
        text, reasoning, calls, finish, usage, prompt_ids, ids, _ = carried
        if self._by_ids is None:
            if prompt_ids:
                self._by_ids = prompt_ids[-len(self._start) :] == self._start  # else it is another vocabulary
            elif text or reasoning or calls or ids:
                self._by_ids = False
        if self._by_ids and not ids and (text or reasoning or calls):
            self._by_ids = False  # they stop here: from now on it is what the server reads
        if not self._by_ids:
            return super().delta_of(carried)
        self._theirs.append((text, reasoning, calls))
        self.made_ids += ids
        piece = self.reader.feed(ids)
        said = piece.text
        if finish:
            finish = self._finished(finish)
            said += self.reader.end().text if finish != "length" else ""
            self.finish_reason = finish
            if not self._resumes:
                self._compare()
        return Delta(said, piece.reasoning, tuple(piece.calls), finish, usage, False, False, prompt_ids, ids, None, "", True)

    @property
    def reads_ids(self) -> bool:
        """True if all of the answer came with its ids so far."""
        return self._by_ids is True

    def _finished(self, finish: str) -> str:
        if finish == "length" or self.reader.calls:
            return finish if finish == "length" else "tool_calls"
        return "stop" if self.reader.has_final or not self.reader.text else ANNOUNCED

    def _compare(self) -> None:
        """The server's own reading beside ours: what it lost is told in the log."""
        text = "".join(each[0] for each in self._theirs)
        thoughts = "".join(each[1] for each in self._theirs)
        named = [piece.name for each in self._theirs for piece in each[2] if piece.name]
        ours = [recipient.removeprefix("functions.") for _, recipient in self.reader.calls]
        lost = [
            *(["calls"] if named != ours else []),
            *(["text"] if "".join(text.split()) != "".join(self.reader.text.split()) else []),
            *(["thoughts"] if "".join(thoughts.split()) != "".join(self.reader.reasoning.split()) else []),
        ]
        for each in lost:
            differences[each] += 1
            _log.info("the server's own reading of this answer differs in its %s: %r, by its tokens %r", each, named, ours)
