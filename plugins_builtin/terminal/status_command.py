"""Rows of the user's own below the footer: what a command of theirs prints, with the session as JSON on its input."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentic.lib.children.once import outputs_of
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.footer import Footer
from plugins_builtin.terminal.region import Region

MAX_ROWS = 3
SECONDS = 5.0


class OwnStatus:
    """The rows of `ui.status_command`, "" for none, below the region's footer."""

    def __init__(self, command: str, region: Region, footer: Footer) -> None:
        self._command = command
        self._region = region
        self._footer = footer

    async def show(self, root: Path, session: str) -> None:
        """Runs it anew."""
        if self._command:
            self._region.more = await rows_of_command(self._command, root, {"session": session, **self._footer.facts()})
            self._region.refresh()


async def rows_of_command(command: str, root: Path, session: Mapping[str, Any]) -> Sequence[str]:
    """The rows that it prints; one that says why where it fails."""
    try:
        code, out, errors = await outputs_of(("/bin/sh", "-c", command), json.dumps(session).encode(), root, os.environ, SECONDS)
    except TimeoutError:
        return [f"(ui.status_command took longer than {SECONDS:g} s)"]
    except OSError as error:
        return [f"(ui.status_command: {error.strerror})"]
    if code:
        said = errors.decode("utf-8", "replace").strip().splitlines()
        return [sanitize(f"(ui.status_command: exit code {code}{f', {said[-1]}' if said else ''})")]
    return [sanitize(line) for line in out.decode("utf-8", "replace").strip().splitlines()[:MAX_ROWS]]
