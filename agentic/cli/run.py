"""`agentic run`: the workflow on a task."""

import sys
from pathlib import Path

import click

from agentic import api
from agentic.cli.first_run import settled
from agentic.cli.start import asker, run_to_end, screen_of
from agentic.commands import RunCommand, common_options, session_options
from agentic.config import Settings
from agentic.errors import ConfigError


@click.command("run", cls=RunCommand)
@click.argument("task")
@session_options
@common_options
def command(root: Path, settings: Settings, task: str, resume: str) -> int:
    """Does TASK in this folder: edits files, runs commands, checks the outcome; "-" reads it from the standard input.

    For example: agentic run "fix the failing test"
    """
    task = sys.stdin.read() if task == "-" and sys.stdin is not None else task
    settings = settled(settings)
    if not task.strip():
        raise ConfigError("there is no task", 'agentic run "fix the failing test"')
    screen = screen_of(settings, sys.stdout)
    return run_to_end(api.run(task, root=root, settings=settings, approve=asker(settings), resume=resume, screen=screen))
