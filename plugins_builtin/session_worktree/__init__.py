"""A session in a git worktree of its own: `--worktree NAME`."""

from agentic import PluginInfo, hookimpl


@hookimpl
def agentic_plugin() -> PluginInfo:
    does = f"{__name__}.entering:enter=NAME"
    return PluginInfo(flags={"--worktree": f"{does} work in a git worktree of this name, beside the repository"})
