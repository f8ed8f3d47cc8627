"""The parts of a large task on agents of their own.

`SubAgents` carries a plan out. `Team` is the agents of one plan and the only place that spawns; `Leases` and `Worktrees` keep
writers apart; `briefing` is what a sub-agent reads; `report` makes one result of all.
"""

from agentic.core.sub_agents.delegation import SubAgents

__all__ = ["SubAgents"]
