"""`agentic attach`, `agentic ps`, `agentic stop`."""

import json
from collections.abc import Mapping
from typing import Any

import click

from agentic import ConfigError
from agentic.commands import list_output
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.detached.places import age, connected, names, states

STOP_SECONDS = 10.0
MAX_TASK = 60


def _find(name: str) -> str:
    """The session of that name, or beginning, or the newest one. Raises ConfigError."""
    there = names()
    found = [each for each in there if each.startswith(name)]
    if not there:
        raise ConfigError(
            "no session runs without a terminal", "agentic run --detach TASK starts one, /detach in a chat leaves one"
        )
    if not found or (name and len(found) > 1 and name not in found):
        raise ConfigError(
            f"{name}: {'several run' if found else 'no session runs'} under that name", f"there are: {', '.join(there)}"
        )
    return name if name in found else found[-1]


@click.command(epilog="The manual: agentic docs detached")
@click.argument("name", default="")
@click.option("--look", is_flag=True, help="Only watch: what you type does not reach the session.")
@click.option("--take", is_flag=True, help="Take over from the terminal that answers now.")
def attach(name: str, look: bool, take: bool) -> int:
    """Shows a session that runs without a terminal (NAME, or the newest one) and lets you type into it.

    Ctrl-\\ leaves it running, as do /detach and a lost connection. Several terminals may watch; one answers.

    For example: agentic attach
    """
    from plugins_builtin.terminal.detached.client import show

    return show(_find(name), look, take)


@click.command(epilog="The manual: agentic docs detached")
@list_output
def ps(output: str) -> None:
    """Lists the sessions that run without a terminal, the newest last.

    For example: agentic ps
    """
    for state in states():
        click.echo(json.dumps(state) if output == "jsonl" else _in_words(state))


def _in_words(state: Mapping[str, Any]) -> str:
    looked_at = f", {state['clients']} {'looks' if state['clients'] == 1 else 'look'} on" if state["clients"] else ""
    task = sanitize(" ".join(state["task"].split()))
    task = task if len(task) <= MAX_TASK else f"{task[:MAX_TASK]}…"
    return f"{state['name']}  {state['state']} for {age(state['since'])}{looked_at}  {sanitize(state['folder'])}  {task}".rstrip()


@click.command(epilog="The manual: agentic docs detached")
@click.argument("name")
def stop(name: str) -> None:
    """Ends a session that runs without a terminal; its work is kept, and `--continue` resumes it.

    For example: agentic stop 3f2a
    """
    if not name:
        raise ConfigError("stop needs the name of a session", "agentic ps lists them")
    name = _find(name)
    client, _, _ = connected(name, want="stop")
    with client:
        client.settimeout(STOP_SECONDS)
        try:
            client.recv(1)
        except TimeoutError:
            raise ConfigError(f"{name} has not ended after {STOP_SECONDS:g} s", f"agentic attach {name} shows it") from None
    click.echo(f"{name} has ended")
