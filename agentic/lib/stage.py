"""Changes that wait for a yes."""

from agentic.lib.grants import Access, FileNotFoundToolError
from agentic.lib.workspace import MAX_FILE_BYTES, Edit, Workspace


class Stage(Workspace):
    """A workspace whose changes wait: `edits` by path. Reading sees them."""

    def __init__(self, space: Workspace) -> None:
        super().__init__(space.root, None, space.grants, space.temporary)
        self.claim = space.claim
        self._seen = dict(space._seen)
        self._space = space
        self.edits: dict[str, Edit] = {}

    def relative(self, path: str, access: Access = "read") -> str:
        """Returns a path's name. The user is asked about a change with the change itself; a link then stands for its target."""
        return super().relative(path, access) if access == "read" else self._target(self._located(path, access))

    def exists(self, path: str) -> bool:
        edit = self.edits.get(self._located(path, "read"))
        return edit.after is not None if edit else self._space.exists(path)

    def _before(self, name: str) -> bytes | None:
        return self.edits[name].after if name in self.edits else self._space._before(name)

    def _data(self, name: str, most: int = MAX_FILE_BYTES) -> bytes:
        edit = self.edits.get(name)
        if edit is None:
            return self._space._data(name, most)
        if edit.after is None:
            raise FileNotFoundToolError(f"{name} does not exist")
        return edit.after

    def _change(self, name: str, before: bytes | None, after: bytes | None, mode: int | None = None) -> None:
        first = self.edits.pop(name, None)
        self.edits[name] = Edit(first.before if first else before, after, mode)
        self._changed.append(name)
