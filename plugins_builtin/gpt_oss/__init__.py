"""gpt-oss as its makers run it: the tools that it knows, its channels, its temperature, and its patience with itself."""

from collections.abc import Callable, Iterable

from agentic import OutputRepair, Provider, Setup, ToolProtocol, Vocabulary, hookimpl


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
def agentic_tool_protocols() -> Iterable[Provider[ToolProtocol]]:
    yield Provider("harmony", "native calls with the tools that gpt-oss was trained on", _harmony, automatic=10)


@hookimpl
def agentic_output_repairs() -> Iterable[Provider[OutputRepair]]:
    yield Provider("channels", "harmony's channels and calls, where a server left them in the text", _channels)


@hookimpl
def agentic_vocabularies() -> Iterable[Vocabulary]:
    yield Vocabulary("o200k", "tiktoken's vocabulary for models of the gpt family", _tokens_for)
