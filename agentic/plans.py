"""A task's complexity, and the plan that splits it into parts."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from agentic.lib.record import record


@record(frozen=True)
class Complexity:
    """`score` from 0 (trivial) to 1; `separable` where the `parts` can be built independently. `shared_files` speak against it.

    `changes`: the task asks for a change, so it is not done while nothing has changed.
    """

    score: float
    separable: bool
    reasons: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    shared_files: tuple[str, ...] = ()
    changes: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"the score must be from 0 to 1, not {self.score!r}")


_NO_NAME = ("", "none", "null", "n/a")  # what models write into a list that has to be empty
MAX_SUBTASKS = 6  # of a plan for a whole task
MAX_DELEGATED = 16
Isolation = Literal["", "worktree"]


@record(frozen=True)
class Subtask:
    """An agent's part of a task; `reads` and `writes` are paths, `done_check` is how to see that it is done.

    A higher `priority` begins first. `agent` is the kind of agent that does it, "" for one like any other.
    """

    id: str
    title: str
    objective: str = ""
    output: str = ""
    done_check: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    priority: int = 0
    agent: str = ""

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "Subtask":
        """From what a model wrote: whatever is no text or list counts as missing. Raises ValueError without a word to go by."""

        def text(*keys: str) -> str:
            return next((str(item[key]).strip() for key in keys if isinstance(item.get(key), str | int)), "")

        def names(key: str) -> tuple[str, ...]:
            value = item.get(key)
            return tuple(str(each) for each in value if str(each).lower() not in _NO_NAME) if isinstance(value, list) else ()

        title, objective = text("title"), text("objective", "description")
        name = cls.id_of(text("id") or title or objective)
        if not name:
            raise ValueError("a subtask without id, title and objective")
        priority = item.get("priority")
        return cls(
            name,
            title or objective or name,
            objective if title else "",
            text("output"),
            text("done_check"),
            names("reads"),
            names("writes"),
            tuple(map(cls.id_of, names("depends_on"))),
            priority if isinstance(priority, int) else 0,
            text("agent", "subagent_type"),
        )

    @staticmethod
    def id_of(text: str) -> str:
        """An id made of the text, "" where nothing of it can be in one."""
        return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:20].strip("-")

    @property
    def description(self) -> str:
        """Title and objective in one line."""
        return f"{self.title}: {self.objective}" if self.objective else self.title


@record(frozen=True)
class Plan:
    """`check` is a shell command that shows whether the whole works, "" for the folder's own tests.

    `isolation` "worktree" gives each subtask a git worktree of its own; their changes are merged one after the other.
    """

    subtasks: tuple[Subtask, ...]
    check: str = ""
    isolation: Isolation = ""

    def problems(self, least: int = 2, most: int = MAX_SUBTASKS) -> list[str]:
        """Why it cannot be carried out side by side; nothing for a good plan."""
        found = []
        if not least <= len(self.subtasks) <= most:
            found.append(f"a plan has {least} to {most} subtasks, this one {len(self.subtasks)}")
        ids = [subtask.id for subtask in self.subtasks]
        found += [f"two subtasks are called {name!r}" for name in sorted({name for name in ids if ids.count(name) > 1})]
        for subtask in self.subtasks:
            found += [f"{subtask.id} depends on {name!r}, which is no subtask" for name in subtask.depends_on if name not in ids]
        if not found and (circle := [name for name in ids if name in self.before(name)]):
            found.append(f"{', '.join(circle)} depend on each other in a circle")
        if not found:
            found += [
                f"{one.id} and {other.id} both write {path}, and neither waits for the other"
                for number, one in enumerate(self.subtasks)
                for other in self.subtasks[number + 1 :]
                for path in one.writes
                if path in other.writes and one.id not in self.before(other.id) and other.id not in self.before(one.id)
            ]
        return found

    def before(self, name: str) -> set[str]:
        """The ids of all subtasks that must be done before that one."""
        direct = {subtask.id: subtask.depends_on for subtask in self.subtasks}
        found: set[str] = set()
        waiting = list(direct.get(name, ()))
        while waiting:
            if (each := waiting.pop()) not in found:
                found.add(each)
                waiting += direct.get(each, ())
        return found
