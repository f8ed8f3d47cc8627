"""`agentic completions`: what a shell has to read so that Tab completes our commands and options."""

import click
from click.shell_completion import get_completion_class

from agentic.cli import COMPLETE
from agentic.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")


@click.command("completions", epilog="The manual: agentic docs editors")
@click.argument("name", metavar="SHELL", type=click.Choice(SHELLS))
def command(name: str) -> int:
    """Prints the completion script of a shell.

    For example: agentic completions bash > ~/.local/share/bash-completion/completions/agentic
    """
    from agentic.cli.group import group

    kind = get_completion_class(name)
    if kind is None:
        raise ConfigError(f"there is no completion for {name}")
    click.echo(kind(group, {}, "agentic", COMPLETE).source())
    return 0
