"""`agentic bench`: a table as it is measured, a chart, what to set, and the same as a page."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from agentic import AgenticError, ConfigError, EndpointInfo, Settings
from agentic.commands import model_options
from agentic.config.edit import set_value
from agentic.config.sources import user_file
from agentic.lib.sanitize import sanitize
from plugins_builtin.vllm import transport_of
from plugins_builtin.vllm.bench.advice import Advice, advice
from plugins_builtin.vllm.bench.load import Step
from plugins_builtin.vllm.bench.page import page
from plugins_builtin.vllm.bench.results import Result, change, earlier
from plugins_builtin.vllm.bench.shapes import SHAPES
from plugins_builtin.vllm.bench.sweep import Sweep
from plugins_builtin.vllm.transport import VllmTransport

BAR = 40  # characters of the widest
_TOLD = (
    "block_size",
    "cache_dtype",
    "enable_prefix_caching",
    "mamba_block_size",
    "mamba_cache_mode",
    "gpu_memory_utilization",
    "kv_cache_size_tokens",
    "kv_cache_max_concurrency",
)
_COLUMNS = ("in flight", "tokens/s", "TTFT p50", "p95", "ms/token", "prompt", "cached", "waiting", "KV", "than before")


@click.command("bench", epilog="The manual: agentic docs throughput")
@click.option("--seconds", type=click.IntRange(min=1), default=120, help="About how long it may take, in seconds.")
@click.option("--shape", type=click.Choice([*SHAPES, "both"]), default="both", help="Prompts like an agent's, or unrelated ones.")
@click.option(
    "--concurrency", "levels", metavar="N,N,…", help="Requests in flight at each endpoint. Default: raised while throughput grows."
)
@click.option("--most", type=click.IntRange(min=1), default=256, help="The maximum number of requests in flight.")
@click.option("--prompt", type=click.IntRange(min=16), default=2000, help="About how long a prompt may get, in tokens.")
@click.option("--tokens", type=click.IntRange(min=2), default=128, help="The length of an answer, in tokens.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a self-contained page with plots.")
@click.option("--write", is_flag=True, help="Write the recommended settings to your own configuration file.")
@click.option("--against", metavar="FILE", help='An earlier result to compare with; "last" is the latest for these endpoints.')
@click.option("--output", "form", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs.")
@model_options
def bench(
    root: Path,
    settings: Settings,
    seconds: int,
    shape: str,
    levels: str | None,
    most: int,
    prompt: int,
    tokens: int,
    html: Path | None,
    write: bool,
    against: str | None,
    form: str,
) -> int:
    """Measures what the servers can do, and says what to set. For example: agentic bench --endpoint http://localhost:8001/v1."""
    shapes = list(SHAPES) if shape == "both" else [shape]
    before = earlier(against, settings.llm.endpoints) if against else None
    if against and before is None:
        raise ConfigError("there is no earlier result of these endpoints", "`agentic bench` without --against makes one")

    async def measured() -> Result:
        transport = transport_of(settings)
        try:
            infos = [await transport.probe(endpoint) for endpoint in transport.endpoints]
            servers = {info.url: await _described(transport, info) for info in infos}
            _show_servers(servers, form)
            sweep = Sweep(transport, infos, _levels(levels), most, prompt, tokens)
            steps: list[Step] = []
            async for step in sweep.steps(shapes, seconds):
                _show(step, steps, change(step, before), form)
                steps.append(step)
            return Result(time.time(), servers, steps)
        finally:
            await transport.aclose()

    result = asyncio.run(measured())
    kept, said = result.save(), advice(result.steps)
    if form == "plain":
        _chart(result.steps)
        _advise(said, kept, write)
    if html:
        html.write_text(page(result, said, before), encoding="utf-8")
    if write:
        for key, (value, _) in said.settings.items():
            set_value(user_file(), key, str(value), settings)
    failed = [step for step in result.steps if step.failed]
    if failed:
        raise AgenticError(f"{sum(step.failed for step in failed)} requests failed: {failed[0].why}", "`agentic doctor` looks why")
    return 0


def _levels(text: str | None) -> Sequence[int]:
    try:
        levels = [int(each) for each in text.split(",")] if text else []
    except ValueError:
        levels = [0]
    if any(level < 1 for level in levels):
        raise ConfigError(f"--concurrency {text}: numbers of at least 1 are expected", "--concurrency 1,4,16")
    return levels


async def _described(transport: VllmTransport, info: EndpointInfo) -> dict[str, str]:
    """Returns the facts that can be known of the server and how it was started."""
    told = {"model": info.model, "window": str(info.window), "version": await transport.version(info.url)}
    try:
        text = (await transport.fetch("GET", info.url, "/metrics")).body.decode("utf-8", "replace")
    except AgenticError:
        return told
    labels = re.search(r"^vllm:cache_config_info\{(.*)\}", text, re.MULTILINE)
    known = dict(re.findall(r'(\w+)="([^"]*)"', labels[1])) if labels else {}
    return told | {name: known[name] for name in _TOLD if name in known}


def _show_servers(servers: dict[str, dict[str, str]], output: str) -> None:
    for url, told in servers.items():
        if output == "jsonl":
            click.echo(json.dumps({"type": "server", "endpoint": url, **told}))
        else:
            click.echo(sanitize(f"{url}: " + ", ".join(f"{name} {value}" for name, value in told.items() if value)))


def _show(step: Step, before: Sequence[Step], times: float | None, output: str) -> None:
    if output == "jsonl":
        click.echo(json.dumps({"type": "step", **asdict(step), "change": times}))
        return
    if not before or (before[-1].endpoints, before[-1].shape) != (step.endpoints, step.shape):
        click.echo(f"\n{title(step)}\n  " + "".join(f"{name:>12}" for name in _COLUMNS))
    cells = (
        str(step.concurrency),
        f"{step.tokens_per_second:.0f}",
        *(f"{1000 * value:.0f} ms" for value in (step.ttft_p50, step.ttft_p95)),
        f"{1000 * step.token_p50:.1f}",
        f"{step.prompt_tokens:.0f}",
        "-" if step.cached is None else f"{step.cached:.0%}",
        "-" if step.waiting is None else str(step.waiting),
        "-" if step.kv is None else f"{step.kv:.0%}",
        "-" if times is None else f"× {times:.2f}",
    )
    failed = f"  {step.failed} failed" if step.failed else ""
    click.echo("  " + "".join(f"{cell:>12}" for cell in cells) + failed)


def title(step: Step) -> str:
    where = step.endpoints[0] if len(step.endpoints) == 1 else f"all {len(step.endpoints)} endpoints"
    return sanitize(f"{where}, {'prompts of agents' if step.shape == 'agent' else 'prompts that share nothing'}")


def _chart(steps: Sequence[Step]) -> None:
    most = max((step.tokens_per_second for step in steps), default=0.0)
    full = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
    click.echo("\nTokens a second")
    shown = ""
    for step in steps:
        if title(step) != shown:
            shown = title(step)
            click.echo(f"  {shown}")
        bar = full * max(1, round(BAR * step.tokens_per_second / most)) if most else ""
        click.echo(f"  {step.concurrency:>6} {bar} {step.tokens_per_second:.0f}")


def _advise(said: Advice, kept: Path, write: bool) -> None:
    click.echo("\nWhat to set" + (f" (written to {user_file()})" if write else " (--write does)"))
    if not said.settings:
        click.echo("  too few levels were measured to say: give it more --seconds")
    for key, (value, reason) in said.settings.items():
        click.echo(f"  {key} = {value}    {reason}")
    for flag, reason in said.flags.items():
        click.echo(f"  vllm serve {flag}    {reason}")
    click.echo(f"\nKept as {kept}")
