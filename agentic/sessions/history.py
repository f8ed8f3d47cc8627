"""The conversation of one agent and its model: append-only, kept with the session, valid after a kill."""

from collections.abc import Sequence

from agentic.lib.messages import from_record, to_record, valid
from agentic.sessions.blackboard import Blackboard
from agentic.sessions.session import Record, Session
from agentic.types import Content, Message, Role


class ConversationHistory:
    """An agent's conversation. Messages are only added; `rewrite` is a declared trim: what it left out stays in the session."""

    def __init__(self, session: Session, blackboard: Blackboard | None = None, agent: str = "main") -> None:
        self.session = session
        self.blackboard = blackboard or Blackboard(session)
        self.agent = agent
        self._has_partial = True
        self._messages = _restored(session, agent)
        self._keep_partial()

    def _keep_partial(self) -> None:
        """Adds the part of an answer that a killed process left as a message."""
        partial = self.session.metadata(f"partial:{self.agent}")
        if partial and self._messages and self._messages[-1].role != "assistant":
            self.add(Message("assistant", f"{partial}\n(interrupted)"))

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        self._messages.append(message)
        self.session.append("message", to_record(message), self.agent)
        if message.role == "assistant":
            self.partial("")

    def add_message(self, role: Role, content: str) -> None:
        """A message of nothing but text."""
        self.add(Message(role, content))

    def amend(self, message: Message) -> None:
        """Replaces the newest message, which was not sent yet."""
        self._messages[-1] = message
        self.session.append("amended", to_record(message), self.agent)

    def say(self, content: Content) -> None:
        """A word of the user's; joins the newest message where that is the user's too, since templates want roles to alternate."""
        last, said = self._messages[-1] if self._messages else None, Message("user", content)
        if last and last.role == "user":
            self.amend(last.and_then(said))
        else:
            self.add(said)

    def rewrite(self, messages: Sequence[Message]) -> None:
        """A declared trim: from now on the conversation is these."""
        self._messages = list(messages)
        self.session.append("view", {"messages": [to_record(message) for message in messages]}, self.agent)

    def rewind(self, until: int) -> None:
        """From now on the conversation is as it was before record `until` of the session."""
        self.rewrite(_restored(self.session, self.agent, until))

    def get_messages_for_llm(self) -> list[Message]:
        """The conversation as it stands after the last trim."""
        return list(self._messages)

    def share_context(self, key: str, value: str) -> None:
        """To every agent of the session."""
        self.blackboard.share(key, value, self.agent)

    def get_shared_context(self, key: str) -> str | None:
        return self.blackboard.get(key)

    def partial(self, text: str) -> None:
        """An answer in the making: what is there of it after a kill. It is over once the answer is added."""
        if text or self._has_partial:
            self._has_partial = bool(text)
            self.session.set_metadata(f"partial:{self.agent}", text)


def _restored(session: Session, agent: str, until: int = 1 << 62) -> list[Message]:
    """Returns the agent's messages as they were before record `until`."""
    views = (record for record in session.records("view") if record.agent == agent and record.seq < until)
    view = max(views, key=lambda record: record.seq, default=None)
    messages = _messages(view.data.get("messages")) if view else []
    for record in session.records("message", "amended", after=view.seq if view else 0):
        message = from_record(record.data) if record.agent == agent and record.seq < until else None
        if message and record.kind == "amended" and messages:
            messages[-1] = message
        elif message:
            messages.append(message)
    return valid(messages, _outputs(session, view))


def _messages(value: object) -> list[Message]:
    found = [from_record(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return [message for message in found if message]


def _outputs(session: Session, view: Record | None) -> dict[str, str]:
    events = session.records("event", after=view.seq if view else 0)
    return {str(e.data.get("id")): str(e.data.get("text")) for e in events if e.data.get("type") == "tool_result"}
