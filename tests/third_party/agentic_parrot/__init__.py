"""What a third party writes: public names of `agentic` only, nothing that the host knows of."""

import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from agentic import (
    ChatRequest,
    Command,
    Delta,
    EndpointInfo,
    Options,
    Provider,
    Setup,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolOutput,
    ToolSpec,
    Transport,
    Verdict,
    Workspace,
    hookimpl,
)
from agentic.events import Event


class ParrotTransport:
    """Calls its own tool first, then says what it was asked."""

    endpoints = ("parrot:here",)

    def __init__(self, setup: Setup) -> None:
        self._word = setup.options.word

    async def probe(self, endpoint: str) -> EndpointInfo:
        return EndpointInfo(endpoint, "parrot-1", 4096)

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        if request.tools and request.messages[-1].role != "tool":
            arguments = json.dumps({"text": self._word})
            yield Delta(tool_calls=(ToolCallDelta(0, "c1", "squawk", arguments),), finish_reason="tool_calls")
            return
        yield Delta(text=f"{self._word}: {request.messages[-1].content}", finish_reason="stop")

    async def aclose(self) -> None:
        pass


class Squawk:
    spec = ToolSpec(
        "squawk", "Squawks.", {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}, "read"
    )

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        return ToolOutput(f"SQUAWK {arguments['text']}")


@hookimpl
def agentic_options() -> Options:
    return Options("agentic_parrot.options:ParrotOptions")


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("parrot", "says it again", ParrotTransport)


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("squawk", "squawks", lambda setup: Squawk())


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("parrot", "says hello", "agentic_parrot.command:parrot")


@hookimpl
async def agentic_on_event(event: Event) -> None:
    if log := os.environ.get("PARROT_LOG"):
        with open(log, "a") as file:
            file.write(event.type + "\n")


@hookimpl
async def agentic_before_request(request: ChatRequest) -> None:
    return None


@hookimpl
async def agentic_before_tool(call: ToolCall) -> Verdict | None:
    return Verdict("deny", "parrots are not allowed to") if "forbidden" in call.arguments else None
