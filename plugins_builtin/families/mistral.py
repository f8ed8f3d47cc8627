"""Mistral and Devstral: every thought that is sent is shown to the model. Its tokenizer takes no `chat_template_kwargs` at all."""

from agentic import Family
from plugins_builtin.families.said import by_word

CALLS = "[TOOL_CALLS]NAME[ARGS]{…}"

FAMILIES = (
    Family(
        "mistral-small-4",
        "vLLM's recipe for Mistral-Small-4 (2026): none or high; 0.7",
        r"mistral-?small-?(?:4|26)",
        efforts=by_word("none", "high"),
        sampling={"temperature": 0.7},
        tool_parser="mistral",
        reasoning_parser="mistral",
        calls=CALLS,
    ),
    Family(
        "magistral",
        "mistral_common 1.13 (2026): its system text makes it think",
        r"magistral|ministral.*reason",
        efforts={},
        tool_parser="mistral",
        reasoning_parser="mistral",
        calls=CALLS,
    ),
    Family(
        "devstral",
        "mistral_common 1.13; mistralai/mistral-vibe (2026): it edits by search and replace",
        r"devstral|mistral|mixtral|codestral|ministral",
        template=r"\[TOOL_CALLS\]",
        mark=r"\[TOOL_CALLS\]",
        thoughts="never",
        efforts={},
        tool_parser="mistral",
        calls=CALLS,
        slips="nothing of the user may stand behind a result",
    ),
)
