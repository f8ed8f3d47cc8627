"""`agentic run`: the workflow on a task."""

from pathlib import Path

import click

from agentic.cli.options import LocalAwareCommand, common_options
from agentic.cli.start import approval_mode, asker, run_to_end
from agentic.config import Settings
from agentic.run.agent import Means
from agentic.run.approval import Approver
from agentic.run.budget import Budget
from agentic.run.llm import BatcherLlm
from agentic.run.protocols.choose import Record, choose
from agentic.run.runtime import Runtime, state_folder
from agentic.run.workflow import Workflow
from agentic.types import Outcome
from agentic.workspace import Workspace


@click.command("run", cls=LocalAwareCommand)
@click.argument("task")
@common_options
def command(root: Path, settings: Settings, task: str) -> int:
    """Does TASK in this folder: edits files, runs commands, checks the outcome."""
    return run_to_end("run", task, settings, lambda runtime: _work(runtime, root, task))


async def _work(runtime: Runtime, root: Path, task: str) -> Outcome:
    settings = runtime.settings
    record = Record(state_folder() / "protocols.json")
    protocol = await _protocol(runtime, record)
    temperature = settings["llm.temperature"]
    means = Means(
        batcher=runtime.batcher,
        events=runtime.events,
        protocol=protocol,
        tools=runtime.tools(),
        context=runtime.build("agentic_context_strategies", "context.strategy"),
        approver=Approver(approval_mode(settings), asker(runtime)),
        workspace=Workspace(root),
        budget=Budget(settings["context.context_window"] or runtime.info.window, settings["context.reserved_for_response"]),
        temperature=temperature if temperature >= 0 else None,
        session=runtime.run,
    )
    workflow = Workflow(
        task,
        means,
        settings,
        BatcherLlm(runtime.batcher),
        runtime.build("agentic_complexity_estimators", "complexity.estimator"),
        lambda: (
            runtime.build("agentic_decomposers", "decomposition.strategy"),
            runtime.build("agentic_fan_outs", "sub_agents.fan_out"),
        ),
    )
    try:
        return await workflow.run()
    finally:
        record.add(runtime.info, protocol, workflow.turns)


async def _protocol(runtime: Runtime, record: Record) -> str:
    name: str = runtime.settings["tools.protocol"]
    return name if name != "auto" else await choose(runtime.info, runtime.batcher, record)
