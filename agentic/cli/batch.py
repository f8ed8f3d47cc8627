"""`agentic batch`: many prompts, kept in flight together; what was answered survives a kill."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from agentic.api import Screen, open_run
from agentic.cli.loop import run
from agentic.cli.start import interruptible
from agentic.commands import RunCommand, model_options
from agentic.config import Settings
from agentic.core.jobs import Job, Results, read_job
from agentic.core.runtime import Runtime
from agentic.errors import AgenticError, ConfigError, EndpointUnavailable
from agentic.hooks.batching import Lane

SUBMITTED = 128  # at once; how many of them are in flight is the batcher's business
AHEAD = 1024  # lines that may be done before an earlier one is: all that is kept in memory

Advance = Callable[[int], None]
"""Called with the bytes of the input that are done."""


@click.command("batch", cls=RunCommand)
@click.argument("source", metavar="IN.jsonl", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--out", "target", metavar="OUT.jsonl", type=click.Path(path_type=Path, dir_okay=False), required=True)
@model_options
def command(root: Path, settings: Settings, source: Path, target: Path) -> int:
    """Answers each line of IN.jsonl, {"prompt": ...} or {"messages": [...]}, in OUT.jsonl, in the order of the lines.

    After a kill the same command goes on where it stopped.
    """
    if source.resolve() == target.resolve():
        raise ConfigError("IN.jsonl and OUT.jsonl are one file", "name another one with -o")
    return run(interruptible(_run(root, settings, source, target)))


async def _run(root: Path, settings: Settings, source: Path, target: Path) -> int:
    """0, or 1 where lines failed. Raises EndpointUnavailable; what is done is kept then."""
    with Results(target) as results, source.open("rb") as lines, _progress(os.fstat(lines.fileno()).st_size) as advance:
        try:
            if not results.check_against(lines, advance):
                async with open_run(root, settings, Screen(stdout=sys.stderr)) as runtime:
                    await _answer_all(runtime, lines, results, advance)
        finally:
            failed = f", {results.failed} of them failed" if results.failed else ""
            print(f"{results.done} lines in {target}{failed}", file=sys.stderr)
        return 1 if results.failed else 0


async def _answer_all(runtime: Runtime, lines: IO[bytes], results: Results, advance: Advance) -> None:
    tasks: set[asyncio.Task[None]] = set()

    async def one(number: int, raw: bytes) -> None:
        results.put(number, raw, await _result(runtime, raw))
        advance(len(raw))

    try:
        for number, raw in enumerate(iter(lines.readline, b""), results.done + 1):
            if results.has(number, raw):
                results.settle()
                advance(len(raw))
                continue
            tasks.add(asyncio.ensure_future(one(number, raw)))
            while len(tasks) >= SUBMITTED or (tasks and number - results.done > AHEAD):
                tasks = await _when_one_is_done(tasks)
        while tasks:
            tasks = await _when_one_is_done(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _when_one_is_done(tasks: "set[asyncio.Task[None]]") -> "set[asyncio.Task[None]]":
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return rest


async def _result(runtime: Runtime, raw: bytes) -> dict[str, object]:
    """What OUT.jsonl says of a line. Raises EndpointUnavailable: that is no matter of the line."""
    label: dict[str, object] = {}
    try:
        job = read_job(raw)
        label = dict(job.label)
        return label | await _answer(runtime, job)
    except EndpointUnavailable:
        raise
    except AgenticError as error:
        return label | {"error": str(error)}


async def _answer(runtime: Runtime, job: Job) -> dict[str, object]:
    answer = await runtime.llm.answer(await runtime.llm.prepare(job.request, exact=False), Lane.BACKGROUND)
    message, usage = answer.message, answer.usage
    result: dict[str, object] = {"text": message.text, "finish_reason": answer.finish_reason}
    if message.reasoning:
        result["reasoning"] = message.reasoning
    if usage is not None:
        cached = {"cached_tokens": usage.cached_tokens} if usage.cached_tokens is not None else {}
        result["usage"] = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens, **cached}
    return result


@contextmanager
def _progress(size: int) -> Iterator[Advance]:
    """A bar with rate and time left, in a terminal."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[lines]} lines, {task.fields[rate]:.1f}/s"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=size, lines=0, rate=0.0)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += 1
            seconds = progress.tasks[0].elapsed or 0.0
            progress.update(bar, advance=count, lines=done, rate=done / seconds if seconds else 0.0)

        yield advance
