"""Tool protocols: how a model is asked for tool calls. One interface, three ways, because small and old models cannot do
what large ones do."""

from agentic.core.protocols.protocol import ToolProtocol

__all__ = ["ToolProtocol", "by_name"]


def by_name(name: str) -> ToolProtocol:
    """The protocol of that name: native, json or fenced."""
    from agentic.core.protocols.fenced import Fenced
    from agentic.core.protocols.json_actions import JsonActions
    from agentic.core.protocols.native import Native

    kinds: dict[str, type[ToolProtocol]] = {"native": Native, "json": JsonActions, "fenced": Fenced}
    return kinds[name]()
