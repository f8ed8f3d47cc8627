"""`agentic ask`: one streamed answer, no tools."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from agentic.cli.options import LocalAwareCommand, common_options, session_options
from agentic.cli.start import run_to_end
from agentic.config import Settings
from agentic.errors import ConfigError, ModelOutputError
from agentic.run.context import Context
from agentic.run.conversation import context_means, name_session
from agentic.run.recovery.channels import without_channels
from agentic.run.runtime import Runtime
from agentic.run.streaming import follow
from agentic.sessions import ConversationHistory, Session
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
    return run_to_end("ask", text, root, settings, resume, lambda runtime, session: _answer(runtime, session, text))


def _standard_input() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


async def _answer(runtime: Runtime, session: Session, text: str) -> Outcome:
    name_session(session, text)
    history = ConversationHistory(session)
    history.say(text)
    context = Context(context_means(runtime, exact=False), history, runtime.events, runtime.events.emit, "main")
    request, _ = await context.request(lambda messages: _make(runtime, session, messages), runtime.info.url)
    answer = AnswerBuilder()
    status = "done"
    try:
        await follow(runtime.batcher.submit(request), answer, runtime.events.emit, history.partial)
    except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
        status = "interrupted"
    finally:
        said = without_channels(answer.message())
        if said.content:
            history.add(said)
    if status == "done" and not said.content.strip():
        raise ModelOutputError("the model gave no answer" + (", it only thought" if said.reasoning else ""), "ask again")
    return Outcome(status, said.content)


def _make(runtime: Runtime, session: Session, messages: Sequence[Message]) -> ChatRequest:
    temperature = runtime.settings["llm.temperature"]
    return ChatRequest(
        tuple(messages),
        temperature=temperature if temperature >= 0 else None,
        session=session.id or runtime.run,
        effort=runtime.settings["llm.reasoning_effort"],
    )
