"""The guard that rules make, from the settings and what other plugins offer."""

import json
from collections.abc import Sequence

from agentic import PermissionsSetup, Settings
from agentic.folders import state_folder
from agentic.lib.safeguards import Safeguards
from plugins_builtin.permissions.judging import RulesGuard, Where
from plugins_builtin.permissions.rules import Rules, Write, parse_rule, parse_table


def guard_of(setup: PermissionsSetup) -> RulesGuard:
    """The user's rules, the readers and safeguards of all plugins. Raises ConfigError for a rule that is none, PluginError."""
    settings, hooks = setup.settings, setup.hooks
    assert hooks is not None
    readers = {name: hooks.build("agentic_command_readers", name) for name in hooks.offers("agentic_command_readers")}
    safeguards = Safeguards(hooks.offers("agentic_safeguards").values())
    rules = rules_of(settings, _writer(settings))
    rules.check(setup.tools, not setup.has_more_tools)
    where = Where(setup.root.resolve(), state_folder(), setup.roots)
    return RulesGuard(rules, readers, safeguards, where, settings.permissions.floor)


def _writer(settings: Settings) -> Write:
    """Returns what adds rules to the user's own file."""

    def write(rules: Sequence[str]) -> None:
        from agentic.config.edit import set_value
        from agentic.config.sources import file_layer, user_file

        have = file_layer(user_file()).values.get("permissions.allow", [])
        set_value(user_file(), "permissions.allow", json.dumps([*have, *rules]), settings)

    return write


def rules_of(settings: Settings, write: Write) -> Rules:
    """Returns the rules in the settings. Raises ConfigError."""
    section, origins = settings.permissions, settings.origins
    rules = [
        parse_rule(decision, text, origins[f"permissions.{decision}"])
        for decision in ("allow", "ask", "deny")
        for text in getattr(section, decision)
    ]
    tables = [
        parse_table(name, value, origins[f"permissions.{name}"])
        for name in ("bash", "edit", "read", "webfetch")
        if (value := getattr(section, name)) not in ("", None)
    ]
    return Rules(rules, tables, write)
