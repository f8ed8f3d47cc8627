"""A small MCP server for tests, without the SDK: it starts in no time, and misbehaves when it is told to.

python mcp_server.py [--tools N] [--log FILE]
"""

import json
import os
import sys
import time
from typing import Any

COUNT = int(sys.argv[sys.argv.index("--tools") + 1]) if "--tools" in sys.argv else 0
LOG = sys.argv[sys.argv.index("--log") + 1] if "--log" in sys.argv else ""
TEXT = {"type": "object", "properties": {"text": {"type": "string", "description": "what to say"}}, "required": ["text"]}
TOOLS = [
    {"name": "echo", "description": "Says a text again.", "inputSchema": TEXT, "annotations": {"readOnlyHint": True}},
    {"name": "fail", "description": "Fails.", "inputSchema": {"type": "object"}},
    {"name": "die", "description": "Ends the server in the call.", "inputSchema": {"type": "object"}},
    {"name": "hang", "description": "Takes for ever, and tells how far it is.", "inputSchema": {"type": "object"}},
    {"name": "grow", "description": "From now on there is one more tool.", "inputSchema": {"type": "object"}},
    {"name": "picture", "description": "Gives a picture.", "inputSchema": {"type": "object"}},
    {"name": "flood", "description": "Never stops talking.", "inputSchema": {"type": "object"}},
    {"name": "environment", "description": "Tells its variables.", "inputSchema": {"type": "object"}},
]
TOOLS += [
    {
        "name": f"tool_{number}",
        "description": f"Does thing number {number} " + "with many words of description " * 5,
        "inputSchema": TEXT,
    }
    for number in range(COUNT)
]


def say(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)


def note(what: str) -> None:
    if LOG:
        with open(LOG, "a") as file:
            file.write(what + "\n")


def call(name: str, arguments: dict[str, Any], token: Any) -> dict[str, Any]:
    if name == "echo":
        return text(f"echo: {arguments['text']}")
    if name == "fail":
        return text("it went wrong") | {"isError": True}
    if name == "die":
        if os.fork() == 0:
            time.sleep(6271)
        os.kill(os.getpid(), 9)
    if name == "hang":
        say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1, "total": 7, "message": "begun"}})
        return {}
    if name == "flood":
        return text("z" * 20_000_000)
    if name == "grow":
        TOOLS.append({"name": "late_one", "description": "Came late.", "inputSchema": {"type": "object"}})
        say({"method": "notifications/tools/list_changed"})
        return text("grown")
    if name == "picture":
        return {"content": [{"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}]}
    if name == "environment":
        return text(json.dumps(dict(os.environ)))
    return text(f"{name}: done")


def text(said: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}]}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "prompts": {}, "resources": {}}
        return {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": {"name": "test", "version": "1"}}
    if method == "tools/list":
        start = int(params.get("cursor") or 0)
        page: dict[str, Any] = {"tools": TOOLS[start : start + 50]}
        return page | ({"nextCursor": str(start + 50)} if len(TOOLS) > start + 50 else {})
    if method == "tools/call":
        return call(params["name"], params.get("arguments") or {}, params.get("_meta", {}).get("progressToken"))
    if method == "prompts/list":
        return {"prompts": [{"name": "greet", "description": "Greets.", "arguments": [{"name": "who", "required": True}]}]}
    if method == "prompts/get":
        said = f"Say hello to {params['arguments']['who']}."
        return {"messages": [{"role": "user", "content": {"type": "text", "text": said}}]}
    if method == "resources/list":
        return {"resources": [{"uri": "note://one", "name": "one"}]}
    if method == "resources/read":
        return {"contents": [{"uri": params["uri"], "text": f"the text of {params['uri']}"}]}
    return None


def main() -> None:
    note(f"started {os.getpid()}")
    print("this line is no message", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        note(message.get("method", ""))
        if "id" not in message or "method" not in message:
            continue
        result = answer(message["method"], message.get("params") or {})
        if result is None:
            say({"id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        elif result or message["method"] != "tools/call":
            say({"id": message["id"], "result": result})
    note("ended")


main()
