"""Folders of a process's own."""

import os
import subprocess
import sys
from pathlib import Path

from agentic.lib.temporary import PREFIX, YOUNG, _clear, _is_left


def test_what_a_killed_process_left_in_the_temporary_folder_goes_with_the_next_start(tmp_path: Path) -> None:
    """And nothing that somebody still holds, that is young, or that is not ours."""
    code = "import os; from agentic.lib.temporary import new_folder; print(new_folder(), flush=True); input()"
    others = (tmp_path / f"{PREFIX}link", tmp_path / "mine")
    others[1].mkdir()
    others[0].symlink_to(others[1])

    def start() -> tuple[subprocess.Popen[str], Path]:
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env=dict(os.environ, TMPDIR=str(tmp_path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        return child, Path(child.stdout.readline().strip())

    (held, kept), (killed, left), (fresh, young) = start(), start(), start()
    for child in (killed, fresh):
        child.kill()
        child.communicate()
    (left / "file").write_text("x")
    assert [_is_left(str(path), 0.0) for path in (kept, left, young, others[0])] == [False, True, True, False]
    _clear(str(tmp_path), YOUNG)
    assert left.exists(), "it may be about to be held"
    _clear(str(tmp_path), 0.0)
    assert kept.is_dir() and all(path.exists() for path in others) and not left.exists() and not young.exists()
    held.communicate("\n")
