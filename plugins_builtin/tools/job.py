"""Commands that run in the background."""

from collections.abc import Mapping
from typing import Any

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace


class JobTool:
    spec = ToolSpec(
        "job",
        "Shows what a background command gave out since, or stops it.",
        {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "stop": {"type": "boolean"}},
            "required": ["id"],
            "additionalProperties": False,
        },
        "read",  # it was approved when it was started
        roomy=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._jobs = setup.jobs

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        job = self._jobs.get(arguments["id"])
        if job is None:
            known = ", ".join(f"{job.number} ({job.command})" for job in self._jobs.all())
            raise ToolError(f"there is no job {arguments['id']}" + (f"; there are {known}" if known else ""))
        if arguments.get("stop"):
            await job.end()
        job.was_told = job.was_told or job.code is not None
        output = job.read()
        return ToolOutput(f"{output}{'' if not output or output.endswith(chr(10)) else chr(10)}({job.state})")
