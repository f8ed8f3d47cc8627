"""Searching with a SearXNG of the user's."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace
from plugins_builtin.web.fetch import get

MAX_RESULTS = 8
MAX_SNIPPET = 300  # characters


class WebSearch:
    """Stands in the prompt only where the user named a server."""

    spec = ToolSpec(
        "web_search",
        "Searches the web.",
        {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"], "additionalProperties": False},
        "read",
        opt_in=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        options = setup.options
        self._url = options.search_url.rstrip("/")
        self._seconds: float = options.timeout_seconds
        if self._url:
            self.spec = replace(WebSearch.spec, opt_in=False)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        if not self._url:
            raise ToolError("searching the web is switched off here (plugin.web.search_url)")
        query = urlencode({"q": arguments["query"], "format": "json"})
        address = self._url if self._url.endswith("/search") else f"{self._url}/search"
        status, _, data = await get(f"{address}?{query}", self._seconds, private=True)  # it is the user's own
        if status != 200:
            hint = ": it has to allow the format json (search.formats in its settings)" if status == 403 else ""
            raise ToolError(f"{self._url} answers with HTTP {status}{hint}")
        try:
            results = [each for each in json.loads(data)["results"] if isinstance(each, dict)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ToolError(f"{self._url} gives no results as SearXNG does") from error
        return ToolOutput("\n".join(map(_result_text, results[:MAX_RESULTS])) or "(nothing was found)")


def _result_text(result: Mapping[str, Any]) -> str:
    snippet = " ".join(str(result.get("content") or "").split())
    short = snippet if len(snippet) <= MAX_SNIPPET else f"{snippet[:MAX_SNIPPET]}…"
    return f"- {result.get('title', '')}\n  {result.get('url', '')}\n  {short}".rstrip()
