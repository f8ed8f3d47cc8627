"""`agentic ask`: one streamed answer, no tools."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from agentic.cli.options import LocalAwareCommand, common_options, session_options
from agentic.cli.start import open_session, run_to_end
from agentic.config import Settings
from agentic.errors import ConfigError
from agentic.run.context import Context
from agentic.run.conversation import MAX_TITLE, context_means
from agentic.run.runtime import Runtime
from agentic.run.streaming import follow
from agentic.sessions import ConversationHistory
from agentic.types import ChatRequest, Message, Outcome
from agentic.wire import AnswerBuilder


@click.command("ask", cls=LocalAwareCommand)
@click.argument("prompt", required=sys.stdin is None or sys.stdin.isatty(), default=None)
@session_options
@common_options
def command(root: Path, settings: Settings, prompt: str | None, resume: str) -> int:
    """One streamed answer, no tools. Standard input is appended to PROMPT."""
    text = "\n\n".join(part for part in (prompt, _standard_input()) if part)
    if not text.strip():
        raise ConfigError("nothing was asked", "agentic ask PROMPT, or pipe a text into it")
    return run_to_end("ask", text, settings, lambda runtime: _answer(runtime, root, text, resume))


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


async def _answer(runtime: Runtime, root: Path, text: str, resume: str) -> Outcome:
    with closing(await open_session(runtime, root, resume)) as session:
        history = ConversationHistory(session)
        if not session.fact("title"):
            session.set_fact("title", " ".join(text.split())[:MAX_TITLE])
        history.say(text)
        context = Context(context_means(runtime, exact=False), history, runtime.events, runtime.events.emit, "main")
        temperature = runtime.settings["llm.temperature"]

        def make(messages: Sequence[Message]) -> ChatRequest:
            return ChatRequest(
                tuple(messages),
                temperature=temperature if temperature >= 0 else None,
                session=session.id or runtime.run,
                effort=runtime.settings["llm.reasoning_effort"],
            )

        request, _ = await context.request(make, runtime.info.url)
        answer = AnswerBuilder()
        status = "done"
        try:
            await follow(runtime.batcher.submit(request), answer, runtime.events.emit, history.partial)
        except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
            status = "interrupted"
        finally:
            if answer.message().content:
                history.add(answer.message())
            history.partial("")
        return Outcome(status, answer.message().content)
