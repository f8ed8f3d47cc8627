"""Error bodies by kind. Shapes and strings: vLLM 0.32 and older, other local servers, and proxies in front of them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentic.errors import (
    AgenticError,
    ContextOverflow,
    EndpointUnavailable,
    Loading,
    ModelOutputError,
    Overloaded,
    RequestRejected,
    StreamBroken,
    TransportError,
)
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from agentic.lib.wire.json_text import loads
from agentic.lib.wire.overflow import limit_in, named_limit, overflows

_UNREADABLE = late_pattern(
    r"openai_\w+|unexpected tokens? .*(header|expecting start token|remaining)|Unterminated string", re.IGNORECASE
)
_REMEDIES = {
    401: "set the key that the server was started with: AGENTIC_LLM_API_KEY=...",
    403: "set the key that the server was started with: AGENTIC_LLM_API_KEY=...",
    404: "check --endpoint (it ends in /v1) and --model; leave --model out to use what the server serves",
}


_LOADING = late_pattern(r"loading (?:the )?model|model is (?:still )?loading|is being loaded", re.IGNORECASE)
_NEVER = late_pattern(
    r"(?:image|audio|video)s? (?:input|data)?\s*(?:is|are) not supported|mmproj|not (?:a )?multimodal", re.IGNORECASE
)
# Fields of a request that an answer can do without: where a server refuses one, it is left out.
OPTIONAL_FIELDS = (
    "stream_options", "max_tokens", "reasoning_effort", "return_token_ids", "priority", "parallel_tool_calls", "kv_transfer_params",
    "chat_template_kwargs", "include_reasoning", "cache_salt", "return_progress", "temperature", "top_p", "top_k", "min_p", "seed",
    "stop", "strict", "logprobs", "ignore_eos", "thinking_token_budget", "thinking_budget_tokens",
)  # fmt: skip
_REFUSED = (
    r"unsupported (?:parameter|value|field|key)|unsupported_parameter|unknown_parameter|UnsupportedParams|unexpected keyword",
    r"un(?:recogni[sz]ed|known|expected) (?:request )?(?:argument|parameter|field|key|name|property)",
    r"no (?:such )?(?:field|parameter)|extra (?:inputs?|fields?) (?:are |is )?not (?:permitted|allowed)|extra_forbidden",
    r"additional propert|only allowed when|(?:does|do) not support|think value|not valid: unsupported",
    r"(?:is|are)(?: currently)? not (?:supported|permitted|allowed|enabled|implemented|in struct)",
    r"(?:is|are) not a (?:valid|recogni[sz]ed) (?:field|parameter)",
    r"(?:is|are)(?: currently)? (?:unsupported|forbidden|deprecated|invalid)|invalid (?:parameter|argument|field)|unpermitted",
    r"is set but \w+ is not configured",
    r"not allowed|should not exist|cannot (?:be set|both)|extraneous|\bvalue_error\.extra|valid range of",
    r"only \S+ is allowed|may only be|must be 1 for|can only be (?:set|defined)|不支持",
)
_REFUSING_CODES = {"unknown_parameter", "unsupported_parameter", "invalid_parameter", "unsupported_value", "extra_forbidden"}


@record(frozen=True, slots=True)
class _Said:
    """The contents of an error body, whoever wrote it."""

    message: str = ""
    kind: str = ""
    param: str = ""
    code: str = ""
    limit: int = 0


def error_from_body(status: int, body: bytes, retry_after: str = "") -> AgenticError:
    """The error that an HTTP status and body mean. `retry_after` is that header's value; only whole seconds count."""
    try:
        parsed = loads(body)
    except ValueError:
        parsed = None
    said = _describe(parsed)
    if not said.message:
        said = replace(said, message=_plain_text(body) or f"HTTP status {status}")
    return _classify(status, said, retry_after)


def is_error(chunk: Mapping[str, Any]) -> bool:
    """True for an object that reports an error where a part of an answer was due."""
    if chunk.get("error") or chunk.get("object") == "error":
        return True
    if "choices" in chunk:
        return False
    if chunk.get("type") == "error" or any(map(chunk.get, ("detail", "error_type", "error_message", "errors", "fault"))):
        return True
    return bool(chunk.get("message") or chunk.get("msg")) and any(name in chunk for name in ("code", "status", "status_code"))


def error_from_chunk(chunk: Mapping[str, Any]) -> AgenticError:
    """The error that an event inside a stream reports, or a body that came with status 200."""
    said = _describe(chunk)
    if overflows(said.message, said.kind, said.code, said.param):
        return _classify(400, said, "")
    if not said.code.isdecimal() or not 400 <= int(said.code) < 600:
        return StreamBroken(f"the server reported an error in the middle of the answer: {said.message or _short(chunk)}")
    return _classify(int(said.code), said, "")


def error_from_text(text: bytes, kind: str = "text") -> AgenticError:
    """The error that a text of that content type reports, sent with status 200 where an answer was due."""
    try:
        parsed = loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and (is_error(parsed) or _describe(parsed).message):
        return error_from_chunk(parsed)
    cause = f"the server answered with {kind} where a stream was due: {_plain_text(text) or 'nothing'}"
    return StreamBroken(cause, "is this the address of the server itself?")


def _short(value: object) -> str:
    return str(value)[:200]


def _describe(body: object) -> _Said:
    """Reads the error in a body.

    That is `{"error": {…}}`, `{"error": "text"}`, `{"message": …}`, `{"detail": …}` (also FastAPI's list), or a list of one.
    """
    if isinstance(body, list) and len(body) == 1:  # Google's gateway
        body = body[0]
    if not isinstance(body, dict):
        return _Said()
    error = body.get("error", body)
    if error is True or error is None:  # `{"error": true, "message": …}`
        error = body
    if isinstance(several := error.get("errors") if isinstance(error, dict) else None, list) and several:
        error = several[0] if isinstance(several[0], dict) else {"message": "; ".join(map(_short, several))}
    if isinstance(error, dict) and isinstance(error.get("fault"), dict):
        error = error["fault"]
    if isinstance(error, str) and error.lstrip().startswith("{"):  # an error in an error, as proxies hand it on
        try:
            error = loads(error).get("error", error)
        except (ValueError, AttributeError):
            pass
    outer = {name: body.get(name) for name in ("message", "error_type", "code", "type")}
    if not isinstance(error, dict):
        return _Said(str(error), str(outer["error_type"] or outer["type"] or ""), "", _code(outer["code"]))
    names = ("message", "detail", "error_message", "msg", "faultstring")
    detail = next((error[name] for name in names if error.get(name)), "")
    if isinstance(detail, list):
        detail = "; ".join(_of_field(each) for each in detail)
    param = error.get("param")
    code = _code(error.get("code") or error.get("status") or error.get("status_code"))
    return _Said(str(detail), str(error.get("type") or ""), str(param or ""), code, named_limit(error))


def _code(value: object) -> str:
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _of_field(each: object) -> str:
    """Returns one of FastAPI's complaints as text: where and what."""
    if not isinstance(each, dict):
        return _short(each)
    where = ".".join(str(part) for part in each.get("loc") or () if part != "body")
    return f"{where}: {each.get('msg')} ({each.get('type')})"


def _plain_text(body: bytes) -> str:
    text = re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", body[:4096].decode("utf-8", "replace"), flags=re.DOTALL)
    return " ".join(text.split())[:200]


def _classify(status: int, said: _Said, retry_after: str) -> AgenticError:
    message = said.message
    if _UNREADABLE.search(message) and status >= 400:
        return ModelOutputError(f"the server could not parse what its model wrote: {message}")
    too_long = overflows(message, said.kind, said.code, said.param) or status == 413
    field = "" if too_long else _refused_field(message, said.param, said.kind, said.code)
    if too_long and status != 429:
        remedy = "the prompt is larger than the model's window: see context.context_window"
        return ContextOverflow(f"the prompt does not fit the model: {message}", remedy, status, said.limit or limit_in(message))
    if status in (429, 503):
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        if _LOADING.search(message):
            return Loading(f"the server is loading its model ({status}): {message}", retry_after=seconds)
        return Overloaded(f"the server is overloaded ({status}): {message}", retry_after=seconds)
    if 300 <= status < 400:
        return RequestRejected(f"the server redirects ({status})", "give the final address with --endpoint", status)
    if status >= 500 and _NEVER.search(message):  # it would say so again
        return RequestRejected(f"the server cannot do that ({status}): {message}", "", 400)
    if said.kind == "no_db_connection":  # LiteLLM's word for a key that is not its master's
        status = 401
    if (status >= 500 and not field) or status in (408, 409, 425):
        failed = EndpointUnavailable(f"the server failed ({status}): {message}")
        failed.status = status
        return failed
    return RequestRejected(f"the server rejected the request ({status}): {message}", _REMEDIES.get(status, ""), status, field)


def _refused_field(message: str, param: str, *codes: str) -> str:
    """The field of a request that a server does not take, "" where it says nothing of the kind."""
    refused = set(codes) & _REFUSING_CODES or any(re.search(words, message, re.IGNORECASE) for words in _REFUSED)
    if not refused:
        return ""
    named = param.rpartition(".")[2]
    if named in OPTIONAL_FIELDS:
        return named
    if re.search(r"does not support thinking|think value", message, re.IGNORECASE):  # Ollama's word for it
        return "reasoning_effort"
    return next((name for name in OPTIONAL_FIELDS if re.search(rf"\b{name}\b", message)), "")


__all__ = ["TransportError", "error_from_body", "error_from_chunk", "error_from_text", "is_error"]
