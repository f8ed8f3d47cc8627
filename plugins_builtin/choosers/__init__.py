"""Chooses what "auto" is: the first transport that answers, the first way to call tools that the model is able to."""

from collections.abc import Iterable, Mapping

from agentic import Chooser, EndpointInfo, hookimpl
from agentic.hooks.protocol import ProtocolChoice
from agentic.hooks.transport import TransportChoice


async def _transport(setup: TransportChoice) -> tuple[str, str]:
    from plugins_builtin.choosers.transports import choose

    return await choose(setup)


async def _protocol(setup: ProtocolChoice) -> tuple[str, str]:
    from plugins_builtin.choosers.protocols import choose

    return await choose(setup)


def _learn(info: EndpointInfo, protocol: str, counts: Mapping[str, int]) -> None:
    from plugins_builtin.choosers.protocols import ModelRecord

    ModelRecord().add(info, protocol, counts)


@hookimpl
def agentic_transports() -> Iterable[Chooser]:
    yield Chooser("auto", "the endpoints; where none is named and none answers, the next one, after a question", _transport)


@hookimpl
def agentic_models() -> Iterable[Chooser]:
    yield Chooser("auto", "the first way that the model is able to, and that went well with it", _protocol, _learn)
