"""A sub-agent at its part: within its turns and its time, until the files that it was to write are there."""

import asyncio
import logging
import math
import os
from collections.abc import Callable, Sequence

from agentic.core.agent import Agent
from agentic.core.agent_services import AgentServices
from agentic.core.sub_agents.briefing import MAX_SHOWN
from agentic.core.sub_agents.leases import is_folder
from agentic.errors import AgenticError
from agentic.lib.workspace import Workspace
from agentic.types import Subtask

_log = logging.getLogger("agentic.sub_agents")
REPORT_AT = 0.8  # of a sub-agent's time, from when on its next turn is the last
Done = tuple[str, str, tuple[str, ...]]
"""(status, what it said, the files that it was to write and that are not there)"""


async def work(agent: Agent, services: AgentServices, subtask: Subtask, seconds: float, begin: Callable[[], None]) -> Done:
    """Raises nothing but CancelledError. `begin` gives the agent its task."""
    name, limits = agent.context.history.agent, services.approver.limits
    try:
        async with asyncio.timeout(seconds) as limits[name]:
            agent.has_to_end = lambda: _left(limits[name]) < (1 - REPORT_AT) * seconds
            begin()
            status, said = await agent.run()
            return await _done(agent, services, subtask, said) if status == "done" else (status, said, ())
    except TimeoutError:
        return "timeout", out_of_time(agent, seconds), ()
    except AgenticError as error:
        return "failed", str(error), ()
    except Exception as error:  # ours: it is one part's end, not everybody's
        _log.exception("sub-agent %s failed", name)
        return "failed", f"{type(error).__name__}: {error}", ()
    finally:
        limits.pop(name, None)


def out_of_time(agent: Agent, seconds: float) -> str:
    """Returns the message about a sub-agent that did not end by itself."""
    return f"its {seconds:g} s were up; the last it said: {agent.last_words[:MAX_SHOWN]}"


async def _done(agent: Agent, services: AgentServices, subtask: Subtask, said: str) -> Done:
    """It is told once what is missing."""
    status, missing, work = "done", _missing(services.workspace, subtask.writes), agent.tools.work
    if missing and not work.write_failed:
        agent.tell(services.prompts("part.not_there", files=", ".join(missing)))
        status, said = await agent.run()
        missing = _missing(services.workspace, subtask.writes)
    if status == "done" and work.write_failed and not work.changes:
        return "gave_up", f"It could not write anything. {said}", tuple(missing)
    return status, said, tuple(missing)


def _left(limit: asyncio.Timeout) -> float:
    end = limit.when()
    return math.inf if end is None else end - asyncio.get_running_loop().time()


def _missing(space: Workspace, files: Sequence[str]) -> list[str]:
    return [path for path in files if not is_folder(path) and not os.path.lexists(space.root / path)]
