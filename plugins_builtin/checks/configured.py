"""The commands that the user names."""

from collections.abc import Sequence

from agentic import Change, Check, CheckResult, Setup, ToolOutput, Workspace
from plugins_builtin.checks.common import whole

_WHAT = {"test": "The tests", "build": "The build", "lint": "The linter"}


class Configured:
    def __init__(self, setup: Setup) -> None:
        self._commands = {name: getattr(setup.settings.checks, name) for name in _WHAT}

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        return [
            Check(f"checks.{name}", _WHAT[name], command, form=name == "lint")
            for name, command in self._commands.items()
            if command
        ]

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        return whole(check.name, output, changes)
