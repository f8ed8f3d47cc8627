"""Setting up: `agentic init` finds servers, `agentic trust` decides on what a folder brings, `agentic prompts` lists texts."""

from collections.abc import Iterable

from agentic import Command, PluginInfo, hookimpl

_HOME = "plugins_builtin.setup"


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command(
        "init",
        "finds the servers that run here, and writes down which one to use",
        f"{_HOME}.servers:command",
    )
    yield Command("config", "shows, starts or changes the configuration", f"{_HOME}.config:command")
    yield Command("prompts", "the texts that models read; show prints what the model in use is told", f"{_HOME}.prompts:command")
    yield Command("report", "a zip file for a report: versions, configuration, what doctor finds", f"{_HOME}.report:command")
    yield Command(
        "trust",
        "what this folder brings that would run, and whether it may",
        f"{_HOME}.trust:command",
    )


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(before=f"{_HOME}.before:ask")
