"""The parts that commands share, ours and plugins': the options that open a run.

@click.command(cls=RunCommand)
@common_options
def review(root: Path, settings: Settings) -> int:
    events = list(agentic.run_sync("review the last commit", root=root, settings=settings))
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agentic.config import load
from agentic.errors import AgenticError, ConfigError
from agentic.lib.own_flag import FOLDER, OwnFlag
from agentic.plugins import Host, discovery, host_of
from agentic.plugins.host import Offer
from agentic.types import LATEST

list_output = click.option("--output", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs.")


def present_host() -> Host:
    """All plugins that this folder's configuration allows. A broken configuration does not keep them from being listed."""
    return _present_host(os.getcwd())


@functools.lru_cache(maxsize=1)
def _present_host(folder: str) -> Host:
    try:
        return host_of(load(Path(folder)))
    except AgenticError:
        return Host()


def transport_flags() -> dict[str, Offer]:
    """The options that select a transport, by their names in Python ("local" for --local)."""
    from agentic import TransportProvider

    try:
        offers = present_host().offers("agentic_transports").values()
    except AgenticError:
        return {}
    with_flags = [offer for offer in offers if isinstance(offer.record, TransportProvider) and offer.record.flag]
    return {offer.record.flag.lstrip("-").replace("-", "_"): offer for offer in with_flags}


def own_flags() -> dict[str, OwnFlag]:
    """The options that set a key of a plugin's own, or call its function, by their names in Python."""
    host = present_host()
    offered = [(host.section_of(name), *each) for name, info in host.infos("flags").items() for each in info.flags.items()]
    found = [OwnFlag(flag, key if ":" in key.split()[0] else f"{section}.{key}") for section, flag, key in offered]
    return {flag.name: flag for flag in found}


class RunCommand(click.Command):
    """Has the options that plugins add for their transports; such a flag takes a value or nothing.

    What follows it is its value only where the command's own argument is left over.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        transports = (offer.record for offer in transport_flags().values())
        flags = [click.Option([each.flag], metavar="[VALUE]", help=each.summary) for each in transports]
        given = super().get_params(ctx)
        works = any(option.name == "approve" for option in given)
        return [*flags, *(each.option(is_shown=works) for each in own_flags().values()), *given]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {offer.record.flag for offer in transport_flags().values()} & set(args)
        if not flags:
            return super().parse_args(ctx, args)
        place = args.index(flag := flags.pop())
        bare = [*args[:place], f"{flag}=", *args[place + 1 :]]
        value = args[place + 1] if place + 1 < len(args) else ""
        if not value or value.startswith("-") or any(c.isspace() for c in value):
            return super().parse_args(ctx, bare)
        with_value = [*args[:place], f"{flag}={value}", *args[place + 2 :]]
        try:
            with self.make_context(ctx.info_name, list(with_value), resilient_parsing=False):
                pass
        except click.MissingParameter:
            return super().parse_args(ctx, bare)
        return super().parse_args(ctx, with_value)


_FOLDER = click.Path(exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)
_MODEL_OPTIONS = (
    click.option("-C", "folder", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Work in DIR."),
    click.option("--endpoint", multiple=True, metavar="URL", help="An OpenAI-compatible endpoint (repeatable)."),
    click.option("--model", metavar="NAME", help="The model. Default: what the endpoint serves."),
    click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE", help="Any configuration key (repeatable)."),
    click.option("-e", "tried", multiple=True, metavar="FILE", type=_FILE, help="Try a plugin that is one file (repeatable)."),
    click.option("--log", metavar="FILE", help="Log internal events to FILE, one line each."),
    click.option("--debug", is_flag=True, help="Show tracebacks, and which parts of a prompt take its tokens."),
)
_RUN_OPTIONS = (
    click.option("--output", metavar="NAME", help="rich, plain, jsonl or a plugin's. Default: the richest that can be shown."),
    click.option("--approve", type=click.Choice(["ask", "edits", "all", "none"]), help="Default: ask in a terminal, else none."),
    click.option("--no-sandbox", is_flag=True, help="Run commands without a sandbox: nothing confines them to this folder."),
    click.option("--no-floor", is_flag=True, help="Never ask about what the mode allows, not even irreversible commands."),
    click.option("--add-dir", multiple=True, metavar="DIR", type=_FOLDER, help="Also work in DIR (repeatable)."),
    click.option("--max-iterations", type=int, metavar="N", help="The maximum number of model calls."),
    click.option("--agent", metavar="NAME", help="The agent definition to follow, such as one of .claude/agents."),
    click.option("--sub-agents/--no-sub-agents", default=None, help="Always or never split the task. Default: by its size."),
)


def model_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that choose a model; the function gets `root` (a Path) and `settings` in their place."""
    return _with(_MODEL_OPTIONS, function)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of a run; the function gets `root` (a Path) and `settings` in their place."""
    return _with(_MODEL_OPTIONS + _RUN_OPTIONS, function)


def _with(options: tuple[Callable[..., Any], ...], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(folder: Path, pairs: tuple[str, ...], tried: tuple[Path, ...], **given: Any) -> Any:
        discovery.tried += [path for path in tried if path not in discovery.tried]
        root = click.get_current_context().meta.get(FOLDER, folder).absolute()
        if folder != Path() and root != folder.absolute():
            raise ConfigError(f"-C {folder} and {root} are two folders", "go there with cd, and leave -C out")
        if not root.is_dir():
            raise ConfigError(f"-C {folder}: no such folder")
        from agentic.api import load_settings

        flags = tuple(f"{flag.key}={value}" for name, flag in own_flags().items() if (value := given.pop(name, None)) is not None)
        settings = load_settings(root, _settings_of(given) | _flags(given), (*pairs, *flags))
        return function(root=root, settings=settings, **given)

    for option in reversed(options):
        wrapper = option(wrapper)
    return wrapper


def _settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the options that are settings out of `given`."""
    sub_agents = given.pop("sub_agents", None)
    found = {
        "llm.endpoints": given.pop("endpoint") or None,
        "llm.model": given.pop("model"),
        "log.file": given.pop("log"),
        "ui.debug": given.pop("debug") or None,
        "ui.renderer": given.pop("output", None),
        "approval.mode": given.pop("approve", None),
        "tools.folders": [os.path.abspath(each) for each in given.pop("add_dir", ())] or None,
        "sandbox.mode": "off" if given.pop("no_sandbox", False) else None,
        "permissions.floor": False if given.pop("no_floor", False) else None,
        "workflow.max_iterations": given.pop("max_iterations", None),
        "workflow.agent": given.pop("agent", None),
        "sub_agents.enabled": sub_agents,
        "sub_agents.always": sub_agents or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the transports' flags out of `given`: each selects its transport, and its value goes to the plugin's own key."""
    found: dict[str, Any] = {}
    for name, offer in transport_flags().items():
        value = given.pop(name, None)
        if value is not None:
            found["llm.transport"] = offer.record.name
        if value:
            found[f"{present_host().section_of(offer.plugin)}.{offer.record.flag_key}"] = value
    return found


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --continue and --resume; the function gets `resume`: an id, LATEST, or "" for a new session."""

    @functools.wraps(function)
    def wrapper(resume: str | None, go_on: bool, **own: Any) -> Any:
        return function(resume=resume or (LATEST if go_on else ""), **own)

    wrapper = click.option("--continue", "go_on", is_flag=True, help="Go on with this folder's latest session.")(wrapper)
    return click.option("--resume", metavar="ID", help="Go on with that session (`agentic sessions` lists them).")(wrapper)
