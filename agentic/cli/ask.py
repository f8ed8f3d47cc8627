"""`agentic ask`: one streamed answer, no tools."""

import asyncio
import sys
from pathlib import Path

import click

from agentic import api
from agentic.commands import RunCommand, common_options, session_options
from agentic.commands.start import prepared, run_to_end, screen_of, standard_input
from agentic.config import Settings
from agentic.core.context import Context, PromptOptions
from agentic.core.runtime import Runtime
from agentic.errors import ConfigError, ContextOverflow, ModelOutputError
from agentic.events import Warned
from agentic.hooks.batching import Lane
from agentic.lib.wire import AnswerBuilder
from agentic.sessions import ConversationHistory, Session, name_session
from agentic.types import ChatRequest, Outcome

_ABOUT_TOOLS = ("approve", "add_dir", "no_sandbox", "no_floor", "max_iterations", "agent", "sub_agents")
ASK_RETRY_SECONDS = 20.0  # somebody waits for one answer


class AskCommand(RunCommand):
    """Takes what is about tools, as `run` and `chat` do, and does not offer it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        found = super().get_params(ctx)
        for each in found:
            if isinstance(each, click.Option):
                each.hidden = each.name in _ABOUT_TOOLS
        return found


@click.command("ask", cls=AskCommand, epilog="The manual: agentic docs editors")
@click.argument("prompt", required=sys.stdin is None or sys.stdin.isatty(), default=None)
@session_options
@common_options
def command(root: Path, settings: Settings, prompt: str | None, resume: str) -> int:
    """Gives one streamed answer. Standard input is appended to PROMPT. For example: git diff | agentic ask "review this"."""
    settings = prepared(root, settings, has_tools=False)
    piped = "" if sys.stdin is None or sys.stdin.isatty() else standard_input()
    text = "\n\n".join(part for part in (prompt, piped) if part)
    if not text.strip():
        raise ConfigError("nothing was asked", "agentic ask PROMPT, or pipe a text into it")

    if settings.origins["llm.retry_seconds"] == "default":
        settings = settings.changed("llm.retry_seconds", ASK_RETRY_SECONDS, "ask")

    async def work(runtime: Runtime, session: Session) -> None:
        await api.carry_out(runtime, session, "ask", text, _answer(runtime, session, text))

    return run_to_end(api.stream(root, settings, work, resume, screen_of(settings, sys.stdout), has_tools=False))


async def _answer(runtime: Runtime, session: Session, text: str) -> Outcome:
    name_session(session, text)
    history = ConversationHistory(session)
    history.say(text)
    strategy = runtime.build("agentic_context_strategies", runtime.settings.context.strategy)
    context = Context(
        strategy, runtime.llm, history, runtime.events.emit, PromptOptions(debug=runtime.settings.ui.debug, exact=False)
    )
    name = session.id or runtime.run
    answer, status, cut = AnswerBuilder(), "done", ""
    try:
        answer, cut = await _whole(runtime, context, name, answer)
    except asyncio.CancelledError:  # Ctrl-C: what came so far is the result
        status = "interrupted"
    finally:
        said = runtime.llm.repaired(answer.message(), ()).message
        if said.content:
            history.add(said)
    if status == "done" and not said.text.strip():
        only = ", it only thought" if said.reasoning else ""
        remedy = "give it more with llm.max_tokens" if cut else "ask again"
        raise ModelOutputError(f"the model gave no answer{only}" + (f": {cut}" if cut else ""), remedy)
    if cut and status == "done":
        await runtime.events.emit(Warned(message=cut))
        status = "limit"
    return Outcome(status, said.text)


async def _whole(runtime: Runtime, context: Context, name: str, answer: AnswerBuilder) -> tuple[AnswerBuilder, str]:
    """(the answer, how it was cut). A prompt that is too long after all is cut shorter once. Raises AgenticError."""
    said: ContextOverflow | None = None  # by the server: where nothing can be cut, that is the cause
    while True:
        try:
            prepared = await context.request(lambda messages: ChatRequest(tuple(messages), session=name, purpose="ask"))
        except ContextOverflow as error:
            raise said or error from error
        try:
            made = await runtime.llm.answer(prepared, Lane.INTERACTIVE, runtime.events.emit, answer, context.history.partial)
        except ContextOverflow as error:
            if said is not None:
                raise
            said = error
            context.overflowed(prepared.tokens, error.limit)
            continue
        if made.finish_reason != "length":
            return answer, ""
        tokens = f" of {made.usage.completion_tokens} tokens" if made.usage else ""
        return answer, f"the answer was cut by its limit{tokens}: llm.max_tokens, or what the window has left"
