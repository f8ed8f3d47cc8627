"""Error bodies by kind. Shapes and strings: vLLM 0.32 and older, other local servers, and proxies in front of them."""

import re
from collections.abc import Mapping
from typing import Any

from agentic.errors import (
    AgenticError,
    ContextOverflow,
    EndpointUnavailable,
    ModelOutputError,
    Overloaded,
    RequestRejected,
    StreamBroken,
    TransportError,
)
from agentic.wire.json_text import loads

_OVERFLOW = re.compile(
    r"maximum context length|exceeds? (the )?(model's|available) (maximum )?context|exceed_context_size"
    r"|contains \d+ characters \(more than|max_tokens=\d+ cannot be greater than max_model_len",
    re.IGNORECASE,
)
_UNREADABLE = re.compile(
    r"openai_\w+|unexpected tokens? .*(header|expecting start token|remaining)|Unterminated string", re.IGNORECASE
)
_REMEDIES = {
    401: "set the key that the server was started with: AGENTIC_LLM_API_KEY=...",
    403: "set the key that the server was started with: AGENTIC_LLM_API_KEY=...",
    404: "check --endpoint (it ends in /v1) and --model; leave --model out to use what the server serves",
}


def error_from_body(status: int, body: bytes, retry_after: str = "") -> AgenticError:
    """The error that an HTTP status and body mean. `retry_after` is that header's value; only whole seconds count."""
    try:
        parsed = loads(body)
    except ValueError:
        parsed = None
    message, kind, param = _describe(parsed)
    if not message:
        message = _plain_text(body)
    return _classify(status, message or f"HTTP status {status}", kind, param, retry_after)


def error_from_chunk(chunk: Mapping[str, Any]) -> AgenticError:
    """The error that an `{"error": ...}` event inside a 200 stream services."""
    message, kind, param = _describe(chunk)
    error = chunk["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int):
        return StreamBroken(f"the server reported an error in the middle of the answer: {message or error}")
    return _classify(code, message, kind, param, "")


def _describe(body: object) -> tuple[str, str, str]:
    """(message, type, param) of `{"error": {…}}`, `{"error": "text"}`, `{"message": …}` and `{"detail": …}`."""
    if not isinstance(body, dict):
        return "", "", ""
    error = body.get("error", body)
    if not isinstance(error, dict):
        return str(error), "", ""
    message = error.get("message") or error.get("detail") or ""
    return str(message), str(error.get("type") or ""), str(error.get("param") or "")


def _plain_text(body: bytes) -> str:
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", body[:4096].decode("utf-8", "replace"), flags=re.DOTALL)
    return " ".join(text.split())[:200]


def _classify(status: int, message: str, kind: str, param: str, retry_after: str) -> AgenticError:
    if _UNREADABLE.search(message) and status >= 400:
        return ModelOutputError(f"the server could not parse what its model wrote: {message}")
    if status in (429, 503):
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        return Overloaded(f"the server is overloaded ({status}): {message}", retry_after=seconds)
    if 300 <= status < 400:
        return RequestRejected(f"the server redirects ({status})", "give the final address with --endpoint", status)
    if status >= 500 or status in (408, 409, 425):
        return EndpointUnavailable(f"the server failed ({status}): {message}")
    if param in ("input_tokens", "input_text", "max_tokens") or _OVERFLOW.search(f"{message} {kind}"):
        remedy = "the prompt is larger than the model's window: see context.context_window"
        return ContextOverflow(f"the prompt does not fit the model: {message}", remedy, status)
    return RequestRejected(f"the server rejected the request ({status}): {message}", _REMEDIES.get(status, ""), status)


__all__ = ["TransportError", "error_from_body", "error_from_chunk"]
