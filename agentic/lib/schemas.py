"""Values held to JSON schemas that others wrote: servers, plugins, users. Nothing is retrieved, and no expression runs for long."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from threading import local
from typing import Any
from urllib.parse import unquote

from agentic.lib.expressions import matches

MAX_STEPS = 50_000  # keywords that are looked at in one check
MAX_BRANCHES = 200
MAX_REFERENCES = 50  # that lead from one to the next, or are nested
_LOCAL = "#/"


class UncheckableError(Exception):
    """The schema cannot be checked here: a reference to elsewhere, a type or expression of another language, a circle."""


def problems(value: Any, schema: Mapping[str, Any]) -> list[Any]:
    """Returns the value's violations of the schema, as jsonschema's errors in their order. Raises UncheckableError."""
    from jsonschema.validators import validator_for

    specifications = import_module("jsonschema_specifications")  # which has no types
    _steps.left = MAX_STEPS
    try:
        validator = _bounded(validator_for(schema))(schema, registry=specifications.REGISTRY)
        found = list(validator.iter_errors(value))
    except Exception as error:  # whatever a foreign schema makes of the library
        raise UncheckableError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return sorted(found, key=lambda problem: [str(part) for part in problem.absolute_path])


def bare(schema: Mapping[str, Any], without: Iterable[str]) -> dict[str, Any]:
    """A tool's parameters without what they mean, and without some; unknown ones are refused all the same."""
    parts = schema.get("properties", {})
    properties = {
        name: {key: value for key, value in part.items() if key != "description"}
        for name, part in parts.items()
        if name not in without
    }
    kept = {name: value for name, value in schema.items() if name != "additionalProperties"}
    return {**kept, "properties": properties} if properties else kept


class _Steps(local):
    """How many keywords may still be looked at in this check: some schemas double the work with each line."""

    left = 0


_steps = _Steps()


def _counted(check: Any) -> Any:
    def looked(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        _steps.left -= 1
        if _steps.left < 0:
            raise UncheckableError("it takes too long")
        return check(validator, wanted, value, schema)

    return looked


@cache
def _bounded(kind: Any) -> Any:
    """The validator of a draft with expressions as JSON's own language has them, each with a time limit, and so many steps."""
    from jsonschema import validators

    extend: Any = validators.extend
    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "unevaluatedProperties": None,
    }
    checks = kind.VALIDATORS | {name: check for name, check in own.items() if name in kind.VALIDATORS}
    checks |= {name: _or_null(checks[name]) for name in ("type", "enum")}
    return extend(kind, {name: _counted(check) if check else None for name, check in checks.items()})


def _or_null(check: Any) -> Any:
    """`nullable` is OpenAPI's word for it."""

    def looked(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        return () if value is None and schema.get("nullable") is True else check(validator, wanted, value, schema)

    return looked


def _unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if wanted and validator.is_type(value, "array"):
        seen = [json.dumps(each, sort_keys=True, default=str) for each in value]
        if len(set(seen)) < len(seen):
            yield ValidationError("has the same item twice")


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


def whole_numbers(value: Any, schema: Any) -> Any:
    """The value with 2 for 2.0 wherever the schema says integer, in any of its branches: its integers are not Python's."""
    return _whole(value, [schema], schema)


def _whole(value: Any, schemas: Iterable[Any], root: Any, depth: int = 0) -> Any:
    if depth > MAX_REFERENCES or not isinstance(value, float | dict | list):
        return value
    seen: set[int] = set()
    branches = [branch for schema in schemas for branch in _branches(schema, root, seen)][:MAX_BRANCHES]
    if isinstance(value, float):
        return int(value) if value.is_integer() and _is_integer(value, branches) else value
    if isinstance(value, dict):
        return {name: _whole(item, _of_name(name, branches), root, depth + 1) for name, item in value.items()}
    return [_whole(item, _of_place(place, branches), root, depth + 1) for place, item in enumerate(value)]


def _branches(schema: Any, root: Any, seen: set[int]) -> Iterator[Mapping[str, Any]]:
    """The schema, what it refers to, and what it is made of, each once."""
    if len(seen) > MAX_BRANCHES or not isinstance(schema, Mapping) or id(schema) in seen:
        return
    seen.add(id(schema))
    yield schema
    if isinstance(reference := schema.get("$ref"), str):
        yield from _branches(_resolved(reference, root), root, seen)
    for name in ("anyOf", "oneOf", "allOf"):
        for branch in schema[name] if isinstance(schema.get(name), list) else ():
            yield from _branches(branch, root, seen)


def _is_integer(value: float, branches: list[Mapping[str, Any]]) -> bool:
    kinds = [kind for branch in branches for kind in _as_list(branch.get("type"))]
    values = [each for branch in branches for key in ("enum", "const") for each in _as_list(branch.get(key))]
    return ("integer" in kinds and "number" not in kinds) or any(type(each) is int and each == value for each in values)


def _of_name(name: str, branches: list[Mapping[str, Any]]) -> Iterator[Any]:
    for branch in branches:
        known, patterns = branch.get("properties"), branch.get("patternProperties")
        if isinstance(known, Mapping) and name in known:
            yield known[name]
        else:
            yield branch.get("additionalProperties")
        if isinstance(patterns, Mapping):
            yield from (inner for expression, inner in patterns.items() if matches(expression, name))


def _of_place(place: int, branches: list[Mapping[str, Any]]) -> Iterator[Any]:
    for branch in branches:
        first, rest = branch.get("prefixItems"), branch.get("items")
        listed = first if isinstance(first, list) else rest if isinstance(rest, list) else []
        yield listed[place] if place < len(listed) else rest


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _resolved(reference: str, root: Any) -> Any:
    """Returns the part of the schema that a reference within it names, None for any other reference."""
    if not reference.startswith(_LOCAL):
        return None
    for part in unquote(reference.removeprefix(_LOCAL)).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list):
            root = root[int(name)] if name.isdecimal() and int(name) < len(root) else None
        else:
            root = root.get(name) if isinstance(root, Mapping) else None
    return root
