"""What holding commands costs: a command under each launcher, and remembering a folder so that a command can be taken back.

python benchmarks/sandbox.py
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentic.config import schema
from agentic.errors import AgenticError
from agentic.lib.safeguards import Safeguards
from agentic.plugins import Host
from agentic.testing import make_setup
from plugins_builtin.command_undo.entries import ProtectedEntries
from plugins_builtin.command_undo.snapshots import Snapshots
from plugins_builtin.sandbox.starting import Launchers, Sandbox

COMMANDS = 100
FILES, FILE_BYTES = 20_000, 26_000  # half a gigabyte


def main() -> None:
    asyncio.run(commands())
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        remembering(Path(folder))


async def commands() -> None:
    bare = 0.0
    for name in ("", "landlock", "bubblewrap"):
        times = await starts(name)
        if not times:
            print(f"{name}: does not work here")
            continue
        median = statistics.median(times)
        bare = bare or median
        print(f"{name or 'unconfined':<10} `true` p50 {median:5.1f} ms, p90 {times[int(0.9 * len(times))]:5.1f} ms,"
              f" {median - bare:+.1f} ms (reach 10)")  # fmt: skip


async def starts(name: str) -> list[float]:
    host = Host()
    settings = schema.SandboxSettings(launcher=name) if name else schema.SandboxSettings(mode="off")
    sandbox = Sandbox(
        settings,
        Launchers((), lambda wanted: host.build("agentic_command_launchers", wanted, lambda *more: make_setup())),
        _safeguards(),
    )
    null = os.open(os.devnull, os.O_WRONLY)
    times = []
    try:
        await sandbox.ready()
        with tempfile.TemporaryDirectory() as folder:
            work = Path(os.path.realpath(folder))  # noqa: ASYNC240 - once
            for _ in range(COMMANDS):
                started = time.perf_counter()
                child = await sandbox.start(("/bin/true",), work, null)
                await child.wait()
                times.append(1000 * (time.perf_counter() - started))
    except AgenticError:
        return []
    finally:
        os.close(null)
        await sandbox.aclose()
    return sorted(times)


def remembering(top: Path) -> None:
    root = top / "project"
    for number in range(FILES // 50):
        folder = root / f"p{number % 20}" / f"q{number}"
        folder.mkdir(parents=True)
        for file in range(50):
            (folder / f"m{file}.py").write_bytes(os.urandom(16) * (FILE_BYTES // 16))
    snapshots = Snapshots(root, top / "cache")
    print(f"{FILES} files, {FILES * FILE_BYTES >> 20} MB: first {timed(snapshots.take):.0f} ms", end="")
    again = sorted(timed(snapshots.take) for _ in range(20))
    protected = ProtectedEntries(root, _safeguards())
    protected.look()
    names = sorted(timed(protected.look) for _ in range(20))
    print(f"; nothing changed {statistics.median(again):.2f} ms (reach 30)")
    environment = root / ".venv"
    for number in range(FILES // 50):
        (environment / "lib" / f"p{number}").mkdir(parents=True)
        for file in range(50):
            (environment / "lib" / f"p{number}" / f"m{file}.py").touch()
    (environment / "pyvenv.cfg").touch()
    whole = sorted(timed(protected.look) for _ in range(20))
    print(f"looking at an environment of {FILES} files {statistics.median(whole):.1f} ms, twice a command under Landlock")
    print(f"looking for protected names {statistics.median(names):.1f} ms, twice a command")
    snapshots.close()


def _safeguards() -> Safeguards:
    return Safeguards(offer.record for offer in Host().offers("agentic_safeguards").values())


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
