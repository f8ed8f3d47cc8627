"""`agentic batch` on FakeVLLM, 64 in flight: the client's CPU for a prompt, and its memory as the file grows.

python benchmarks/batch.py [LINES ...]
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agentic.testing import FakeVLLM, answer


def measure(lines: int) -> tuple[float, float]:
    """(CPU seconds, MiB at most) of the client's process."""
    with tempfile.TemporaryDirectory() as name, FakeVLLM() as server:
        server.otherwise = lambda request: answer("four words of answer")
        folder = Path(name)
        with (folder / "in.jsonl").open("w") as file:
            for number in range(lines):
                file.write(json.dumps({"prompt": f"prompt number {number}"}) + "\n")
        command = [str(Path(sys.executable).parent / "agentic"), "batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", server.url]
        command += ["-c", "batching.batch_size=64"]
        process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        with (folder / "out.jsonl").open() as file:
            assert sum(1 for _ in file) == lines
        server.requests.clear()
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [1, 1000, 10_000, 100_000]
    start, _ = measure(1)
    for lines in sizes[1:]:
        seconds, memory = measure(lines)
        print(
            f"{lines:,} prompts: {1000 * (seconds - start) / lines:.2f} ms CPU each (reach 1), {memory:.1f} MiB at most", flush=True
        )


if __name__ == "__main__":
    main()
