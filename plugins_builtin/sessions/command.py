"""`agentic sessions`: what was said and done, and taking it back."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from agentic.api import load_settings, session_store, take_up
from agentic.commands import list_output
from agentic.commands.start import can_ask
from agentic.errors import ConfigError
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.asking import agreed
from agentic.lib.workspace import Workspace
from agentic.sessions import Session
from agentic.sessions.undo import ChangedSince, last_turn, redo as do_over, undo as take_back
from plugins_builtin.sessions.export import FORMATS, as_markdown


@click.group("sessions", invoke_without_command=True, epilog="The manual: agentic docs context")
@list_output
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """Lists the sessions, shows one, exports it, removes it, or undoes what its tools wrote.

    For example: agentic sessions list
    """
    if context.invoked_subcommand is None:
        _print_list(output)


@command.command("list")
@list_output
def list_(output: str) -> None:
    """Lists all sessions, the newest first. For example: agentic sessions list --output jsonl"""
    _print_list(output)


def _print_list(output: str) -> None:
    for summary in session_store().all():
        if output == "jsonl":
            click.echo(json.dumps({"type": "session"} | asdict(summary)))
            continue
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.changed))
        said = f"({summary.state})" if summary.state else summary.title
        click.echo(sanitize(f"{summary.id}  {changed}  {summary.size / 1024:>7.0f} KiB  {summary.root}  {said}"))


@command.command()
@click.argument("name", metavar="[ID]", default="")
def show(name: str) -> None:
    """Prints a session's conversation (without ID: this folder's latest). For example: agentic sessions show 20261128"""
    with closing(_read(name)) as session:
        for part in as_markdown(session):
            click.echo(sanitize(part))


@command.command()
@click.argument("name", metavar="[ID]", default="")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="jsonl", show_default=True)
@click.option("--html", "form", flag_value="html", help="A page for a browser: the same as --format html.")
@click.option("-o", "path", type=click.Path(path_type=Path), help="A file instead of the standard output.")
def export(name: str, form: str, path: Path | None) -> None:
    """Writes a session as JSONL (every record), Markdown or a page (the conversation); without ID this folder's latest.

    For example: agentic sessions export --html -o session.html
    """
    with closing(_read(name)) as session, click.open_file(str(path) if path else "-", "w", encoding="utf-8") as file:
        for part in FORMATS[form](session):
            file.write((sanitize(part) if file.isatty() else part) + "\n")


@command.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
def rm(names: tuple[str, ...]) -> None:
    """Removes sessions for good. For example: agentic sessions rm 20261128-1020"""
    for name in names:
        click.echo(f"removed {session_store().remove(name)}")


@command.command()
@click.argument("name", metavar="[ID]", default="")
@click.option("--turns", type=click.IntRange(1), help="Undo only the last N turns that changed anything.")
@click.option("--yes", is_flag=True, help="Also undo files that changed after the session wrote them.")
def undo(name: str, turns: int | None, yes: bool) -> None:
    """Undoes what a session's tools and commands did to the files (without ID: this folder's latest).

    For example: agentic sessions undo --turns 1
    """
    name = name or session_store().latest(Path.cwd())
    with closing(session_store().read(name)) as session:
        root = _workspace(session).root
    take_up(root, load_settings(root))
    with closing(_opened(name)) as session:
        since = last_turn(session, turns) if turns else 0
        files = _confirmed(yes, lambda force: take_back(session, _workspace(session), since, force))
    click.echo("\n".join(f"taken back: {path}" for path in files) or "there is nothing to take back")


@command.command()
@click.argument("name", metavar="[ID]", default="")
@click.option("--yes", is_flag=True, help="Also restore files that changed since the undo.")
def redo(name: str, yes: bool) -> None:
    """Redoes what the last undo of a session reverted. For example: agentic sessions redo"""
    with closing(_opened(name)) as session:
        files = _confirmed(yes, lambda force: do_over(session, _workspace(session), force))
    click.echo("\n".join(f"done over: {path}" for path in files) or "there is nothing to do over")


def _read(name: str) -> Session:
    store = session_store()
    return store.read(name or store.latest(Path.cwd()))


def _opened(name: str) -> Session:
    store = session_store()
    return store.open(name or store.latest(Path.cwd()))[0]


def _workspace(session: Session) -> Workspace:
    root = session.metadata("root")
    if not root:
        raise ConfigError(f"session {session.id} does not say which folder it worked in")
    return Workspace(Path(root))


def _confirmed(yes: bool, change: Callable[[bool], list[str]]) -> list[str]:
    try:
        return change(yes)
    except ChangedSince as error:
        if can_ask() and agreed(f"{error}. Overwrite them?"):
            return change(True)
        error.remedy = "--yes overwrites them; `agentic sessions redo` brings them back"
        raise
