"""A ChatRequest as the body of `POST /v1/chat/completions`."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from agentic.types import ChatRequest, ImagePart, Message, TextPart, ToolCall, ToolSpec


def encode_request(request: ChatRequest, model: str, strict: bool = False) -> dict[str, Any]:
    """The body, always streaming and with usage. Key order is fixed, so equal prefixes stay equal bytes.

    `strict` holds tool calls to their schemas, on servers that can.
    """
    body: dict[str, Any] = {
        "model": request.model or model,
        "messages": [encode_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:  # vLLM answers 400 to an empty list
        body["tools"] = [encode_tool(tool, strict) for tool in request.tools]
    return body | sampling_fields(request)


def sampling_fields(request: ChatRequest) -> dict[str, Any]:
    """How the answer is to be made, whatever the route."""
    body: dict[str, Any] = {}
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.effort:
        body["reasoning_effort"] = request.effort
    if request.response_format is not None:
        body["response_format"] = dict(request.response_format)
    if request.priority:
        body["priority"] = request.priority
    if request.token_ids:
        body["return_token_ids"] = True
    return body | dict(request.extra)


def encode_message(message: Message) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else [_encode_part(part) for part in message.content]
    encoded: dict[str, Any] = {"role": message.role, "content": content}
    if message.reasoning:
        encoded |= _encode_thoughts(message)
    if message.tool_calls:
        encoded["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        encoded["tool_call_id"] = message.tool_call_id
    return encoded


def _encode_thoughts(message: Message) -> dict[str, Any]:
    """In the shape in which the server gave them."""
    match message.thought_as:
        case "reasoning_details":
            return {"reasoning_details": [{"type": "reasoning.text", "text": message.reasoning}]}
        case "content":
            thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": message.reasoning}]}
            text = [{"type": "text", "text": message.text}] if message.text else []
            return {"content": [thoughts, *text]}
    return {message.thought_as or "reasoning": message.reasoning}


def _encode_part(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{b64encode(part.data).decode()}"}}


def _encode_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def encode_tool(tool: ToolSpec, strict: bool = False) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def held_to(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The `response_format` by which a server holds an answer to a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}
