"""Llama: no thoughts, one call in an answer."""

from agentic import Family

FAMILIES = (
    Family(
        "llama-4",
        "vLLM 0.32 examples/tool_chat_template_llama4_pythonic.jinja",
        r"llama-?4",
        mark=r"<\|header_start\|>",
        thoughts="never",
        efforts={},
        tool_parser="llama4_pythonic",
        calls="[NAME(P=VALUE)]",
    ),
    Family(
        "llama-3",
        "chat template of Llama-3.1 to 3.3 (2024): it refuses several calls in one answer",
        r"llama-?3|llama3",
        template=r"Environment: ipython",
        mark=r"<\|start_header_id\|>",
        thoughts="never",
        efforts={},
        tool_parser="llama3_json",
        calls='{"name": …, "parameters": {…}}',
        slips="a tool for everything once there are tools",
        says_first=False,
    ),
)
