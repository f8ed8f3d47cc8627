"""The worktree of a session: made beside the repository, kept where there is work in it, removed where there is none."""

import asyncio
import fcntl
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from agentic import ConfigError, ToolError
from agentic.lib.environments import link_environments
from agentic.lib.git import git, top_of
from agentic.lib.record import record

TRIES = 5  # of one that another session is just removing
CACHES = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis")  # ignored files that are no work
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,60}")
_ALL = ("-c", "status.showUntrackedFiles=all", "-c", "status.relativePaths=false")


@record(frozen=True, slots=True)
class _Tree:
    """The worktree `name` at `path`, of the repository at `common`; made from the work tree at `source`."""

    name: str
    path: Path
    source: Path
    common: Path

    @property
    def branch(self) -> str:
        return f"agentic/{self.name}"


def enter(name: str) -> Path | None:
    """Makes the worktree NAME, or finds it; the folder in it to work in.

    When the command is over, one without work in it is removed. Raises ConfigError where none can be made.
    """
    context = click.get_current_context()
    if context.parent is None:  # the words are only tried
        return None
    if not _NAME.fullmatch(name) or name.endswith((".", ".lock")) or ".." in name:
        raise ConfigError(f"--worktree {name}: no name for a folder and a branch", "take letters, digits, - and _")
    here = Path.cwd().resolve()
    try:
        tree = asyncio.run(_tree_of(here, name))
        is_new, held = _hold(tree)
    except (ToolError, OSError) as error:
        raise ConfigError(f"--worktree {name}: {error}", "it needs a git repository with a commit, and room beside it") from error
    _say(name, f"{'made in' if is_new else 'found in'} {tree.path}, branch {tree.branch}")
    context.find_root().call_on_close(lambda: _leave(tree, held))
    inside = tree.path / here.relative_to(tree.source) if here.is_relative_to(tree.source) else tree.path
    return inside if inside.is_dir() else tree.path


def _say(name: str, what: str) -> None:
    print(f"worktree {name}: {what}", file=sys.stderr)


async def _tree_of(here: Path, name: str) -> _Tree:
    """Raises ToolError where there is no work tree, or one of another repository around it."""
    top = await top_of(here)
    if await git(top, "rev-parse", "--show-superproject-working-tree"):
        raise ToolError("this is a submodule: begin in the repository around it")
    common = Path(os.fsdecode(await git(top, "rev-parse", "--path-format=absolute", "--git-common-dir")).rstrip("\n"))
    wanted = _Tree(name, top.parent / f"{top.name}-{name}", top, common)
    for known in await _worktrees_of(top):
        if known.get("branch") == f"refs/heads/{wanted.branch}":
            return _Tree(name, Path(known["worktree"]), top, common)
    return wanted


async def _worktrees_of(top: Path) -> list[Mapping[str, str]]:
    """The repository's worktrees with git's words on each."""
    told = os.fsdecode(await git(top, "worktree", "list", "--porcelain", "-z"))
    return [dict(line.partition(" ")[::2] for line in entry.split("\0") if line) for entry in told.split("\0\0") if entry]


def _hold(tree: _Tree) -> tuple[bool, int]:
    """(whether it is new, its folder, locked for as long as we work there). Raises ToolError, OSError."""
    for _ in range(TRIES):
        is_new = asyncio.run(_make(tree))
        try:
            held = os.open(tree.path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(held, fcntl.LOCK_SH)
        if tree.path.exists() and os.path.samestat(os.fstat(held), tree.path.stat()):
            return is_new, held
        os.close(held)
    raise ToolError(f"{tree.path} is being removed")


async def _make(tree: _Tree) -> bool:
    """Makes it unless it is there; True if it was made. Raises ToolError."""
    known = [Path(each["worktree"]) for each in await _worktrees_of(tree.source)]
    if tree.path.exists():
        branch = os.fsdecode(await git(tree.path, "branch", "--show-current")).strip() if tree.path in known else ""
        if branch != tree.branch:
            raise ToolError(f"{tree.path} is there, and is no worktree for {tree.branch}")
        return False
    has_branch = await git(tree.source, "branch", "--list", "--format=%(refname:short)", tree.branch)
    given = [str(tree.path), tree.branch] if has_branch else ["-b", tree.branch, str(tree.path), "HEAD"]
    try:
        await git(tree.source, "worktree", "add", *(["--force"] if tree.path in known else []), *given)
    except ToolError:
        if not has_branch:
            await git(tree.source, "branch", "-D", tree.branch, good=(0, 1))
        raise
    link_environments(tree.source, tree.path)
    if await git(tree.source, *_ALL, "status", "--porcelain"):
        _say(tree.name, f"what is not committed in {tree.source} is not in it")
    return True


def _leave(tree: _Tree, held: int) -> None:
    """Removes it if nobody else works there, and nothing was changed or committed; else says where it is."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_gone = asyncio.run(_remove(tree))
    except (OSError, ToolError):
        is_gone = False
    finally:
        os.close(held)
    if not is_gone:
        _say(tree.name, f"kept in {tree.path}, branch {tree.branch} (`git worktree remove {tree.path}` removes it)")


async def _remove(tree: _Tree) -> bool:
    """False where there is work in it. Raises ToolError, OSError."""
    status = await git(tree.path, *_ALL, "status", "--porcelain", "-z", "--ignored=traditional", "--no-renames")
    if any(_changes(os.fsdecode(status).split("\0"), tree)) or await _commits(tree):
        return False
    there = {"GIT_DIR": str(tree.common)}
    await git(tree.path.parent, "worktree", "remove", "--force", str(tree.path), environment=there)
    await git(tree.path.parent, "branch", "-D", tree.branch, environment=there)
    return True


def _changes(status: Sequence[str], tree: _Tree) -> Iterator[str]:
    """Yields the names that are changed or new, ignored ones too, but for caches and the links to environments."""
    for line in filter(None, status):
        name = line[3:].rstrip("/")
        path = tree.path / name
        is_link = path.is_symlink() and os.readlink(path) == str(tree.source / name)
        if not is_link and not (line.startswith("!!") and any(part in CACHES for part in name.split("/"))):
            yield name


async def _commits(tree: _Tree) -> bool:
    """True if it is on another branch, or on none, or has commits that nothing else has. Raises ToolError."""
    if os.fsdecode(await git(tree.path, "branch", "--show-current")).strip() != tree.branch:
        return True
    begun = os.fsdecode(await git(tree.source, "rev-parse", "HEAD")).strip() if tree.source != tree.path else ""
    others = ["--not", *filter(None, [begun]), "--exclude", tree.branch, "--branches", "--remotes", "--tags"]
    return bool(await git(tree.path, "rev-list", "-1", tree.branch, *others))
