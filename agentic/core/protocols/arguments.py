"""Arguments of tool calls: text from a model, so anything."""

import json
from collections.abc import Mapping
from typing import Any

from agentic.core.recovery.json_text import refuse_constant
from agentic.errors import ToolError
from agentic.types import ToolCall, ToolNote, ToolOutput

MAX_NOTE = 120
_MAIN = ("command", "path", "query", "key", "id")
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def repaired(arguments: str) -> str:
    """The same text where it is a JSON object, else an empty one that says so: history may hold valid JSON only."""
    try:
        value = _loads(arguments)
    except ToolError:
        return json.dumps({"invalid": arguments[:200].encode("utf-8", "replace").decode()})
    return arguments if isinstance(value, dict) and arguments else "{}"


def parse(arguments: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, held to the tool's schema as far as flat objects need it. Raises ToolError telling the model."""
    value = _loads(arguments)
    if not isinstance(value, dict):
        raise ToolError("the arguments must be a JSON object")
    return check(value, schema)


def check(value: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """As `parse`, from what was read already."""
    properties = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        raise ToolError(f"missing: {', '.join(missing)}; the arguments are {', '.join(properties)}")
    unknown = [name for name in value if name not in properties]
    if unknown and schema.get("additionalProperties") is False:
        raise ToolError(f"unknown: {', '.join(unknown)}; the arguments are {', '.join(properties)}")
    for name, item in list(value.items()):
        wanted = properties.get(name, {}).get("type")
        if item is None and name not in schema.get("required", ()):
            del value[name]
        elif wanted in _TYPES and not _is(item, wanted):
            raise ToolError(f"{name} must be of type {wanted}")
        elif isinstance(item, str):
            value[name] = item.encode("utf-8", "replace").decode()  # a lone surrogate cannot be written anywhere
    return value


def note(call: ToolCall, output: ToolOutput) -> ToolNote:
    """What a call came to, in a few words."""
    try:
        arguments = _loads(call.arguments)
    except ToolError:
        arguments = {}
    main = next((arguments[name] for name in _MAIN if name in arguments), "") if isinstance(arguments, dict) else ""
    return ToolNote(" ".join(f"{call.name} {main}".split())[:MAX_NOTE], output.failed, output.exit_code)


def _is(item: Any, wanted: str) -> bool:
    return isinstance(item, _TYPES[wanted]) and (wanted == "boolean" or not isinstance(item, bool))


def _loads(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}", parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments are not valid JSON: {str(error)[:100]}") from error
