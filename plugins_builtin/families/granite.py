"""Granite: 3.3 thinks where it is told to, 4 does not think; neither reads a thought."""

from agentic import Family
from plugins_builtin.families.said import to_template

FAMILIES = (
    Family(
        "granite",
        "chat templates of Granite 3.3, 4.0 and 4.1 (2025); vLLM 0.32, tool parsers",
        r"granite",
        thoughts="never",
        efforts={"none": to_template(thinking=False), "high": to_template(thinking=True)},
        tool_parser="granite",
    ),
)
