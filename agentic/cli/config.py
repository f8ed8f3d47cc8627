"""`agentic config`: what is set and where it came from; starting and changing files."""

from pathlib import Path

import click

from agentic.config import load
from agentic.config.edit import set_value, template
from agentic.config.schema import KEYS
from agentic.config.sources import PROJECT_FILE, find_project_file, user_file
from agentic.errors import ConfigError
from agentic.sanitize import sanitize

_USER = click.option("--user", is_flag=True, help="The user's own file instead of the project's.")


@click.group("config", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Shows, starts or changes the configuration."""
    if context.invoked_subcommand is None:
        context.invoke(show)


@command.command()
@click.argument("prefix", default="")
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE")
def show(prefix: str, pairs: tuple[str, ...]) -> None:
    """Prints every value (those that start with PREFIX) with where it came from."""
    settings = load(Path.cwd(), pairs=pairs)
    for name, value in settings.items():
        if name.startswith(prefix):
            secret = name in KEYS and KEYS[name].secret and value
            text = "(set, not shown)" if secret else _toml(value)
            click.echo(sanitize(f"{name} = {text}  # {settings.origins[name]}"))
    for line in settings.ignored:
        click.echo(sanitize(f"agentic: {line}"), err=True)


def _toml(value: object) -> str:
    import tomlkit

    text: str = tomlkit.item(value).as_string()
    return text


@command.command()
@_USER
def init(user: bool) -> None:
    """Writes a commented agentic.toml with every key and its default."""
    path = user_file() if user else Path.cwd() / PROJECT_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", "change it with `agentic config set KEY VALUE`") from error
    click.echo(f"wrote {path}")


@command.command("set")
@click.argument("key")
@click.argument("value")
@_USER
def set_(key: str, value: str, user: bool) -> None:
    """Sets KEY to VALUE and keeps the rest of the file as it was."""
    path = user_file() if user else find_project_file(Path.cwd()) or Path.cwd() / PROJECT_FILE
    set_value(path, key, value)
    click.echo(f"{path}: {key} = {value}")
    if not user and key in KEYS and KEYS[key].scope == "user":
        click.echo(f"agentic: {key} counts only in the user's own file: add --user", err=True)
