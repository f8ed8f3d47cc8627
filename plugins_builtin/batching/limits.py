"""The limits of each endpoint, as the user sets them."""

from collections.abc import Callable

from agentic.config.schema import EndpointSettings as Settings
from agentic.lib.record import record
from plugins_builtin.batching.endpoint import USUAL
from plugins_builtin.batching.limit import MOST


@record(frozen=True, slots=True)
class EndpointLimits:
    """The most requests in flight at one endpoint, and the user's settings `of` each by its address."""

    most: int = MOST
    of: Callable[[str], Settings] = lambda url: USUAL


EVERYWHERE = EndpointLimits()
