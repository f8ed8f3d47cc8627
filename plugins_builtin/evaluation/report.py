"""The report of an evaluation: a table for the terminal, and a page."""

import html
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plugins_builtin.evaluation.statistics import interval, sign_test

Rows = Mapping[str, Mapping[str, Any]]
"""By task the row of results."""
HEAD = ("SETTING", "SOLVED", "95 %", "DONE BUT WRONG", "MEDIAN", "PROMPT", "CACHED", "MADE")


def table(settings: Mapping[str, Rows]) -> list[tuple[str, ...]]:
    """A line for each setting, below the heads of the columns."""
    return [HEAD, *(_line(name, list(rows.values())) for name, rows in settings.items())]


def _line(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    solved, count = sum(row["solved"] for row in rows), len(rows)
    low, high = interval(solved, count)
    wrong = sum(row["status"] == "done" and not row["solved"] for row in rows)
    seconds = statistics.median(row["seconds"] for row in rows) if rows else 0.0
    prompt, cached, made = (sum(row[key] for row in rows) for key in ("prompt_tokens", "cached_tokens", "completion_tokens"))
    share = f"{cached / prompt:.0%}" if prompt else ""
    return (
        name,
        f"{solved} of {count}",
        f"{low:.0%} to {high:.0%}",
        str(wrong),
        f"{seconds:.1f} s",
        f"{prompt:,}",
        share,
        f"{made:,}",
    )


def compared(first: Rows, second: Rows) -> str:
    """A sentence on two settings, by the tasks that both did."""
    both = first.keys() & second.keys()
    only_first = sorted(name for name in both if first[name]["solved"] and not second[name]["solved"])
    only_second = sorted(name for name in both if second[name]["solved"] and not first[name]["solved"])
    chance = sign_test(len(only_first), len(only_second))
    by_chance = "may be chance" if chance > 0.05 else "is no chance"
    lines = [
        f"of {len(both)} tasks the first alone solves {len(only_first)}, the second alone {len(only_second)}: "
        f"the difference {by_chance} (exact sign test, p = {chance:.3g})"
    ]
    lines += [
        f"the {which} alone: {', '.join(names)}" for which, names in (("first", only_first), ("second", only_second)) if names
    ]
    return "\n".join(lines)


def page(settings: Mapping[str, Rows], sentence: str) -> str:
    """The same with a line for each task, as HTML that needs nothing from outside."""
    names = list(dict.fromkeys(name for rows in settings.values() for name in rows))
    per_task = [("task", *settings), *((name, *(_cell(rows.get(name)) for rows in settings.values())) for name in names)]
    style = "body{font:14px system-ui;margin:2em}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}"
    body = "".join(f"<p>{html.escape(line)}</p>" for line in sentence.splitlines())
    return (
        f"<!doctype html><meta charset=utf-8><title>agentic eval</title><style>{style}</style><h1>agentic eval</h1>"
        f"{_as_html(table(settings))}{body}<h2>Tasks</h2>{_as_html(per_task)}\n"
    )


def _cell(row: Mapping[str, Any] | None) -> str:
    return f"{'solved' if row['solved'] else 'not solved'} ({row['status']}, {row['seconds']} s)" if row else ""


def _as_html(lines: Iterable[Sequence[str]]) -> str:
    head, *rest = lines
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>" for line in rest)
    return f"<table><tr>{cells}</tr>{body}</table>"
