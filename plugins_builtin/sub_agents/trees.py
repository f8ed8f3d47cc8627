"""A folder's files as git trees, to send them elsewhere and to take back what became of them there."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentic.errors import ToolError
from agentic.lib.git import git
from plugins_builtin.sub_agents.merging import Sides
from plugins_builtin.sub_agents.worktrees import files_of

_REGULAR = ("100644", "100755")
_BYTE_FOR_BYTE = "* -text -filter -ident -working-tree-encoding !diff\n"
_BRANCH = "refs/heads/part"
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "agentic"), ("EMAIL", "agentic@localhost"))
}


class Trees:
    """The trees of the folder `top`, kept in a repository below `home`.

    The folder's own repository, if it has one, is read only for what it ignores.
    """

    def __init__(self, top: Path, home: Path) -> None:
        self._top = top
        self._home = home
        self._own = {"GIT_DIR": str(home / "trees.git"), "GIT_WORK_TREE": str(top), **_NOBODY}
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, top: Path, home: Path) -> "Trees":
        """Raises ToolError where git cannot be run."""
        trees = cls(top, home)
        await git(home, "init", "--quiet", "--bare", "trees.git")
        _byte_for_byte(home / "trees.git")
        return trees

    async def now(self) -> str:
        """The tree of the files as they are, without what git ignores."""
        async with self._turn:
            known = (await self._git("ls-files", "-z")).decode("utf-8", "surrogateescape").split("\0")
            names = [name for name in dict.fromkeys((*await self._files(), *known)) if name]
            listed = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
            await self._git("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=listed)
            return await self._name("write-tree")

    async def _files(self) -> Sequence[str]:
        try:
            return await files_of(self._top)
        except ToolError:  # no repository
            return await files_of(self._top, self._own)

    async def bundle(self, tree: str) -> bytes:
        """A git bundle with that tree as the one commit of a branch."""
        commit = await self._name("commit-tree", tree, "-m", "the folder as it was")
        async with self._turn:
            await self._git("update-ref", _BRANCH, commit)
            return await self._git("bundle", "create", "--quiet", "-", _BRANCH)

    async def patch(self, before: str, after: str) -> bytes:
        """Returns the patch with which `git apply` makes the one tree into the other."""
        return await self._git("diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", before, after)

    async def sides(self, before: str, patch: bytes) -> Sides:
        """Returns the regular files that the patch changes, before and after. Raises ToolError if it does not apply."""
        index = {"GIT_INDEX_FILE": str(self._home / "patched.index")}
        async with self._turn:
            await self._git("read-tree", before, more=index)
            if patch:
                await self._git("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, more=index)
            after = await self._name("write-tree", more=index)
        raw = await self._git("diff-tree", "-r", "-z", "--no-renames", before, after)
        fields = raw.decode("utf-8", "surrogateescape").split("\0")
        sides: dict[str, tuple[bytes | None, bytes | None]] = {}
        for change, name in zip(fields[::2], fields[1::2], strict=False):
            modes, blobs = change.removeprefix(":").split()[:2], change.split()[2:4]
            if all(mode in (*_REGULAR, "000000") for mode in modes):
                base, theirs = [await self._blob(mode, blob) for mode, blob in zip(modes, blobs, strict=True)]
                sides[name] = base, theirs
        return sides

    async def _blob(self, mode: str, name: str) -> bytes | None:
        return await self._git("cat-file", "blob", name) if mode in _REGULAR else None

    async def _name(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        return (await self._git(*arguments, more=more)).decode().strip()

    async def _git(self, *arguments: str, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        return await git(self._home, *arguments, stdin=stdin, environment={**self._own, **(more or {})})


async def unpack(bundle: bytes, top: Path) -> None:
    """Makes `top` a repository with the bundle's files as its one commit. Raises ToolError for what is no bundle."""
    file = _begun(bundle, top)
    await git(top, "init", "--quiet")
    _byte_for_byte(top / ".git")
    heads = (await git(top, "bundle", "unbundle", str(file))).decode().split()
    if len(heads) != 2:
        raise ToolError("the part's bundle does not hold one branch")
    await git(top, "update-ref", _BRANCH, heads[0])
    await git(top, "symbolic-ref", "HEAD", _BRANCH)
    await git(top, "read-tree", "--reset", "-u", "HEAD")


def _begun(bundle: bytes, top: Path) -> Path:
    """The bundle as a file, beside the folder that is made."""
    top.mkdir(parents=True)
    file = top.with_suffix(".bundle")
    file.write_bytes(bundle)
    return file


def _byte_for_byte(repository: Path) -> None:
    """No file is converted, whatever the files and the user's configuration say."""
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text(_BYTE_FOR_BYTE)
