"""A session's page, in a real browser."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ANSWER = "Done:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>document.title='owned'</script>"


@pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: install Debian's chromium to have the page looked at")
def test_a_sessions_page_is_readable_in_a_browser_and_runs_nothing(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    (work / "a.py").write_text("x = 1\n")
    server.script(
        answer(tool_calls=tool_call("edit_file", {"path": "a.py", "old": "x = 1", "new": "x = 2  # <b>"}, 0, "1")),
        answer(tool_calls=tool_call("run", {"command": "echo '<img src=x onerror=alert(1)>'"}, 0, "2")),
        answer(ANSWER),
    )
    agentic("run", "change <i>x</i>", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
    page = tmp_path / "session.html"
    done = agentic("sessions", "export", "-", "--html", "-o", str(page))
    assert done.code == 0, done.err
    shot = Path(os.environ.get("AGENTIC_TEST_SHOT", tmp_path / "page.png"))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=900,1400",
        f"--user-data-dir={tmp_path}/chromium",
    ]
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    shown = subprocess.run(
        [str(CHROMIUM), *options, *quiet, f"--screenshot={shot}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    assert "<title>change &lt;i&gt;x&lt;/i&gt;</title>" in shown and "owned" not in re.sub("<section.*", "", shown, flags=re.DOTALL)
    assert "<table>" in shown and '<span class="k">def</span>' in shown
    assert '<div class="added">' in shown and "x = 2  # &lt;b&gt;" in shown
    assert "<script" not in shown and "<img" not in shown
    assert shot.stat().st_size > 20_000
