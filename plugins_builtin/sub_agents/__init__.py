"""Plans on sub-agents: their parts in this process, each in a process of its own, or wherever a plugin's runner puts them."""

from collections.abc import Iterable

from agentic import Closes, Command, FanOut, FanOutSetup, Hook, Provider, Runner, RunnerSetup, hookimpl
from agentic.hooks import runner


def _local(setup: FanOutSetup) -> FanOut:
    from plugins_builtin.sub_agents.local import SubAgents

    return SubAgents(setup)


def _process(setup: RunnerSetup) -> Runner:
    from plugins_builtin.sub_agents.process import ProcessRunner

    return ProcessRunner(setup)


@hookimpl
def agentic_add_hooks() -> Iterable[Hook]:
    yield Hook(Provider, Runner, (Closes,), "sub_agents.runner", spec=runner.agentic_runners)


@hookimpl
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    yield Provider("local", "as many parts at once as sub_agents.max_concurrent says", _local, default=True)


@hookimpl
def agentic_runners() -> Iterable[Provider[Runner]]:
    yield Provider("process", "each sub-agent in a process of its own", _process)


@hookimpl
def agentic_commands() -> Iterable[Command]:
    yield Command("sub-agent", "does the part of a plan", "plugins_builtin.sub_agents.command:command", hidden=True)
