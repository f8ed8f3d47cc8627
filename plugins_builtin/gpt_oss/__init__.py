"""gpt-oss as its makers run it: the tools that it knows, its channels, its temperature, and its patience with itself."""

from collections.abc import Callable, Iterable

from agentic import OutputRepair, Provider, RepairProvider, Setup, ToolProtocol, Vocabulary, hookimpl


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
def agentic_models() -> Iterable[Provider[ToolProtocol] | RepairProvider | Vocabulary]:
    yield Provider("harmony", "native calls with the tools that gpt-oss was trained on", _harmony, automatic=10)
    yield RepairProvider("channels", "harmony's channels and calls, where a server left them in the text", _channels)
    yield Vocabulary("o200k", "tiktoken's vocabulary for models of the gpt family", _tokens_for)
