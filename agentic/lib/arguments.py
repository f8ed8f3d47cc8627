"""Arguments of tool calls: text from a model, so anything."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from agentic.errors import ToolError
from agentic.lib.schemas import UncheckableError, problems, whole_numbers
from agentic.lib.wire import loads, refuse_constant
from agentic.types import ToolCall, ToolNote, ToolOutput

MAX_NOTE = 120
_MAIN = ("command", "path", "query", "key", "id")
_NEAR = 30  # characters shown around the place where JSON goes wrong


def parse(arguments: str, schema: Mapping[str, Any], tell: Callable[[str], None] = lambda why: None) -> dict[str, Any]:
    """The arguments, held to the tool's schema. Raises ToolError that tells the model what is wrong with them.

    `tell` hears why a schema cannot be checked here.
    """
    value = _loads(arguments)
    if not isinstance(value, dict):
        raise ToolError(f"the arguments must be a JSON object, not {_short(value)}")
    return check(value, schema, tell)


def check(value: dict[str, Any], schema: Mapping[str, Any], tell: Callable[[str], None] = lambda why: None) -> dict[str, Any]:
    """Checks arguments that were read already, as `parse` does. An optional one that is null counts as left out.

    What the schema says in a way that cannot be checked here is left to the tool.
    """
    schema = schema if isinstance(schema, Mapping) else {}  # a schema may be no table at all
    known = schema.get("properties")
    names = list(known) if isinstance(known, Mapping) else []
    required = schema.get("required")
    needed = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    optional = set(names) - set(needed)
    value = {name: _writable(item) for name, item in value.items() if item is not None or name not in optional}
    value = whole_numbers(value, schema)
    try:
        found = problems(value, schema)
    except UncheckableError as error:
        tell(str(error))
        return value
    if found:
        said = "; ".join(dict.fromkeys(map(_in_a_line, found[:3])))
        raise ToolError(f"{said}. The arguments are {', '.join(map(str, names)) or 'none'}")
    return value


def note(call: ToolCall, output: ToolOutput) -> ToolNote:
    """Returns a note of what was called and how it ended, in a few words."""
    try:
        arguments = _loads(call.arguments)
    except ToolError:
        arguments = {}
    main = next((arguments[name] for name in _MAIN if name in arguments), "") if isinstance(arguments, dict) else ""
    return ToolNote(" ".join(f"{call.name} {main}".split())[:MAX_NOTE], output.failed, output.exit_code)


def _in_a_line(problem: Any) -> str:
    """A problem in a line: where it is, and what is wrong there."""
    where = ".".join(str(part) for part in problem.absolute_path)
    if problem.validator == "type":
        return f"{where or 'the whole'} must be of type {problem.validator_value}, not {_short(problem.instance)}"
    if problem.validator == "required":
        return f"missing: {', '.join(str(name) for name in problem.validator_value if name not in problem.instance)}"
    return f"{where}: {problem.message[:200]}" if where else str(problem.message)[:200]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _writable(item: Any) -> Any:
    """A lone surrogate cannot be written anywhere."""
    return item.encode("utf-8", "replace").decode() if isinstance(item, str) else item


def _loads(arguments: str) -> Any:
    try:
        return loads(arguments or "{}", refuse_constant)
    except json.JSONDecodeError as error:
        near = arguments[max(0, error.pos - _NEAR) : error.pos + _NEAR]
        raise ToolError(f"the arguments are not valid JSON: {error.msg} at character {error.pos}, near {near!r}") from error
    except ValueError as error:
        raise ToolError(f"the arguments are not valid JSON: {str(error)[:100]}") from error


def in_one_line(arguments: Mapping[str, Any]) -> str:
    """The arguments for people, one after the other."""
    return ", ".join(f"{value}" if key == "path" else f"{key}: {value}" for key, value in arguments.items())


def all_of(arguments: Mapping[str, Any]) -> str:
    """The same with a line for each."""
    return "\n".join(f"{name}: {value}" for name, value in arguments.items())
