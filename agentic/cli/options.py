"""The options that commands share."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from agentic.errors import ConfigError

NO_MODEL = ""
LATEST = "latest"
list_output = click.option("--output", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs.")


class LocalAwareCommand(click.Command):
    """`--local` takes a model or nothing: what follows is its value only where the command's own argument is left over."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        place = args.index("--local") if "--local" in args else -1
        if place < 0:
            return super().parse_args(ctx, args)
        bare = [*args[:place], f"--local={NO_MODEL}", *args[place + 1 :]]
        value = args[place + 1] if place + 1 < len(args) else ""
        if not value or value.startswith("-") or any(c.isspace() for c in value):
            return super().parse_args(ctx, bare)
        try:
            with self.make_context(ctx.info_name, [*args[:place], f"--local={value}", *args[place + 2 :]], resilient_parsing=False):
                pass
        except click.MissingParameter:
            return super().parse_args(ctx, bare)
        return super().parse_args(ctx, [*args[:place], f"--local={value}", *args[place + 2 :]])


_OPTIONS = (
    click.option("-C", "folder", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Work in DIR."),
    click.option("--endpoint", multiple=True, metavar="URL", help="An OpenAI-compatible endpoint (repeatable)."),
    click.option("--model", metavar="NAME", help="Without it, what the endpoint serves."),
    click.option("--local", metavar="[MODEL|FILE.gguf]", help="The embedded engine."),
    click.option("--output", metavar="rich|plain|jsonl", help="Default: rich in a terminal, plain in a pipe."),
    click.option("--approve", type=click.Choice(["ask", "edits", "all", "none"]), help="Default: ask in a terminal, else none."),
    click.option("--max-iterations", type=int, metavar="N", help="The most model calls."),
    click.option("--sub-agents/--no-sub-agents", default=None, help="Split the task, or never. Default: as large as it is."),
    click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE", help="Any configuration key (repeatable)."),
    click.option("--debug", is_flag=True, help="Show tracebacks, and where each prompt's tokens are."),
)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the common options; the function gets `root` (a Path) and `settings` in their place."""

    @functools.wraps(function)
    def wrapper(
        folder: Path,
        endpoint: tuple[str, ...],
        model: str | None,
        local: str | None,
        output: str | None,
        approve: str | None,
        max_iterations: int | None,
        sub_agents: bool | None,
        pairs: tuple[str, ...],
        debug: bool,
        **own: Any,
    ) -> Any:
        from agentic.config import load

        root = folder.absolute()
        if not root.is_dir():
            raise ConfigError(f"-C {folder}: no such folder")
        given = {
            "llm.endpoints": list(endpoint) or None,
            "llm.model": model,
            "llm.transport": "local" if local is not None else None,
            "llm.local.model": local or None,
            "ui.renderer": output,
            "approval.mode": approve,
            "workflow.max_iterations": max_iterations,
            "sub_agents.enabled": sub_agents,
            "sub_agents.complexity_threshold": 0.0 if sub_agents else None,
            "ui.debug": debug or None,
        }
        settings = load(root, {key: value for key, value in given.items() if value is not None}, pairs)
        return function(root=root, settings=settings, **own)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --continue and --resume; the function gets `resume`: an id, LATEST, or "" for a new session."""

    @functools.wraps(function)
    def wrapper(resume: str | None, go_on: bool, **own: Any) -> Any:
        return function(resume=resume or (LATEST if go_on else ""), **own)

    wrapper = click.option("--continue", "go_on", is_flag=True, help="Go on with this folder's latest session.")(wrapper)
    return click.option("--resume", metavar="ID", help="Go on with that session (`agentic sessions` lists them).")(wrapper)
