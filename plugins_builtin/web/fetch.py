"""Reading a page: from the host that was asked about and no other, no more than a limit, as text."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace, __version__
from agentic.extras import pip_install

MAX_BYTES = 5_000_000
MAX_REDIRECTS = 5
MAX_TEXT = 200_000  # characters; what a window has no room for is cut and kept anyway
_LEFT_OUT = ("script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "iframe", "svg", "button")
_TEXTS = ("application/json", "application/xml", "application/javascript", "application/x-yaml", "application/toml")


class WebFetch:
    """Stands in the prompt only where the user switched it on."""

    spec = ToolSpec(
        "web_fetch",
        "Reads a web page as text.",
        {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"], "additionalProperties": False},
        fetches="url",
        opt_in=True,
    )

    def __init__(self, setup: ToolSetup) -> None:
        self._options = setup.options
        if self._options.fetch:
            self.spec = replace(WebFetch.spec, opt_in=False)

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        if not self._options.fetch:
            raise ToolError("reading the web is switched off here (plugin.web.fetch)")
        url = str(arguments["url"])
        host = host_of(url)
        for _ in range(MAX_REDIRECTS):
            status, headers, data = await get(url, self._options.timeout_seconds, self._options.private, self._options.proxy)
            if status not in (301, 302, 303, 307, 308) or "location" not in headers:
                break
            url = urljoin(url, headers["location"])
            if host_of(url) != host:  # another host is another question
                return ToolOutput(f"It is at {url} now, which is another host: fetch that.", failed=True)
        else:
            raise ToolError(f"more than {MAX_REDIRECTS} redirects")
        text = await asyncio.to_thread(text_of, data, headers.get("content-type", ""))
        return ToolOutput(text if status < 400 else f"HTTP {status}\n{text}", failed=status >= 400)


def host_of(url: str) -> str:
    """Raises ToolError for what is no address of the web."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise ToolError(f"{url!r:.200} is no address of the web: http:// or https://, and no user in it")
    return host


async def get(url: str, seconds: float, private: bool, proxy: str = "") -> tuple[int, Mapping[str, str], bytes]:
    """(status, headers, the body), without following where it leads. `private` addresses are asked where that is allowed.

    Raises ToolError.
    """
    import httpx2

    target, more, headers = url, {}, {"user-agent": f"agentic/{__version__}", "accept": "text/html, text/*, application/json"}
    parts = urlsplit(url)
    host = host_of(url)
    if not proxy:  # a proxy looks the name up itself
        address = await _address(host, parts.port or (443 if parts.scheme == "https" else 80), private)
        shown = f"[{address}]" if ":" in address else address
        target = parts._replace(netloc=shown + (f":{parts.port}" if parts.port else "")).geturl()
        more = {"sni_hostname": host}
        headers["host"] = parts.netloc
    try:
        async with (
            httpx2.AsyncClient(timeout=seconds, trust_env=False, proxy=proxy or None) as client,
            asyncio.timeout(seconds),
            client.stream("GET", target, headers=headers, extensions=more) as response,
        ):
            data = b""
            async for piece in response.aiter_bytes():
                data += piece
                if len(data) > MAX_BYTES:
                    raise ToolError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
            return response.status_code, response.headers, data
    except TimeoutError as error:
        raise ToolError(f"{host} did not answer within {seconds:g} s") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ToolError(f"{url} cannot be read: {str(error) or type(error).__name__}") from error


async def _address(host: str, port: int, private: bool) -> str:
    """Where the host is; it is spoken to at this address, whatever its name says a moment later. Raises ToolError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ToolError(f"{host} is not known here") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and (inside := [each for each in addresses if not _is_public(each)]):
        raise ToolError(f"{host} is at {inside[0]}, an address of this machine or network (plugin.web.private allows those)")
    return addresses[0]


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None) or getattr(parsed, "sixtofour", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


def text_of(data: bytes, content_type: str) -> str:
    """As a model reads it. Raises ToolError for what is no text."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower() or "text/html"
    charset = rest.partition("charset=")[2].strip(" \"'") or "utf-8"
    if not kind.startswith("text/") and kind not in _TEXTS and not kind.endswith(("+json", "+xml")):
        return f"({kind}, {len(data)} bytes, which cannot be shown here)"
    try:
        text = data.decode(charset, "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    return (_readable(text) if kind in ("text/html", "application/xhtml+xml") else text)[:MAX_TEXT]


def _readable(page: str) -> str:
    """The page's own text as Markdown, without what stands around it on every page."""
    try:
        from bs4 import BeautifulSoup
        from markdownify import MarkdownConverter
    except ImportError as error:
        raise ToolError("what makes pages readable is not installed", pip_install("web")) from error
    soup = BeautifulSoup(page, "html.parser")
    title = soup.title.get_text(strip=True) if soup.title else ""
    main = soup.find("main") or soup.find("article") or soup.body or soup
    for element in main.find_all(_LEFT_OUT):
        element.decompose()
    text = MarkdownConverter(heading_style="ATX", strip=["img"]).convert_soup(main)
    lines = [line.rstrip() for line in text.splitlines()]
    kept = [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]
    return "\n".join(filter(None, (f"# {title}" if title and f"# {title}" not in text else "", "\n".join(kept).strip())))
