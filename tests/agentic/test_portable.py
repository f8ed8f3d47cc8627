"""What is not Linux: a system without its own calls, and one that agentic is not for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PORTABLE

ROOT = Path(__file__).parents[2]
FILES = ("tests/agentic/test_workspace.py", "tests/agentic/test_files.py", "tests/plugins_builtin/test_tools.py")


@pytest.mark.skipif(PORTABLE, reason="it is one of those already")
def test_the_files_tools_need_nothing_that_linux_alone_has() -> None:
    """Without O_PATH, O_TMPFILE, openat2, inotify and /proc; the whole suite: `PYTHONPATH=tests/portable pytest`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "tests/portable"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]


WINDOWS = """
import runpy, sys
sys.platform = "win32"
for name in ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp"):
    sys.modules[name] = None
sys.argv = ["agentic", "run", "x"]
runpy.run_module("agentic", run_name="__main__")
"""


def test_windows_is_told_of_wsl() -> None:
    done = subprocess.run([sys.executable, "-c", WINDOWS], capture_output=True, text=True)
    assert done.returncode == 2 and "WSL" in done.stderr and "Traceback" not in done.stderr
