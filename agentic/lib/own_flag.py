"""An option of the command line that a plugin adds: it sets one of the plugin's keys, or calls a function of the plugin."""

from typing import Any

import click

from agentic.lib.imports import imported
from agentic.lib.record import record

FOLDER = "agentic.folder"
"""The key, in the meta of a command's context, of the folder that the function of a flag returned: the command works there."""


@record(frozen=True, slots=True)
class OwnFlag:
    """`target` is "KEY HELP", the key with its section, or "module:function HELP" of what is called before the command begins,
    "module:function=NAME HELP" where that takes the value NAME."""

    flag: str
    target: str

    @property
    def name(self) -> str:
        """Its name in Python."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def key(self) -> str:
        return self.target.partition(" ")[0]

    @property
    def value(self) -> str:
        """The name of its value, "" where it takes none."""
        called, _, value = self.key.partition("=")
        return value if ":" in called else "VALUE"

    @property
    def row(self) -> tuple[str, str]:
        """(usage, summary) for people."""
        words = self.target.partition(" ")[2] or f"the same as -c {self.key}=VALUE"
        return f"{self.flag} {self.value}".strip(), words

    def option(self, is_shown: bool) -> click.Option:
        """Returns the option of a command; its help shows it or does not."""
        words = self.row[1]
        shown = f"{words[0].upper()}{words[1:]}."
        if ":" not in self.key:
            return click.Option([self.flag], metavar="VALUE", help=shown, hidden=not is_shown)

        def call(context: click.Context, option: click.Parameter, given: str | bool | None) -> None:
            if given and (folder := imported(self.key.partition("=")[0])(*([given] if self.value else []))) is not None:
                context.meta[FOLDER] = folder

        more: dict[str, Any] = {"metavar": self.value} if self.value else {"is_flag": True}
        return click.Option([self.flag], **more, expose_value=False, help=shown, callback=call, hidden=not is_shown)
