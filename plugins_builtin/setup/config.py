"""`agentic config`: what is set and where it came from; starting and changing files."""

import json
from pathlib import Path

import click

from agentic import ConfigError, api
from agentic.config.edit import set_value, template, toml_text, unset_value
from agentic.config.sources import PROJECT_FILE, find_project_file, user_file
from agentic.lib.files import make_own, private
from agentic.lib.sanitize import hide_logins, sanitize

_USER = click.option("--user", is_flag=True, help="The user's own file instead of the project's.")


@click.group("config", invoke_without_command=True, epilog="The manual: agentic docs configuration")
@click.pass_context
def command(context: click.Context) -> None:
    """Shows, creates or changes the configuration. For example: agentic config show llm"""
    if context.invoked_subcommand is None:
        context.invoke(show)


@command.command()
@click.argument("prefix", default="")
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE")
def show(prefix: str, pairs: tuple[str, ...]) -> None:
    """Prints every value (or those that start with PREFIX) and its origin. For example: agentic config show llm"""
    settings = api.load_settings(Path.cwd(), pairs=pairs)
    defaults = api.selected_by_default(settings)
    declared = dict(settings.declared())
    for name in (*declared, *(name for name in settings.values if name not in declared)):  # the latter: of undeclared tables
        if not name.startswith(prefix):
            continue
        key = declared.get(name)
        value = settings.values.get(name, key.default if key else None)
        text = "(set, not shown)" if key and key.secret and value else toml_text(value or defaults.get(name, value))
        click.echo(sanitize(f"{name} = {hide_logins(text) or '(not set)'}  # {settings.origins.get(name, 'default')}"))
    for line in settings.ignored:
        click.echo(sanitize(f"agentic: {line}"), err=True)


@command.command()
def schema() -> None:
    """Prints the JSON schema of agentic.toml, for editors. For example: agentic config schema > agentic.schema.json"""
    from plugins_builtin.setup.schema import schema_of

    click.echo(json.dumps(schema_of(dict(api.load_settings(Path.cwd()).declared())), indent=2, ensure_ascii=False))


@command.command()
@_USER
def init(user: bool) -> None:
    """Writes a commented agentic.toml with every key and its default. For example: agentic config init --user"""
    path = user_file() if user else Path.cwd() / PROJECT_FILE
    if user:
        make_own(path.parent)
    try:
        with open(path, "x", encoding="utf-8", opener=private if user else None) as file:
            file.write(template(api.load_settings(Path.cwd())))
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", "change it with `agentic config set KEY VALUE`") from error
    click.echo(f"wrote {path}")


def _file(user: bool) -> Path:
    return user_file() if user else find_project_file(Path.cwd()) or Path.cwd() / PROJECT_FILE


@command.command("set")
@click.argument("key")
@click.argument("value")
@_USER
def set_(key: str, value: str, user: bool) -> None:
    """Sets KEY to VALUE and keeps the rest of the file as it was. For example: agentic config set --user ui.theme light"""
    path = _file(user)
    set_value(path, key, value, api.load_settings(Path.cwd()), project=not user)
    click.echo(f"{path}: {key} = {value}")


@command.command()
@click.argument("key")
@_USER
def unset(key: str, user: bool) -> None:
    """Removes KEY from the file, so that the value below it applies again. For example: agentic config unset --user llm.model"""
    path = _file(user)
    click.echo(f"{path}: {key} is " + ("no longer set" if unset_value(path, key) else "not set"))
