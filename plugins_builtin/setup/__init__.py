"""Setting up: `agentic init` finds servers, `agentic trust` decides on what a folder brings, `agentic prompts` lists texts."""

from collections.abc import Iterable

from agentic import Command, PluginInfo, hookimpl

_HOME = "plugins_builtin.setup"


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command(
        "init",
        "finds the servers on this machine, and saves which one to use",
        f"{_HOME}.servers:command",
    )
    yield Command("config", "shows, creates or changes the configuration", f"{_HOME}.config:command")
    yield Command("prompts", "lists the texts that models read; show prints what your model reads", f"{_HOME}.prompts:command")
    yield Command("report", "writes a zip file for a bug report: versions, configuration, diagnosis", f"{_HOME}.report:command")
    yield Command(
        "trust",
        "shows what in this folder would run (MCP servers, hooks), and asks whether it may",
        f"{_HOME}.trust:command",
    )


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(before=f"{_HOME}.before:ask")
