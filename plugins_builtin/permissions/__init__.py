"""The user's rules, and what reads commands and knows what to keep safe: `agentic permissions` shows what they say."""

from collections.abc import Iterable

from agentic import Command, CommandReader, Hook, Permissions, PermissionsSetup, Provider, Safeguard, hookimpl
from agentic.hooks import command_readers, safeguards


def _rules(setup: PermissionsSetup) -> Permissions:
    from plugins_builtin.permissions.building import guard_of

    return guard_of(setup)


@hookimpl
def agentic_add_hooks() -> Iterable[Hook]:
    yield Hook(Provider, CommandReader, guards=True, spec=command_readers.agentic_command_readers)
    yield Hook(Safeguard, guards=True, spec=safeguards.agentic_safeguards)


@hookimpl
def agentic_permissions() -> Iterable[Provider[Permissions]]:
    yield Provider("rules", "the rules of [permissions], and what is protected", _rules)


@hookimpl
def agentic_commands() -> Iterable[Command]:
    summary = "shows the rules; test says whether a command may run"
    yield Command("permissions", summary, "plugins_builtin.permissions.command:command")
