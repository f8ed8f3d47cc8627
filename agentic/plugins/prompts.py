"""Templates by name: what plugins offer, under what the user put in their place."""

from collections.abc import Mapping
from pathlib import Path
from string import Template

from agentic.errors import ConfigError
from agentic.folders import config_folder
from agentic.plugins.host import Host

HOOK = "agentic_prompts"


def user_folder() -> Path:
    """Returns the folder of the user's own NAME.txt files."""
    return config_folder() / "prompts"


class Prompts:
    """`texts` by name; `origins` say where each came from."""

    def __init__(self, host: Host, settings: Mapping[str, str]) -> None:
        self.texts: dict[str, str] = {}
        self.origins: dict[str, str] = {}
        for name, offer in host.offers(HOOK).items():
            self._take(name, offer.record.text, host.owner(offer.plugin))
        for path in sorted(user_folder().glob("*.txt")):
            self._require(path.stem, str(path))
            self._take(path.stem, path.read_text(encoding="utf-8").rstrip("\n"), str(path))
        for name, text in settings.items():
            self._require(name, "prompts.texts")
            self._take(name, text, "prompts.texts")

    def _take(self, name: str, text: str, origin: str) -> None:
        self.texts[name], self.origins[name] = text, origin

    def _require(self, name: str, origin: str) -> None:
        if name not in self.texts:
            raise ConfigError(f"{origin}: there is no prompt {name!r}", f"choose from {', '.join(sorted(self.texts))}")

    def __call__(self, name: str, **words: str) -> str:
        """The text with the words put in. Raises ConfigError where no plugin offers it."""
        if name not in self.texts:
            raise ConfigError(f"no plugin offers the prompt {name!r}", "is a plugin switched off? `agentic plugins` lists them")
        text = self.texts[name]
        return Template(text).safe_substitute(words) if words else text
