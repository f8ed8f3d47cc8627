"""A logits processor for vLLM that has a model say what SCRIPT says, a step at a time; what else it does is vLLM's own.

SCRIPT is a JSON file: {"mark": "...", "steps": ["...", ...]}. A prompt with the mark gets the step of the assistant's turns that it
has already; any other gets "ok". Where vLLM closes a thought that is too long, the step goes on behind its own `</think>`.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from vllm.v1.sample.logits_processor import LogitsProcessor, MoveDirectionality

TURN = "<|im_start|>assistant"


class Row:
    """A request: the tokens that it is to make, and those that it made."""

    def __init__(self, tokens: list[int], out: list[int]) -> None:
        self.tokens, self.out = tokens, out

    def next(self, end: int, closing: int) -> int:
        """The token to be made now: where the thought was closed before its end, what stands behind it."""
        place = len(self.out)
        if closing in self.out and closing in self.tokens:
            place += self.tokens.index(closing) - self.out.index(closing)
        return self.tokens[place] if place < len(self.tokens) else end


class Scripted(LogitsProcessor):
    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self.rows: dict[int, Row] = {}
        self.tokenizer = AutoTokenizer.from_pretrained(vllm_config.model_config.model)
        self.end, self.closing = self.tokenizer.convert_tokens_to_ids(["<|im_end|>", "</think>"])

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        if batch_update is None:
            return
        for index in batch_update.removed:
            self.rows.pop(index, None)
        for index, _, prompt, out in batch_update.added:
            self.rows[index] = Row(self._said(list(prompt or [])), out)
        for one, other, way in batch_update.moved:
            first, second = self.rows.pop(one, None), self.rows.pop(other, None)
            if first is not None:
                self.rows[other] = first
            if way == MoveDirectionality.SWAP and second is not None:
                self.rows[one] = second

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        for index, row in self.rows.items():
            if index < logits.shape[0]:
                token = row.next(self.end, self.closing)
                logits[index].fill_(float("-inf"))
                logits[index, token] = 0.0
        return logits

    def _said(self, prompt: list[int]) -> list[int]:
        script = json.loads(Path(os.environ["SCRIPT"]).read_text())
        text, steps = self.tokenizer.decode(prompt), script["steps"]
        number = text.count(TURN) - 1
        said = steps[min(number, len(steps) - 1)] if script["mark"] in text else "I say it.\n</think>\n\nok"
        return list(self.tokenizer.encode(said, add_special_tokens=False))
