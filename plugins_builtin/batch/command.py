"""`agentic batch`: many prompts, kept in flight together; what was answered survives a kill."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from agentic.api import Runtime, Screen, open_run
from agentic.commands import RunCommand, model_options
from agentic.commands.start import interruptible
from agentic.config import Settings
from agentic.errors import AgenticError, ConfigError, EndpointUnavailable
from agentic.hooks.batching import Lane
from agentic.lib.loop import run
from agentic.types import Answer
from plugins_builtin.batch.jobs import CUSTOM_ID, Labels, Shard, ShardLines, check_readable, label_of, read_job
from plugins_builtin.batch.results import Results, merge as merged

AHEAD = 4  # times as many lines as can be in flight may be done before an earlier one is: all that is kept in memory

Advance = Callable[[int], None]
"""Called with the bytes of the input that are done."""


_EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)
_TARGET = click.option("-o", "--out", "target", metavar="OUT.jsonl", type=click.Path(path_type=Path, dir_okay=False), required=True)


class _BatchCommand(RunCommand):
    """`batch merge` is a command of its own; anything else in its place is a file."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["merge"]:
            return merge.make_context(f"{info_name} merge", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


class _ShardType(click.ParamType):  # type: ignore[type-arg]
    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        part, _, of = str(value).partition("/")
        if not (part.isdecimal() and of.isdecimal() and 1 <= int(part) <= int(of)):
            self.fail(f"{value!r} is no share: 1/4 to 4/4 are the four of four", param, ctx)
        return Shard(int(part), int(of))


@click.command("merge")
@click.argument(
    "parts", metavar="PART.jsonl...", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, required=True
)
@click.option("-o", "--out", "target", metavar="OUT.jsonl", type=click.Path(path_type=Path, dir_okay=False), required=True)
def merge(parts: tuple[Path, ...], target: Path) -> None:
    """Puts the results of all shards into one file, in the order of the input.

    For example: agentic batch merge out*.jsonl -o all.jsonl
    """
    if any(part.resolve() == target.resolve() for part in parts):
        raise ConfigError(f"{target} is one of the parts", "name another one with -o")
    print(f"{merged(parts, target)} lines in {target}", file=sys.stderr)


@click.command("batch", cls=_BatchCommand, epilog="The manual: agentic docs throughput")
@click.argument("source", metavar="IN.jsonl", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--out", "target", metavar="OUT.jsonl", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option(
    "--shard", metavar="I/N", type=_ShardType(), default="1/1", help="Only the I-th of N shares; `batch merge` joins them."
)
@model_options
def command(root: Path, settings: Settings, source: Path, target: Path, shard: Shard) -> int:
    """Answers each line of IN.jsonl, {"prompt": ...} or {"messages": [...]}, in OUT.jsonl, in the order of the lines.

    It answers lines of vllm run-batch, {"custom_id": ..., "body": {...}}, in vllm's own format.

    `agentic batch merge SHARE… -o OUT.jsonl` joins the results of shares.

    After a kill, the same command continues where it stopped. Without a terminal, SIGHUP makes it read the endpoints again.

    For example: agentic batch prompts.jsonl -o answers.jsonl
    """
    if source.resolve() == target.resolve():
        raise ConfigError("IN.jsonl and OUT.jsonl are one file", "name another one with -o")
    ends = (signal.SIGINT, signal.SIGTERM) if _is_detached() else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return run(interruptible(_run(root, settings, source, target, shard), ends))


def _is_detached() -> bool:
    """True if it has no terminal that could hang up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return True
    return False


@contextmanager
def _rereading(runtime: Runtime) -> Iterator[None]:
    """Without a terminal SIGHUP means what it means to a server: the endpoints are read from the configuration again."""
    loop = asyncio.get_running_loop()
    rereads: set[asyncio.Task[None]] = set()

    async def reread() -> None:
        try:
            await runtime.endpoints.reread()
        except AgenticError as error:
            runtime.events.warn(f"{error}; the endpoints are as before")

    def on_signal() -> None:
        task = asyncio.ensure_future(reread())
        rereads.add(task)
        task.add_done_callback(rereads.discard)

    if not _is_detached():
        yield
        return
    loop.add_signal_handler(signal.SIGHUP, on_signal)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _run(root: Path, settings: Settings, source: Path, target: Path, shard: Shard) -> int:
    """0, or 1 where lines failed. Raises EndpointUnavailable; what is done is kept then."""
    with source.open("rb") as file:
        first = check_readable(ShardLines(file, Shard()), source.name)
    if first is not None and CUSTOM_ID in first.label:
        print(f"{source.name} is in the format of vllm run-batch: answers stand under their custom_id", file=sys.stderr)
    with (
        Results(target, shard) as results,
        source.open("rb") as file,
        _progress(os.fstat(file.fileno()).st_size // shard.of) as advance,
    ):
        lines = ShardLines(file, shard)
        if results.unlocked:
            print(results.unlocked, file=sys.stderr)
        try:
            if not results.check_against(lines, advance):
                async with open_run(root, settings, Screen(stdout=sys.stderr)) as runtime:
                    with _rereading(runtime):
                        await _answer_all(runtime, lines, results, advance)
        finally:
            failed = f", {results.failed} of them failed" if results.failed else ""
            print(f"{results.done} lines in {target}{failed}", file=sys.stderr)
        return 1 if results.failed else 0


async def _answer_all(runtime: Runtime, lines: ShardLines, results: Results, advance: Advance) -> None:
    tasks: set[asyncio.Task[None]] = set()

    def most() -> int:
        """How many lines may be waited for; how many are in flight is the batcher's business."""
        return runtime.settings.batching.max_in_flight * len(runtime.transport.endpoints)

    async def one(number: int, raw: bytes) -> None:
        results.put(number, raw, await _result(runtime, raw))
        advance(len(raw))

    labels = Labels()
    try:
        for number, raw in enumerate(iter(lines.readline, b""), results.done + 1):
            labels.add(raw, lines.place)
            if results.has(number, raw):
                results.settle()
                advance(len(raw))
                continue
            tasks.add(asyncio.ensure_future(one(number, raw)))
            while len(tasks) >= most() or (tasks and number - results.done > AHEAD * most()):
                tasks = await _when_one_is_done(tasks)
        while tasks:
            tasks = await _when_one_is_done(tasks)
    finally:
        if warning := labels.warning():
            runtime.events.warn(warning)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _when_one_is_done(tasks: "set[asyncio.Task[None]]") -> "set[asyncio.Task[None]]":
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return rest


async def _result(runtime: Runtime, raw: bytes) -> dict[str, object]:
    """Returns what OUT.jsonl says of a line. Raises EndpointUnavailable, which is not the line's fault."""
    try:
        job = read_job(raw)
        answer = await runtime.llm.answer(await runtime.llm.prepare(job.request, exact=False), Lane.BACKGROUND)
    except EndpointUnavailable:
        raise
    except AgenticError as error:
        label = label_of(raw)
        if CUSTOM_ID in label:
            return {**label, "response": None, "error": {"message": str(error)}}
        return {**label, "error": str(error)}
    return {**job.label, **(_completion(answer) if CUSTOM_ID in job.label else _own(answer))}


def _own(answer: Answer) -> dict[str, object]:
    message = answer.message
    result: dict[str, object] = {"text": message.text, "finish_reason": answer.finish_reason}
    if message.reasoning:
        result["reasoning"] = message.reasoning
    return result | _usage(answer)


def _completion(answer: Answer) -> dict[str, object]:
    """The result of a line in the format of `vllm run-batch`: a `response` with the completion, and no error."""
    message = {"role": "assistant", "content": answer.message.text}
    if answer.message.reasoning:
        message["reasoning"] = answer.message.reasoning
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    body = {"object": "chat.completion", "choices": [choice], **_usage(answer)}
    return {"response": {"status_code": 200, "body": body}, "error": None}


def _usage(answer: Answer) -> dict[str, object]:
    usage = answer.usage
    if usage is None:
        return {}
    cached = {"cached_tokens": usage.cached_tokens} if usage.cached_tokens is not None else {}
    return {"usage": {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens, **cached}}


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
