"""Qwen: Coder does not think; 3 and 3.5 think until the next message; 3.6 can keep its thoughts, 3.8 does so by itself."""

from functools import partial

from agentic import Family
from plugins_builtin.families.said import OFF, ON, by_word, to_template

JSON_CALLS = '<tool_call>{"name": …, "arguments": {…}}</tool_call>'
XML_CALLS = "<tool_call><function=NAME><parameter=P>VALUE</parameter></function></tool_call>"
SLIPS = "the opening <tool_call> is left out, the more so behind prose and with many tools; <parameter= without its >"
_CODING = {"temperature": 0.6, "top_p": 0.95, "top_k": 20}
_writes_xml = partial(Family, mark="<function=", tool_parser="qwen3_coder", calls=XML_CALLS, slips=SLIPS)
_writes_json = partial(Family, mark=r"<\|im_start\|>[\s\S]*<tool_call>\s*\{\"name", calls=JSON_CALLS)
_hybrid = partial(_writes_xml, sampling=_CODING, reasoning_parser="qwen3", cache="hybrid")

FAMILIES = (
    _hybrid(
        "qwen3.8",
        "chat template and card of Qwen3.8 (2026-08): low, medium, xhigh; thoughts stay; QwenLM/Qwen3.8#131",
        r"qwen-?3\.[89]|qwen-?[4-9]",
        template=r"Supported types are xhigh",
        efforts={"none": OFF, **by_word("low", "medium", "xhigh")},
        effort_first=True,
    ),
    _hybrid(
        "qwen3.6",
        "chat template and card of Qwen3.6 (2026): preserve_thinking, off by default; trained to use kept thoughts",
        r"qwen-?3\.[67]",
        template=r"<function=example_function_name>[\s\S]*preserve_thinking",
        thoughts="user",
        keep=to_template(preserve_thinking=True),
        efforts={"none": OFF, "high": ON},
    ),
    _hybrid(
        "qwen3.5",
        "chat template and README of Qwen3.5 (2026): precise coding 0.6, 0.95, 20",
        r"qwen-?3\.5",
        template=r"<function=example_function_name>[\s\S]*reasoning_content",
        thoughts="user",
        efforts={"none": OFF, "high": ON},
    ),
    _writes_xml(
        "qwen3-coder-next",
        "chat template and config of Qwen3-Coder-Next (2026-02): the layers of Qwen3-Next, the calls of Qwen3-Coder",
        r"qwen-?3-coder-next",
        thoughts="never",
        efforts={},
        cache="hybrid",
    ),
    _writes_xml(
        "qwen-coder",
        "chat template of Qwen3-Coder (2025-07); ollama/ollama#16686, vllm-project/vllm#39771 (2026-09)",
        r"qwen-?3.*coder",
        template=r"<function=example_function_name>",
        thoughts="never",
        efforts={},
    ),
    _writes_json(
        "qwen3-next",
        "chat templates of Qwen3-Next-80B-A3B (2025-09): two models, one that thinks and one that does not",
        r"qwen-?3-next",
        thoughts="user",
        efforts={},
        sampling=_CODING,
        reasoning_parser="qwen3",
        cache="hybrid",
    ),
    _writes_json(
        "qwen3",
        "chat template and README of Qwen3 (2025-04, 2025-07): thinking 0.6, 0.95, 20; QwenLM/Qwen3#1817",
        r"qwen-?3|qwq",
        template=r"<tool_call>(?:\\n|\s)*\{\"name[\s\S]*enable_thinking",
        thoughts="user",
        efforts={"none": OFF, "high": ON},
        sampling=_CODING,
        reasoning_parser="qwen3",
        slips="it plans a call in its thought and answers without it",
    ),
    _writes_json(
        "qwen2.5",
        "chat template of Qwen2.5 (2024-09)",
        r"qwen-?[12]",
        thoughts="never",
        efforts={},
        slips="calls as fenced JSON",
    ),
)
