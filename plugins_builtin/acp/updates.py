"""The events of a run, as an editor shows them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from acp import (
    plan_entry,
    start_tool_call,
    text_block,
    tool_content,
    tool_diff_content,
    update_agent_message_text,
    update_agent_thought_text,
    update_plan,
    update_tool_call,
    update_user_message_text,
)
from acp.schema import ToolCallLocation, UsageUpdate

from agentic.events import (
    Event,
    LlmChunk,
    LlmRequest,
    ReasoningChunk,
    RunFinished,
    RunStarted,
    SubAgentFinished,
    SubAgentStarted,
    TodoChanged,
    ToolCalled,
    ToolProgress,
    ToolResult,
    Warned,
    read_event,
)

MAX_TEXT = 20_000  # characters of one tool's output
MAX_FILE = 2_000_000  # bytes of a file whose difference is shown
_KINDS = {
    "read_file": "read",
    "list_files": "search",
    "search": "search",
    "edit_file": "edit",
    "write_file": "edit",
    "apply_patch": "edit",
    "run": "execute",
    "job": "execute",
    "web_fetch": "fetch",
    "web_search": "fetch",
    "delegate": "think",
    "todo": "think",
}
_STATES = {"open": "pending", "doing": "in_progress", "done": "completed"}
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


def kind_of(tool: str) -> Any:
    """How an editor shows calls of that tool."""
    return _KINDS.get(tool, "other")


class Updates:
    """The updates of one session in `root`, made from its events; `current` is the call that runs, by agent."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._turn = 0
        self._streamed = ""  # of the main agent's answers in this turn
        self._before: dict[str, dict[str, str | None]] = {}
        self._gave: dict[str, str] = {}
        self.current: dict[str, str] = {}

    def of(self, event: Event) -> Iterator[Any]:
        """Yields the updates that tell an editor of an event."""
        name = f"{self._turn}-{event.agent}-{getattr(event, 'id', '')}"
        if isinstance(event, RunStarted):
            self._turn, self._streamed = self._turn + 1, ""
        elif isinstance(event, LlmChunk) and event.agent == "main":
            self._streamed += event.text
            yield update_agent_message_text(event.text)
        elif isinstance(event, ReasoningChunk) and event.agent == "main":
            yield update_agent_thought_text(event.text)
        elif isinstance(event, ToolCalled):
            yield self._called(name, event)
        elif isinstance(event, ToolProgress):
            self._gave[name] = (self._gave.get(name, "") + event.text)[-MAX_TEXT:]
            yield update_tool_call(name, content=[tool_content(text_block(self._gave[name]))])
        elif isinstance(event, ToolResult):
            yield self._result(name, event)
        elif isinstance(event, TodoChanged):
            yield update_plan([plan_entry(text, status=_STATES.get(state, "pending")) for text, state in event.items])  # type: ignore[arg-type]
        elif isinstance(event, SubAgentStarted):
            yield start_tool_call(f"{self._turn}-{event.agent}", event.task, kind="think", status="in_progress")
        elif isinstance(event, SubAgentFinished):
            status: Any = "completed" if event.status == "done" else "failed"
            yield update_tool_call(f"{self._turn}-{event.agent}", status=status)
        elif isinstance(event, Warned):
            yield update_agent_thought_text(f"\n(warning: {event.message})\n")
        elif isinstance(event, LlmRequest) and event.agent == "main" and event.purpose == "turn":
            yield UsageUpdate(session_update="usage_update", used=event.prompt_tokens, size=event.budget)
        elif isinstance(event, RunFinished) and (rest := self._unsaid(event.result)):
            yield update_agent_message_text(rest)

    def replayed(self, session: Any) -> Iterator[Any]:
        """Yields the updates for what was said and done in a session, from its records."""
        for record in session.records("turn", "message", "event"):
            if record.agent != "main":
                continue
            if record.kind == "turn":
                yield update_user_message_text(str(record.data.get("task", "")))
            elif record.kind == "event":
                event = read_event(record.data)
                if isinstance(event, RunStarted | ToolCalled | ToolResult):
                    yield from self.of(event)
            elif record.data.get("role") == "assistant":
                yield from self._answered(record.data)

    def _answered(self, message: Mapping[str, Any]) -> Iterator[Any]:
        reasoning, text = message.get("reasoning"), message.get("content")
        if isinstance(reasoning, str) and reasoning:
            yield update_agent_thought_text(reasoning)
        if isinstance(text, str) and text:
            yield update_agent_message_text(text)

    def _unsaid(self, result: str) -> str:
        """Returns the lines of the result that were not streamed: notes of the checks, an error."""
        lines = [line for line in result.splitlines() if line.strip() and line.strip() not in self._streamed]
        return "\n\n" + "\n".join(lines) if lines else ""

    def _called(self, name: str, event: ToolCalled) -> Any:
        self.current[event.agent] = name
        paths = _paths(event.arguments)
        self._before[name] = {path: self._content(path) for path in paths if kind_of(event.name) == "edit"}
        locations = [ToolCallLocation(path=str(self._root / path)) for path in paths]
        title = " ".join([event.name, *(str(value).partition("\n")[0] for value in event.arguments.values())])[:200]
        return start_tool_call(
            name,
            title,
            kind=kind_of(event.name),
            status="in_progress",
            locations=locations,
            raw_input=dict(event.arguments),
        )

    def _result(self, name: str, event: ToolResult) -> Any:
        content = self._changes(self._before.pop(name, {}), event.changes)
        if not content or event.failed:
            content.append(tool_content(text_block(event.text[:MAX_TEXT])))
        self._gave.pop(name, None)
        return update_tool_call(name, status="failed" if event.failed else "completed", content=content)

    def _changes(self, before: Mapping[str, str | None], changes: Sequence[Mapping[str, str]]) -> list[Any]:
        found: list[Any] = []
        for path in dict.fromkeys([*before, *(change["path"] for change in changes)]):
            after = self._content(path)
            if path in before and after != before[path]:
                found.append(tool_diff_content(str(self._root / path), after or "", before[path]))
        return found

    def _content(self, path: str) -> str | None:
        """A text file of the folder, None where there is none."""
        target = self._root / path
        try:
            inside = target.resolve().is_relative_to(self._root.resolve())
            return target.read_text("utf-8") if inside and target.is_file() and target.stat().st_size < MAX_FILE else None
        except (OSError, UnicodeDecodeError):
            return None

    def proposed(self, path: str, text: str) -> Any:
        """A change that is not made yet."""
        return tool_diff_content(str(self._root / path), text, self._content(path))


def _paths(arguments: Mapping[str, Any]) -> list[str]:
    """The files that a call is about."""
    path = arguments.get("path")
    if isinstance(path, str) and path:
        return [path]
    return [path for value in arguments.values() if isinstance(value, str) for path in _PATCHED.findall(value)]
