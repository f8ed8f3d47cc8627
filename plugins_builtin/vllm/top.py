"""`agentic top`: the servers, live, as `htop` shows a machine; also those that somebody else keeps busy."""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentic import AgenticError, EndpointLoad, Settings
from agentic.commands import model_options
from agentic.lib.palette import Palette, palette_for
from agentic.lib.record import record
from agentic.lib.running import RunningWork, running
from agentic.lib.sanitize import sanitize
from plugins_builtin.vllm import transport_of
from plugins_builtin.vllm.transport import VllmTransport

if TYPE_CHECKING:
    from prompt_toolkit import Application

LEAST_CELL = 26  # columns of a number with its name
SAMPLES = 60  # of each line
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


@record
class ServerRow:
    """An endpoint as it was seen last: numbers a second are differences of two looks."""

    url: str
    model: str = ""
    version: str = ""
    fault: str = "not asked yet"
    running: int = 0
    waiting: int = 0
    kv_usage: float = 0.0
    hit_rate: float | None = None
    cache: str = ""
    block: int = 0
    preemptions: int = 0
    ttft: float | None = None
    tokens_per_second: float = 0.0
    prompt_per_second: float = 0.0
    ours: dict[str, int] = field(default_factory=dict)

    def see(self, now: EndpointLoad, before: EndpointLoad | None, seconds: float) -> None:
        """Takes a look's numbers."""
        self.fault = ""
        self.running, self.waiting, self.kv_usage = now.running, now.waiting, now.kv_usage
        self.cache, self.block = now.cache, now.unit
        if before is None or now.generated_tokens < before.generated_tokens:  # it was started anew
            return
        self.preemptions = now.preemptions - before.preemptions
        self.tokens_per_second = (now.generated_tokens - before.generated_tokens) / seconds
        asked, hit = now.prompt_tokens - before.prompt_tokens, now.cached_tokens - before.cached_tokens
        self.prompt_per_second = asked / seconds
        self.hit_rate = hit / asked if asked > 0 else None
        first = now.first_tokens - before.first_tokens
        self.ttft = (now.first_token_seconds - before.first_token_seconds) / first if first > 0 else None

    @property
    def others(self) -> int:
        """Requests of other clients that it works on."""
        return max(0, self.running + self.waiting - sum(self.ours.values()))


class LiveView:
    """Looks at all endpoints; `history` holds the last numbers of each for its lines."""

    def __init__(self, transport: VllmTransport) -> None:
        self._transport = transport
        self._before: dict[str, tuple[float, EndpointLoad]] = {}
        self.servers = [ServerRow(url) for url in transport.endpoints]
        self.history: dict[str, dict[str, deque[float]]] = {url: {} for url in transport.endpoints}

    async def look(self) -> None:
        """A look at each."""
        works = running()
        await asyncio.gather(*(self._look_at(server, works) for server in self.servers))

    async def _look_at(self, server: ServerRow, works: Sequence[RunningWork]) -> None:
        try:
            if not server.model:
                server.model = (await self._transport.probe(server.url)).model
                server.version = await self._transport.version(server.url)
            load = await self._transport.load(server.url)
        except AgenticError as error:
            server.fault = str(error).removeprefix(f"{server.url}: ")
            self._before.pop(server.url, None)
            return
        then, before = self._before.get(server.url, (0.0, None))
        now = time.monotonic()
        self._before[server.url] = now, load
        server.see(load, before, max(now - then, 1e-6))
        lanes = [work.lanes.get(server.url, {}) for work in works]
        server.ours = {name: sum(each.get(name, 0) for each in lanes) for name in sorted({name for each in lanes for name in each})}
        for name in ("running", "waiting", "kv_usage", "hit_rate", "tokens_per_second", "prompt_per_second", "ttft"):
            self.history[server.url].setdefault(name, deque(maxlen=SAMPLES)).append(getattr(server, name) or 0.0)


def spark(values: Sequence[float], width: int, ascii_only: bool = False, most: float = 0.0) -> str:
    """The last values as bars; `most` is what fills one, else the largest of them."""
    bars = ASCII_BARS if ascii_only else BARS
    shown = list(values)[-width:] if width > 0 else []
    top = most or max(shown, default=0.0)
    heights = (min(len(bars) - 1, int(value / top * (len(bars) - 1) + 0.5)) if top else 0 for value in shown)
    return "".join(bars[height] for height in heights).rjust(max(0, width))


def panel(server: ServerRow, history: dict[str, deque[float]], width: int, palette: Palette) -> list[str]:
    """A server's lines."""
    cache = "no prefix cache" if server.cache == "off" else f"{server.cache} cache in {server.block}s" if server.cache else ""
    parts = (server.url, server.model, f"vLLM {server.version}" if server.version else "", cache)
    head = " · ".join(part for part in parts if part)
    lines = [palette.paint("bold", sanitize(head)[:width])]
    if server.fault:
        return [*lines, palette.paint("bad", f"  {sanitize(server.fault)}"[:width])]
    in_pairs = width >= 2 * LEAST_CELL
    across = min(width // 2 if in_pairs else width, SAMPLES)

    def cell(name: str, value: str, key: str, most: float = 0.0) -> str:
        words = f"  {name:<12}{value:>9} "
        return words + palette.paint("code", spark(history.get(key, ()), across - len(words), palette.ascii, most))

    rows = [
        (cell("running", str(server.running), "running"), cell("waiting", str(server.waiting), "waiting")),
        (cell("KV cache", f"{server.kv_usage:.0%}", "kv_usage", 1), cell("prefix hits", _share(server.hit_rate), "hit_rate", 1)),
        (
            cell("tokens/s", f"{server.tokens_per_second:,.0f}", "tokens_per_second"),
            cell("prompt/s", f"{server.prompt_per_second:,.0f}", "prompt_per_second"),
        ),
        (
            cell("TTFT", "-" if server.ttft is None else f"{server.ttft:.2f} s", "ttft"),
            palette.paint("warning" if server.preemptions else "dim", f"  preempted   {server.preemptions:>9}"),
        ),
    ]
    lines += ["".join(row) for row in rows] if in_pairs else [line for row in rows for line in row]
    ours = ", ".join(f"{count} {lane}" for lane, count in server.ours.items() if count) or "none"
    return [*lines, palette.paint("dim", f"  ours: {ours} · other clients: {server.others}"[:width])]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


@click.command("top", epilog="The manual: agentic docs throughput")
@click.option("--interval", type=click.FloatRange(min=0.2), default=1.0, help="Seconds between two measurements.")
@click.option("--once", is_flag=True, help="Measure twice, print the difference, and exit.")
@click.option("--output", "form", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs, until Ctrl-C.")
@model_options
def top(root: Path, settings: Settings, interval: float, once: bool, form: str) -> int:
    """Shows the servers live: load, KV cache, prefix hits, speed; yours and other clients'. q quits. For example: agentic top"""
    in_terminal = sys.stdout.isatty() and sys.stdin.isatty()
    asyncio.run(_watch(settings, interval, form, once or (form == "plain" and not in_terminal)))
    return 0


async def _watch(settings: Settings, interval: float, form: str, once: bool) -> None:
    transport = transport_of(settings)
    watch = LiveView(transport)
    palette = palette_for(settings.ui.theme, sys.stdout.encoding or "")
    try:
        await watch.look()
        if not once and form == "plain":
            await _application(watch, interval, palette).run_async()
            return
        while True:
            await asyncio.sleep(interval)
            await watch.look()
            for server in watch.servers:
                shown = json.dumps({"type": "server"} | asdict(server) | {"others": server.others})
                click.echo(shown if form == "jsonl" else "\n".join(panel(server, watch.history[server.url], 100, palette)))
            if once:
                return
    finally:
        await transport.aclose()


def _application(watch: LiveView, interval: float, palette: Palette) -> "Application[None]":
    """The whole screen, which is as it was when it ends."""
    from prompt_toolkit import ANSI, Application
    from prompt_toolkit.application import get_app
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window

    def text() -> ANSI:
        width = get_app().output.get_size().columns
        panels = [panel(server, watch.history[server.url], width, palette) for server in watch.servers]
        lines = [line for each in panels for line in (*each, "")]
        clock = f"{time.strftime('%H:%M:%S')} · every {interval:g} s · q ends"
        return ANSI("\n".join([palette.paint("dim", clock), "", *lines]))

    keys = KeyBindings()

    @keys.add("q")
    @keys.add("c-c")
    @keys.add("c-d")
    def _(event: KeyPressEvent) -> None:
        event.app.exit()

    application: Application[None] = Application(Layout(Window(FormattedTextControl(text))), key_bindings=keys, full_screen=True)

    async def follow() -> None:
        while True:
            await asyncio.sleep(interval)
            await watch.look()
            application.invalidate()

    def begin() -> None:
        application.create_background_task(follow())

    application.pre_run_callables.append(begin)
    return application
