"""`agentic serve`: how to start vLLM so that an agent is served well, computed for the cards that are there."""

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from agentic import AgenticError, ConfigError
from agentic.api import family, load_settings
from agentic.config import Settings
from agentic.lib.record import record
from plugins_builtin.vllm.cache_checks import UNIT
from plugins_builtin.vllm.http import Http
from plugins_builtin.vllm.memory import Card, MemoryPlace, cards_here, placed

DEFAULT_MODEL = "openai/gpt-oss-120b"
SMALLER = {"openai/gpt-oss-120b": "openai/gpt-oss-20b", "gpt-oss-120b": "gpt-oss-20b"}
GPT_OSS_WINDOW = 32768
KV_INTERVAL = 256
BLOCK = 16
USUAL_PARSER = "hermes"
START_SECONDS = 1800.0
_ENVIRONMENT = {
    "VLLM_SYSTEM_START_DATE": ("2026-01-01", "gpt-oss's prompts begin with the date: a pinned one keeps the cache over midnight"),
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": ("300", "an agent pauses longer than the 5 s after which connections are closed otherwise"),
}


@record(frozen=True, slots=True)
class Instance:
    """A server: environment, words, and the reason for each of them that needs one."""

    endpoint: str
    model: str
    environment: Mapping[str, str]
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    about: str

    def __str__(self) -> str:
        assignments = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*assignments, shlex.join(self.words)])


@click.command("serve", epilog="The manual: agentic docs throughput")
@click.option("--endpoint", "endpoints", multiple=True, metavar="URL", help="An endpoint to serve; repeatable.")
@click.option("--model", "models", multiple=True, help="The model; repeat it to serve another one on the next endpoint.")
@click.option(
    "--gpu", "sizes", multiple=True, type=float, metavar="GIB", help="A GPU's memory; repeatable. Default: this machine's GPUs."
)
@click.option("--exec", "execute", is_flag=True, help="Start the servers, wait until they answer, stop them on Ctrl-C.")
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE", help="Any configuration key (repeatable).")
@click.option("-C", "folder", type=click.Path(path_type=Path, exists=True), default=Path(), metavar="DIR", help="Work in DIR.")
def serve(
    endpoints: tuple[str, ...],
    models: tuple[str, ...],
    sizes: tuple[float, ...],
    execute: bool,
    pairs: tuple[str, ...],
    folder: Path,
) -> int:
    """Prints one vllm serve line for each endpoint, with a reason for every flag, or runs the lines.

    For example: agentic serve --model openai/gpt-oss-120b
    """
    settings = load_settings(folder.absolute(), {"llm.endpoints": list(endpoints)} if endpoints else {}, pairs)
    urls = settings.llm.endpoints
    named = list(models) or [settings.llm.model or DEFAULT_MODEL]
    wanted = [named[min(number, len(named) - 1)] for number in range(len(urls))]
    for model in wanted:
        if model.startswith("-") or not model.isprintable():  # it would be an option, or a second line
            raise ConfigError(f"{model!r} is no model's name", "--model NAME")
    cards = [Card(f"card {number}", size) for number, size in enumerate(sizes)] or cards_here()
    places, why_not = placed(wanted, cards)
    instances = [instance(url, model, place, settings) for url, model, place in zip(urls, wanted, places, strict=True)]
    if why_not and execute:
        raise ConfigError(why_not, "serve without --exec shows what would fit")
    if why_not:
        click.echo(f"# {why_not}.\n" + _ways_out(urls, wanted, cards, settings))
        return 0
    if execute:
        return asyncio.run(_run(instances))
    for each in instances:
        _print(each)
    return 0


def instance(endpoint: str, model: str, place: MemoryPlace | None, settings: Settings) -> Instance:
    """The line for one endpoint. `place` None: nothing is known of the memory, so nothing is said of it."""
    address = urlsplit(endpoint)
    gpt_oss, known = "gpt-oss" in model.lower(), family(settings, model)
    window = settings.context.context_window or (GPT_OSS_WINDOW if gpt_oss else 0)
    words = ["vllm", "serve", model, "--host", address.hostname or "127.0.0.1", "--port", str(address.port or 8000)]
    reasons = []

    def add(reason: str, *flags: str) -> None:
        words.extend(flags)
        reasons.append(f"{' '.join(flags)}: {reason}")

    if window:
        add("how much of the KV cache one request may take", "--max-model-len", str(window))
    if place is not None and len(place.cards) > 1:
        add("one model over several cards, with one cache", "--tensor-parallel-size", str(len(place.cards)))
    if place is not None:
        add("of the card's memory", "--gpu-memory-utilization", f"{place.share:g}")
    if settings.section("llm.vllm").enable_prefix_caching:
        add("a prompt that begins like an earlier one is not computed again", "--enable-prefix-caching")
        if known.cache == "hybrid":
            add("it is found again in steps of 32 tokens, not of a block of hundreds", "--prefix-match-unit", str(UNIT))
        if gpt_oss:
            add("what siblings share stays cached too, not only where prompts end", *_retention(settings))
    else:
        add("as llm.vllm.enable_prefix_caching says", "--no-enable-prefix-caching")
    parser = known.tool_parser or USUAL_PARSER
    add("the model's tool calls come back parsed", "--enable-auto-tool-choice", "--tool-call-parser", parser)
    if known.reasoning_parser and not gpt_oss:  # vLLM knows gpt-oss's
        add("what it thinks comes in a field of its own", "--reasoning-parser", known.reasoning_parser)
    if known.flags:
        add(f"as {known.name} is served", *known.flags)
    if gpt_oss:
        add("no grammar forbids what it was trained to call: it is read from the tokens", "--tool-strict-level", "auto")
    else:
        add("calls are held to their tools' names and schemas", "--tool-strict-level", "function")
    add("every token is sent as it is made", "--stream-interval", "1")
    add("answers say how much of their prompt was cached", "--enable-prompt-tokens-details")
    add("answers say how long they waited and how fast they were", "--enable-per-request-metrics")
    add("an answer names the request that it is of, as the server's log does", "--enable-request-id-headers")
    add("an urgent request overtakes sub-agents and batches", "--scheduling-policy", "priority")
    add("a full server says so at once instead of letting clients wait", "--max-num-queued-reqs", "256")
    add("what is asked twice a second stays out of the log", "--disable-access-log-for-endpoints", "/health,/metrics,/load")
    environment = {name: value for name, (value, _) in _ENVIRONMENT.items() if gpt_oss or name != "VLLM_SYSTEM_START_DATE"}
    if place is not None:
        environment = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, place.cards)), **environment}
    reasons += [f"{name}: {reason}" for name, (_, reason) in _ENVIRONMENT.items() if name in environment]
    where = f" on card {', '.join(map(str, place.cards))}: {place.words}" if place is not None else ""
    return Instance(endpoint, model, environment, tuple(words), tuple(reasons), f"{endpoint}: {model}{where}")


def _retention(settings: Settings) -> tuple[str, str]:
    """Often enough for the shared prefix (llm.vllm.prefix_cache_size tokens) to be found, in whole blocks."""
    interval = min(KV_INTERVAL, max(BLOCK, settings.section("llm.vllm").prefix_cache_size // BLOCK * BLOCK))
    return "--prefix-cache-retention-interval", str(interval)


def _print(each: Instance) -> None:
    click.echo(f"# {each.about}")
    for reason in each.reasons:
        click.echo(f"#   {reason}")
    click.echo(f"{each}\n")


def _ways_out(urls: Sequence[str], models: list[str], cards: list[Card], settings: Settings) -> str:
    """Two cards, a smaller second model, or one model over several cards: the lines for each, as comments."""
    most = max(cards, key=lambda card: card.gib)
    smaller = [models[0], *(SMALLER.get(model, model) for model in models[1:])]
    ways = {
        f"a card for each ({len(models)} × {most.gib:.0f} GiB)": (models, [most] * len(models)),
        f"{smaller[0].rpartition('/')[2]} and {smaller[-1].rpartition('/')[2]} on one card": (smaller, [most]),
    }
    lines = []
    for title, (chosen, on) in ways.items():
        places, why_not = placed(chosen, on)
        lines.append(f"#\n# {title}:" + (f" does not fit either: {why_not}" if why_not else ""))
        if not why_not:
            lines += [f"# {instance(url, model, place, settings)}" for url, model, place in zip(urls, chosen, places, strict=True)]
    parallel = MemoryPlace(tuple(range(max(2, len(cards)))), 0.92, "")
    lines.append("#\n# one model over two cards, one endpoint (tensor parallel):")
    lines.append(f"# {instance(urls[0], models[0], parallel, settings)}")
    return "\n".join(lines)


async def _run(instances: list[Instance]) -> int:
    """Until Ctrl-C, or one of them ends; then all are stopped. The exit code is 130, or 1 where a server failed."""
    servers: list[asyncio.subprocess.Process] = []
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        for each in instances:
            click.echo(str(each), err=True)
            environment = os.environ | dict(each.environment)
            servers.append(await asyncio.create_subprocess_exec(*each.words, env=environment, start_new_session=True))
        ended = [asyncio.ensure_future(server.wait()) for server in servers]
        ready = asyncio.ensure_future(_all_answer([each.endpoint for each in instances]))
        await asyncio.wait([ready, stopping, *ended], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            click.echo("ready: all endpoints answer; Ctrl-C stops them")
            await asyncio.wait([stopping, *ended], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
    except FileNotFoundError as error:
        raise ConfigError("there is no `vllm` on the PATH", "pip install vllm, or activate its environment") from error
    finally:
        stopping.cancel()
        await _stop(servers)
    if stop.is_set():
        return 130
    failed = [each.endpoint for each, server in zip(instances, servers, strict=True) if server.returncode]
    raise AgenticError(f"the server for {', '.join(failed)} ended", "its own output above says why")


async def _all_answer(endpoints: list[str]) -> None:
    http = Http(lambda url: {}, 2.0)
    try:
        for endpoint in endpoints:
            for _ in range(int(START_SECONDS)):
                try:
                    if (await http.fetch("GET", f"{endpoint}/models", seconds=2.0)).status in (200, 401):
                        break
                except AgenticError:
                    pass
                await asyncio.sleep(1.0)
    finally:
        await http.aclose()


async def _stop(servers: list[asyncio.subprocess.Process]) -> None:
    """Asks them to end, and after a while makes them."""
    for sign, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
        for server in servers:
            if server.returncode is None:
                try:
                    os.killpg(server.pid, sign)
                except ProcessLookupError:
                    continue
        if servers:
            await asyncio.wait([asyncio.ensure_future(server.wait()) for server in servers], timeout=seconds)
