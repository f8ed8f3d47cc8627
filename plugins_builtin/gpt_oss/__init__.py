"""gpt-oss as its makers run it: the tools that it knows, its channels, its temperature, and its patience with itself."""

from collections.abc import Callable, Iterable

from agentic import Family, OutputRepair, Provider, RepairProvider, Setup, ToolProtocol, Vocabulary, hookimpl

GPT_OSS = Family(
    "gpt-oss",
    "README of openai/gpt-oss, openai/harmony (2025-08), vLLM 0.32 harmony_utils.py: none, minimal, xhigh and max are refused",
    r"gpt-oss",
    template=r"<\|channel\|>analysis",
    mark=r"<\|channel\|>",
    thoughts="final",
    efforts={word: {"reasoning_effort": word} for word in ("low", "medium", "high")},
    effort_first=True,
    sampling={"temperature": 1.0, "top_p": 1.0},
    questions="low",
    budget=False,
    tools=("apply_patch",),
    instead_of=("edit_file",),
    tool_parser="openai",
    reasoning_parser="openai_gptoss",
    calls="<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>",
    slips="calls and channels left in the text, names without their namespace, tools of its training",
)


def _harmony(setup: Setup) -> ToolProtocol:
    from plugins_builtin.gpt_oss.harmony import Harmony

    return Harmony(setup)


def _channels(setup: Setup) -> OutputRepair:
    from plugins_builtin.gpt_oss.channels import Channels

    return Channels()


def _tokens_for(model: str) -> Callable[[str], int] | None:
    from plugins_builtin.gpt_oss.vocabulary import tokens_for

    return tokens_for(model)


@hookimpl
def agentic_models() -> Iterable[Provider[ToolProtocol] | RepairProvider | Vocabulary | Family]:
    yield GPT_OSS
    yield Provider("harmony", "native calls with the tools that gpt-oss was trained on", _harmony, automatic=10)
    yield RepairProvider("channels", "harmony's channels and calls, where a server left them in the text", _channels)
    yield Vocabulary("o200k", "tiktoken's vocabulary for models of the gpt family", _tokens_for)
