"""A sub-agent at its part: within its turns and its time, until the files that it was to write are there."""

import logging
import os
from collections.abc import Callable, Sequence

from agentic import AgenticError, SubAgent, Subtask, Workspace
from plugins_builtin.sub_agents.briefing import MAX_SHOWN
from plugins_builtin.sub_agents.leases import is_folder

_log = logging.getLogger("agentic.sub_agents")
Done = tuple[str, str, tuple[str, ...]]
"""(status, what it said, the files that it was to write and that are not there)"""


async def work(agent: SubAgent, subtask: Subtask, seconds: float, prompt: Callable[..., str], begin: Callable[[], None]) -> Done:
    """Raises nothing but CancelledError. `begin` gives the agent its task; `prompt` has the texts that models read."""
    try:
        async with agent.within(seconds):
            begin()
            status, said = await agent.run()
            return await _done(agent, subtask, said, prompt) if status == "done" else (status, said, ())
    except TimeoutError:
        return "timeout", out_of_time(agent, seconds), ()
    except AgenticError as error:
        return "failed", str(error), ()
    except Exception as error:  # ours: it is one part's end, not everybody's
        _log.exception("sub-agent %s failed", agent.name)
        return "failed", f"{type(error).__name__}: {error}", ()


def out_of_time(agent: SubAgent, seconds: float) -> str:
    """Returns the message about a sub-agent that did not end by itself."""
    return f"its {seconds:g} s were up; the last it said: {agent.last_words[:MAX_SHOWN]}"


async def _done(agent: SubAgent, subtask: Subtask, said: str, prompt: Callable[..., str]) -> Done:
    """It is told once what is missing."""
    status, missing = "done", _missing(agent.workspace, subtask.writes)
    if missing and not agent.could_not_write:
        agent.tell(prompt("part.not_there", files=", ".join(missing)))
        status, said = await agent.run()
        missing = _missing(agent.workspace, subtask.writes)
    if status == "done" and agent.could_not_write and not agent.changes:
        return "gave_up", f"It could not write anything. {said}", tuple(missing)
    return status, said, tuple(missing)


def _missing(space: Workspace, files: Sequence[str]) -> list[str]:
    return [path for path in files if not is_folder(path) and not os.path.lexists(space.root / path)]
