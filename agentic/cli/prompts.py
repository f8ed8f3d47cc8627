"""`agentic prompts`: the texts that models read."""

import asyncio
import json
from pathlib import Path

import click

from agentic import api
from agentic.commands import RunCommand, list_output, model_options, present_host
from agentic.config import Settings
from agentic.core.approval import ApprovalMode
from agentic.core.runtime import Runtime
from agentic.core.tokens import upper_estimate
from agentic.errors import ConfigError
from agentic.lib.sanitize import sanitize
from agentic.lib.wire.request import encode_tool
from agentic.plugins.prompts import Prompts
from agentic.sessions import Session


@click.group("prompts", invoke_without_command=True)
@list_output
@click.pass_context
def command(context: click.Context, output: str) -> None:
    """Lists the texts that models read, with where each comes from, or shows what a model will read.

    For example: agentic prompts show
    """
    if context.invoked_subcommand is not None:
        return
    prompts = _prompts(api.load_settings(Path.cwd()))
    for name, text in sorted(prompts.texts.items()):
        if output == "jsonl":
            click.echo(json.dumps({"type": "prompt", "name": name, "origin": prompts.origins[name], "text": text}))
        else:
            click.echo(sanitize(f"{name:24} at most {upper_estimate(text):4} tokens  {prompts.origins[name]}"))


def _prompts(settings: Settings) -> Prompts:
    return Prompts(present_host(), settings.prompts.texts)


@command.command(cls=RunCommand)
@click.argument("name", default="")
@model_options
def show(root: Path, settings: Settings, name: str) -> None:
    """Prints the text of NAME; without it what the model in use reads before a task, with its tokens.

    For example: agentic prompts show repair
    """
    if not name:
        asyncio.run(_show_opening(root, settings))
        return
    prompts = _prompts(settings)
    if name not in prompts.texts:
        raise ConfigError(f"there is no prompt {name!r}", f"choose from {', '.join(sorted(prompts.texts))}")
    click.echo(sanitize(prompts.texts[name]))


async def _show_opening(root: Path, settings: Settings) -> None:
    async with api.open_session(root, settings, has_tools=False) as (runtime, session):
        await _print_opening(runtime, session)


async def _print_opening(runtime: Runtime, session: Session) -> None:
    from agentic.core.conversation import OpenConversation

    async with OpenConversation.open(runtime, session, ApprovalMode("none")) as conversation:
        request = conversation.agent.opening()
        system, tools = request.messages[0].text, "".join(f"{json.dumps(encode_tool(tool))}\n" for tool in request.tools)
        whole = (await runtime.llm.prepare(request)).tokens
        alone = (await runtime.llm.tokens_of(system)) if tools else whole
        budget, protocol = runtime.llm.budget, session.metadata("protocol")
        click.echo(f"{runtime.info.model}, window {budget.window}, tier {budget.tier}, protocol {protocol}\n", err=True)
        click.echo(sanitize(system))
        if tools:
            click.echo(f"\n{sanitize(tools)}", nl=False)
        counted = f"of {budget.prompt} prompt tokens ({runtime.llm.counter.method})"
        click.echo(f"\nsystem text {alone}, tools {whole - alone}, {counted}", err=True)
