"""The prompt that a model reads stays byte for byte the same: a run of three steps, for every tier and tool protocol.

A wanted change of the prompt renews the file: `AGENTIC_RENEW_PROMPTS=1 pytest tests/agentic/test_golden_prompts.py`.
"""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentic.testing import FakeVLLM, answer, run_in_process, tool_call

GOLDEN = Path(__file__).with_name("golden_prompts.json")
WINDOWS = {"nano": 4_096, "small": 16_384, "full": 65_536}
FILES = {
    "AGENTS.md": "# Rules\n\nUse tabs.\n",
    "README.md": "# An example\n",
    "pkg/__init__.py": "",
    "pkg/calc.py": "def add(a, b):\n    return a - b\n",
    "tests/test_calc.py": "from pkg.calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
}
READ, WRITE = {"path": "pkg/calc.py"}, {"path": "notes.txt", "content": "Added.\n"}
STEPS = {
    "native": [answer(tool_calls=tool_call("read_file", READ)), answer(tool_calls=tool_call("write_file", WRITE)), answer("Done.")],
    "json": [
        answer(json.dumps({"tool": "read_file", "arguments": READ})),
        answer(json.dumps({"tool": "write_file", "arguments": WRITE})),
        answer(json.dumps({"tool": "finish", "arguments": {"summary": "Done."}})),
    ],
    "fenced": [answer("notes.txt\n```\nAdded.\n```\n"), answer("Done."), answer("Done.")],
}
STEPS["harmony"] = STEPS["native"]


def read_of(root: Path, window: int, protocol: str) -> dict[str, Any]:
    """Returns the prompt at the end of the run, without what differs from one machine or day to the next."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with FakeVLLM(window=window) as server:
        server.model = "gpt-oss-120b" if protocol == "harmony" else server.model
        server.script(*STEPS[protocol])
        settings = {"tools.protocol": protocol, "approval.mode": "edits"}
        run_in_process("Add a note to notes.txt.", settings=settings, root=root, server=server)
        requests = [chat.json for chat in server.chats]
    for earlier, later in pairwise(requests):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"] and later.get("tools") == earlier.get("tools")
    messages = [json.dumps(each, ensure_ascii=False) for each in requests[-1]["messages"]]
    return {
        "requests": len(requests),
        "tools": [json.dumps(each, ensure_ascii=False) for each in requests[-1].get("tools", ())],
        "messages": [re.sub(r"Date: \d{4}-\d\d-\d\d", "Date: TODAY", each) for each in messages],
        "form": json.dumps(requests[-1].get("response_format")),
    }


@pytest.mark.parametrize("protocol", STEPS)
@pytest.mark.parametrize("tier", WINDOWS)
def test_the_prompt_is_what_it_was(tmp_path: Path, tier: str, protocol: str) -> None:
    read = read_of(tmp_path / "example", WINDOWS[tier], protocol)
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("AGENTIC_RENEW_PROMPTS"):
        known[f"{tier}, {protocol}"] = read
        GOLDEN.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert read == known[f"{tier}, {protocol}"]
