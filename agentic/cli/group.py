"""Commands by name, and errors as a user reads them."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click
from click.shell_completion import CompletionItem

from agentic.cli import COMMANDS, help_text, summaries, unwritable
from agentic.commands import present_host
from agentic.errors import AgenticError, ConfigError, PluginError, is_of_output
from agentic.lib.imports import imported
from agentic.lib.sanitize import hide_logins, sanitize


class LazyGroup(click.Group):
    """Imports a command when it is called; a name that is not ours is looked for among the plugins' commands."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if module := COMMANDS.get(cmd_name, ("",))[0]:
            command: click.Command = import_module(module).command
            return command
        return _plugin_command(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # which click would end with 1
            raise click.exceptions.Exit(unwritable(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """By the lists: no command is imported for it."""
        known = summaries()
        own = [CompletionItem(name, help=known[name]) for name in known if name.startswith(incomplete)]
        return own or click.Command.shell_complete(self, ctx, incomplete)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(help_text() + "\n")


class ExtensibleGroup(click.Group):
    """A group of ours that plugins add to: their command "GROUP NAME" is one of it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or _plugin_command(f"{self.name} {cmd_name}")

    def list_commands(self, ctx: click.Context) -> list[str]:
        with suppress(PluginError):  # which the plugins' list tells
            more = [name.partition(" ") for name in present_host().offers("agentic_commands")]
            return [*super().list_commands(ctx), *(name for group, _, name in more if group == self.name and name)]
        return super().list_commands(ctx)


def _plugin_command(name: str) -> click.Command | None:
    from agentic.lib.guard import PluginFault

    host = present_host()
    offers = host.offers("agentic_commands")
    if name not in offers:
        return None
    plugin, target = offers[name].plugin, offers[name].record.target
    fault = partial(PluginFault, host.owner(plugin), plugin)
    try:
        found = imported(target)
    except (Exception, SystemExit) as error:
        raise fault(f"command {name!r} cannot be loaded: {error}", error) from error
    if not isinstance(found, click.Command):
        raise fault(f"command {name!r}: {target!r} is no click command")
    return PluginCommand(found, fault)


class PluginCommand(click.Command):
    """A plugin's command: what it raises is the plugin's fault, and said to be."""

    def __init__(self, command: click.Command, fault: Callable[[str, BaseException], PluginError]) -> None:
        self.__dict__.update(vars(command))
        self.wrapped, self._fault = command, fault

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        context = self.wrapped.make_context(*given, **named)
        context.command = PluginCommand(context.command, self._fault)  # which click invokes; it may be another one than this
        return context

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self.wrapped.invoke(ctx)
        except (AgenticError, click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if is_of_output(error):
                raise
            raise self._fault(f"{ctx.info_name} failed: {type(error).__name__}: {error}", error) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """A coding agent for people who serve their own models."""


def invoke(arguments: list[str]) -> int:
    """Runs a command; the process's exit code. A traceback is shown with --debug only."""
    debug = "--debug" in arguments
    _prepare_output()
    try:
        os.getcwd()
    except FileNotFoundError:
        return _report(ConfigError("the current folder does not exist any more", "change to one that does"))
    try:
        code = group.main(arguments, prog_name="agentic", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.UsageError as error:
        return _report(ConfigError(error.format_message(), f"{error.ctx.command_path if error.ctx else 'agentic'} --help"))
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError as error:
        return unwritable(error)
    except AgenticError as error:
        if debug:
            raise
        return _report(error)
    except Exception as error:
        if is_of_output(error):
            return unwritable(error)
        if debug:
            raise
        return _report(AgenticError(f"{type(error).__name__}: {error}", "this is a mistake in agentic: --debug shows where"))


def _prepare_output() -> None:
    """An output that is closed swallows what is written; a character that its encoding lacks is spelled out."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report(error: AgenticError) -> int:
    print(f"agentic: {sanitize(hide_logins(str(error)))}", file=sys.stderr)
    if error.remedy:
        print(f"  → {sanitize(error.remedy)}", file=sys.stderr)
    return error.exit_code
