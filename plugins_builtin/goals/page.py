"""The morning after: what holds now and what does not, what was tried, what it cost, what waits for you."""

from collections.abc import Iterator
from html import escape

from agentic.events import ToolResult, UsageReported
from agentic.sessions import Session
from plugins_builtin.goals.goal import Goal, events_of, files_of, first_line
from plugins_builtin.goals.loop import WORDS

_STYLE = """
body { font: 15px/1.5 system-ui; max-width: 60rem; margin: 2rem auto } th { text-align: left; vertical-align: top }
pre { margin: 0; white-space: pre-wrap }
"""


def as_text(session: Session, goal: Goal) -> str:
    return "\n".join(f"{name:<10}{line}" for name, line in _rows(session, goal))


def _rows(session: Session, goal: Goal) -> Iterator[tuple[str, str]]:
    yield "goal", goal.text
    yield from _rows_of("checks", goal.checks)
    yield "state", WORDS.get(goal.status, "open: `agentic goal resume` goes on")
    yield "spent", f"{goal.spent} of {goal.budget}"
    prompts, cached, made = _tokens(session)
    yield "tokens", f"{prompts:,} of prompts ({100 * cached // max(1, prompts)} % from the cache), {made:,} made"
    if goal.failing and goal.status != "proved":
        yield from _rows_of("fails", goal.failing.split("\n")[:20])
    yield from _rows_of("files", files_of(session))
    yield from _rows_of(
        "tries", [f"{n}. {', '.join(each.files) or 'no file'}: {first_line(each.said)}" for n, each in enumerate(goal.tries, 1)]
    )
    yield from _rows_of("asked", goal.waiting)
    yield (
        "undo",
        f"agentic sessions undo {session.id} takes the last turn back; /rewind in `agentic --resume {session.id}` any of them",
    )


def _rows_of(name: str, lines: "tuple[str, ...] | list[str]") -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield (name if not number else ""), line


def _tokens(session: Session) -> tuple[int, int, int]:
    """(of prompts, of these from the cache, made)"""
    usages = events_of(session, UsageReported)
    cached = sum(usage.cached_tokens or 0 for usage in usages)
    return sum(usage.prompt_tokens for usage in usages), cached, sum(usage.completion_tokens for usage in usages)


def as_html(session: Session, goal: Goal) -> str:
    rows = "\n".join(f"<tr><th>{escape(name)}</th><td><pre>{escape(line)}</pre></td></tr>" for name, line in _rows(session, goal))
    results = [event for event in events_of(session, ToolResult) if event.diff]
    changes = "\n".join(f"<h3>{escape(event.name)}</h3><pre>{escape(event.diff)}</pre>" for event in results)
    head = f"<!doctype html><meta charset=utf-8><title>{escape(goal.text)}</title><style>{_STYLE}</style>"
    return f"{head}<h1>{escape(goal.text)}</h1><table>{rows}</table><h2>What it changed</h2>{changes}"
