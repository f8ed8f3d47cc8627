"""The first minutes: which servers run here, which of them to use, and `agentic init`, which writes that down."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from agentic import api
from agentic.cli.start import can_ask
from agentic.commands import model_options
from agentic.config import Settings
from agentic.config.edit import set_value
from agentic.config.sources import user_file
from agentic.errors import ConfigError, EndpointUnavailable
from agentic.hooks.transport import Found
from agentic.sanitize import sanitize

LISTEN_SECONDS = 0.2
MAX_SHOWN = 12


def settled(settings: Settings) -> Settings:
    """The settings, with the server that the user chooses where none is named and none of the usual ones runs."""
    llm = settings.llm
    named = settings.origins["llm.endpoints"] != "default" or llm.transport != "auto"
    if named or not can_ask() or any(map(_listens, llm.endpoints)):
        return settings
    found = asyncio.run(api.found_servers(settings))[:MAX_SHOWN]
    chosen = _chosen(found, f"Nothing answers at {' or '.join(llm.endpoints)}, but here") if found else None
    if chosen is None:
        return settings
    if click.confirm(f"Keep this choice in {_short(user_file())}?", err=True):
        _keep(chosen, settings)
    return settings.changed("llm.endpoints", [chosen.url], "your choice").changed("llm.model", chosen.model, "your choice")


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), LISTEN_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _chosen(found: Sequence[Found], head: str) -> Found | None:
    """The one of them that the user wants, None for none."""
    click.echo(f"{head}:", err=True)
    for number, each in enumerate(found, 1):
        click.echo(sanitize(f"  {number}  {told(each)}"), err=True)
    number = click.prompt("Which one? (0: none)", type=click.IntRange(0, len(found)), default=1, err=True)
    return found[number - 1] if number else None


def told(found: Found) -> str:
    """A server in one line."""
    window = f", {found.window:,} tokens" if found.window else ""
    return f"{found.server}  {found.url}  {found.model}{window}"


def _short(path: Path) -> str:
    """As the user writes it."""
    with suppress(ValueError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)


def _keep(chosen: Found, settings: Settings) -> None:
    path = user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, value in (("llm.endpoints", chosen.url), ("llm.model", chosen.model)):
        set_value(path, name, value, settings)


@click.command("init")
@model_options
def command(root: Path, settings: Settings) -> int:
    """Finds the servers that run here, asks which one to use, and writes it to your configuration. For example: agentic init"""
    found = asyncio.run(api.found_servers(settings))[:MAX_SHOWN]
    if settings.origins["llm.endpoints"] != "default":
        found = [each for each in found if each.url in settings.llm.endpoints] or [
            Found("server", url, settings.llm.model, 0) for url in settings.llm.endpoints
        ]
    if not found:
        raise EndpointUnavailable(
            "no server was found at the usual ports of this machine",
            "start one (`agentic serve` prints how), name one with `agentic init --endpoint URL`, or use --local",
        )
    if len(found) > 1 and not can_ask():
        raise ConfigError(f"several servers run here: {'; '.join(map(told, found))}", "agentic init --endpoint URL names one")
    chosen = found[0] if len(found) == 1 else _chosen(found, "These run here")
    if chosen is None:
        return 1
    _keep(chosen, settings)
    print(sanitize(f"{told(chosen)}\nwritten to {_short(user_file())}; now: agentic"), file=sys.stdout)
    return 0
