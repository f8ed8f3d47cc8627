"""Completing a file's name in a folder of 100,000: the first result, the whole list, and the walk, beside `rg --files`.

python benchmarks/completion.py
"""

import shutil
import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from agentic.lib.files import FileFinder

FOLDERS, FILES = 400, 250
ASKED = ("file_17", "m399s2", "zzz")  # in many names, in a few by some letters, in none
TIMES = 20


def main() -> None:
    with TemporaryDirectory() as name:
        root = Path(name)
        for folder in range(FOLDERS):
            path = root / f"pkg{folder // 20}" / f"mod{folder}"
            path.mkdir(parents=True)
            for file in range(FILES):
                (path / f"some_file_name_{file}.py").touch()
        finder = FileFinder(root)
        started = time.perf_counter()
        finder.look(wait=True)
        walked = time.perf_counter() - started
        print(f"looking over {FOLDERS * FILES:,} files: {1000 * walked:.0f} ms, in a thread{beside(root, walked)}")
        for letters in ASKED:
            first, fifty = (statistics.median(1000 * seconds(finder, letters, count) for _ in range(TIMES)) for count in (1, 50))
            print(f"{letters!r}: first result after {first:.1f} ms (reach 50), fifty after {fifty:.1f} ms")


def seconds(finder: FileFinder, letters: str, count: int) -> float:
    started = time.perf_counter()
    for number, _ in enumerate(finder.find(letters), 1):
        if number == count:
            break
    return time.perf_counter() - started


def beside(root: Path, mine: float) -> str:
    """What ripgrep takes for the same."""
    if not shutil.which("rg"):
        return ""
    started = time.perf_counter()
    subprocess.run(["rg", "--files", str(root)], stdout=subprocess.DEVNULL)
    return f"; ripgrep {1000 * (theirs := time.perf_counter() - started):.0f} ms ({mine / theirs:.1f} times)"


if __name__ == "__main__":
    main()
