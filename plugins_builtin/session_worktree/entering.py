"""The worktree of a session: made beside the repository, kept where there is work in it, removed where there is none."""

import asyncio
import fcntl
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from agentic import ConfigError, ToolError
from agentic.lib.environments import link_environments
from agentic.lib.git import git, top_of
from agentic.lib.record import record

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,60}")


@record(frozen=True, slots=True)
class _Tree:
    """The worktree `name` of the repository whose first work tree is `main`; it is made from the one at `source`."""

    name: str
    source: Path
    main: Path

    @property
    def path(self) -> Path:
        return self.main.parent / f"{self.main.name}-{self.name}"

    @property
    def branch(self) -> str:
        return f"agentic/{self.name}"


def enter(name: str) -> None:
    """Makes the worktree NAME, or finds it, and goes there; when the command is over, one without work in it is removed.

    Raises ConfigError where none can be made.
    """
    if not _NAME.fullmatch(name) or name.endswith((".", ".lock")) or ".." in name:
        raise ConfigError(f"--worktree {name}: no name for a folder and a branch", "take letters, digits, - and _")
    if _names_a_folder(sys.argv):
        raise ConfigError("--worktree and -C name two folders", "go to the repository with cd, then use --worktree alone")
    here = Path.cwd().resolve()
    try:
        tree = asyncio.run(_tree_of(here, name))
        is_new = asyncio.run(_make(tree))
    except ToolError as error:
        raise ConfigError(f"--worktree {name}: {error}", "it needs a git repository with a commit") from error
    held = os.open(tree.path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    os.chdir(tree.path)
    with suppress(OSError):  # a folder of which nothing is committed
        os.chdir(tree.path / here.relative_to(tree.source))
    _say(name, f"{'made in' if is_new else 'found in'} {tree.path}, branch {tree.branch}")
    click.get_current_context().call_on_close(lambda: _leave(tree, held))


def _names_a_folder(words: Sequence[str]) -> bool:
    after = zip(words, [*words[1:], ""], strict=True)
    return any(word.startswith("-C") and os.path.isabs(word[2:] or following) for word, following in after)


def _say(name: str, what: str) -> None:
    print(f"worktree {name}: {what}", file=sys.stderr)


async def _tree_of(here: Path, name: str) -> _Tree:
    """Raises ToolError where there is no repository."""
    top = await top_of(here)
    common = await git(top, "rev-parse", "--path-format=absolute", "--git-common-dir")
    return _Tree(name, top, Path(os.fsdecode(common).rstrip("\n")).parent)


async def _make(tree: _Tree) -> bool:
    """Makes it unless it is there; True if it was made. Raises ToolError."""
    listed = os.fsdecode(await git(tree.source, "worktree", "list", "--porcelain", "-z")).split("\0")
    is_known, is_there = f"worktree {tree.path}" in listed, tree.path.exists()
    if is_known and is_there:
        return False
    if is_there:
        raise ToolError(f"{tree.path} is there, and is no worktree of this repository")
    has_branch = await git(tree.source, "branch", "--list", "--format=%(refname:short)", tree.branch)
    given = [str(tree.path), tree.branch] if has_branch else ["-b", tree.branch, str(tree.path), "HEAD"]
    await git(tree.source, "worktree", "add", *(["--force"] if is_known else []), *given)
    link_environments(tree.source, tree.path)
    if await git(tree.source, "status", "--porcelain"):
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
    changed = os.fsdecode(await git(tree.path, "status", "--porcelain", "-z")).split("\0")
    links = [name[3:] for name in changed if name.startswith("?? ") and (tree.path / name[3:]).is_symlink()]  # to environments
    others = ["--exclude", tree.branch, "--branches", "--remotes", "--tags"]
    if len(links) < len(changed) - 1 or await git(tree.path, "rev-list", "-1", tree.branch, "--not", *others):
        return False
    os.chdir(tree.main)
    for link in links:
        (tree.path / link).unlink()
    await git(tree.main, "worktree", "remove", str(tree.path))
    await git(tree.main, "branch", "-D", tree.branch)
    return True
