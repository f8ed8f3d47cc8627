"""The footer: where this is, which model, how full its window is, what may be done, how busy the servers are."""

import os
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from agentic import Settings
from agentic.events import EndpointSeen, Event, Failover, LlmRequest, RunStarted, SandboxReady, UsageReported
from agentic.lib.listing import branch_of
from agentic.lib.palette import Palette
from agentic.lib.sanitize import hide_logins, sanitize
from plugins_builtin.terminal.words import speaker

PARTS = ("folder", "model", "context", "mode", "sandbox", "endpoints", "cache")
_OLD = {"endpoint": "endpoints", "servers": "endpoints"}
_BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_LEFT_OUT_FIRST = ("sandbox", "cache", "folder", "endpoints", "mode")  # where there is no room for all
GAP = " · "


class Footer:
    """A line that is there also while nothing goes on. `mode` is the approval mode."""

    def __init__(self, settings: Settings, root: Path, palette: Palette) -> None:
        chosen = [_OLD.get(name, name) for name in settings.ui.status]
        self._parts = [name for name in PARTS if not chosen or name in chosen]
        self._root = root
        self._palette = palette
        self.mode: str = settings.approval.mode or "ask"
        self.model = settings.llm.model
        self.window = 0
        self.endpoints: list[str] = list(settings.llm.endpoints)
        self._sandbox = ""
        self._prompt = self._budget = 0
        self._cached: int | None = None
        self._possible: int | None = None
        self._seen: dict[str, EndpointSeen] = {}
        self._failed: set[str] = set()
        self._asked = ""  # the endpoint that answers
        self._branch = branch_of(root)

    def note(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.model = event.model or self.model
                self._branch = branch_of(self._root)
                if event.endpoint and event.endpoint not in self.endpoints:  # those in the settings are not asked
                    self.endpoints = [event.endpoint]
            case LlmRequest() if not speaker(event) and event.purpose == "turn":
                self._prompt, self._budget, self._asked = event.prompt_tokens, event.budget, event.endpoint
            case UsageReported() if not speaker(event):
                self._prompt, self._cached, self._possible = event.prompt_tokens, event.cached_tokens, event.possible_tokens
                self._failed.discard(self._asked)
            case SandboxReady():
                self._sandbox = event.name or "none"
            case EndpointSeen():
                self._seen[event.endpoint] = event
                self._failed.discard(event.endpoint)
            case Failover() if event.to != event.from_:
                self._failed.add(event.from_)
                self._asked = event.to

    def fails(self, url: str) -> None:
        self._failed.add(url)

    def facts(self) -> dict[str, Any]:
        """The same for a program."""
        seen = {url: self._seen.get(url) for url in self.endpoints}
        load = [
            {"url": hide_logins(url), **({"running": each.running, "waiting": each.waiting} if each else {})}
            for url, each in seen.items()
        ]
        return {
            "folder": str(self._root),
            "branch": self._branch,
            "model": self.model,
            "context": {"tokens": self._prompt, "budget": self._budget, "window": self.window, "cached": self._cached},
            "possible": self._possible,
            "mode": self.mode,
            "sandbox": self._sandbox,
            "endpoints": load,
        }

    def line(self, width: int) -> str:
        """The parts that there is room for."""
        texts = {name: text for name in self._parts if (text := getattr(self, f"_{name}_part")())}
        for name in _LEFT_OUT_FIRST:
            if cell_len(GAP.join(texts.values())) <= width:
                break
            texts.pop(name, None)
        return GAP.join(texts.values())

    def _folder_part(self) -> str:
        home, path = os.path.expanduser("~"), str(self._root)
        shown = f"~{path[len(home) :]}" if path == home or path.startswith(f"{home}/") else path
        if len(shown) > 40:
            shown = f"…/{self._root.name}" if not self._palette.ascii else f".../{self._root.name}"
        return sanitize(shown + (f" ({self._branch})" if self._branch else ""))

    def _model_part(self) -> str:
        return sanitize(self.model.rpartition("/")[2])

    def _context_part(self) -> str:
        window = self._budget or self.window
        if not window:
            return ""
        return f"{100 * self._prompt // window}% of {_short(window)}" if self._prompt else f"window {_short(window)}"

    def _mode_part(self) -> str:
        return self.mode

    def _sandbox_part(self) -> str:
        return f"sandbox {self._sandbox}" if self._sandbox else ""

    def _endpoints_part(self) -> str:
        return " ".join(self._of_endpoint(url) for url in self.endpoints)

    def _of_endpoint(self, url: str) -> str:
        """Its port, where the name says no more, and its load as a bar."""
        bare = hide_logins(url).partition("://")[2].removesuffix("/v1") or url
        host, _, port = bare.rpartition(":")
        name = port if host in ("localhost", "127.0.0.1", "[::1]") else bare
        if url in self._failed:
            return f"{name} {self._palette.mark('✗', 'x')}"
        seen = self._seen.get(url)
        if seen is None:
            return sanitize(name)
        busy = seen.running + seen.waiting
        if self._palette.ascii:
            return f"{name} {busy}"
        level = 0 if not busy else 1 + min(7, 7 * busy // max(1, seen.places))
        return f"{name} {_BARS[level] if level else _BARS[1]}" + (f" +{seen.waiting}" if seen.waiting else "")

    def _cache_part(self) -> str:
        if self._cached is None or not self._prompt:
            return ""
        share = f"{100 * self._cached // self._prompt}% cached"
        missed = self._possible is not None and self._cached < self._possible
        return f"{share} of {100 * (self._possible or 0) // self._prompt}%" if missed else share


def _short(tokens: int) -> str:
    return f"{tokens / 1000:.0f}k" if tokens >= 10_000 else f"{tokens:,}"
