"""Conversations that survive: one SQLite file per session in the user's state folder."""

from agentic.sessions.blackboard import Blackboard
from agentic.sessions.history import ConversationHistory
from agentic.sessions.shelf import Shelf, Summary
from agentic.sessions.store import Session

__all__ = ["Blackboard", "ConversationHistory", "Session", "Shelf", "Summary"]
