"""The questions that are put to whoever sits at the editor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from acp import Client, text_block, tool_content
from acp.schema import PermissionOption, ToolCallUpdate

from agentic import Answered, Question
from plugins_builtin.acp.updates import Updates


class EditorQuestions:
    """Puts the questions of one editor's `session()`; `updates` know the call that each agent is at."""

    def __init__(self, client: Client, session: Callable[[], str], updates: Updates) -> None:
        self._client = client
        self._session = session
        self._updates = updates

    async def answer(self, question: Question) -> Answered:
        """Puts a question of the host's to the user. What the editor cannot put is answered with no."""
        call = self._updates.current.get(question.agent, "question")
        content = [self._updates.proposed(path, text) for path, text in question.editable.items()] if question.is_diff else []
        if not content and (said := "\n".join(filter(None, (question.body, *question.warnings, question.reason)))):
            content = [tool_content(text_block(said))]
        if question.choices is not None:
            options = {f"choice-{number}": choice for number, choice in enumerate(question.choices)}
            chosen = await self.permission(call, question.what, content, options)
            return Answered("once", options[chosen]) if chosen in options else Answered("no")
        allow = {"once": "Allow"} | (
            {"session": "Always, in this session", "project": "Always, here"} if question.proposals else {}
        )
        chosen = await self.permission(call, question.what, content, allow)
        return Answered(chosen) if chosen in allow else Answered("no")  # type: ignore[arg-type]

    async def permission(self, call: str, title: str, content: Sequence[Any], allow: Mapping[str, str]) -> str | None:
        """Which of `allow` the user chose, "no", or None where the turn is over."""
        options = [
            PermissionOption(option_id=name, name=said, kind="allow_always" if said.startswith("Always") else "allow_once")
            for name, said in allow.items()
        ]
        options.append(PermissionOption(option_id="no", name="Reject", kind="reject_once"))
        update = ToolCallUpdate(tool_call_id=call, title=title, status="pending", content=list(content) or None)
        answer = await self._client.request_permission(session_id=self._session(), tool_call=update, options=options)
        return str(answer.outcome.option_id) if answer.outcome.outcome == "selected" else None
