"""The first minutes: which servers run here, which of them to use, and `agentic init`, which writes that down."""

import asyncio
import json
import re
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from agentic import api
from agentic.commands import RunCommand, model_options, present_host, transport_flags
from agentic.commands.start import can_ask
from agentic.config import Settings
from agentic.config.edit import set_value, unset_value
from agentic.config.sources import user_file
from agentic.errors import AgenticError, ConfigError, EndpointUnavailable
from agentic.hooks.transport import Found
from agentic.lib.record import record
from agentic.lib.sanitize import sanitize
from agentic.lib.terminal.asking import agreed, picked
from plugins_builtin.setup.trying import try_model

LISTEN_SECONDS = 0.2
MAX_SHOWN = 12


def with_servers(settings: Settings) -> Settings:
    """The settings, with the servers that the user chooses where none is named and none of the usual ones runs."""
    llm = settings.llm
    named = settings.origins["llm.endpoints"] != "default" or llm.transport != "auto"
    if named or any(map(_listens, llm.endpoints)):
        return settings
    choices = _choices(asyncio.run(api.found_servers(settings)))
    chosen = _chosen(choices, f"Nothing answers at {' or '.join(llm.endpoints)}, but here") if choices else None
    if chosen is None:
        return settings
    if agreed(f"Keep this choice in {_short(user_file())}?"):
        _keep(chosen, settings)
    settings = settings.changed("llm.endpoints", [*chosen.urls], "your choice")
    return settings.changed("llm.model", chosen.model, "your choice") if chosen.model else settings


def _listens(url: str) -> bool:
    try:
        parts = urlsplit(url)
        socket.create_connection((parts.hostname or "", parts.port or 80), LISTEN_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


@record(frozen=True, slots=True)
class Choice:
    """Servers of one model, which are used together. `model` is "" where they serve no other: what they serve may change."""

    servers: tuple[Found, ...]
    model: str

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(each.url for each in self.servers)

    def __str__(self) -> str:
        first = self.servers[0]
        window = f", {first.window:,} tokens" if first.window else ""
        both = "" if len(self.urls) == 1 else f" ({'both' if len(self.urls) == 2 else 'all'} are used)"
        return f"{first.server}  {' and '.join(self.urls)}  {first.model or 'what it serves'}{window}{both}"


def _choices(found: Sequence[Found]) -> list[Choice]:
    """All servers of a model are one choice."""
    served = Counter(each.url for each in found)
    alike: dict[str, list[Found]] = {}
    for each in found:
        alike.setdefault(each.model, []).append(each)
    choices = [Choice(tuple(group), model if any(served[each.url] > 1 for each in group) else "") for model, group in alike.items()]
    return choices[:MAX_SHOWN]


def _chosen(choices: Sequence[Choice], head: str) -> Choice | None:
    """The one of them that the user wants, None for none."""
    place = picked(head, list(map(str, choices)))
    return choices[place] if place is not None else None


def _short(path: Path) -> str:
    """Returns the path as the user writes it, with `~` for the home folder."""
    with suppress(ValueError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)


def _keep(chosen: Choice, settings: Settings) -> None:
    """A model is written down only where its servers have others: else it would lock out whatever they serve next."""
    path = user_file()
    urls = [url.replace("***", str(settings.llm.logins.get(url.rstrip("/"), "***")), 1) for url in chosen.urls]
    set_value(path, "llm.endpoints", json.dumps(urls), settings)
    if chosen.model:
        set_value(path, "llm.model", chosen.model, settings)
    else:
        unset_value(path, "llm.model")


async def _ask_endpoint(root: Path, url: str, settings: Settings) -> Found:
    """Asks a named endpoint for its model. One that does not answer is returned as named, and the user is told why."""
    try:
        async with api.open_run(root, settings.changed("llm.endpoints", [url], "init"), api.Screen(stdout=sys.stderr)) as runtime:
            info = runtime.info
    except AgenticError as error:
        click.echo(sanitize(f"{error.with_remedy}\n(it is written down all the same)"), err=True)
        return Found("server", url, settings.llm.model, 0)
    return Found("server", url, info.model, info.window)


def _keep_transport(settings: Settings) -> int:
    """Writes down a transport that the user names, and its flag's value. Nothing is looked for."""
    path, name = user_file(), settings.llm.transport
    set_value(path, "llm.transport", name, settings)
    offer = next((each for each in transport_flags().values() if each.record.name == name), None)
    if offer is not None:
        section = present_host().section_of(offer.plugin)
        value = getattr(settings.section(section), offer.record.flag_key)
        set_value(path, f"{section}.{offer.record.flag_key}", str(value), settings)
    print(f"written to {_short(path)}: llm.transport = {name}; now: agentic")
    return 0


def _check(urls: Sequence[str]) -> None:
    """Raises ConfigError for what is no URL, before it is written down."""
    for url in urls:
        with suppress(ValueError):
            if urlsplit(url).hostname and urlsplit(url).port != 0:
                continue
        raise ConfigError(f"{url!r} is no usable address", "an endpoint is http://HOST:PORT/v1")


def _host(name: str) -> str:
    """A machine as URLs name it. Raises ConfigError for what is no name of one."""
    with suppress(ValueError):
        address = ip_address(name)
        if str(address) in ("127.0.0.1", "::1"):
            return "localhost"
        return f"[{address}]" if address.version == 6 else name
    if not re.fullmatch(r"[A-Za-z0-9_]([\w.-]*\w)?", name):
        raise ConfigError(f"--host {name!r} is no name of a machine", "a URL is for --endpoint")
    return name


@click.command("init", cls=RunCommand, epilog="The manual: agentic docs servers")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Also look for servers on that machine (repeatable).")
@model_options
def command(root: Path, settings: Settings, hosts: tuple[str, ...]) -> int:
    """Finds the servers that run here, asks which to use, writes it to your configuration and tries it.

    For example: agentic init --host gpu1
    """
    if hosts:
        named = dict.fromkeys(["localhost", *map(_host, hosts)])
        settings = settings.changed("llm.vllm.hosts", [*named], "command line")
    if settings.origins["llm.transport"] == "command line":
        return _keep_transport(settings)
    found = asyncio.run(api.found_servers(settings))
    if settings.origins["llm.endpoints"] != "default":
        _check(settings.llm.endpoints)
        known = {each.url: each for each in found}
        found = [known.get(url) or asyncio.run(_ask_endpoint(root, url, settings)) for url in settings.llm.endpoints]
    choices = _choices(found)
    if settings.origins["llm.model"] == "command line":
        choices = [
            Choice(each.servers, settings.llm.model) for each in choices if each.servers[0].model == settings.llm.model
        ] or choices
    if not choices:
        raise EndpointUnavailable(
            f"no server was found at the usual ports of {' or '.join(['this machine', *hosts])}",
            "start one (`agentic serve` prints how), name one with `agentic init --endpoint URL`, or use --local",
        )
    if len(choices) > 1 and not can_ask():
        raise ConfigError(f"several servers run here: {'; '.join(map(str, choices))}", "agentic init --endpoint URL names one")
    chosen = choices[0] if len(choices) == 1 else _chosen(choices, "These run here")
    if chosen is None:
        return 1
    _keep(chosen, settings)
    answers = all(map(_listens, chosen.urls))
    print(sanitize(f"{chosen}\nwritten to {_short(user_file())}{'; asking it something…' if answers else ''}"), flush=True)
    if answers:
        settings = settings.changed("llm.endpoints", [*chosen.urls], "init").changed("llm.model", chosen.model, "init")
        print(sanitize("\n".join(asyncio.run(try_model(root, settings)))))
    print("now: agentic")
    return 0
