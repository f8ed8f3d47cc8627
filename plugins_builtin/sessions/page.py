"""A session as a page that needs nothing but itself: no script, no address of anybody else's."""

import time
from collections.abc import Iterator
from html import escape
from typing import Any

from agentic.lib.diff import numbered
from agentic.lib.messages import from_record
from agentic.sessions.session import Record, Session

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CSS = """
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --soft: #f3f4f6; --line: #d8dce1; --dim: #6a727b;
  --added: #dafbe1; --removed: #ffebe9; --mark: #8250df; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e6ea; --back: #14171b; --soft: #1e2329; --line: #363d45; --dim: #98a1ab;
  --added: #123d22; --removed: #4b1a1c; --mark: #c8a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.2rem 4rem; font: 16px/1.55 system-ui, sans-serif; color: var(--text);
  background: var(--back); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } .about, .when { color: var(--dim); font-size: .85rem; }
section { margin: 1.4rem 0; } section.user { border-left: 3px solid var(--mark); padding-left: 1rem; }
section h2 { font-size: .85rem; margin: 0 0 .3rem; color: var(--dim); font-weight: 600; }
pre, code { font: 13px/1.5 ui-monospace, monospace; } code { background: var(--soft); padding: .1em .3em; border-radius: 4px; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto; }
pre.code { background: var(--soft); } pre code { background: none; padding: 0; }
details { margin: .5rem 0; } summary { cursor: pointer; font: 13px/1.6 ui-monospace, monospace; } summary.bad { color: #d1383d; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: .25rem .6rem; }
.diff { padding: .4rem 0; } .diff div { padding: 0 .9rem; white-space: pre-wrap; }
.diff .added { background: var(--added); } .diff .removed { background: var(--removed); } .diff .number { color: var(--dim); }
footer { color: var(--dim); border-top: 1px solid var(--line); padding-top: .6rem; font-size: .85rem; }
"""
_ROLES = {"+": "added", "-": "removed"}


def as_html(session: Session) -> Iterator[str]:
    """The conversation as a page: what was said, what was done with its differences and outputs, how it ended."""
    from pygments.formatters import HtmlFormatter

    title = escape(session.metadata("title") or session.id)
    colours = HtmlFormatter(style="default").get_style_defs("pre.code")
    dark = HtmlFormatter(style="github-dark").get_style_defs("pre.code")
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
    yield f"<style>{colours}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n{_CSS}</style>"
    about = f"{session.metadata('model')} · {session.metadata('root')} · session {session.id}"
    yield f'<h1>{title}</h1><p class="about">{escape(about)}</p>'
    page = _Page(has_turns=any(True for _ in session.records("turn")))
    waiting: Record | None = None  # a message may be amended until the next one comes, or the turn ends
    for record in session.records("turn", "message", "amended", "event"):
        if waiting and (record.kind == "message" or record.data.get("type") == "run_finished"):
            yield from page.message(waiting)
            waiting = None
        if record.kind == "turn":
            yield from page.turn(record)
        elif record.kind == "event":
            yield from page.event(record.data)
        else:
            waiting = record
    if waiting:
        yield from page.message(waiting)
    yield "<footer>made by agentic</footer></html>"


class _Page:
    """`has_turns`: what the user asked is told by the turns; messages are what the model read."""

    def __init__(self, has_turns: bool) -> None:
        from markdown_it import MarkdownIt

        self._has_turns = has_turns
        self._markdown = MarkdownIt("commonmark", {"html": False, "highlight": _highlighted}).enable("table")
        self._calls: dict[tuple[str, str], str] = {}

    def message(self, record: Record) -> Iterator[str]:
        message = from_record(record.data)
        if message is None or message.role not in ("user", "assistant") or not (message.text.strip() or message.reasoning):
            return
        if message.role == "user" and self._has_turns:
            yield f"<details><summary>what the model was told</summary><pre>{escape(message.text)}</pre></details>"
            return
        yield self._head(record, message.role)
        if message.reasoning:
            yield f"<details><summary>thought</summary><p>{escape(message.reasoning)}</p></details>"
        yield self._markdown.render(message.text) if message.role == "assistant" else _as_typed(message.text)
        yield "</section>"

    def turn(self, record: Record) -> Iterator[str]:
        yield self._head(record, "user") + _as_typed(str(record.data.get("task", ""))) + "</section>"

    def _head(self, record: Record, role: str) -> str:
        when = time.strftime("%H:%M:%S", time.localtime(record.time))
        who = role if record.agent == "main" else f"{role} · {record.agent}"
        return f'<section class="{role}"><h2>{escape(who)} <span class="when">{when}</span></h2>'

    def event(self, data: dict[str, Any]) -> Iterator[str]:
        match data.get("type"):
            case "tool_call":
                arguments = data.get("arguments") or {}
                main = arguments.get("command") or arguments.get("path") or arguments.get("query") or ""
                self._calls[str(data.get("agent")), str(data.get("id"))] = f"{data.get('name')} {main}"
            case "tool_result":
                yield from self._result(data)
            case "run_finished":
                files = ", ".join(map(str, data.get("files") or ()))
                yield f'<p class="about">{escape(str(data.get("status")))}{escape(f" · {files}" if files else "")}</p>'
            case "attempts_chosen":
                yield f'<p class="about">{escape(str(data.get("why")))}</p>'
                for each in data.get("attempts") or ():
                    if each.get("number") != data.get("number"):
                        said = f"attempt {each.get('number')}, not taken: {each.get('state')}"
                        yield f"<details><summary>{escape(said)}</summary>{_diff(str(each.get('diff')))}</details>"
            case "warning":
                yield f'<p class="about">{escape(str(data.get("message")))}</p>'

    def _result(self, data: dict[str, Any]) -> Iterator[str]:
        call = self._calls.pop((str(data.get("agent")), str(data.get("id"))), str(data.get("name")))
        ended = f" · exit {data['exit_code']} in {data.get('seconds', 0):.1f} s" if data.get("exit_code") is not None else ""
        who = "" if data.get("agent") in ("main", None) else f"{data['agent']}: "
        bad = ' class="bad"' if data.get("failed") else ""
        is_open = " open" if data.get("diff") else ""
        yield f"<details{is_open}><summary{bad}>{escape(f'{who}{call}{ended}')}</summary>"
        yield _diff(str(data["diff"])) if data.get("diff") else f"<pre>{escape(str(data.get('text', '')))}</pre>"
        yield "</details>"


def _as_typed(text: str) -> str:
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>'


def _diff(diff: str) -> str:
    rows = []
    for mark, number, text in numbered(diff):
        shown = f'<span class="number">{number:>5}</span> {mark} {escape(text)}' if number else escape(text) or "⋯"
        rows.append(f'<div class="{_ROLES.get(mark, "same")}">{shown}</div>')
    return f'<pre class="diff">{"".join(rows)}</pre>'


def _highlighted(code: str, language: str, _: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""
    return f'<pre class="code"><code>{highlight(code, lexer, HtmlFormatter(nowrap=True))}</code></pre>'
