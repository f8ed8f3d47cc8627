"""Lists to choose from: every command, and whatever a command lists."""

from collections.abc import Mapping, Sequence

from plugins_builtin.terminal.menus import Menu, Option
from plugins_builtin.terminal.region import Region


async def pick(region: Region, title: str, items: Sequence[tuple[str, str]]) -> str:
    """The name of what is chosen, narrowed by typing; "" for Escape."""
    head = [region.palette.paint("bold", title)]
    options = [Option(name, name, about) for name, about in items]
    return await region.choose(Menu(lambda: head, lambda: options, filters=True))


async def pick_command(region: Region, summaries: Mapping[str, str]) -> str:
    return await pick(region, "Commands", sorted(summaries.items()))
