"""An option of the command line that a plugin adds: it sets one of the plugin's keys, or calls a function of the plugin."""

import click

from agentic.lib.imports import imported
from agentic.lib.record import record


@record(frozen=True, slots=True)
class OwnFlag:
    """`target` is "KEY HELP", the key with its section, or "module:function HELP" of what is called before the command begins."""

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
    def row(self) -> tuple[str, str]:
        """(usage, summary) for people."""
        words = self.target.partition(" ")[2] or f"the same as -c {self.key}=VALUE"
        return (self.flag if ":" in self.key else f"{self.flag} VALUE"), words

    def option(self, is_shown: bool) -> click.Option:
        """Returns the option of a command; its help shows it or does not."""
        words = self.row[1]
        shown = f"{words[0].upper()}{words[1:]}."
        if ":" not in self.key:
            return click.Option([self.flag], metavar="VALUE", help=shown, hidden=not is_shown)

        def call(context: click.Context, option: click.Parameter, is_given: bool) -> None:
            if is_given:
                imported(self.key)()

        return click.Option([self.flag], is_flag=True, expose_value=False, help=shown, callback=call, hidden=not is_shown)
