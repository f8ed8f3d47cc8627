"""What files of other agents cost: the start with everything configured and nothing used, and an MCP server's place in the prompt.

    python benchmarks/imported.py [--times N]

One run against a server that answers at once, without and with: an MCP server with 90 tools that was spoken to before, ten skills,
ten commands, five hooks and five agents, all trusted. Reach: 1.15 times the start without, 150 tokens.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentic.testing import FakeVLLM

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "tests" / "mcp_server.py"


def fill(project: Path) -> None:
    """Everything that a project can bring."""
    server = {"command": sys.executable, "args": [str(SERVER), "--tools", "90"]}
    (project / ".mcp.json").write_text(json.dumps({"mcpServers": {"many": server}}))
    for number in range(10):
        skill = project / ".claude" / "skills" / f"skill-{number}"
        skill.mkdir(parents=True)
        (skill / "SKILL.md").write_text(f"---\nname: skill-{number}\ndescription: Does thing {number}.\n---\nDo it.")
        (skill / "do.sh").write_text("echo done")
        commands = project / ".claude" / "commands"
        commands.mkdir(exist_ok=True)
        (commands / f"command-{number}.md").write_text(f"Look: !`git log -{number}`")
    agents = project / ".claude" / "agents"
    agents.mkdir()
    for number in range(5):
        (agents / f"agent-{number}.md").write_text(f"---\nname: agent-{number}\ndescription: Is number {number}.\n---\nYou are.")
    entries = [{"matcher": f"Tool{number}", "hooks": [{"type": "command", "command": "true"}]} for number in range(5)]
    (project / ".claude" / "settings.json").write_text(json.dumps({"hooks": {"PreToolUse": entries}}))


def start(url: str, folder: Path, env: dict[str, str]) -> float:
    """Seconds of one run."""
    command = [sys.executable, "-m", "agentic", "run", "hi", "--endpoint", url, "-c", "tools.protocol=native"]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=15)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name, FakeVLLM() as server:
        home, bare, full = (Path(name) / part for part in ("home", "bare", "full"))
        for folder in (home, bare, full):
            folder.mkdir()
        env = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        fill(full)
        for words in (("trust", "add"), ("mcp", "test")):
            subprocess.run([sys.executable, "-m", "agentic", *words], cwd=full, env=env, check=True, capture_output=True)
        seconds: dict[Path, list[float]] = {bare: [], full: []}
        for folder in (bare, full, bare, full):  # the first starts fill caches
            start(server.url, folder, env)
        tools = {folder: server.chats[number].json["tools"] for number, folder in ((2, bare), (3, full))}
        for _ in range(times):
            for folder, found in seconds.items():
                found.append(start(server.url, folder, env))
        without, with_all = (statistics.median(found) for found in seconds.values())
        print(f"start without: {without * 1000:.0f} ms; with everything: {with_all * 1000:.0f} ms; {with_all / without:.2f} times")
        more = [tool for tool in tools[full] if tool["function"]["name"] in ("find_tools", "call_tool")]
        text = json.dumps(more, separators=(",", ":"))
        print(f"what stands in the prompt for 90 tools of a server: {len(text)} characters of JSON, about {len(text) // 4} tokens")


if __name__ == "__main__":
    main()
