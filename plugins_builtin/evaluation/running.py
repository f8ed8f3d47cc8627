"""A task with a setting: a run in a process of its own and a fresh folder, then the check."""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic import AgenticError
from agentic.lib.children.once import outputs_of
from agentic.lib.temporary import new_folder, remove
from plugins_builtin.evaluation.tasks import EvaluationTask

CHECK_SECONDS = 120.0
NOT_RUN = (2, 3)  # exit codes of a run that could not begin: wrong options, no endpoint
MAX_SAID = 300


async def tried(task: EvaluationTask, words: Sequence[str], seconds: float) -> dict[str, Any]:
    """A row of results: if the check passes, how the run ended, what it took. `words` are options of `agentic run`.

    Raises AgenticError where it could not begin.
    """
    home = new_folder()
    try:
        folder = home / task.name
        await task.lay_out(folder)
        row = await _run(folder, task, words, seconds)
        return row | {"solved": await _passes(folder, task)}
    finally:
        remove(home)


async def _run(folder: Path, task: EvaluationTask, words: Sequence[str], seconds: float) -> dict[str, Any]:
    argv = [sys.executable, "-m", "agentic", "run", task.text, "-C", str(folder), "--output", "jsonl", *words]
    started = time.monotonic()
    try:
        code, out, errors = await outputs_of(argv, b"", folder, os.environ, seconds)
    except TimeoutError:
        code, out, errors = -signal.SIGKILL, b"", b""
    took = round(time.monotonic() - started, 1)
    events = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
    ends = [event for event in events if event["type"] == "run_finished"]
    used = [event for event in events if event["type"] == "usage"]
    made = {name: sum(event[name] or 0 for event in used) for name in ("prompt_tokens", "cached_tokens", "completion_tokens")}
    if not ends and code in NOT_RUN:
        raise AgenticError(" ".join(errors.decode("utf-8", "replace").split())[:MAX_SAID])
    status = ends[-1]["status"] if ends else "timeout" if code == -signal.SIGKILL else "failed"
    return {"status": status, "seconds": took, **made}


async def _passes(folder: Path, task: EvaluationTask) -> bool:
    env: Mapping[str, str] = os.environ | {"TASK": str(task.folder.resolve()), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        code, _, _ = await outputs_of(("/bin/sh", "-c", task.check), b"", folder, env, CHECK_SECONDS)
    except (TimeoutError, OSError):
        return False
    return code == 0
