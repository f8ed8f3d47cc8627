"""Markdown with a frontmatter, in folders of the project and of the user."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from agentic import AgenticError, Workspace
from agentic.lib.files import project_top, read_regular
from agentic.lib.files.text import decode
from agentic.lib.patterns import late_pattern
from agentic.lib.record import record

MAX_BYTES = 200_000  # of one file
MAX_FILES = 200  # of one folder
TEXTS = {
    "name",
    "description",
    "title",
    "summary",
    "argument-hint",
    "when_to_use",
    "when-to-use",
    "note",
    "notes",
    "author",
    "version",
}
"""Fields that only say something: they limit nothing, however they are written."""
_FRONT = late_pattern(r"\A---[ \t]*(?:#[^\n]*)?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:#[^\n]*)?$\n?", re.MULTILINE | re.DOTALL)
_BLANK = late_pattern("\\A(?:[\\s\ufeff\u00a0\u200b-\u200f\u2060]|<!--.*?-->)+", re.DOTALL)
# What begins like a frontmatter and is none: a limit in it would be read as a text.
_ALMOST = late_pattern(r"^\s*(?:-{3,}|\+{3}|```|~~~).*$", re.MULTILINE)
_LIMIT = late_pattern(
    r"^\s*[\"']?(?:(?:dis)?allow\w*[-_]?\w*|tools|(?:ex|in)clude\w*|enabled?\w*|disabled?\w*|den(?:y|ied)\w*"
    r"|permission\w*|readonly|read[-_]only"
    r"|user-invocable|disable-model-invocation|paths|globs|sandbox|approval\w*)[\"']?\s*[:=]",
    re.MULTILINE | re.IGNORECASE,
)
LINES_LOOKED_AT = 40


@record(frozen=True, slots=True)
class FoundText:
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


def read(path: Path, top: Path | None) -> FoundText:
    """The file; a project's through what keeps links from leading out of it."""
    try:
        if top is not None:
            data = Workspace(top).current(str(path.relative_to(top)), MAX_BYTES).data
        else:
            data = read_regular(path, MAX_BYTES)
        return parsed(path, decode(data, path.name).text)
    except (AgenticError, OSError, ValueError) as error:
        return FoundText(path, fault=str(error))


def parsed(path: Path, text: str) -> FoundText:
    """The text taken apart."""
    text = _BLANK.sub("", re.sub(r"\r\n?", "\n", text))
    match = _FRONT.match(text)
    if match is None:
        top = "\n".join(text.split("\n")[:LINES_LOOKED_AT])
        begins = _ALMOST.search(top)
        if begins and _LIMIT.search(top, begins.start()):
            return FoundText(
                path, {}, text.strip(), "its frontmatter cannot be read: it begins with --- in the first line, and ends so"
            )
        return FoundText(path, {}, text.strip())
    import yaml

    body = text[match.end() :].strip()
    try:
        fields = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):  # often a colon in a description, which other agents let pass
        try:
            fields = _by_blocks(match[1])
        except ValueError as error:
            return FoundText(path, {}, body, str(error))
    if not isinstance(fields, dict):
        return FoundText(path, {}, body, "" if fields is None else "its frontmatter is no table")
    return FoundText(path, {str(name): value for name, value in fields.items()}, body)


def _by_blocks(text: str) -> dict[str, Any]:
    """Each field by itself; a text to be read is taken as it stands. Raises ValueError for any other that is no YAML."""
    import yaml

    found: dict[str, Any] = {}
    for block in re.split(r"^(?=[\w-]+[ \t]*:)", text, flags=re.MULTILINE):
        name, colon, value = block.partition(":")
        name = name.strip()
        if not colon or not re.fullmatch(r"[\w-]+", name):
            if block.strip() and not block.lstrip().startswith("#"):
                raise ValueError(f"its frontmatter cannot be read: {block.strip()[:60]!r}")
            continue
        try:
            found[name] = yaml.safe_load(block.expandtabs(2))[name]
        except (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError) as error:
            if name not in TEXTS:
                raise ValueError(f"its frontmatter cannot be read: the field {name} is no YAML") from error
            if _LIMIT.search(value.partition("\n")[2]):
                raise ValueError(f"its frontmatter cannot be read: the field {name} has others in it") from error
            found[name] = " ".join(value.split()).strip("'\"")
    return found
