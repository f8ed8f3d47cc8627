"""GLM: 4.5 and 4.6 drop thoughts at the next message; 4.7 to 5.2 keep them where they are told to; 5.3 keeps them by itself."""

from functools import partial

from agentic import Family
from plugins_builtin.families.said import OFF, ON, by_word, to_template

KEEP = to_template(clear_thinking=False)
CALLS = "<tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>"
_glm = partial(Family, mark=r"\[gMASK\]<sop>", reasoning_parser="glm45", calls=CALLS)

FAMILIES = (
    _glm(
        "glm-5.3",
        "vLLM 0.32 parser/glm47_moe.py, SGLang 0.5.23 glm53_chat_template.py (2026): low, high, max; never off; thoughts stay",
        r"glm-?5\.[3-9]|glm-?[6-9]",
        efforts=by_word("low", "high", "max"),
        effort_first=True,
        tool_parser="glm47",
    ),
    _glm(
        "glm-5.2",
        "SGLang's cookbook for GLM-5.2 (2026): only high thinks less than all it can",
        r"glm-?5\.2",
        thoughts="user",
        keep=KEEP,
        efforts={"none": OFF, **by_word("high"), "max": ON},
        effort_first=True,
        sampling={"temperature": 1.0, "top_p": 0.95},
        tool_parser="glm47",
    ),
    _glm(
        "glm-4.7",
        "docs.z.ai, thinking mode: preserved thinking is for coding agents; README of GLM-4.7-Flash: 0.7 and 1.0 for SWE-bench",
        r"glm-?4\.[789]|glm-?5",
        template=r"clear_thinking",
        thoughts="user",
        keep=KEEP,
        efforts={"none": OFF, "high": ON},
        sampling={"temperature": 0.7, "top_p": 1.0},
        tool_parser="glm47",
    ),
    _glm(
        "glm-4.6",
        "chat templates of GLM-4.5 and 4.6 (2025): off changes every message of the user",
        r"glm-?4",
        template=r"/nothink",
        thoughts="user",
        efforts={"none": OFF, "high": ON},
        effort_first=True,
        sampling={"temperature": 1.0, "top_p": 0.95, "top_k": 40},
        tool_parser="glm45",
    ),
)
