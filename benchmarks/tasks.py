"""Ten small tasks on the embedded engine, each with a check that the agent never sees.

    python benchmarks/tasks.py [--runs 3] [--only NAME] [--output FILE.json] [-- further agentic options]

The same folders serve other agents: `prompt.txt` is the task, `start/` what lies in the folder, `check.py FOLDER` the check.
"""

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMIT_SECONDS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--tasks", type=Path, default=HERE / "tasks")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the folders and outputs here")
    parser.add_argument("options", nargs="*", default=["--local"], help="agentic's options")
    given = parser.parse_args()
    rows = []
    for run in range(1, given.runs + 1):
        for task in sorted(path for path in given.tasks.iterdir() if given.only in path.name and (path / "check.py").exists()):
            row = {"run": run, "task": task.name} | attempt(task, given.options, given.keep and given.keep / f"{task.name}-{run}")
            rows.append(row)
            print(
                f"run {run}  {task.name:16} {'solved' if row['solved'] else 'FAILED'} {row['seconds']:6.1f} s {row['calls']} calls",
                flush=True,
            )
            if given.output:
                given.output.write_text(json.dumps(rows, indent=1))
    report(rows)


def attempt(task: Path, options: list[str], keep: Path | None) -> dict[str, Any]:
    """One run of agentic on one task in a fresh folder."""
    with tempfile.TemporaryDirectory(prefix="agentic-task-") as name:
        folder = keep or Path(name)
        shutil.rmtree(folder, ignore_errors=True)
        if (task / "start").exists():
            shutil.copytree(task / "start", folder)
        folder.mkdir(parents=True, exist_ok=True)
        prompt = (task / "prompt.txt").read_text().strip()
        command = [sys.executable, "-m", "agentic", "run", prompt, "--approve", "all", "--output", "jsonl", *options]
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            out, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
        seconds = time.monotonic() - started
        if keep:
            keep.with_suffix(".jsonl").write_text(out)
        events = [json.loads(line) for line in out.splitlines()]
        return {
            "solved": solved(task, folder),
            "seconds": round(seconds, 1),
            "calls": sum(event["type"] == "llm_request" for event in events),
            "complexity": next((event["score"] for event in events if event["type"] == "complexity"), None),
            "exit_code": process.returncode,
        }


def solved(task: Path, folder: Path) -> bool:
    """Whether the task's own check passes."""
    try:
        check = subprocess.run(
            [sys.executable, str(task / "check.py"), str(folder)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        return False
    return check.returncode == 0


def report(rows: list[dict[str, Any]]) -> None:
    solved_rows = [row for row in rows if row["solved"]]
    seconds = statistics.median(row["seconds"] for row in rows)
    print(f"solved {len(solved_rows)} of {len(rows)}; median {seconds:.1f} s a task")


if __name__ == "__main__":
    main()
