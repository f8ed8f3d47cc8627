"""Conversations that survive: one SQLite file per session in the user's state folder."""

from agentic.sessions.blackboard import Blackboard
from agentic.sessions.history import ConversationHistory
from agentic.sessions.session import Session, name_session
from agentic.sessions.store import SessionStore, Summary

__all__ = ["Blackboard", "ConversationHistory", "Session", "SessionStore", "Summary", "name_session"]
