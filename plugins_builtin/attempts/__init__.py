"""Attempts: several agents at one task, each in a tree of its own; the first that is proved is taken, else the best."""

from collections.abc import Iterable

from agentic import ChatCommand, FanOutSetup, Options, PluginInfo, Section, hookimpl, setting
from agentic.hooks.chat import Chat
from agentic.hooks.fan_out import TakesTasks, TaskProvider

MOST = 16


class AttemptOptions(Section):
    """`[attempts]`"""

    count: int = setting(
        1, f"attempts at a task that begin together, each in a git worktree, {MOST} at most: the same as --attempts", minimum=1
    )
    auto: int = setting(0, "how many begin where the first one's work fails its checks, or takes long; 0: none")
    after: float = setting(120.0, "seconds until one takes long, where the servers have room for more")
    rounds: int = setting(1, "how often attempts that fail go on with what fails")


def _make(setup: FanOutSetup) -> TakesTasks:
    from plugins_builtin.attempts.fan_out import Attempts

    return Attempts(setup)


async def _try(argument: str, chat: Chat) -> None:
    from plugins_builtin.attempts.command import attempts

    await attempts(argument, chat)


async def _take(argument: str, chat: Chat) -> None:
    from plugins_builtin.attempts.command import take

    await take(argument, chat)


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(
        Options(f"{__name__}:AttemptOptions", section="attempts"),
        flags={"--attempts": "count this many agents try the task in parallel; the first that passes the checks wins"},
    )


@hookimpl
def agentic_fan_outs() -> Iterable[TaskProvider]:
    yield TaskProvider("attempts", "several agents at one task; the first that is proved is taken, else the best", _make)


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("attempts", "N TASK: has N agents try it, each in a tree of its own", _try, group="Tasks")
    yield ChatCommand("take", "N brings in what another attempt did (/diff N shows it)", _take, group="Tasks")
