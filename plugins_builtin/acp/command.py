"""`agentic acp`: on the standard streams, until the editor closes them."""

import asyncio
from importlib import import_module
from pathlib import Path

import click

from agentic import Settings
from agentic.commands import common_options


@click.command("acp", epilog="The manual: agentic docs editors")
@common_options
def acp(root: Path, settings: Settings) -> None:
    """Serves an editor. The options apply to all of its sessions; each works in the folder that the editor names.

    In the settings of Zed: "agent_servers": {"agentic": {"command": "agentic", "args": ["acp"]}}

    For example: agentic acp
    """
    overrides = {name: settings.values[name] for name, origin in settings.origins.items() if origin == "command line"}
    asyncio.run(_serve(overrides))


async def _serve(overrides: dict[str, object]) -> None:
    transport, agent = import_module("plugins_builtin.acp.transport"), import_module("plugins_builtin.acp.agent")
    streams = transport.Streams()
    editor = agent.EditorAgent(overrides)
    try:
        await import_module("acp").run_agent(editor, streams)
    finally:
        await editor.aclose()
