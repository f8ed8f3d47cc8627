"""Values held to JSON schemas that others wrote: servers, plugins, users. Nothing is retrieved, and no expression runs for long."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from agentic.expressions import matches

MAX_REFERENCES = 50  # that lead from one to the next, or are nested
_LOCAL = "#/"


class UncheckableError(Exception):
    """The schema cannot be checked here: a reference to elsewhere, a type or expression of another language, a circle."""


def problems(value: Any, schema: Mapping[str, Any]) -> list[Any]:
    """What the schema forbids of the value, as jsonschema's errors in their order. Raises UncheckableError."""
    from jsonschema.validators import validator_for

    specifications = import_module("jsonschema_specifications")  # which has no types
    try:
        validator = _bounded(validator_for(schema))(schema, registry=specifications.REGISTRY)
        found = list(validator.iter_errors(value))
    except Exception as error:  # whatever a foreign schema makes of the library
        raise UncheckableError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return sorted(found, key=lambda problem: [str(part) for part in problem.absolute_path])


@cache
def _bounded(kind: Any) -> Any:
    """The validator of a draft with expressions as JSON's own language has them, each with a time limit."""
    from jsonschema import validators

    extend: Any = validators.extend
    own = {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional_properties}
    return extend(kind, {name: check for name, check in own.items() if name in kind.VALIDATORS} | {"unevaluatedProperties": None})


def _pattern(validator: Any, expression: str, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(value, "string") and matches(expression, value) is False:
        yield ValidationError(f"{value!r} does not match {expression!r}")


def _pattern_properties(validator: Any, expressions: Mapping[str, Any], value: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(value, "object"):
        for expression, inner in expressions.items():
            for name in [name for name in value if matches(expression, name)]:
                yield from validator.descend(value[name], inner, path=name, schema_path=expression)


def _additional_properties(validator: Any, allowed: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not validator.is_type(value, "object"):
        return
    expressions = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    more = [name for name in value if name not in known and all(matches(each, name) is False for each in expressions)]
    if validator.is_type(allowed, "object"):
        for name in more:
            yield from validator.descend(value[name], allowed, path=name)
    elif not allowed and more:
        yield ValidationError(f"unknown: {', '.join(more)}")


def whole_numbers(value: Any, schema: Any, root: Any = None, depth: int = 0) -> Any:
    """The value with 2 for 2.0 wherever the schema says integer: its integers are not Python's."""
    root = schema if root is None else root
    if depth > MAX_REFERENCES or not isinstance(schema, Mapping):
        return value
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return whole_numbers(value, _resolved(reference, root), root, depth + 1)
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if isinstance(value, float) and value.is_integer() and "integer" in kinds and "number" not in kinds:
        return int(value)
    if isinstance(value, dict):
        inner = schema.get("properties")
        inner = inner if isinstance(inner, Mapping) else {}
        return {name: whole_numbers(item, inner.get(name), root, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item, schema.get("items"), root, depth + 1) for item in value]
    return value


def _resolved(reference: str, root: Any) -> Any:
    """What a reference within the schema names, None for any other."""
    if not reference.startswith(_LOCAL):
        return None
    for part in reference.removeprefix(_LOCAL).split("/"):
        root = root.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(root, Mapping) else None
    return root
