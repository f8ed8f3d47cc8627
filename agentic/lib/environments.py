"""Environments beside a project's files, which git ignores and a copy of the files lacks."""

import os
from contextlib import suppress
from pathlib import Path

from agentic.lib.safeguards import ENVIRONMENT


def link_environments(source: Path, target: Path) -> None:
    """Has a copy of the files in `target` reach the environments in `source`: virtual ones of Python, `node_modules`."""
    for path in source.iterdir():
        with suppress(OSError):  # a folder that cannot be read
            is_one = path.name == "node_modules" or (path / ENVIRONMENT).is_file() or os.path.lexists(path / "bin" / "python")
            if is_one and path.is_dir() and not os.path.lexists(target / path.name):
                (target / path.name).symlink_to(path)
