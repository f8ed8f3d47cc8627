"""A tournament in pairs: the model compares what two attempts did, by a short summary of each, and sees no transcript."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations

from agentic import AgenticError, Message, Workspace
from agentic.hooks.fan_out import Lead
from agentic.lib.contents import content_of
from agentic.lib.diff import difference
from plugins_builtin.attempts.contender import Contender

MOST = 4  # that are compared with one another
MAX_DIFF, MAX_OUTPUT, MAX_COMMANDS = 3_000, 300, 3  # characters, and commands, of a summary
TOKENS = 60
SCHEMA = {
    "type": "object",
    "properties": {"better": {"type": "string", "enum": ["A", "B"]}},
    "required": ["better"],
    "additionalProperties": False,
}


async def winner_of(contenders: Sequence[Contender], lead: Lead, prompt: Callable[..., str], task: str) -> Contender:
    """The one that wins most comparisons, each pair being compared in both orders; the first of equals."""
    rivals = contenders[:MOST]
    if len(rivals) < 2:
        return rivals[0]
    pairs = list(permutations(rivals, 2))
    shown = {each.number: summary(each, lead.workspace) for each in rivals}
    asked = [
        [Message("user", prompt("attempts.compare", task=task, first=shown[one.number], second=shown[other.number]))]
        for one, other in pairs
    ]
    try:
        answers = await lead.llm.gather(asked, schema=SCHEMA, max_tokens=TOKENS)
    except AgenticError:
        return rivals[0]
    found = zip(pairs, map(_better, answers), strict=True)
    wins = Counter({"A": one, "B": other}[better].number for (one, other), better in found if better)
    return max(rivals, key=lambda each: wins[each.number])


def summary(contender: Contender, space: Workspace) -> str:
    """Says in a few lines what the attempt changed, what it ran, and what came of it."""
    agent = contender.attempt.agent
    ran = [
        f"ran: {command}\nexit code {output.exit_code}: {' '.join(output.text.split())[-MAX_OUTPUT:]}"
        for command, output in list(agent.ran.items())[-MAX_COMMANDS:]
    ]
    return "\n".join((diff_of(contender, space)[:MAX_DIFF], *ran))


def diff_of(contender: Contender, space: Workspace) -> str:
    """The unified diff of what the attempt changed; `space` is the folder as it began with it."""
    return "".join(difference(path, content_of(space, path), data) for path, data in sorted(contender.best.files.items()))


def _better(answer: str) -> str:
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    better = found.get("better") if isinstance(found, dict) else ""
    return better if better in ("A", "B") else ""
