"""The servers' part in a chat: `/mcp`, their prompts as `/SERVER:PROMPT`, their resources as `@SERVER:URI`."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic import AgenticError, ChatCommand, ConfigError
from agentic.hooks.chat import Chat
from plugins_builtin.mcp.connection import McpConnection
from plugins_builtin.mcp.definitions import Definition, definitions, hindrance, none_there
from plugins_builtin.mcp.source import OPEN, content_in_words, resource

MAX_TOLD = 8_000  # characters of one resource
_MENTION = re.compile(r"(?<!\S)@([A-Za-z0-9_-]{1,48}):(\S+)")


def _connections(root: Path) -> Mapping[str, McpConnection]:
    servers = OPEN.get(root.resolve())
    return servers.connections if servers is not None else {}


async def mentioned(task: str, root: Path) -> str:
    """The resources that the task names; of what cannot be had, why."""
    connections = _connections(root)
    parts = []
    for name, uri in dict.fromkeys(_MENTION.findall(task)):
        if name in connections:
            parts.append(f"@{name}:{uri}\n{await _resource(connections[name], uri)}")
    return "\n\n".join(parts)


async def _resource(connection: McpConnection, uri: str) -> str:
    try:
        found = await connection.ask(lambda session: session.read_resource(uri), f"the resource {uri}")
    except AgenticError as error:
        return f"(it cannot be read: {error})"
    text = "\n".join(map(resource, found.contents))
    return text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}\n(cut)"


async def show(chat: Chat) -> None:
    """Every server with its state, and what it offers."""
    chat.say("\n".join(_line(each, chat.root) for each in definitions(chat.root)) or none_there(chat.root))


def _line(definition: Definition, root: Path) -> str:
    connection = _connections(root).get(definition.name)
    running = connection.state + _offers(connection) if connection is not None else "not of this session"
    state = hindrance(definition, root) or running
    return f"{definition.name}: {state} ({definition.in_a_line or definition.file})"


def _offers(connection: McpConnection) -> str:
    manifest = connection.manifest
    if manifest is None:
        return ""
    counts = {"tools": manifest.tools, "prompts": manifest.prompts, "resources": manifest.resources}
    return ", " + ", ".join(f"{len(each)} {name}" for name, each in counts.items() if each or name == "tools")


def prompt_commands(root: Path) -> Sequence[ChatCommand]:
    """`/SERVER:PROMPT` for each prompt that is known."""
    return [
        ChatCommand(f"{name}:{prompt['name']}", _summary(prompt), _with(connection, prompt))
        for name, connection in _connections(root).items()
        for prompt in (connection.manifest.prompts if connection.manifest is not None else ())
    ]


def _summary(prompt: Mapping[str, Any]) -> str:
    arguments = " ".join(each["name"].upper() for each in prompt.get("arguments", ()))
    return f"{arguments} {prompt.get('description', '')}".strip()[:80]


def _with(connection: McpConnection, prompt: Mapping[str, Any]) -> Callable[[str, Chat], Any]:
    async def run(argument: str, chat: Chat) -> None:
        given = _arguments(prompt, argument)
        found = await connection.ask(lambda session: session.get_prompt(prompt["name"], given), f"the prompt {prompt['name']}")
        await chat.ask("\n\n".join(content_in_words([message.content]) for message in found.messages))

    return run


def _arguments(prompt: Mapping[str, Any], argument: str) -> dict[str, str]:
    """In their order; the last one takes the rest. Raises ConfigError where one is missing."""
    names = [each["name"] for each in prompt.get("arguments", ())]
    try:
        words = shlex.split(argument)
    except ValueError:
        words = argument.split()
    if len(words) > len(names) > 0:
        words = [*words[: len(names) - 1], " ".join(words[len(names) - 1 :])]
    found = dict(zip(names, words, strict=False))
    missing = [each["name"] for each in prompt.get("arguments", ()) if each["required"] and each["name"] not in found]
    if missing:
        raise ConfigError(f"the prompt {prompt['name']} needs {', '.join(missing)}", f"{' '.join(names)} stand behind its name")
    return found
