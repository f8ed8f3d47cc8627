"""The safeguards of the builtin plugins, for tests of what stands on them."""

from agentic.lib.safeguards import Safeguards
from agentic.plugins import Host


def safeguards() -> Safeguards:
    return Safeguards(offer.record for offer in Host().offers("agentic_safeguards").values())
