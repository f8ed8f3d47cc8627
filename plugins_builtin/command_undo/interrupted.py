"""Commands that a kill cut off: what changed since they began is told to their session."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from agentic import AgenticError
from agentic.lib.listing import first_few
from agentic.lib.safeguards import Safeguards
from agentic.sessions import SessionStore
from agentic.sessions.undo import Journal
from plugins_builtin.command_undo.backwards import MAX_NAMED
from plugins_builtin.command_undo.contents import any_interrupted
from plugins_builtin.command_undo.entries import FILE, PRIVATE, ProtectedEntries
from plugins_builtin.command_undo.snapshots import UNKNOWN, Snapshots


def take_up_interrupted(root: Path, cache: Path, safeguards: Callable[[], Safeguards], store: SessionStore) -> str:
    """Tells the session whose command was cut off by a kill what has changed since it began, so that it can be taken back.

    The user may have changed it since: it counts as changed by others, and is taken back after a question only. What is protected
    among it is named for the user, "" for nothing.
    """
    if not any_interrupted(root, cache):
        return ""
    known, changed, name = safeguards(), list[str](), ""
    protected = ProtectedEntries(root, known)
    entries = protected.look()
    snapshots = Snapshots(root, cache, lambda: protected.files_of(entries))
    with closing(snapshots), suppress(AgenticError, OSError):  # it is no more, or another process goes on with it and does this
        name, stood = snapshots.interrupted()
        if name:
            with closing(store.open(name)[0]) as session:
                journal = Journal(session)
                for change in snapshots.changes():
                    is_protected = change.path in entries or change.path in protected.files or known.protected(change.path)
                    changed += [change.path] if is_protected else []
                    journal.command(replace(change, after=change.after and UNKNOWN))
            now = {path: kind for path, kind in entries.items() if kind not in (FILE, PRIVATE)}
            changed += [f"{path} (look at it: `undo` does not know it)" for path, kind in now.items() if stood.get(path) != kind]
            changed += [f"{path} (is gone)" for path in stood if path not in entries]
            snapshots.ended()
    if not changed:
        return ""
    remedy = f"`agentic sessions undo {name}` takes back what files had in them"
    return f"a command was cut off by a kill, and what is protected changed since: {first_few(changed, MAX_NAMED)}; {remedy}"
