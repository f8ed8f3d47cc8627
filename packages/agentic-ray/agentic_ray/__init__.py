"""Sub-agents on a Ray cluster: `sub_agents.runner = "ray"`."""

from collections.abc import Iterable

from agentic import Options, PluginInfo, Provider, Runner, RunnerSetup, hookimpl


def _runner(setup: RunnerSetup) -> Runner:
    from agentic_ray.runner import RayRunner

    return RayRunner(setup)


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options("agentic_ray.options:RayOptions"))


@hookimpl
def agentic_runners() -> Iterable[Provider[Runner]]:
    yield Provider("ray", "sub-agents on a Ray cluster", _runner)
