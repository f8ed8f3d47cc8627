import click


@click.command()
def parrot() -> None:
    """Says hello."""
    click.echo("hello from the parrot")
