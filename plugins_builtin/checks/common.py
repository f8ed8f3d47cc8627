"""The code that the checkers share: how a command ended, and whether a failure has to do with what was changed."""

import re
import shutil
from collections.abc import Sequence
from pathlib import PurePath

from agentic import Change, CheckResult, Failure, ToolOutput

MAX_MESSAGE = 1_500
NO_PROGRAM = (126, 127)
LATE = 124


def cannot_run(output: ToolOutput) -> CheckResult | None:
    """Why a command shows nothing, None where it ran."""
    if output.exit_code == LATE:
        return CheckResult("cannot_run", why="it takes longer than a command may (tools.command_timeout)", late=True)
    if output.exit_code in NO_PROGRAM:
        said = re.findall(r"(?:^|: )([\w./@-]+): (?:not found|command not found|No such file|Permission denied)", output.text, re.M)
        return CheckResult("cannot_run", why=f"{said[-1] if said else 'its program'} is not installed here")
    return None


def whole(name: str, output: ToolOutput, changes: Sequence[Change]) -> CheckResult:
    """The result of a command of which only the exit code is understood."""
    if unable := cannot_run(output):
        return unable
    if not output.failed:
        return CheckResult("passes")
    return CheckResult("fails", (Failure(name, output.text[-MAX_MESSAGE:].strip(), touches(output.text, changes)),))


def touches(text: str, changes: Sequence[Change]) -> bool:
    """True if a runner's output speaks of what was changed; with no changes it may be about anything."""
    stems = {PurePath(change.path).stem for change in changes}
    return not changes or any(re.search(rf"(?<![A-Za-z0-9]){re.escape(stem)}", text) for stem in stems)


def changed(changes: Sequence[Change], *endings: str) -> list[str]:
    """The paths of changed files that are still there, with one of the endings."""
    return [change.path for change in changes if change.kind in ("created", "updated") and change.path.endswith(endings)]


def installed(name: str) -> bool:
    return shutil.which(name) is not None
