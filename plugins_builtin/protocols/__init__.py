"""How models are asked for tool calls, and what they write when they miss the form."""

from collections.abc import Iterable

from agentic import OutputRepair, Provider, RepairProvider, Setup, ToolProtocol, hookimpl


def _native(setup: Setup) -> ToolProtocol:
    from plugins_builtin.protocols.native import Native

    return Native(setup)


def _json(setup: Setup) -> ToolProtocol:
    from plugins_builtin.protocols.json_actions import JsonActions

    return JsonActions(setup)


def _repair(setup: Setup) -> OutputRepair:
    from plugins_builtin.protocols.leaked_calls import LeakedCalls

    return LeakedCalls()


@hookimpl
def agentic_models() -> Iterable[Provider[ToolProtocol] | RepairProvider]:
    yield Provider("native", "tool calls that the server parses", _native, automatic=20)
    yield Provider("json", "one JSON object a turn, held to a schema", _json, automatic=90)
    yield RepairProvider("leaked_calls", "calls that stand in the text, under whatever name models know", _repair)
