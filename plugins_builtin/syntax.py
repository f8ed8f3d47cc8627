"""The errors that Python's parser finds in a file that a tool has just written; nothing is run."""

import ast
from dataclasses import replace

from agentic import AgenticError, ToolOutput, Workspace, hookimpl


@hookimpl
async def agentic_after_tool(output: ToolOutput, workspace: Workspace) -> ToolOutput | None:
    written = [change.path for change in output.changes if change.kind in ("created", "updated") and change.path.endswith(".py")]
    problems = tuple(filter(None, (_problem(workspace, path) for path in written)))
    return replace(output, problems=output.problems + problems) if problems else None


def _problem(workspace: Workspace, path: str) -> str:
    try:
        ast.parse(workspace.current(path).data)
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        return f"It is not valid Python: {getattr(error, 'msg', error)}{where}."
    except (AgenticError, MemoryError):
        return ""
    return ""
