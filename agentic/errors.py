"""The errors that can occur, in the words a user reads: one line of cause (the message) and one of remedy."""

import errno
from collections.abc import Mapping

from agentic.lib.sanitize import hide_logins

TYPE_CHECKING = False  # `typing` itself costs a quarter of what `agentic --version` takes
if TYPE_CHECKING:
    from typing import TypeGuard


class AgenticError(Exception):
    """Base of all. `remedy` is one line that says what to do; `exit_code` is the process's: 1 not completed, 2 usage
    or configuration, 3 no endpoint answered, 4 needed an approval."""

    exit_code = 1

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause)
        self.remedy = remedy

    @property
    def with_remedy(self) -> str:
        """Both in one line, without logins."""
        return hide_logins(f"{self}; {self.remedy}" if self.remedy else str(self))


class ConfigError(AgenticError):
    """Wrong usage, key, type or provider name."""

    exit_code = 2


class TrustError(AgenticError):
    """Something needed approval or trust and could not get it."""

    exit_code = 4


class TransportError(AgenticError):
    """Base of what an endpoint can do to a request."""

    exit_code = 3


class EndpointUnavailable(TransportError):
    """Refused, reset, silent past a deadline, or 5xx: the other endpoint takes the request at once. `status` is the 5xx, else 0."""

    status = 0


class Unreachable(EndpointUnavailable):
    """No connection could be made: the server never saw the request."""


class Overloaded(EndpointUnavailable):
    """503 or 429: the other endpoint, then a jittered pause. `retry_after` in seconds, 0 where the server does not say."""

    def __init__(self, cause: str, remedy: str = "", retry_after: float = 0.0) -> None:
        super().__init__(cause, remedy)
        self.retry_after = retry_after


class Loading(Overloaded):
    """The server is there and does not answer yet: its model is being loaded."""


class StreamBroken(EndpointUnavailable):
    """The stream ended without a terminal finish_reason: what came is not an answer."""


START = "start it (`agentic serve` says how), find one (`agentic init`), name one (--endpoint URL), or use a built-in one: --local"


def cause_at(endpoint: str, error: Exception) -> str:
    """Returns the error's text without the address that many errors begin with: the caller names the endpoint."""
    return hide_logins(str(error).removeprefix(f"{endpoint}: ").removeprefix(f"{endpoint.removesuffix('/v1')}: "))


def none_answered(failures: Mapping[str, AgenticError], what: str = "no endpoint answered") -> EndpointUnavailable:
    """An error for all endpoints: `what` was tried, what happened at each, and what helps against that."""
    lines = []
    for endpoint, error in failures.items():
        remedy = f" ({error.remedy})" if error.remedy and len(failures) > 1 else ""
        lines.append(f"  {endpoint}: {cause_at(endpoint, error)}{remedy}")
    remedy = "try again, or name another server with --endpoint URL; the server's own log may say more"
    if all(isinstance(error, Unreachable) and not error.remedy for error in failures.values()):
        remedy = START
    elif len(failures) == 1:
        remedy = next(iter(failures.values())).remedy or remedy
    return EndpointUnavailable("\n".join([what, *lines]), remedy)


class RequestRejected(TransportError):
    """A 4xx: the same bytes are never sent again. `status` is the HTTP status, `field` what of the request the server refuses."""

    exit_code = 2

    def __init__(self, cause: str, remedy: str = "", status: int = 400, field: str = "") -> None:
        super().__init__(cause, remedy)
        self.status = status
        self.field = field


class ContextOverflow(RequestRejected):
    """The prompt does not fit the model's window: shrink once, then stop with advice. `limit` is the window, 0 if unknown."""

    exit_code = 1

    def __init__(self, cause: str, remedy: str = "", status: int = 400, limit: int = 0) -> None:
        super().__init__(cause, remedy, status)
        self.limit = limit


class ModelOutputError(AgenticError):
    """The server could not parse what its model wrote, or the arguments are broken: a changed retry, twice at most."""


class ToolError(AgenticError):
    """A tool could not do what was asked; the text goes back to the model."""


class PluginError(AgenticError):
    """A plugin failed; the message names it."""

    exit_code = 2


_FULL = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)


def is_of_output(error: BaseException) -> "TypeGuard[OSError]":
    """True if the error is about our own output, which is full or gone. An error about a file would have its name."""
    return isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.errno in _FULL and not error.filename)
