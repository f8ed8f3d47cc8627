"""Slash commands of plugins and of the folder, called as plugins are: what goes wrong has the plugin's name on it."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from agentic.errors import AgenticError
from agentic.hooks.chat import Chat, ChatCommand
from agentic.lib.guard import FAULTS, PluginFault
from agentic.lib.isolation import describe
from agentic.plugins import Host
from agentic.plugins.host import Offer

HOOK = "agentic_chat_commands"


class SlashCommands:
    """The commands that there are in a folder; `warn` is told of a plugin that cannot look for the folder's."""

    def __init__(self, host: Host, root: Path, warn: Callable[[str], None]) -> None:
        self._host = host
        self._root = root
        self._warn = warn
        self._known: dict[str, tuple[str, ChatCommand]] = {}

    def look(self) -> Mapping[str, tuple[str, ChatCommand]]:
        """Looks up what there is now: (plugin, slash command) by name.

        Those of the folder come last: none of them takes another's name.
        """
        found = {name: (offer.plugin, offer.record) for name, offer in self._host.offers(HOOK).items()}

        def report(offer: Offer, why: str) -> None:
            self._warn(f"{self._host.owner(offer.plugin)}: no commands of this folder: {why}")

        for offer, command in self._host.in_folder(HOOK, "more", self._root, report):
            found.setdefault(command.name, (offer.plugin, command))
        self._known = found
        return found

    def _command(self, name: str) -> tuple[str, ChatCommand]:
        return self._known.get(name) or self.look()[name]

    async def run(self, name: str, argument: str, chat: Chat) -> None:
        """Runs one. Raises AgenticError as it does, PluginFault for anything else."""
        plugin, command = self._command(name)
        try:
            await command.run(argument, chat)
        except AgenticError:  # what it has to say, with a remedy
            raise
        except FAULTS as error:
            raise PluginFault(self._host.owner(plugin), plugin, f"/{name} failed: {describe(error)}", error) from error

    def complete(self, name: str, argument: str, chat: Chat) -> list[str]:
        """Returns the completions of an argument; a command that fails completes nothing."""
        complete = self._command(name)[1].complete
        if complete is None:
            return []
        try:
            has_chat = len(inspect.signature(complete).parameters) > 1
            return [str(each) for each in (complete(argument, chat) if has_chat else complete(argument))]
        except FAULTS:
            return []
