"""Granite: 3.3 thinks where it is told to, 4 does not think; neither reads a thought."""

from functools import partial

from agentic import Family
from plugins_builtin.families.said import to_template

_granite = partial(
    Family,
    mark=r"<\|start_of_role\|>",
    thoughts="never",
    efforts={"none": to_template(thinking=False), "high": to_template(thinking=True)},
    tool_parser="granite",
)

FAMILIES = (
    _granite(
        "granite-4-h",
        "cards of Granite 4.0 and 4.1 (2025-10): nine of ten layers keep a state (h: hybrid)",
        r"granite-?4[.\d]*-?h",
        cache="hybrid",
    ),
    _granite(
        "granite",
        "chat templates of Granite 3.3, 4.0 and 4.1 (2025); vLLM 0.32, tool parsers",
        r"granite",
    ),
)
