"""The kinds of agents that there are here, and what each may not do."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from agentic.errors import ConfigError
from agentic.hooks.agents import AgentKind
from agentic.lib.guard import conforms
from agentic.plugins import Host
from agentic.types import ToolSpec

HOOK = "agentic_agents"


def kinds_of(host: Host, root: Path, report: Callable[[str], None] = lambda text: None) -> dict[str, AgentKind]:
    """By name: those of plugins, then the folder's own, which take no other's name."""
    found = {name: offer.record for name, offer in host.offers(HOOK).items()}
    more = host.in_folder(
        HOOK, "more", root, lambda offer, why: report(f"{host.owner(offer.plugin)}: no agents of this folder: {why}")
    )
    for _, kind in more:
        if conforms(kind, AgentKind):
            found.setdefault(kind.name, kind)
    return found


def kind_named(name: str, kinds: Mapping[str, AgentKind]) -> AgentKind:
    """Raises ConfigError that lists them."""
    if name not in kinds:
        raise ConfigError(f"there is no agent {name!r}", f"the agents are {', '.join(sorted(kinds)) or 'none'}")
    return kinds[name]


def refused(kind: AgentKind | None, tool: ToolSpec) -> str:
    """Why an agent of that kind may not call the tool, "" where it may."""
    if kind is None:
        return ""
    if kind.reads_only and tool.effect != "read" and not tool.fetches:
        return f"{tool.name} changes something, and the agent {kind.name} only reads"
    if any(fnmatchcase(tool.name, pattern) for pattern in kind.without):
        return f"the agent {kind.name} may not use {tool.name}"
    if kind.tools and not any(fnmatchcase(tool.name, pattern) for pattern in kind.tools):
        return f"the agent {kind.name} has no {tool.name}; its tools are {', '.join(kind.tools)}"
    return ""


def within(parent: AgentKind | None, kind: AgentKind | None) -> AgentKind | None:
    """Returns `kind` limited to what `parent` may do: a part may do no more than its agent.

    Its tools are those that both lists have, or the parent's where it lists none.
    """
    if parent is None or not (parent.reads_only or parent.without or parent.tools):
        return kind
    own = kind or replace(parent, name=f"of {parent.name}", text="", role="", tools=(), plans=False, more=None)
    both = tuple(each for each in own.tools if not parent.tools or any(fnmatchcase(each, pattern) for pattern in parent.tools))
    tools = both if own.tools else parent.tools
    without = (*own.without, *parent.without, *(("*",) if own.tools and not both else ()))
    return replace(own, tools=tools, without=without, reads_only=own.reads_only or parent.reads_only)
