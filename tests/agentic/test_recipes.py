"""Recipes of the docs, run as far as they go without the services that they are for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from agentic.testing import FakeVLLM, answer, tool_call

ROOT = Path(__file__).parents[2]


def job() -> dict[str, Any]:
    text = (ROOT / "docs" / "editors.md").read_text()
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    assert workflow[True] == {"issues": {"types": ["labeled"]}}  # YAML takes `on` for a truth value
    found: dict[str, Any] = workflow["jobs"]["solve"]
    return found


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_issue_becomes_a_pull_request(server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    """The scripts run as a runner runs them; only `gh` and what GitHub fills in are ours."""
    steps = {step.get("name"): step for step in job()["steps"]}
    assert job()["if"] == "github.event.label.name == 'agentic'"
    assert all("github.event" not in str(step.get("run")) for step in steps.values()), "what an issue says must be no script"
    tools, remote = tmp_path / "tools", tmp_path / "remote.git"
    tools.mkdir()
    program(tools / "agentic", f'exec "{sys.executable}" -m agentic "$@"')
    program(tools / "gh", f'printf "%s\\n" "$@" > {tmp_path}/gh')
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    for words in (
        ["init", "-q", "-b", "main"],
        ["remote", "add", "origin", str(remote)],
        ["commit", "-q", "--allow-empty", "-m", "one"],
    ):
        subprocess.run([*git, *words], cwd=work, check=True)
    server.script(
        answer(tool_calls=tool_call("write_file", {"path": "fix.txt", "content": "fixed\n"}, 0, "1")), answer("It is fixed.")
    )
    given = {
        "${{ vars.AGENTIC_ENDPOINTS }}": server.url,
        "${{ github.event.issue.title }}": "It breaks",
        "${{ github.event.issue.body }}": "`touch CANARY` $(touch CANARY) '; touch CANARY",
        "${{ github.event.issue.number }}": "7",
        "${{ github.token }}": "t",
    }
    for name in ("solve", "propose"):
        own = {key: given[value] for key, value in steps[name].get("env", {}).items()}
        path = os.pathsep.join([str(tools), os.environ["PATH"]])
        more = {"PATH": path, "RUNNER_TEMP": str(tmp_path), "AGENTIC_TOOLS_PROTOCOL": "native", "AGENTIC_SANDBOX_MODE": "off"}
        subprocess.run(["bash", "-e", "-c", steps[name]["run"]], cwd=work, env=env | own | more, check=True, timeout=60)
    assert "touch CANARY" in json.dumps(server.chats[0].json["messages"]) and not (work / "CANARY").exists()
    pushed = subprocess.run(
        ["git", "show", "--stat", "--format=%s", "agentic/issue-7"], cwd=remote, capture_output=True, text=True
    ).stdout
    assert pushed.startswith("Issue 7") and "fix.txt" in pushed and "events.jsonl" not in pushed and "result.md" not in pushed
    assert (tmp_path / "gh").read_text().split()[:2] == ["pr", "create"] and "It is fixed." in (tmp_path / "result.md").read_text()
