"""Changes of several files, as people read and edit them."""

from collections.abc import Mapping

from agentic.lib import diff
from agentic.lib.workspace import Edit


def difference(edits: Mapping[str, Edit]) -> str:
    """Returns the changes as a unified diff; for content that is no text, its size."""
    return "".join(diff.difference(path, edit.before, edit.after) for path, edit in edits.items())


def editable(edits: Mapping[str, Edit]) -> dict[str, str]:
    """The files as they would be, where all of them are text."""
    try:
        return {path: edit.after.decode() for path, edit in edits.items() if edit.after is not None}
    except UnicodeDecodeError:
        return {}
