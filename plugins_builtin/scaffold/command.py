"""The command line of `agentic plugins new`."""

from pathlib import Path

import click

from plugins_builtin.scaffold.files import write


@click.command(epilog="The manual: agentic docs plugins")
@click.argument("name")
@click.option("--kind", default="tool", show_default=True, metavar="KIND", help="The kind of plugin: gate, transport, renderer…")
def command(name: str, kind: str) -> None:
    """Writes a distribution with a small working plugin and a test. For example: agentic plugins new mine --kind gate."""
    folder = Path(f"agentic-{name}")
    for path in write(folder, kind, name):
        click.echo(f"wrote {path}")
    click.echo(f"install it: agentic plugins install -e {folder}\nits test is in {folder / 'tests'}")
