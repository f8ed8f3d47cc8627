"""The result as one page: tables, and plots as SVG in it. It loads nothing from anywhere."""

import time
from collections.abc import Callable, Sequence
from html import escape
from math import log2

from plugins_builtin.vllm.bench.advice import Advice
from plugins_builtin.vllm.bench.load import Step
from plugins_builtin.vllm.bench.results import Result, change

WIDTH, HEIGHT, LEFT, BELOW = 560, 260, 60, 30
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by the colour-blind, too
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1b1b1b; background: #fff } figure { display: inline-block; margin: 0 1rem 1rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } td, th { padding: .2rem .8rem; text-align: right }
th { border-bottom: 1px solid #999 } td:first-child, th:first-child { text-align: left }
code { background: #eee; padding: 0 .3rem } svg text { font: 11px system-ui, sans-serif; fill: currentColor }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } code { background: #333 } }
"""
Line = tuple[str, Sequence[tuple[float, float]]]


def page(result: Result, said: Advice, before: Result | None) -> str:
    """HTML."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(result.when))
    plots = [
        _plot("Tokens a second", _lines(result.steps, lambda step: step.tokens_per_second)),
        _plot("Milliseconds to the first token, median", _lines(result.steps, lambda step: 1000 * step.ttft_p50)),
        _plot("Milliseconds to the first token, 95th of 100", _lines(result.steps, lambda step: 1000 * step.ttft_p95)),
        _plot("Milliseconds from token to token", _lines(result.steps, lambda step: 1000 * step.token_p50)),
        _plot("Prompt tokens from cache, %", _lines(result.steps, lambda step: 100 * (step.cached or 0.0))),
        _plot("Requests that waited, at most", _lines(result.steps, lambda step: float(step.waiting or 0))),
    ]
    servers = "".join(
        f"<li><code>{escape(url)}</code>: {escape(', '.join(f'{name} {value}' for name, value in told.items() if value))}</li>"
        for url, told in result.servers.items()
    )
    advice = "".join(
        f"<li><code>{escape(text)}</code>: {escape(reason)}</li>"
        for text, reason in (
            *((f"{key} = {value}", reason) for key, (value, reason) in said.settings.items()),
            *((f"vllm serve {flag}", reason) for flag, reason in said.flags.items()),
        )
    )
    rows = "".join(_row(step, change(step, before)) for step in result.steps)
    head = "".join(f"<th>{name}</th>" for name in ("", *_CELLS, "than before"))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>agentic bench, {when}</title>'
        f"<style>{_STYLE}</style></head><body><h1>What the servers can do, {when}</h1><ul>{servers}</ul>{''.join(plots)}"
        f"<h2>What to set</h2><ul>{advice}</ul><h2>All numbers</h2><table><tr>{head}</tr>{rows}</table></body></html>\n"
    )


_CELLS: dict[str, Callable[[Step], str]] = {
    "in flight": lambda step: str(step.concurrency),
    "tokens/s": lambda step: f"{step.tokens_per_second:.1f}",
    "TTFT p50, ms": lambda step: f"{1000 * step.ttft_p50:.0f}",
    "p95": lambda step: f"{1000 * step.ttft_p95:.0f}",
    "ms/token": lambda step: f"{1000 * step.token_p50:.2f}",
    "prompt tokens": lambda step: f"{step.prompt_tokens:.0f}",
    "cached": lambda step: "" if step.cached is None else f"{step.cached:.0%}",
    "waiting": lambda step: "" if step.waiting is None else str(step.waiting),
    "KV": lambda step: "" if step.kv is None else f"{step.kv:.0%}",
    "requests": lambda step: str(step.requests),
    "failed": lambda step: str(step.failed),
}


def _row(step: Step, times: float | None) -> str:
    cells = [*(cell(step) for cell in _CELLS.values()), "" if times is None else f"× {times:.2f}"]
    return f"<tr><td>{escape(_name(step))}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _name(step: Step) -> str:
    where = step.endpoints[0] if len(step.endpoints) == 1 else f"all {len(step.endpoints)}"
    return f"{where}, {step.shape}"


def _lines(steps: Sequence[Step], value: Callable[[Step], float]) -> list[Line]:
    names = dict.fromkeys(_name(step) for step in steps)
    return [(name, [(step.concurrency, value(step)) for step in steps if _name(step) == name]) for name in names]


def _plot(title: str, lines: Sequence[Line]) -> str:
    """Requests in flight to the right, by powers of two."""
    points = [point for _, line in lines for point in line]
    across = max((log2(x) for x, _ in points), default=1.0) or 1.0
    up = max((y for _, y in points), default=1.0) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (WIDTH - LEFT - 10) * log2(x) / across, 10 + (HEIGHT - BELOW - 10) * (1 - y / up)

    parts = []
    for number in range(5):
        y = place(1, up * number / 4)[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8884"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(up * number / 4)}</text>')
    for x in sorted({x for x, _ in points}):
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{HEIGHT - BELOW + 16}" text-anchor="middle">{x:g}</text>')
    height = HEIGHT
    for number, (name, line) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (place(*point) for point in line)]
        height += 16
        parts.append(f'<rect x="{LEFT}" y="{height - 12}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 16}" y="{height - 3}">{escape(name)}</text>')
    return f'<figure><figcaption>{title}</figcaption><svg width="{WIDTH}" height="{height + 6}">{"".join(parts)}</svg></figure>'


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 10_000 else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
