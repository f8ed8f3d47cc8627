"""A git worktree for each writer. What they changed is merged into the folder one after the other.

The worktrees hold the folder's files as they are now, copied byte for byte with what is not committed yet. The repository's index,
branches and commits stay as they are.
"""

import asyncio
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType

from agentic.errors import ToolError
from agentic.lib.children import Children
from agentic.lib.environments import link_environments
from agentic.lib.git import git, top_of
from agentic.lib.record import record
from agentic.lib.threads import on_daemon_thread
from agentic.lib.workspace import Workspace
from agentic.sessions.undo import Journal
from plugins_builtin.sub_agents.merging import Check, Merging, Sides

_HOME = "agentic-"  # what the folders of our worktrees begin with
_OURS = re.compile(rf"{_HOME}[0-9a-f]{{16}}")  # as `_new_name` makes them
_LOCK = ".held"  # in such a folder: locked by whoever has worktrees there


@record(frozen=True, slots=True)
class _Tree:
    """`base` are the names of git's blobs that the folder's files were copied from, `state` is what the repository keeps of it.

    `programs` were those of them that can be run, `links` where its links led.
    """

    top: Path
    root: Path
    state: Path
    base: Mapping[str, str] = MappingProxyType({})
    programs: Collection[str] = ()
    links: Mapping[str, str] = MappingProxyType({})


def _new_name() -> Path:
    """A folder to make in the place for temporary ones, by a name that nobody guesses or takes by chance."""
    return Path(tempfile.gettempdir()).absolute() / f"{_HOME}{os.urandom(8).hex()}"


def _left_by_kills(listing: str) -> list[str]:
    """The worktrees of ours that are gone, or were never made whole (these are at no commit), and that nobody has any more."""
    found = []
    for entry in listing.split("\0\0"):
        fields = dict(line.partition(" ")[::2] for line in entry.split("\0") if line)
        path = Path(fields.get("worktree", ""))
        is_whole = fields.get("HEAD", "0").strip("0") and path.exists()
        if not is_whole and "locked" not in fields and _is_of_the_dead(path.parent.parent):
            found.append(str(path))
    return found


def _is_of_the_dead(home: Path) -> bool:
    """True for a folder of worktrees that is gone, or that nobody holds: one of ours, and not one that only is called so."""
    if not _OURS.fullmatch(home.name) or home.parent.resolve() != Path(tempfile.gettempdir()).resolve():
        return False
    if not home.exists():
        return True
    held = _lock_of(home)
    if held is not None:
        os.close(held)
    return held is not None


def _lock_of(home: Path, makes: bool = False) -> int | None:
    """The lock of a folder of worktrees, where nobody else has it; until it is closed, or this process ends."""
    try:
        descriptor = os.open(home / _LOCK, os.O_RDWR | (os.O_CREAT if makes else 0), 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class Worktrees:
    """The git worktrees of one plan. Raises ToolError with git's message wherever git cannot do its work.

    With a `keeper` they are gone with us, also when we are killed; without one those stay that hold work which was not merged.
    """

    def __init__(self, workspace: Workspace, top: Path, home: Path, check: Check, keeper: Children | None = None) -> None:
        self._workspace = workspace
        self._top = top
        self._home = home
        self._merging = Merging(workspace, home, check)
        self._trees: dict[str, _Tree] = {}
        self._done: list[_Tree] = []  # their files are gone
        self._turn = asyncio.Lock()
        self._keeper = keeper
        self._hold = _lock_of(home, makes=True)

    @classmethod
    async def open(cls, workspace: Workspace, check: Check, stay: bool = True) -> "Worktrees":
        """Trees with work that was not merged `stay`. Raises ToolError where the folder is not in a git work tree with a commit."""
        top = await top_of(workspace.root)
        if not workspace.root.is_relative_to(top):
            raise ToolError(f"git says that {workspace.root.name} belongs to {top}")
        await git(top, "rev-parse", "--verify", "HEAD")
        for path in _left_by_kills((await git(top, "worktree", "list", "--porcelain", "-z")).decode(errors="surrogateescape")):
            with suppress(ToolError):
                await git(top, "worktree", "remove", "--force", path)
        home, keeper = _new_name(), None if stay else Children()
        if keeper is not None:
            await keeper.remove_at_end(home)
        home.mkdir(mode=0o700)  # once the keeper knows of it: a kill before leaves nothing, a kill after leaves it to the keeper
        return cls(workspace, top, home, check, keeper)

    async def add(self, agent: str) -> Path:
        """The folder as this agent has it to itself."""
        async with self._turn:
            top = self._home / agent / self._top.name
            await git(self._top, "worktree", "add", "--detach", "--no-checkout", str(top), "HEAD")
            state = Path((await git(top, "rev-parse", "--absolute-git-dir")).decode(errors="surrogateescape").rstrip("\n"))
            if self._keeper is not None:
                await self._keeper.remove_at_end(state)
            await git(top, "read-tree", "HEAD")
            names, root = await files_of(self._top), top / self._workspace.root.relative_to(self._top)
            await on_daemon_thread(lambda: _copy(self._top, names, top))
            root.mkdir(parents=True, exist_ok=True)
            self._trees[agent] = _Tree(top, root, state)  # so that it is taken away whatever happens
            copied = await files_of(root)
            base = await _blobs(root, copied, write=True)
            self._trees[agent] = _Tree(top, root, state, base, _programs(root, base), _links(root, copied))
            for place, source in {top: self._top, root: self._workspace.root}.items():
                await on_daemon_thread(partial(link_environments, source, place))
            return root

    async def merge(self, agent: str, checked: bool = False, only: Collection[str] | None = None) -> tuple[str, ...]:
        """The files that the agent's work changed in the folder, or of them `only` these; without a check where they are `checked`.

        Raises ToolError where that cannot be; the worktree stays then.
        """
        tree = self._trees[agent]
        left = f"the files are left in {tree.root}" if self._keeper is None else "the session keeps them"
        names = await files_of(tree.root)
        sides = await self._sides(tree, names, only)
        both = [name for name in sides if name not in tree.base and (self._workspace.root / name).exists()]
        here = set(await files_of(self._workspace.root)) if both else ()
        if hidden := [name for name in both if name not in here]:
            raise ToolError(f"git ignores {', '.join(hidden)}, so it was not in the copy; {left}")
        files = await self._merging.merge(sides, left, checked)
        changed = _let_run(tree, self._workspace.root, names)
        async with self._turn:
            await self._remove(agent)
        return tuple(dict.fromkeys([*files, *changed]))

    async def left_out(self, agent: str) -> list[str]:
        """The links that the agent made, changed or took away: none of that is merged."""
        tree = self._trees[agent]
        now = _links(tree.root, await files_of(tree.root))
        return sorted(name for name in {*now, *tree.links} if now.get(name) != tree.links.get(name))

    async def discard(self, agent: str) -> None:
        """Takes away the tree of an agent with all that it changed."""
        async with self._turn:
            if agent in self._trees:
                await self._remove(agent)

    async def close(self) -> None:
        """Takes away what is of no more use; a worktree with changes that were not merged stays."""
        for agent, tree in list(self._trees.items()):
            with suppress(ToolError):  # it stays then
                if self._keeper is not None or await _blobs(tree.root, await files_of(tree.root)) == tree.base:
                    await self._remove(agent)
        await self._forget()
        if self._hold is not None:
            os.close(self._hold)
        if self._keeper is not None:
            await self._keeper.aclose()
        elif not self._trees:
            shutil.rmtree(self._home, ignore_errors=True)

    async def _remove(self, agent: str) -> None:
        """Takes away the files, best effort. The repository still knows the tree: commands that go on would have that put back."""
        tree = self._trees.pop(agent)
        self._done.append(tree)
        await on_daemon_thread(partial(shutil.rmtree, tree.top, ignore_errors=True))

    async def _forget(self) -> None:
        """Has the repository forget the trees that were taken away, which is no doing of a command in the background."""
        for tree in self._done:
            if isinstance(self._workspace.journal, Journal) and tree.state.is_relative_to(self._workspace.root):
                files = (path for path in tree.state.rglob("*") if not path.is_dir())
                self._workspace.journal.removes(str(path.relative_to(self._workspace.root)) for path in files)
            with suppress(ToolError):  # a leftover is harmless
                await git(self._top, "worktree", "remove", "--force", str(tree.top))

    async def _sides(self, tree: _Tree, names: Sequence[str], only: Collection[str] | None) -> Sides:
        """Links are left alone, and what stands where a link does now."""
        if only is None:
            now = await _blobs(tree.root, names)
            only = [name for name in {*now, *tree.base} if now.get(name) != tree.base.get(name)]
        return {
            name: (
                await git(self._top, "cat-file", "blob", tree.base[name]) if name in tree.base else None,
                (tree.root / name).read_bytes() if (tree.root / name).is_file() else None,
            )
            for name in only
            if not (tree.root / name).is_symlink()
        }


def _programs(root: Path, names: Iterable[str]) -> frozenset[str]:
    """The files that their owner can run."""
    found = set()
    for name in names:
        with suppress(OSError):
            if (root / name).lstat().st_mode & stat.S_IXUSR:
                found.add(name)
    return frozenset(found)


def _let_run(tree: _Tree, folder: Path, names: Iterable[str]) -> list[str]:
    """A file can be run in the folder where it became a program in the copy, and no more where it is none there any more."""
    now, changed = _programs(tree.root, names), []
    for name in sorted((now ^ frozenset(tree.programs)) & frozenset(names)):
        with suppress(OSError):
            mode = (folder / name).lstat().st_mode
            if stat.S_ISREG(mode) and (tree.root / name).exists():
                bits = (tree.root / name).stat().st_mode & 0o111
                (folder / name).chmod(stat.S_IMODE(mode) & ~0o111 | bits)
                changed.append(name)
    return changed


def _links(root: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: os.readlink(root / name) for name in names if (root / name).is_symlink()}


def _copy(source: Path, names: Sequence[str], target: Path) -> None:
    """Raises ToolError; a file that is gone by now is no part of the copy."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(source / name, target / name, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ToolError(f"{name} cannot be copied: {error.strerror or error}") from error


async def files_of(folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Tracked and new ones below `folder` that are there, without what git ignores; links too, no submodules."""
    listed = await git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", environment=environment)
    names = dict.fromkeys(listed.decode("utf-8", "surrogateescape").split("\0"))
    return [name for name in names if name and ((folder / name).is_symlink() or (folder / name).is_file())]


async def _blobs(folder: Path, files: Iterable[str], write: bool = False) -> dict[str, str]:
    """These files below `folder` by the names that git gives their contents; links are left alone."""
    names = [name for name in files if not (folder / name).is_symlink()]
    found: dict[str, str] = {}
    for few, stdin in _as_input(folder, names):
        command = ["hash-object", *(["-w"] if write else []), "--no-filters"]
        said = await git(folder, *command, *(["--stdin-paths"] if stdin else ["--", *few]), stdin=stdin)
        found |= dict(zip(few, said.decode().split(), strict=True))
    return found


def _as_input(folder: Path, names: Sequence[str]) -> Iterator[tuple[list[str], bytes]]:
    """Yields names with what git reads them from; it takes those with a line break as arguments only."""
    lines = [name for name in names if "\n" not in name]
    yield lines, "".join(f"{folder}/{name}\n" for name in lines).encode("utf-8", "surrogateescape")  # else read from its top
    yield from (([name], b"") for name in names if "\n" in name)
