"""Fields that a server refuses: left out from then on, in every further request to it."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from agentic import RequestRejected
from agentic.lib.patterns import late_pattern

_log = logging.getLogger("agentic.transport")
_CHOSEN = {"reasoning_effort"}  # what the user asked for by its value
_OF_A_VALUE = late_pattern(r"unsupported value|supported values|does not support '", re.IGNORECASE)
_RENAMED = {"max_tokens": "max_completion_tokens"}


class Refusals:
    """The endpoints' refusals in this process. `streams` False asks for answers in one piece, where a gateway needs that."""

    def __init__(self, streams: bool) -> None:
        self._streams = streams
        self._refused: dict[str, dict[str, str]] = {}
        self._words: dict[tuple[str, str, Any], RequestRejected] = {}

    def fitted(self, endpoint: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body as the endpoint takes it. Raises RequestRejected for a word that it has refused."""
        for name in _CHOSEN & body.keys():
            if (error := self._words.get((endpoint, name, body[name]))) is not None:
                raise error
        refused = self._refused.get(endpoint)
        if not refused and self._streams:
            return body
        found = {(refused or {}).get(name, name): value for name, value in body.items()}
        found.pop("", None)
        if "strict" in (refused or {}) and "tools" in found:
            found["tools"] = [_loose(tool) for tool in found["tools"]]
        if not self._streams:
            found.pop("stream_options", None)
            found["stream"] = False
        return found

    def learn(self, endpoint: str, error: RequestRejected, sent: Mapping[str, Any]) -> bool:
        """True where the request is worth sending again, without the field that the error names."""
        name = error.field
        known = self._refused.setdefault(endpoint, {})
        if not name or name in known or (name not in sent and name != "strict"):
            return False
        if name in _CHOSEN and _OF_A_VALUE.search(str(error)):
            self._words[endpoint, name, sent[name]] = error
            return False  # the server's words say what it takes instead
        other = _RENAMED.get(name, "")
        known[name] = other if other and other in str(error) else ""
        _log.warning("%s refuses %s, which is left out from now on: %s", endpoint, name, error)
        return True


def _loose(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {name: value for name, value in tool["function"].items() if name != "strict"}
    return {**tool, "function": function}
