"""Pages of the web, and searching it: off until the user switches them on."""

from collections.abc import Iterable

from agentic import Options, PluginInfo, Provider, Section, Tool, ToolSetup, hookimpl, setting


class WebOptions(Section):
    """`[plugin.web]`"""

    fetch: bool = setting(False, "whether the model may ask to read pages of the web; each host is asked about", scope="user")
    search_url: str = setting("", "a SearXNG that the model may search with, such as http://localhost:8888", scope="user")
    private: bool = setting(False, "whether addresses of your own network may be read", scope="user")
    proxy: str = setting("", "the proxy to reach the web through", scope="user")
    timeout_seconds: float = setting(30.0, "how long a page may take", scope="user")


@hookimpl
def agentic_plugin() -> PluginInfo:
    return PluginInfo(Options(WebOptions))


def _fetch(setup: ToolSetup) -> Tool:
    from plugins_builtin.web.fetch import WebFetch

    return WebFetch(setup)


def _search(setup: ToolSetup) -> Tool:
    from plugins_builtin.web.search import WebSearch

    return WebSearch(setup)


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("web_fetch", "reads a page of the web", _fetch)
    yield Provider("web_search", "searches the web", _search)
