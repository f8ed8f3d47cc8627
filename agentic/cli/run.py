"""`agentic run`: the workflow on a task."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from agentic import api
from agentic.commands import RunCommand, common_options, session_options
from agentic.commands.start import asker, prepared, run_to_end, screen_of, standard_input
from agentic.config import Settings
from agentic.errors import ConfigError


@click.command("run", cls=RunCommand, epilog="The manual: agentic docs checks")
@click.argument("task")
@click.option("--schema", type=click.Path(path_type=Path), metavar="FILE", help="A JSON schema that the result must match.")
@session_options
@common_options
def command(root: Path, settings: Settings, task: str, resume: str, schema: Path | None) -> int:
    """Does TASK in this folder: edits files, runs commands, checks the outcome; "-" reads it from the standard input.

    For example: agentic run "fix the failing test"
    """
    task = standard_input() if task == "-" else task
    if not task.strip():
        raise ConfigError("there is no task", 'agentic run "fix the failing test"')
    settings = prepared(root, settings)
    screen = screen_of(settings, sys.stdout)
    form = _schema(schema) if schema else None
    events = api.run(task, root=root, settings=settings, approve=asker(settings), resume=resume, screen=screen, schema=form)
    return run_to_end(events, unchecked=int(settings.checks.require))


def _schema(path: Path) -> Any:
    """Raises ConfigError for what is no schema."""
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        schema = json.loads(path.read_bytes())
        validator_for(schema).check_schema(schema)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, SchemaError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path} is no JSON schema: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(schema, dict):
        raise ConfigError(f"{path} is no JSON schema of an object")
    return schema
