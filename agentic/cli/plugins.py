"""`agentic plugins`: every plugin found, the broken and the disabled too."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec

import click

from agentic import index
from agentic.cli.group import ExtensibleGroup
from agentic.commands import list_output, present_host
from agentic.errors import ConfigError, PluginError
from agentic.lib.listing import in_columns
from agentic.lib.sanitize import sanitize
from agentic.plugins import Host, PluginStatus
from agentic.plugins.host import Offer


@click.group("plugins", cls=ExtensibleGroup, invoke_without_command=True, epilog="The manual: agentic docs plugins")
@list_output
@click.option("--rescan", is_flag=True, help="Clear what earlier starts cached; --help and completion search again.")
@click.pass_context
def command(context: click.Context, output: str, rescan: bool) -> None:
    """Lists the plugins with their state and hooks; shows, makes, installs and removes them.

    For example: agentic plugins show vllm
    """
    if rescan:
        index.forget()
    if context.invoked_subcommand is None:
        _print_list(output)


@command.command("list")
@list_output
def list_(output: str) -> None:
    """Lists the plugins. For example: agentic plugins list --output jsonl"""
    _print_list(output)


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """Shows one plugin and what it offers. For example: agentic plugins show vllm"""
    host = _inspected()
    statuses = [status for status in host.statuses if status.name == name]
    if not statuses:
        raise ConfigError(f"there is no plugin {name!r}", "`agentic plugins` lists them")
    for status in statuses:
        for field, value in asdict(status).items():
            click.echo(f"{field + ':':14}{sanitize(', '.join(value) if isinstance(value, list) else str(value))}")
    for hook, door in host.every_hook().items():
        for choice, offer in _offers(host, hook).items():
            if offer.plugin == name:
                instead = f", instead of {offer.replaced.plugin}'s" if offer.replaced else ""
                where = door.selected_by or hook.removeprefix("agentic_").replace("_", " ")
                click.echo(f"{'offers:':14}{sanitize(f'{choice} ({where}{instead}): {offer.record.summary}')}")


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("what", nargs=-1, required=True)
def install(what: tuple[str, ...]) -> int:
    """Installs plugins into the environment that agentic runs in; takes the same arguments as pip install.

    For example: agentic plugins install agentic-foo
    """
    return _pip("install", *what)


@command.command()
@click.argument("what", nargs=-1, required=True)
def uninstall(what: tuple[str, ...]) -> int:
    """Removes distributions from the environment that agentic runs in. For example: agentic plugins uninstall agentic-foo"""
    return _pip("uninstall", "--yes", *what)


def _pip(*arguments: str) -> int:
    if find_spec("pip") is None:
        remedy = f"for example: uv pip {arguments[0]} --python {sys.executable} {arguments[-1]}"
        raise ConfigError("the environment that agentic runs in has no pip", remedy)
    return subprocess.run([sys.executable, "-m", "pip", *arguments]).returncode


def _inspected() -> Host:
    """The host after every provider hook was asked, so that one that fails there is shown as broken."""
    host = present_host()
    for conflict in host.inspect():
        click.echo(f"agentic: {sanitize(conflict)}", err=True)
    return host


def _offers(host: Host, hook: str) -> Mapping[str, Offer]:
    try:
        return host.offers(hook)
    except PluginError:  # told before
        return {}


def _print_list(output: str) -> None:
    statuses = _inspected().statuses
    if output == "jsonl":
        for status in statuses:
            click.echo(json.dumps({"type": "plugin"} | asdict(status)))
        return
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE", "LOAD", "HOOKS"), *map(_row, statuses)]
    for line in in_columns(rows):
        click.echo(line)


def _row(status: PluginStatus) -> tuple[str, ...]:
    last = status.error or status.note or ", ".join(hook.removeprefix("agentic_") for hook in status.hooks)
    cells = (status.name, status.distribution, status.version, status.state, f"{status.load_ms:.0f} ms", last)
    return tuple(sanitize(cell) for cell in cells)
