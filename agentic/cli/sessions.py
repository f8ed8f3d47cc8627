"""`agentic sessions`: what was said and done, and taking it back."""

import json
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from agentic.commands import list_output
from agentic.core.runtime import state_folder
from agentic.errors import ConfigError
from agentic.sanitize import sanitize
from agentic.sessions import SessionStore
from agentic.sessions.export import as_jsonl, as_markdown
from agentic.sessions.undo import undo as take_back
from agentic.workspace import Workspace

_FORMATS = {"jsonl": as_jsonl, "markdown": as_markdown}


def _store() -> SessionStore:
    return SessionStore(state_folder() / "sessions")


@click.group("sessions", invoke_without_command=True)
@list_output
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """Lists the sessions, shows one, exports it, removes it, or takes back what its tools wrote."""
    if context.invoked_subcommand is None:
        _print_list(output)


@command.command("list")
@list_output
def list_(output: str) -> None:
    """Lists all sessions, the newest first."""
    _print_list(output)


def _print_list(output: str) -> None:
    for summary in _store().all():
        if output == "jsonl":
            click.echo(json.dumps({"type": "session"} | asdict(summary)))
            continue
        changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.changed))
        said = f"({summary.state})" if summary.state else summary.title
        click.echo(sanitize(f"{summary.id}  {changed}  {summary.size / 1024:>7.0f} KiB  {summary.root}  {said}"))


@command.command()
@click.argument("name", metavar="ID")
def show(name: str) -> None:
    """Prints a session's conversation."""
    with closing(_store().read(name)) as session:
        for part in as_markdown(session):
            click.echo(sanitize(part))


@command.command()
@click.argument("name", metavar="ID")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="jsonl", show_default=True)
@click.option("-o", "path", type=click.Path(path_type=Path), help="A file instead of the standard output.")
def export(name: str, form: str, path: Path | None) -> None:
    """Writes a session as JSONL (every record) or Markdown (the conversation)."""
    with closing(_store().read(name)) as session, click.open_file(str(path) if path else "-", "w", encoding="utf-8") as file:
        for part in _FORMATS[form](session):
            file.write(part + "\n")


@command.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
def rm(names: tuple[str, ...]) -> None:
    """Removes sessions for good."""
    for name in names:
        click.echo(f"removed {_store().remove(name)}")


@command.command()
@click.argument("name", metavar="[ID]", default="")
def undo(name: str) -> None:
    """Takes back what a session's tools wrote (without ID: this folder's latest). Commands it ran are not undone."""
    store = _store()
    session, _ = store.open(name or store.latest(Path.cwd()))
    with closing(session):
        root = session.metadata("root")
        if not root:
            raise ConfigError(f"session {session.id} does not say which folder it worked in")
        files = take_back(session, Workspace(Path(root)))
    click.echo("\n".join(f"taken back: {path}" for path in files) or "there is nothing to take back")
