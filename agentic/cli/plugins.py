"""`agentic plugins`: every plugin found, the broken and the disabled too."""

import json
from dataclasses import asdict

import click

from agentic.cli.options import list_output
from agentic.cli.start import load_host
from agentic.errors import ConfigError, PluginError
from agentic.plugins import Host, PluginStatus
from agentic.plugins.host import SELECTED_BY
from agentic.sanitize import sanitize


@click.group("plugins", invoke_without_command=True)
@list_output
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """Lists the plugins with distribution, version, state, hooks and load time."""
    if context.invoked_subcommand is None:
        _print_list(output)


@command.command("list")
@list_output
def list_(output: str) -> None:
    """Lists the plugins."""
    _print_list(output)


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """Shows one plugin and what it offers."""
    host = _inspected()
    statuses = [status for status in host.statuses if status.name == name]
    if not statuses:
        raise ConfigError(f"there is no plugin {name!r}", "`agentic plugins` lists them")
    for status in statuses:
        for field, value in asdict(status).items():
            click.echo(f"{field + ':':14}{sanitize(', '.join(value) if isinstance(value, list) else str(value))}")
    for hook, key in SELECTED_BY.items():
        for choice, (plugin, record) in host.offers(hook).items():
            if plugin == name:
                click.echo(f"{'offers:':14}{sanitize(f'{choice} ({key}): {record.summary}')}")


def _inspected() -> Host:
    """The host after every provider hook was asked, so that one that fails there is shown as broken."""
    host = load_host()
    for hook in (*SELECTED_BY, "agentic_commands"):
        try:
            host.offers(hook)
        except PluginError as error:
            click.echo(f"agentic: {error}\n  → {error.remedy}", err=True)
    return host


def _print_list(output: str) -> None:
    statuses = _inspected().statuses
    if output == "jsonl":
        for status in statuses:
            click.echo(json.dumps({"type": "plugin"} | asdict(status)))
        return
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE", "LOAD", "HOOKS"), *map(_row, statuses)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def _row(status: PluginStatus) -> tuple[str, ...]:
    last = status.error or ", ".join(hook.removeprefix("agentic_") for hook in status.hooks)
    cells = (status.name, status.distribution, status.version, status.state, f"{status.load_ms:.0f} ms", last)
    return tuple(sanitize(cell) for cell in cells)
