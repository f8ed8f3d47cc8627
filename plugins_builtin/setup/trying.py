"""A question to the servers that were chosen: how quickly they answer, what comes from their cache, what is left to install."""

import asyncio
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from agentic import ChatRequest, Lane, Message, Settings, Usage, api
from agentic.errors import AgenticError
from agentic.events import Event, LlmChunk, ReasoningChunk
from agentic.extras import pip_install
from agentic.lib.families import about

SECONDS = 60.0  # for both questions
NUMBERS = " ".join(map(str, range(1, 301)))
QUESTION = f"Here are some numbers: {NUMBERS}\nWhich of them comes after 41? Answer with that number only."
EXTRAS = {"gpt-oss": ("openai_harmony", "gpt-oss", "counts its tokens exactly and keeps each step in the cache")}
"""By the name of a family the module, the extra that has it, and what that does."""

MODES = {
    "ask": "agentic asks before it changes a file or runs a command (Shift-Tab in a chat, or --approve)",
    "edits": "agentic changes files here without asking, and asks before it runs a command",
    "all": "agentic changes files and runs commands in the sandbox without asking",
    "none": "agentic changes nothing and runs nothing",
}


async def try_model(root: Path, settings: Settings) -> list[str]:
    """Returns what a user wants to know of the model, in lines. Asks twice, so that the second answer shows the cache."""
    try:
        async with asyncio.timeout(SECONDS), api.open_run(root, settings) as runtime:
            family = runtime.llm.family()
            (once, _), (again, usage) = await _ask(runtime), await _ask(runtime)
    except TimeoutError:
        return [f"a first question got no answer in {SECONDS:.0f} s (agentic doctor says more)"]
    except AgenticError as error:
        return [f"a first question got no answer: {error} (agentic doctor)"]
    mode = settings.approval.mode or "ask"
    return [about(family), *_speed(once, again, usage), *_missing(family.name), f"mode {mode}: {MODES[mode]}"]


async def _ask(runtime: api.Runtime) -> tuple[float, Usage | None]:
    """(seconds to the first piece of the answer, what it cost)"""
    began, first = time.monotonic(), 0.0

    async def heard(event: Event) -> None:
        nonlocal first
        if isinstance(event, LlmChunk | ReasoningChunk):
            first = first or time.monotonic() - began

    request = ChatRequest((Message("user", QUESTION),), max_tokens=64, temperature=0.0, purpose="question")
    answer = await runtime.llm.answer(await runtime.llm.prepare(request, exact=False), Lane.INTERACTIVE, heard)
    return first or time.monotonic() - began, answer.usage


def _speed(once: float, again: float, usage: Usage | None) -> Iterator[str]:
    yield f"a question: first token after {once:.2f} s, asked again after {again:.2f} s"
    if usage is None or usage.cached_tokens is None:
        yield "the server does not say how much of a prompt comes from its cache; agentic doctor names the flag"
    elif usage.prompt_tokens:
        yield f"cache: {usage.cached_tokens / usage.prompt_tokens:.0%} of the second prompt"


def _missing(family: str) -> Iterator[str]:
    module, extra, does = EXTRAS.get(family, ("", "", ""))
    if module and find_spec(module) is None:
        yield f"to install: {pip_install(extra)} ({does})"
