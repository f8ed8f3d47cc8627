"""agentic as an MCP server: another program's agent hands it a task, a question, or many."""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError as McpError

from agentic import AgenticError, ChatRequest, Lane, Message, Settings, __version__, api
from agentic.events import RunFinished, ToolCalled

MAX_PROMPTS = 1_000
MAX_STEP = 200  # characters of what is told of one


def serve(root: Path, settings: Settings) -> None:
    """Until the other side closes our input. The SDK sees to it that nothing else that is printed gets among the messages."""
    server_of(root, settings).run()


def server_of(root: Path, settings: Settings) -> MCPServer:
    """With the tools run, ask and batch, which work in `root`."""
    server = MCPServer("agentic", version=__version__, log_level="ERROR")

    @server.tool()
    async def run(task: str, context: Context[Any]) -> str:
        """Has a coding agent do a task in its folder: it edits files, runs commands, and checks the outcome."""
        steps = 0
        finished: RunFinished | None = None
        try:
            async with aclosing(api.run(task, root=root, settings=settings)) as events:  # a cancelled call stops the run
                async for event in events:
                    if isinstance(event, ToolCalled):
                        steps += 1
                        shown = f"{event.name} {' '.join(map(str, event.arguments.values()))}"[:MAX_STEP]
                        await context.report_progress(steps, None, shown)
                    finished = event if isinstance(event, RunFinished) else finished
        except AgenticError as error:
            raise McpError(error.with_remedy) from error
        if finished is None:
            raise McpError("the run came to no end")
        files = f"\nFiles: {', '.join(finished.files)}" if finished.files else ""
        return f"{finished.result}\n(status: {finished.status}){files}"

    @server.tool()
    async def ask(prompt: str) -> str:
        """An answer of the model, without tools."""
        (answer,) = await _answers(root, settings, [prompt])
        return answer

    @server.tool()
    async def batch(prompts: list[str]) -> list[str]:
        """Many answers of the model at once, in the order of the prompts."""
        if len(prompts) > MAX_PROMPTS:
            raise McpError(f"at most {MAX_PROMPTS} prompts at once")
        return await _answers(root, settings, prompts)

    return server


async def _answers(root: Path, settings: Settings, prompts: Sequence[str]) -> list[str]:
    requests = [ChatRequest((Message("user", prompt),), purpose="batch") for prompt in prompts]
    try:
        async with api.open_run(root, settings) as runtime:
            found = await runtime.llm.gather(requests, Lane.BACKGROUND)
    except AgenticError as error:
        raise McpError(error.with_remedy) from error
    if len(found) == 1 and isinstance(found[0], AgenticError):
        raise McpError(found[0].with_remedy)
    return [f"(no answer: {each})" if isinstance(each, AgenticError) else each.message.text for each in found]
