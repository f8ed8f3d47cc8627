"""`agentic run`: the workflow on a task."""

from pathlib import Path

import click

from agentic.cli.options import LocalAwareCommand, common_options, session_options
from agentic.cli.start import approval_mode, asker, run_to_end
from agentic.config import Settings
from agentic.run.approval import Approver
from agentic.run.conversation import Conversation
from agentic.run.runtime import Runtime
from agentic.sessions import Session
from agentic.types import Outcome


@click.command("run", cls=LocalAwareCommand)
@click.argument("task")
@session_options
@common_options
def command(root: Path, settings: Settings, task: str, resume: str) -> int:
    """Does TASK in this folder: edits files, runs commands, checks the outcome."""
    return run_to_end("run", task, root, settings, resume, lambda runtime, session: _work(runtime, root, session, task))


async def _work(runtime: Runtime, root: Path, session: Session, task: str) -> Outcome:
    approver = Approver(approval_mode(runtime.settings), asker(runtime))
    conversation = await Conversation.open(runtime, root, session, approver)
    return await conversation.work(task)
