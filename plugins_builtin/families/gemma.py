"""Gemma: 4 thinks where it is told to, and keeps the thoughts of turns with calls where it is told that, too."""

from agentic import Family
from plugins_builtin.families.said import OFF, ON, to_template

FAMILIES = (
    Family(
        "gemma-4",
        "chat template of Gemma 4 (2026-07-09): off unless asked for; older copies of it show no thoughts beside calls",
        r"gemma-?[4-9]",
        template=r"<\|tool_call>",
        mark=r"<\|tool_call>",
        thoughts="user",
        keep=to_template(preserve_thinking=True),
        efforts={"none": OFF, "high": ON},
        tool_parser="gemma4",
        reasoning_parser="gemma4",
        calls="<|tool_call>call:NAME{P:VALUE}<tool_call|>",
    ),
    Family(
        "gemma-3",
        "chat template of Gemma 3 (2025-03): roles must alternate, and there is none for a result",
        r"gemma",
        template=r"<start_of_turn>",
        mark=r"<start_of_turn>",
        thoughts="never",
        efforts={},
        tool_parser="pythonic",
    ),
)
