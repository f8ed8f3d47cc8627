"""MiniMax: M2 takes thoughts back until the next message and always thinks; M3 takes all of them back, and has a mode."""

from agentic import Family
from plugins_builtin.families.said import to_template

FAMILIES = (
    Family(
        "minimax-m3",
        "chat template of MiniMax-M3 and vLLM's recipe (2026): adaptive unless told otherwise; 1.0, 0.95, 40",
        r"minimax-?m[3-9]",
        template=r"<mm:think>",
        mark=r"<mm:think>",
        efforts={
            "none": to_template(thinking_mode="disabled"),
            "medium": to_template(thinking_mode="adaptive"),
            "high": to_template(thinking_mode="enabled"),
        },
        effort_first=True,
        sampling={"temperature": 1.0, "top_p": 0.95, "top_k": 40},
        tool_parser="minimax_m3",
        reasoning_parser="minimax_m3",
        flags=("--block-size", "128"),
    ),
    Family(
        "minimax-m2",
        "chat template and README of MiniMax-M2 to M2.7 (2025-10 to 2026-06): 1.0, 0.95, 40",
        r"minimax",
        template=r"<minimax:tool_call>",
        mark=r"<minimax:tool_call>",
        thoughts="user",
        efforts={},
        sampling={"temperature": 1.0, "top_p": 0.95, "top_k": 40},
        tool_parser="minimax_m2",
        reasoning_parser="minimax_m2",
        calls='<minimax:tool_call><invoke name="NAME"><parameter name="P">VALUE</parameter></invoke></minimax:tool_call>',
        slips="prose that says the call has run",
    ),
)
