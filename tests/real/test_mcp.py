"""The reference servers of MCP: every tool that a file names is called, in the order of the file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic
from tests.real.conftest import needed


@pytest.fixture(scope="session")
def given() -> dict[str, Any]:
    """`mcpServers` as `.mcp.json` has them, and `calls`: the arguments by server and tool."""
    how = 'NO MCP SERVERS: set AGENTIC_TEST_MCP=FILE with {"mcpServers": {…}, "calls": {SERVER: {TOOL: ARGUMENTS}}}'
    found: dict[str, Any] = json.loads(Path(needed("AGENTIC_TEST_MCP", how)).read_text())
    return found


def test_every_tool_can_be_called(given: dict[str, Any], agentic: Agentic, server: FakeVLLM, work: Path, home: Path) -> None:
    path = home / ".config" / "agentic" / "mcp.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mcpServers": given["mcpServers"]}))
    for name, calls in given["calls"].items():
        wanted = [answer(tool_calls=tool_call("find_tools", {"query": name}, 0, "find"))]
        for number, (tool, arguments) in enumerate(calls.items()):
            given_call = {"name": f"{name}/{tool}", "arguments": arguments}
            wanted.append(answer(tool_calls=tool_call("call_tool", given_call, 0, f"c{number}")))
        server.script(*wanted, answer("all called"))
        options = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox", "--output", "jsonl", "--max-iterations", "60")
        done = agentic("run", "call them", "--endpoint", server.url, *options, seconds=180, more={"PATH": os.environ["PATH"]})
        results = [event for event in done.of_type("tool_result") if event["name"] != "find_tools"]
        assert len(results) == len(calls), done.err
        failed = {event["name"]: event["text"] for event in results if event["failed"]}
        assert failed == {}, name
        print(f"{name}: {len(results)} tools called")
