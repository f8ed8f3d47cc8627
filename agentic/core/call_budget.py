"""How many model calls are left."""

from agentic.lib.record import record


@record(slots=True)
class CallBudget:
    """Model calls that the agents of one task may still make together. The agent and each of the `sub_agents` keep one."""

    left: int
    sub_agents: int = 0

    @property
    def only_to_report(self) -> bool:
        """True if sub-agents have to come to their end."""
        return self.left <= self.sub_agents + 1

    @property
    def for_one_more(self) -> bool:
        """True if another sub-agent could do anything but report."""
        return self.left > self.sub_agents + 2
