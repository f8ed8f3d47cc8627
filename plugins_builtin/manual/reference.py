"""The pages of the manual that are made from code: keys of the configuration, commands with their options, events."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

import agentic
from agentic import api
from agentic.commands import present_host
from agentic.config.edit import toml_text
from agentic.config.section import Key
from agentic.events import Event

_SCOPES = {
    "user": "you",
    "select": "you, a project",
    "lower": "you; a project lower",
    "higher": "you; a project higher",
    "more": "you; a project more",
    "fewer": "you; a project fewer",
    "tighten": "you; a project stricter",
}


def keys(root: click.Group) -> str:
    """Each key with its default, who may set it, and what it means."""
    lines = ["# Configuration keys", "", "Made from the code; `agentic config show` has the values in use.", ""]
    table = ""
    for name, key in api.load_settings(Path.home()).declared():
        section, _, last = name.rpartition(".")
        if section != table:
            lines += ["", f"## {section}", "", "| key | default | set by | |", "|---|---|---|---|"]
            table = section
        lines.append(f"| `{last}` | {_default(key)} | {_SCOPES[key.scope]} | {_cell(key.help)} |")
    return "\n".join(lines) + "\n"


def _default(key: Key) -> str:
    text = "" if key.default in (None, "", ()) else toml_text(key.default)
    choices = ", ".join(f"`{choice}`" for choice in key.choices if choice)
    return " of ".join(filter(None, [f"`{text}`" if text else "", choices]))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def commands(root: click.Group) -> str:
    """The help of each command and of what it has below it."""
    lines = ["# Commands", "", "Made from `--help`.", ""]
    context = click.Context(root, info_name="agentic")
    offers = present_host().offers("agentic_commands")
    of_plugins = (name for name, offer in offers.items() if " " not in name and not offer.record.hidden)
    for name in dict.fromkeys([*root.list_commands(context), *of_plugins]):
        command = root.get_command(context, name)
        if command is not None and not command.hidden:
            lines += _help(command, click.Context(command, info_name=name, parent=context, max_content_width=100), 2)
    return "\n".join(lines) + "\n"


def _help(command: click.Command, context: click.Context, depth: int) -> Iterator[str]:
    yield from (f"{'#' * depth} {context.command_path}", "", "```text", command.get_help(context), "```", "")
    command = getattr(command, "wrapped", command)  # a plugin's
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _help(below, click.Context(below, info_name=name, parent=context, max_content_width=100), depth + 1)


def events(root: click.Group) -> str:
    """Each event of `--output jsonl` with its fields."""
    lines = [
        "# Events",
        "",
        "`--output jsonl` writes one a line. Each has `type`, `time`, `run` and `agent`, and these fields.",
        "",
    ]
    for kind in sorted(Event.__subclasses__(), key=lambda each: each.type):
        own = [name for name in kind.fields if name not in Event.fields]
        hints = inspect.get_annotations(kind)
        shown = ", ".join(f"`{name}` ({_type(hints.get(name))})" for name in own) or "no more fields"
        lines += [f"## {kind.type}", "", *([inspect.cleandoc(kind.__doc__), ""] if kind.__doc__ else []), shown, ""]
    return "\n".join(lines) + "\n"


def _type(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def names(root: click.Group) -> str:
    """Each name that programs and plugins import from `agentic`, with its signature and what it says of itself."""
    lines = ["# Python", "", "What `import agentic` offers. Events are in [a page of their own](events.md).", ""]
    for name in sorted(agentic.__all__, key=str.lower):
        if not name.startswith("_"):
            found = getattr(agentic, name)
            lines += [f"## {name}", "", "```python", *_declared(name, found), "```", "", inspect.getdoc(found) or "", ""]
    return "\n".join(lines) + "\n"


def _declared(name: str, found: Any) -> Iterator[str]:
    """Its fields, or the methods that an object of it has, or its signature, in lines of Python."""
    fields = getattr(found, "__dataclass_fields__", None)
    if fields:
        yield f"class {name}:"
        yield from (f"    {each}: {_type(hint)}" for each, hint in _hints(found, fields).items())
    elif getattr(found, "_is_protocol", False):
        yield f"class {name}(Protocol):"
        yield from (
            f"    {'async ' * inspect.iscoroutinefunction(each)}def {method}{_signature(each)}" for method, each in _methods(found)
        )
    else:
        yield f"{name}{_signature(found)}"


def _hints(kind: type, fields: Iterable[str]) -> dict[str, object]:
    own = {name: hint for base in reversed(kind.__mro__) for name, hint in inspect.get_annotations(base).items()}
    return {name: own.get(name, Any) for name in fields}


def _methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, found in inspect.getmembers(kind, inspect.isfunction):
        if name == "__call__" or not name.startswith("_"):
            yield name, found


def _signature(found: object) -> str:
    try:
        return str(inspect.signature(found)) if callable(found) else f": {type(found).__name__}"
    except (TypeError, ValueError):
        return ""


MADE: Mapping[str, tuple[str, Callable[[click.Group], str]]] = MappingProxyType(
    {
        "reference/commands": ("Commands, with their options", commands),
        "reference/events": ("Events of --output jsonl", events),
        "reference/python": ("Names to import from agentic", names),
        "reference/keys": ("Configuration keys", keys),
    }
)
"""(title, what makes it of the program's group) of each page that is made, by its name."""
