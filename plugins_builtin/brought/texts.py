"""Markdown with a frontmatter, in folders of the project and of the user."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic import AgenticError, Workspace
from agentic.files import project_top, read_regular

MAX_BYTES = 200_000  # of one file
MAX_FILES = 200  # of one folder
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Text:
    """A file: where it is, its frontmatter, what follows it; `fault` says why it cannot be used, "" where it can."""

    path: Path
    fields: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    fault: str = ""

    def field(self, name: str) -> str:
        """A field of the frontmatter as text in one line, "" for none."""
        value = self.fields.get(name)
        return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def folders(root: Path, project: Sequence[str], user: Sequence[str]) -> Iterator[tuple[Path, Path | None]]:
    """(folder, the top of its project), the nearest first: from `root` up to that top, then the user's own, which have none."""
    root = root.resolve()
    top = project_top(root)
    for folder in (root, *root.parents):
        if folder.is_relative_to(top):
            yield from ((folder / name, top) for name in project if (folder / name).is_dir())
    yield from ((Path(name).expanduser(), None) for name in user if Path(name).expanduser().is_dir())


def read(path: Path, top: Path | None) -> Text:
    """The file; a project's through what keeps links from leading out of it."""
    try:
        if top is not None:
            data = Workspace(top).current(str(path.relative_to(top)), MAX_BYTES).data
        else:
            data = read_regular(path, MAX_BYTES)
    except (AgenticError, OSError, ValueError) as error:
        return Text(path, fault=str(error))
    return parsed(path, data.decode("utf-8", "replace"))


def parsed(path: Path, text: str) -> Text:
    """The text taken apart."""
    match = _FRONT.match(text)
    if match is None:
        return Text(path, {}, text.strip())
    import yaml

    try:
        fields = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        fields = _by_lines(match[1])  # a colon in a description, which other agents let pass
    if not isinstance(fields, dict):
        return Text(path, {}, text[match.end() :].strip(), "" if fields is None else "its frontmatter is no table")
    return Text(path, {str(name): value for name, value in fields.items()}, text[match.end() :].strip())


def _by_lines(text: str) -> dict[str, str]:
    found = (re.match(r"([\w-]+):[ \t]*(.*)", line) for line in text.splitlines())
    return {match[1]: match[2].strip().strip("'\"") for match in found if match}
