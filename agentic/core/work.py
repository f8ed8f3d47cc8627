"""The record of an agent's work: files changed and commands run, in order. Verdicts rest on this, never on the model's word."""

from dataclasses import field

from agentic.lib.record import record
from agentic.types import Change, Outcome, ToolOutput

MAX_COMMAND = 80  # characters of one that is named in a summary


@record(slots=True)
class Work:
    """`ran` holds what was run since the last change. `undone` are delegated parts that came to nothing, with their files.

    `tried`: a change was asked for or meant, made or not. `write_failed`: one was not possible. `count` is of changes.
    """

    changes: dict[str, Change] = field(default_factory=dict)
    ran: dict[str, ToolOutput] = field(default_factory=dict)
    undone: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tried: bool = False
    write_failed: bool = False
    count: int = 0

    def changed(self, change: Change) -> None:
        """A file was written or taken away: what was run before shows nothing any more, a part that was to write it is settled."""
        self.tried = True
        if change.kind == "unchanged":
            return
        self.count += 1
        before = self.changes.get(change.path)
        created = before is not None and before.kind == "created" and change.kind == "updated"
        self.changes[change.path] = Change(change.path, "created") if created else change
        self.ran.clear()
        for title, files in list(self.undone.items()):
            left = tuple(path for path in files if path != change.path)
            if left or not files:
                self.undone[title] = left or files
            else:
                del self.undone[title]

    def delegated(self, outcome: Outcome) -> None:
        """Keeps the parts that sub-agents left undone until their files are written."""
        self.undone |= {title: outcome.unwritten.get(title, ()) for title in outcome.missing}

    @property
    def last_failure(self) -> str:
        """The command that was run last, where it failed; "" otherwise."""
        command = next(reversed(self.ran), "")
        return command if command and self.ran[command].failed else ""

    def summary(self) -> str:
        """Returns a summary of the work, in one line."""
        done = (
            [f"Wrote {', '.join(path for path, change in self.changes.items() if change.kind != 'deleted')}."]
            if self.changes
            else []
        )
        command = next(reversed(self.ran), "")
        if command and len(command) < MAX_COMMAND:
            done.append(f"`{command}` ended with exit code {self.ran[command].exit_code}.")
        return " ".join(done)
