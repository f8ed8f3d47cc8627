"""The files that today's tools run or obey, the places where people keep keys, and the looks of keys."""

from collections.abc import Iterable

from agentic import Safeguard, hookimpl
from plugins_builtin.safeguards.names import ASKED, HARMLESS, HIDDEN, PRIVATE, PROTECTED, VARIABLES
from plugins_builtin.safeguards.secrets import SECRETS


@hookimpl(optionalhook=True)
def agentic_safeguards() -> Iterable[Safeguard]:
    for why, patterns in PROTECTED.items():
        yield from (Safeguard("protected", pattern, why) for pattern in patterns.split())
    for form, patterns in HARMLESS.items():
        yield from (Safeguard("harmless", pattern, form) for pattern in patterns.split())
    for why, patterns in ASKED.items():
        yield from (Safeguard("asked", pattern, why) for pattern in patterns.split())
    for why, patterns in PRIVATE.items():
        yield from (Safeguard("private", pattern, why) for pattern in patterns.split())
    yield from (Safeguard("hidden", pattern) for pattern in HIDDEN.split())
    yield from (Safeguard("variable", pattern) for pattern in VARIABLES.split())
    yield from (Safeguard("secret", pattern, what) for what, pattern in SECRETS.items())
