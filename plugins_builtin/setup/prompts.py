"""`agentic prompts`: the texts that models read."""

import asyncio
import json
from pathlib import Path

import click

from agentic import ConfigError, Settings, api
from agentic.commands import RunCommand, list_output, model_options
from agentic.lib.estimate import upper_estimate
from agentic.lib.sanitize import sanitize
from agentic.lib.wire.request import encode_tool


@click.group("prompts", invoke_without_command=True, epilog="The manual: agentic docs configuration")
@list_output
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """Lists the texts that models read and where each comes from, or shows what a model will read.

    For example: agentic prompts show
    """
    if context.invoked_subcommand is not None:
        return
    for name, (text, origin) in api.prompts(api.load_settings(Path.cwd())).items():
        if output == "jsonl":
            click.echo(json.dumps({"type": "prompt", "name": name, "origin": origin, "text": text}))
        else:
            click.echo(sanitize(f"{name:24} at most {upper_estimate(text):4} tokens  {origin}"))


@command.command(cls=RunCommand)
@click.argument("name", default="")
@model_options
def show(root: Path, settings: Settings, name: str) -> None:
    """Prints the text of NAME; without NAME, what the model in use reads before a task, with token counts.

    For example: agentic prompts show repair
    """
    if not name:
        asyncio.run(_show_opening(root, settings))
        return
    known = api.prompts(settings)
    if name not in known:
        raise ConfigError(f"there is no prompt {name!r}", f"choose from {', '.join(sorted(known))}")
    click.echo(sanitize(known[name][0]))


async def _show_opening(root: Path, settings: Settings) -> None:
    async with api.open_conversation(root, _asking_nothing(settings), has_tools=False) as conversation:
        report, opening = conversation.context(), await conversation.opening()
        protocol, model = conversation.session.metadata("protocol"), conversation.model.model
        click.echo(f"{model}, window {report.window}, tier {report.tier}, protocol {protocol}\n", err=True)
        click.echo(sanitize(opening.system))
        tools = "".join(f"{json.dumps(encode_tool(tool))}\n" for tool in opening.tools)
        if tools:
            click.echo(f"\n{sanitize(tools)}", nl=False)
        counted = f"of {report.budget} prompt tokens ({report.method})"
        click.echo(f"\nsystem text {opening.system_tokens}, tools {opening.tokens - opening.system_tokens}, {counted}", err=True)


def _asking_nothing(settings: Settings) -> Settings:
    return settings.changed("approval.mode", "none", "prompts")
