"""Lists of a server that hold what is none: that one is left out and named, and the others stay."""

from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types

_KINDS: dict[str, Any] = {"tools": mcp_types.Tool, "prompts": mcp_types.Prompt, "resources": mcp_types.Resource}
MAX_WHY = 120


@asynccontextmanager
async def without_bad(read: Any, left_out: MutableMapping[str, str]) -> AsyncIterator[Any]:
    """The same messages; `left_out` gets the name of each item that is none, and why."""
    to_session, messages = anyio.create_memory_object_stream[Any](0)

    async def pass_on() -> None:
        async with to_session:
            async for item in read:
                result = getattr(getattr(item, "message", None), "result", None)
                if isinstance(result, dict):
                    _clean(result, left_out)
                await to_session.send(item)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pass_on)
        try:
            yield messages
        finally:
            tasks.cancel_scope.cancel()
            messages.close()


def _clean(result: dict[str, Any], left_out: MutableMapping[str, str]) -> None:
    for name, kind in _KINDS.items():
        if name not in result:
            continue
        items = result[name] if isinstance(result[name], list) else []
        if items is not result[name]:
            left_out[f"its {name}"] = "they are no list"
        result[name] = [each for each in items if not (why := _wrong(each, kind)) or left_out.update({_name(each): why})]


def _wrong(item: Any, kind: Any) -> str:
    try:
        kind.model_validate(item, by_name=False)
        if kind is mcp_types.Tool and not _is_of_object(item["inputSchema"]):
            return "inputSchema: it is no schema of an object"
    except (ValueError, TypeError, RecursionError) as error:
        found: list[dict[str, Any]] = getattr(error, "errors", list)()
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found) or str(error)
        return said[:MAX_WHY]
    return ""


def _is_of_object(schema: Mapping[str, Any]) -> bool:
    """Returns True if the schema is an object's, as far as a list of tools is read with it.

    Deeper levels are left to whoever checks arguments.
    """
    properties, required = schema.get("properties", {}), schema.get("required", [])
    known = isinstance(properties, dict) and all(isinstance(each, dict | bool) for each in properties.values())
    names = isinstance(required, list) and all(isinstance(each, str) for each in required)
    return schema.get("type") == "object" and known and names


def _name(item: Any) -> str:
    return (
        str(item.get("name") or item.get("uri") or "one without a name")[:MAX_WHY]
        if isinstance(item, dict)
        else "one that is no object"
    )
