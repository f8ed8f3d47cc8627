"""`agentic trust`: what this folder brings that would run, and whether it may."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import click

from agentic.api import load_settings, policy, runnables, undecided
from agentic.commands import list_output
from agentic.commands.start import can_ask
from agentic.config import Settings
from agentic.errors import ConfigError
from agentic.hooks.permissions import Judgement
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.asking import agreed
from agentic.trust import Runnable, Trust

MAX_ASKED = 20  # things that one question is about
_FOLDER = click.option("-C", "folder", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Look in DIR.")
_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.group("trust", invoke_without_command=True, epilog="The manual: agentic docs imported")
@click.pass_context
def command(context: click.Context) -> None:
    """Shows what in this folder would run (MCP servers, hooks, scripts), and asks whether it may.

    Your answer holds only for what would run now: when that changes, agentic asks again. For example: agentic trust
    """
    if context.invoked_subcommand is None:
        root = Path.cwd()
        found = _find_runnables(root)
        if found and can_ask():
            _ask(root, found)
        else:
            context.invoke(list_)


@command.command()
@_NAMES
@_FOLDER
def add(names: tuple[str, ...], folder: Path) -> None:
    """Trusts, without asking, what in this folder would run now, or only NAME. For example: agentic trust add"""
    chosen = _chosen(_find_runnables(folder.absolute()), names)
    Trust(folder.absolute()).decide(chosen, trusted=True)
    click.echo("\n".join(map(sanitize, _rows(chosen))) or "this folder brings nothing that would run")


@command.command("list")
@list_output
@_FOLDER
def list_(output: str = "plain", folder: Path = Path()) -> None:
    """Lists what in this folder would run, and whether you trust it. For example: agentic trust list"""
    trust, found = Trust(folder.absolute()), _find_runnables(folder.absolute())
    undecided = trust.undecided(found)
    states = ["trusted" if trust.has(each) else "not decided" if each in undecided else "refused" for each in found]
    if output == "jsonl":
        for each, state in zip(found, states, strict=True):
            values = {"kind": each.kind, "name": each.name, "file": each.file, "runs": each.runs, "state": state}
            click.echo(json.dumps({"type": "runnable"} | values))
    elif found:
        rows = zip(_rows(found), states, strict=True)
        click.echo("\n".join(sanitize(f"{state:<12}{row.strip()}") for row, state in rows))
    else:
        click.echo("this folder brings nothing that would run")


@command.command()
@_NAMES
@_FOLDER
def rm(names: tuple[str, ...], folder: Path) -> None:
    """Forgets your decisions about this folder, or only about NAME. For example: agentic trust rm"""
    root = folder.absolute()
    count = Trust(root).forget(_chosen(_find_runnables(root), names) if names else None)
    click.echo(f"forgotten: {count}")


def decide_on_new(root: Path, settings: Settings) -> None:
    """Asks about what this folder brings and nobody was asked about yet."""
    if unknown := undecided(root, settings):
        _ask(root, unknown)


def _ask(root: Path, found: Sequence[Runnable]) -> None:
    """A few at a time, those first that nobody should overlook; each answer is about what was shown with it."""
    found, trust, count = sorted(found, key=partial(_weight, root)), Trust(root), 0
    for start in range(0, len(found), MAX_ASKED):
        shown = found[start : start + MAX_ASKED]
        part = f" ({start + 1} to {start + len(shown)} of {len(found)})" if len(found) > MAX_ASKED else f" ({len(found)})"
        question = f"trust what this folder brings and would run{part}? You are asked again when it changes"
        if not agreed(question, "\n".join(_rows(shown))):
            trust.decide(found[start:], False)  # a no is one to the rest, too
            break
        trust.decide(shown, True)
        count += len(shown)
    click.echo(f"trusted: {count} of {len(found)}" if count else "not used; `agentic trust` asks again", err=True)


def _weight(root: Path, runnable: Runnable) -> int:
    """The lower, the more it should be looked at: what is dangerous or reaches the network, then what cannot be read."""
    judgement = _judge(root)(runnable.runs)
    if judgement.dangers or "network" in judgement.needs:
        return 0
    return 1 if judgement.why else 2


@lru_cache(maxsize=1)
def _judge(root: Path) -> Callable[[str], Judgement]:
    return policy(root, load_settings(root)).of_command


def _find_runnables(root: Path) -> list[Runnable]:
    return runnables(root, load_settings(root), lambda text: click.echo(sanitize(f"agentic: {text}"), err=True))


def _chosen(found: Sequence[Runnable], names: Iterable[str]) -> list[Runnable]:
    """Raises ConfigError for a name that nothing has."""
    wanted = set(names)
    if unknown := wanted - {each.name for each in found}:
        raise ConfigError(f"nothing here is called {sorted(unknown)[0]!r}", "`agentic trust list` shows what there is")
    return [each for each in found if not wanted or each.name in wanted]


def _rows(found: Sequence[Runnable]) -> list[str]:
    kinds, names = (max((len(getattr(each, field)) for each in found), default=0) for field in ("kind", "name"))
    return [f"  {each.kind:<{kinds}}  {each.name:<{names}}  {each.runs}  ({each.file})".replace("\n", " ⏎ ") for each in found]
