"""An option of the command line that a plugin adds: it sets one of the plugin's keys, or calls a function of the plugin."""

import click

from agentic.lib.imports import imported
from agentic.lib.record import record


@record(frozen=True, slots=True)
class OwnFlag:
    """`target` is the key with its section, or "module:function HELP" of what is called before the command begins."""

    flag: str
    target: str

    @property
    def name(self) -> str:
        """Its name in Python."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def row(self) -> tuple[str, str]:
        """(usage, summary) for people."""
        words = self.target.partition(" ")[2]
        return (self.flag, words) if words else (f"{self.flag} VALUE", f"the same as -c {self.target}=VALUE")

    def option(self) -> click.Option:
        function, _, words = self.target.partition(" ")
        if not words:
            return click.Option([self.flag], metavar="VALUE", help=f"The same as -c {self.target}=VALUE.")

        def call(context: click.Context, option: click.Parameter, is_given: bool) -> None:
            if is_given:
                imported(function)()

        return click.Option([self.flag], is_flag=True, expose_value=False, help=f"{words[0].upper()}{words[1:]}.", callback=call)
