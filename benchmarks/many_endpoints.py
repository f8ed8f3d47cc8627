"""Many endpoints from one process: `agentic batch` over FakeVLLM servers in another one, against what they allow.

    python benchmarks/many_endpoints.py [--endpoints 100] [--in-flight 20] [--prompts 20000] [--seconds 4]

Each answer takes a fixed time at its server, so that the ideal is known: prompts / (endpoints x in flight) x seconds.
Memory and CPU are the client's alone.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agentic.testing import FakeVLLM, Request, answer


def serve(count: int, seconds: float) -> None:
    """Prints the URLs, and on the end of its input what each was asked."""

    def reply(request: Request) -> object:
        time.sleep(seconds)
        return answer("ok")

    servers = [FakeVLLM() for _ in range(count)]
    for server in servers:
        server.otherwise = reply  # type: ignore[assignment]
        server.__enter__()
    print(json.dumps([server.url for server in servers]), flush=True)
    sys.stdin.read()
    print(json.dumps([[len(server.chats), server.most_running] for server in servers]), flush=True)
    os._exit(0)


def memory(pid: int) -> float:
    """MiB of that process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2
    except OSError:
        return 0.0


def once(endpoints: int, in_flight: int, prompts: int, seconds: float) -> None:
    words = [sys.executable, __file__, "--serve", "--endpoints", str(endpoints), "--seconds", str(seconds)]
    server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    urls = json.loads(server.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.jsonl").write_text("".join(json.dumps({"prompt": f"{number}"}) + "\n" for number in range(prompts)))
        command = [sys.executable, "-m", "agentic", "batch", "in.jsonl", "-o", "out.jsonl"]
        command += [word for url in urls for word in ("--endpoint", url)]
        command += ["-c", f"batching.max_in_flight={in_flight}", "-c", f"batching.batch_size={in_flight}"]
        started = time.perf_counter()
        client = subprocess.Popen(command, cwd=folder, env=os.environ | {"HOME": folder}, stderr=subprocess.DEVNULL)
        samples = []
        while client.poll() is None:
            time.sleep(0.5)
            samples.append(memory(client.pid))
        wall = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = sum('"error"' not in line for line in Path(folder, "out.jsonl").read_text().splitlines())
    server.stdin.close()
    counts = json.loads(server.stdout.readline())
    ideal = prompts / (endpoints * in_flight) * seconds
    asked, most = [each for each, _ in counts], sum(each for _, each in counts)
    half = samples[len(samples) // 4 : -2] or samples
    print(
        f"{endpoints} endpoints, {endpoints * in_flight} in flight (at most {most} seen), {done} of {prompts} answered:"
        f" {wall:.1f} s, {wall / ideal:.2f} times the ideal {ideal:.1f} s; {min(asked)} to {max(asked)} requests each; client:"
        f" {used.ru_utime + used.ru_stime:.1f} s of CPU, {half[0]:.0f} MiB after a quarter, {half[-1]:.0f} at the end"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoints", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve(given.endpoints, given.seconds)
    else:
        once(given.endpoints, given.in_flight, given.prompts, given.seconds)


if __name__ == "__main__":
    main()
