"""Tasks in folders: `task.txt`, the files to begin with in `files/`, and the command in `check.txt` that the agent never sees."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from agentic import ConfigError
from agentic.lib.files import files_below
from agentic.lib.git import git
from agentic.lib.record import record
from agentic.lib.threads import on_daemon_thread

_WHO = {f"GIT_{who}_{what}": "eval@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@record(frozen=True, slots=True)
class EvaluationTask:
    """A task by its folder's name; `digest` is of all that makes it: what is changed is done anew."""

    name: str
    folder: Path
    text: str
    check: str
    digest: str

    async def lay_out(self, target: Path) -> None:
        """Puts the files into a new folder, under git with one commit, so that worktrees can be made there."""
        files = self.folder / "files"
        await on_daemon_thread(lambda: shutil.copytree(files, target) if files.is_dir() else target.mkdir())
        for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "task")):
            await git(target, *words, environment=_WHO)


def tasks_in(folder: Path) -> list[EvaluationTask]:
    """The tasks in a folder, in the order of their names. Raises ConfigError where there is none, or one is not whole."""
    found = list(_each_task(folder))
    if not found:
        raise ConfigError(f"{folder}: no folder in it has a task.txt", "docs/evaluation.md shows how a task is laid out")
    return found


def _each_task(folder: Path) -> Iterator[EvaluationTask]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder")
    for path in sorted(folder.iterdir()):
        if not (path / "task.txt").is_file():
            continue
        text, check = (_text(path / name) for name in ("task.txt", "check.txt"))
        if not text or not check:
            raise ConfigError(f"{path}: a task needs a text in task.txt and a command in check.txt")
        yield EvaluationTask(path.name, path, text, check, _digest(path))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _digest(folder: Path) -> str:
    made = hashlib.sha256()
    for name in sorted(files_below(folder)):
        data = (folder / name).read_bytes()
        made.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogatepass") + data)
    return made.hexdigest()[:16]
