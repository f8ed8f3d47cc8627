"""The agent that plans and changes nothing."""

from agentic import AgentKind

PLAN = AgentKind(
    "plan",
    "reads, changes nothing, and ends in a plan that you approve, edit or reject",
    "Plan this first; change nothing and run nothing yet. Read what you need to know. Then answer with the plan: the steps in"
    " order, the files that each one changes, and how the outcome is checked. Say what is unclear.",
    reads_only=True,
    plans=True,
)
