"""`agentic doctor`: what is wrong with the servers, and the words on their command lines that mend it."""

import asyncio
import json
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import click

from agentic.api import family, sandbox_report, sandbox_status
from agentic.commands import model_options
from agentic.config import Settings
from agentic.errors import AgenticError
from agentic.folders import config_folder, state_folder
from agentic.lib.palette import Palette, palette_for
from agentic.lib.sanitize import sanitize
from plugins_builtin.vllm import transport_of
from plugins_builtin.vllm.canary import Diagnosis
from plugins_builtin.vllm.capabilities import keep_capabilities
from plugins_builtin.vllm.findings import Examination

MAX_OWN = 10_000  # files of the user's own folders that are looked at
SHOWN = 3
_MARKS = {True: "ok", False: "WRONG", None: "-"}
_ROLES = {True: "good", False: "bad", None: "dim"}


@click.command("doctor", epilog="The manual: agentic docs throughput")
@click.option("--output", "form", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs.")
@click.option("--sandbox", is_flag=True, help="Try every known way to escape from the sandbox here.")
@model_options
def doctor(root: Path, settings: Settings, form: str, sandbox: bool) -> int:
    """Probes each endpoint and says what is wrong and which flag fixes it. agentic uses what it finds out from then on.

    For example: agentic doctor --sandbox
    """
    return asyncio.run(_probe_sandbox(root, settings, form) if sandbox else _examine(root, settings, form))


async def _probe_sandbox(root: Path, settings: Settings, output: str) -> int:
    """0: something holds commands here; 1: nothing does."""
    used, table = "", []
    async for tried in sandbox_report(settings, root):
        name, at_home, why, probes = tried.name, tried.at_home, tried.why, tried.probes
        used = used or (name if probes and not at_home else "")
        open_ones = [each.name for each in probes if each.is_open]
        held = f"holds {len(probes) - len(open_ones)} of {len(probes)} ways out"
        place = "the home folder itself" if at_home else "a folder below the home folder"
        table.append((name, place, f"is not used: {why}" if why else held, open_ones))
        if output == "plain" and not at_home:
            click.echo(f"{name}:")
        for each in probes:
            found = {"launcher": name, "at_home": at_home, "probe": each.name, "open": each.is_open, "why": each.why}
            if output == "jsonl":
                click.echo(json.dumps(found))
            elif not at_home:
                click.echo(sanitize(f"  {'OPEN' if each.is_open else 'held':<6}{each.name}{f'  ({each.why})' if each.why else ''}"))
    if output == "plain":
        for line in _promised(table, used):
            click.echo(sanitize(line))
    if not used:
        click.echo("no sandbox works here: every command is asked about", err=True)
    return 0 if used else 1


def _promised(table: Iterable[tuple[str, str, str, Sequence[str]]], used: str) -> Iterator[str]:
    """Lists what is promised on this machine, as `docs/security.md` has it for all."""
    yield f"as uid {os.getuid()}:"
    for name, place, said, open_ones in table:
        yield f"{name}{' (in use)' if name == used else ''}, in {place}: {said}"
        yield from (f"  open: {each}" for each in open_ones)


async def _examine(root: Path, settings: Settings, output: str) -> int:
    """0: all is well; 1: something is wrong; 3: nobody answers."""
    transport = transport_of(settings)
    examinations = {endpoint: Examination(transport, endpoint, partial(family, settings)) for endpoint in transport.endpoints}
    idle = {endpoint: asyncio.ensure_future(each.idle_connections()) for endpoint, each in examinations.items()}
    show = partial(_show, output, palette_for(settings.ui.theme, sys.stdout.encoding or ""))
    wrong = answered = 0
    try:
        for endpoint, examination in examinations.items():
            if output == "plain":
                click.echo(endpoint)
            async for finding in examination.findings(idle[endpoint]):
                wrong += finding.ok is False
                answered += finding.name == "reachable" and bool(finding.ok)
                show(endpoint, finding)
            if examination.can.version:
                keep_capabilities(endpoint, examination.can)
        show("", await _sandbox(root, settings))
        show("", _own_files())
    finally:
        for waiting in idle.values():
            waiting.cancel()
        await transport.aclose()
    if not answered:
        return 3
    return 1 if wrong else 0


async def _sandbox(root: Path, settings: Settings) -> Diagnosis:
    """Its absence is nothing wrong with the servers, but has to be known."""
    try:
        sandbox = await sandbox_status(settings, root)
    except AgenticError as error:
        return Diagnosis("sandbox", False, str(error), error.remedy)
    tried = "; ".join(f"{name}: {why}" for name, why in sandbox.refused.items())
    text = f"{sandbox.name} holds commands" if sandbox.confines else f"nothing holds commands{f' ({tried})' if tried else ''}"
    return Diagnosis("sandbox", True if sandbox.confines else None, text, "agentic doctor --sandbox tries it")


def _own_files() -> Diagnosis:
    """True if others can read what holds keys, sessions and trust: what an older version or another hand left so."""
    folders = [str(folder) for folder in (config_folder(), state_folder())]
    entries = (os.path.join(where, name) for top in folders for where, below, files in os.walk(top) for name in (*below, *files))
    wide = [path for path in islice((*folders, *entries), MAX_OWN) if _is_wide(path)]
    if not wide:
        return Diagnosis("own files", True, "nobody else can read them")
    more = f", and {len(wide) - SHOWN} more" if len(wide) > SHOWN else ""
    return Diagnosis("own files", False, f"others can read {', '.join(wide[:SHOWN])}{more}", f"chmod -R go= {shlex.join(folders)}")


def _is_wide(path: str) -> bool:
    try:
        seen = os.lstat(path)
    except OSError:
        return False
    return not stat.S_ISLNK(seen.st_mode) and bool(seen.st_mode & 0o077)


def _show(output: str, palette: Palette, endpoint: str, finding: Diagnosis) -> None:
    if output == "jsonl":
        values = {"endpoint": endpoint, "check": finding.name, "ok": finding.ok, "text": finding.text, "remedy": finding.remedy}
        click.echo(json.dumps(values, ensure_ascii=False))
        return
    mark = palette.paint(_ROLES[finding.ok], f"{_MARKS[finding.ok]:<6}")
    click.echo(f"  {mark}{finding.name:<22}{sanitize(finding.text)}")
    if finding.ok is False and finding.remedy:
        click.echo(f"        {palette.paint('code', f'→ {sanitize(finding.remedy)}')}")
