"""Which request goes where and when."""

from collections.abc import Iterable

from agentic import Batcher, Provider, Setup, hookimpl


def _direct(setup: Setup) -> Batcher:
    from plugins_builtin.batching.direct import Direct

    assert setup.transport is not None, "a batcher is built for a transport"
    return Direct(setup.transport, setup.emit)


def _admission(setup: Setup) -> Batcher:
    from plugins_builtin.batching.admission import Admission

    assert setup.transport is not None, "a batcher is built for a transport"
    settings = setup.settings
    return Admission(setup.transport, setup.emit, settings["batching.batch_size"], settings["batching.batch_timeout"])


@hookimpl
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    yield Provider("admission", "at once while there is a place, where the prefix is cached; resumes elsewhere", _admission)
    yield Provider("direct", "sends at once; the next endpoint when one fails", _direct)
