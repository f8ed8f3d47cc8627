"""The parts of a large task on agents of their own.

`SubAgents` carries a plan out. `Team` is the agents of one plan and the only place that spawns; `member` is one of them at its
part. `Leases` and `Worktrees` keep writers apart, `Merging` joins what they did; `briefing` is what a sub-agent reads; `report`
makes one result of all. `Elsewhere` has a `Runner` do parts in other processes, whose side is `remote`; `Trees` carries the files.
"""

from agentic.core.sub_agents.delegation import SubAgents

__all__ = ["SubAgents"]
