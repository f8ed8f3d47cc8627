"""The JSON schema of agentic.toml, from the declarations of its keys: for editors that complete and check TOML."""

from collections.abc import Mapping
from typing import Any

from agentic.config.section import Key

_URL = "https://json-schema.org/draft/2020-12/schema"


def schema_of(declared: Mapping[str, Key]) -> dict[str, Any]:
    """The schema of all keys, by their dotted names. Tables of plugins that are not here may hold anything."""
    schema: dict[str, Any] = {"$schema": _URL, "title": "agentic.toml", "type": "object", "properties": {}}
    for name, key in declared.items():
        *tables, last = name.split(".")
        place = schema
        for table in tables:
            place = place["properties"].setdefault(table, {"type": "object", "properties": {}})
        place["properties"][last] = _of_key(key)
    return schema


def _of_key(key: Key) -> dict[str, Any]:
    described: dict[str, Any] = {"description": key.help} if key.help else {}
    if isinstance(key.default, str | int | float | bool) and key.default != "":
        described["default"] = key.default
    elif isinstance(key.default, tuple) and key.default:
        described["default"] = list(key.default)
    return _of_values(key) | described


def _of_values(key: Key) -> dict[str, Any]:
    if key.choices:
        return {"enum": list(key.choices)}
    if key.tables is not None:
        return {"type": "array", "items": {"type": "object", "properties": schema_of(key.tables.known)["properties"]}}
    match key.kind:
        case kind if kind is bool:
            return {"type": "boolean"}
        case kind if kind is int or kind is float:
            return {"type": "integer" if kind is int else "number", "minimum": key.minimum}
        case kind if kind is tuple:
            return {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
        case kind if kind is str:
            return {"type": "string"}
    return {"type": "object"} if key.kind not in (object, type(None)) else {}
