"""`agentic local`: the embedded engine's models."""

import click

from agentic import ConfigError
from plugins_builtin.local.models import MODELS, Model, fetch_with_bar, model_path


@click.group(invoke_without_command=True, epilog="The manual: agentic docs models")
@click.pass_context
def local(context: click.Context) -> None:
    """Manages the embedded engine's models. For example: agentic local list"""
    if context.invoked_subcommand is None:
        context.invoke(list_)


def _model_of(name: str) -> Model:
    if name not in MODELS:
        raise ConfigError(f"there is no model {name!r}", f"choose from {', '.join(MODELS)}")
    return MODELS[name]


@local.command()
@click.argument("name", default=next(iter(MODELS)))
def pull(name: str) -> None:
    """Fetches a model once and checks it. For example: agentic local pull"""
    click.echo(fetch_with_bar(_model_of(name)))


@local.command("list")
def list_() -> None:
    """Lists the models by name. For example: agentic local list"""
    for model in MODELS.values():
        state = "here" if model_path(model.name).exists() else "not fetched"
        click.echo(f"{model.name:20} {model.size / 1e6:7,.0f} MB  {state:12} {model.license}; {model.summary}")


@local.command()
@click.argument("name")
def rm(name: str) -> None:
    """Removes a fetched model. For example: agentic local rm smollm2-135m"""
    path = model_path(_model_of(name).name)
    if not path.exists():
        raise ConfigError(f"{name} is not here", "`agentic local list` shows what is")
    path.unlink()
    click.echo(f"removed {path}")
