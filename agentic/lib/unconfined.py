"""Commands where no plugin starts them: with next to nothing of the environment, held by nothing, so asked about one by one."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from agentic.lib.calls import Grant
from agentic.lib.children import Child, Children
from agentic.lib.conceal import close_memory
from agentic.lib.temporary import new_folder, remove

VARIABLES = ("PATH", "HOME", "LANG", "TERM", "USER")


class Unconfined:
    """A launcher that holds nothing (`agentic.hooks.launcher.Launcher`)."""

    name = ""
    confines = False
    gaps: Sequence[str] = ("everything",)
    refused: Mapping[str, str] = MappingProxyType({})

    def __init__(self, is_off: bool) -> None:
        self.is_off = is_off
        self._children = Children()
        self._is_open = False
        self.temporary = new_folder()

    async def ready(self) -> None:
        if not self._is_open:
            self._is_open = True
            close_memory()
            await self._children.open()

    async def start(self, argv: Sequence[str], folder: Path, output: int, grant: Grant) -> Child:
        await self.ready()
        environment = {name: os.environ[name] for name in VARIABLES if name in os.environ} | {"TMPDIR": str(self.temporary)}
        child = await self._children.start(tuple(argv), folder, environment, output, "", {}, {}, {"RLIMIT_CORE": 0})
        child.has_network = True
        return child

    async def unchangeable(self, folder: Path) -> Collection[str]:
        return ()

    async def aclose(self) -> None:
        await self._children.aclose()
        remove(self.temporary)
