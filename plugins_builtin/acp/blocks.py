"""Blocks of text, files and pictures as an editor sends them, and its MCP servers."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from acp import RequestError

from agentic import ImagePart


def text_and_pictures(blocks: Sequence[Any], root: Path) -> tuple[str, list[ImagePart]]:
    """(the text, the pictures) of a prompt."""
    texts, pictures = [], []
    for block in blocks:
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "image":
            pictures.append(ImagePart(_decoded(block.data), block.mime_type))
        elif block.type == "resource_link":
            texts.append(_mention(block.uri, root))
        elif block.type == "resource":
            text = getattr(block.resource, "text", None)
            texts.append(f"\n{_mention(block.resource.uri, root)}\n```\n{text}\n```\n" if text is not None else block.resource.uri)
    return "".join(texts).strip(), pictures


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise RequestError.invalid_params({"data": "a picture that is no base64"}) from error


def _mention(uri: str, root: Path) -> str:
    """A file of the folder by its name, with the sign that brings it along."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme == "file" and path.is_relative_to(root):
        return f"@{path.relative_to(root)}"
    return uri


def servers_of(given: Sequence[Any] | None) -> str:
    """The MCP servers that an editor hands over, as `.mcp.json` has them; "" for none."""
    servers: dict[str, Any] = {}
    for each in given or ():
        if hasattr(each, "command"):
            env = {variable.name: variable.value for variable in each.env}
            servers[each.name] = {"command": each.command, "args": list(each.args), "env": env}
        else:
            headers = {header.name: header.value for header in each.headers}
            servers[each.name] = {"type": each.type, "url": str(each.url), "headers": headers}
    return json.dumps({"mcpServers": servers}) if servers else ""
