"""Which request goes where and when."""

from collections.abc import Iterable

from agentic import Batcher, BatcherSetup, ChatCommand, Provider, hookimpl
from agentic.hooks.chat import Chat


def _direct(setup: BatcherSetup) -> Batcher:
    from plugins_builtin.batching.direct import Direct

    return Direct(setup.transport, setup.emit, setup.settings.llm.retry_seconds)


def _admission(setup: BatcherSetup) -> Batcher:
    from plugins_builtin.batching.admission import Admission
    from plugins_builtin.batching.limits import EndpointLimits

    settings, retry = setup.settings.batching, setup.settings.llm.retry_seconds
    return Admission(
        setup.transport,
        setup.emit,
        settings.batch_size,
        settings.batch_timeout,
        retry,
        EndpointLimits(settings.max_in_flight, setup.settings.llm.of),
    )


@hookimpl
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    yield Provider(
        "admission", "at once while there is a slot, where the prefix is cached; resumes elsewhere", _admission, default=True
    )
    yield Provider("direct", "sends at once; the next endpoint when one fails", _direct)


async def _metrics(argument: str, chat: Chat) -> None:
    seen = await chat.endpoints()
    for each in seen:
        each.asked = True
        await chat.emit(each)
    if not seen:
        chat.say("(nobody tells how busy they are)")


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("metrics", "how busy the servers are", _metrics, group="Model")
