"""Which request goes where and when."""

from collections.abc import Iterable

from agentic import Batcher, Provider, Setup, hookimpl
from plugins_builtin.batching.direct import Direct


def _make(setup: Setup) -> Batcher:
    assert setup.transport is not None, "a batcher is built for a transport"
    return Direct(setup.transport, setup.emit)


@hookimpl
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    yield Provider("direct", "sends at once; the next endpoint when one fails", _make)
