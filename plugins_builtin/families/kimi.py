"""Kimi K2: thoughts go back until the next answer without calls; 2.6 can keep them, 2.7 Code always does. Its switch is `thinking`.

No effort goes along with the switch: vLLM's parser would take the two for opposites.
"""

from functools import partial

from agentic import Family
from plugins_builtin.families.said import by_word, to_template

OFF, ON = to_template(thinking=False), to_template(thinking=True)
CALLS = "<|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:N<|tool_call_argument_begin|>{…}<|tool_call_end|>"
_k2 = partial(
    Family,
    mark=r"<\|tool_calls_section_begin\|>",
    tool_parser="kimi_k2",
    reasoning_parser="kimi_k2",
    calls=CALLS,
    slips="calls are numbered through: N",
)

FAMILIES = (
    Family(
        "kimi-k3",
        "vLLM 0.32 parser kimi_k3, llama.cpp's template Kimi-K3 (2026): low, high, max; thoughts stay",
        r"kimi-?k[3-9]",
        efforts={"none": OFF, **by_word("low", "high", "max")},
        tool_parser="kimi_k3",
        reasoning_parser="kimi_k3",
        cache="hybrid",
    ),
    _k2(
        "kimi-k2.7",
        "platform.kimi.ai, models overview; SGLang's cookbook (2026): thoughts stay, thinking cannot be switched off",
        r"kimi-?k2\.[789]",
        efforts={},
        sampling={"temperature": 1.0, "top_p": 0.95},
    ),
    _k2(
        "kimi-k2.6",
        "tinker-cookbook renderers/kimi_k26.py; platform.kimi.ai (2026): preserve_thinking, off by default",
        r"kimi-?k2\.6",
        thoughts="final",
        keep=to_template(preserve_thinking=True),
        efforts={"none": OFF, "high": ON},
        sampling={"temperature": 1.0, "top_p": 0.95},
    ),
    _k2(
        "kimi-k2.5",
        "platform.kimi.ai, models overview (2026): thinking 1.0 and 0.95",
        r"kimi-?k2\.5",
        thoughts="final",
        efforts={"none": OFF, "high": ON},
        sampling={"temperature": 1.0, "top_p": 0.95},
    ),
    _k2(
        "kimi-k2-thinking",
        "chat template of Kimi-K2-Thinking (2025-11): from the last answer without calls on",
        r"kimi-?k2-?think",
        template=r"<\|tool_calls_section_begin\|>[\s\S]*reasoning_content",
        thoughts="final",
        efforts={},
        sampling={"temperature": 1.0, "top_p": 1.0},
    ),
    _k2(
        "kimi-k2",
        "chat template of Kimi-K2-Instruct (2025-07)",
        r"kimi",
        template=r"<\|tool_calls_section_begin\|>",
        thoughts="never",
        efforts={},
        sampling={"temperature": 0.6},
    ),
)
