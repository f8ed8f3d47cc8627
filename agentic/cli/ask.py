"""`agentic ask`: one streamed answer, no tools."""

import asyncio
import sys
from pathlib import Path

import click

from agentic.cli.options import LocalAwareCommand, common_options
from agentic.cli.start import run_to_end
from agentic.config import Settings
from agentic.errors import ConfigError
from agentic.run.runtime import Runtime
from agentic.run.streaming import follow
from agentic.types import ChatRequest, Message, Outcome
from agentic.wire import AnswerBuilder


@click.command("ask", cls=LocalAwareCommand)
@click.argument("prompt", required=sys.stdin is None or sys.stdin.isatty(), default=None)
@common_options
def command(root: Path, settings: Settings, prompt: str | None) -> int:
    """One streamed answer, no tools. Standard input is appended to PROMPT."""
    text = "\n\n".join(part for part in (prompt, _standard_input()) if part)
    if not text.strip():
        raise ConfigError("nothing was asked", "agentic ask PROMPT, or pipe a text into it")
    return run_to_end("ask", text, settings, lambda runtime: _answer(runtime, text))


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


async def _answer(runtime: Runtime, text: str) -> Outcome:
    temperature = runtime.settings["llm.temperature"]
    request = ChatRequest((Message("user", text),), temperature=temperature if temperature >= 0 else None, session=runtime.run)
    request = await runtime.events.before_request(request)
    answer = AnswerBuilder()
    status = "done"
    try:
        await follow(runtime.batcher.submit(request), answer, runtime.events.emit)
    except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
        status = "interrupted"
    return Outcome(status, answer.message().content)
