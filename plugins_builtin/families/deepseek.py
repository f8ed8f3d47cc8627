"""DeepSeek: R1 and 3.1 take no thought back, 3.2 until the next message; with tools 4 takes all of them back."""

from agentic import Family
from plugins_builtin.families.said import by_word, to_template

OFF, ON = to_template(thinking=False), to_template(thinking=True)
DSML = '<｜DSML｜invoke name="NAME"><｜DSML｜parameter name="P" string="true">VALUE</｜DSML｜parameter></｜DSML｜invoke>'
CALLS = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"

FAMILIES = (
    Family(
        "deepseek-v4.1",
        "vLLM 0.32 parser deepseek_v41, vLLM's recipe (2026-09): medium is refused; 1.0 and 0.95",
        r"deepseek.*v?4\.1",
        mark=r"｜DSML｜",
        efforts={"none": OFF, **by_word("low", "high", "xhigh", "max", **ON)},
        effort_first=True,
        sampling={"temperature": 1.0, "top_p": 0.95},
        tool_parser="deepseek_v41",
        flags=("--tokenizer-mode", "deepseek_v41"),
        reasoning_parser="deepseek_v41",
        calls=DSML,
    ),
    Family(
        "deepseek-v4",
        "vLLM 0.32 parser deepseek_v4, vLLM's recipe for V4-Pro (2026-08): agents 1.0 and 0.95; with tools nothing is dropped",
        r"deepseek.*v?4",
        template=r"drop_thinking",
        mark=r"｜DSML｜",
        efforts={"none": OFF, **by_word("low", "high", "max", **ON)},
        effort_first=True,
        sampling={"temperature": 1.0, "top_p": 0.95},
        tool_parser="deepseek_v4",
        flags=("--tokenizer-mode", "deepseek_v4", "--block-size", "256"),
        reasoning_parser="deepseek_v4",
        calls=DSML,
    ),
    Family(
        "deepseek-v3.2",
        "vLLM 0.32 tokenizer deepseek_v32 (2025-12): thoughts until the next message; off unless asked for",
        r"deepseek.*v?3\.2",
        template=r"｜DSML｜",
        mark=r"｜DSML｜",
        thoughts="user",
        efforts={"none": OFF, "high": ON},
        budget=False,
        tool_parser="deepseek_v32",
        flags=("--tokenizer-mode", "deepseek_v32"),
        reasoning_parser="deepseek_v3",
        calls=DSML,
    ),
    Family(
        "deepseek-v3.1",
        "chat template of DeepSeek-V3.1 (2025-08): tools without thoughts",
        r"deepseek.*v?3\.1|terminus",
        template=r"tool▁calls▁begin[\s\S]*thinking",
        mark=r"tool▁call▁begin｜>(?!function)",
        thoughts="never",
        efforts={"none": OFF, "high": ON},
        budget=False,
        tool_parser="deepseek_v31",
        reasoning_parser="deepseek_v3",
        calls=CALLS,
    ),
    Family(
        "deepseek-r1",
        "chat template of DeepSeek-R1 (2025-01, 2025-05): no thought is read",
        r"deepseek.*r1|^r1",
        mark=r"tool▁call▁begin｜>function",
        thoughts="never",
        efforts={},
        tool_parser="deepseek_v3",
        reasoning_parser="deepseek_r1",
        calls=CALLS,
        slips="calls in its thoughts",
    ),
    Family(
        "deepseek-v3",
        "chat template of DeepSeek-V3 (2024-12, 2025-03)",
        r"deepseek",
        template=r"tool▁calls▁begin",
        mark=r"tool▁call▁begin｜>function",
        thoughts="never",
        efforts={},
        tool_parser="deepseek_v3",
        calls=CALLS,
    ),
)
