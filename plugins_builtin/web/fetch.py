"""Reading a page: from the host that was asked about and no other, no more than a limit, as text."""

import asyncio
import codecs
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from agentic import ToolError, ToolOutput, ToolSetup, ToolSpec, Workspace, __version__
from agentic.extras import pip_install
from agentic.lib.children.once import outputs_of
from agentic.lib.patterns import late_pattern
from plugins_builtin.web.page import SECONDS, WAIT_SECONDS

MAX_BYTES = 5_000_000
MAX_REDIRECTS = 5
MAX_TEXT = 200_000  # characters; what a window has no room for is cut and kept anyway
_ENVIRONMENT = ("PATH", "HOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what a Python may need to start
_HTML = ("text/html", "application/xhtml+xml")
_CHARSETS = late_pattern(
    r"ascii|utf-(8|16|32)\S*|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|euc_\w+|shift_jis\w*|iso2022_\w+"
    r"|gb\w+|big5\w*|hz|johab|tis-620"
)
_CHARSET = late_pattern(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CARRIERS = tuple(
    map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)  # of addresses of IPv4
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
        text = await text_of(data, headers.get("content-type", ""))
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


def port_of(url: str) -> int:
    """Raises ToolError."""
    parts = urlsplit(url)
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ToolError(f"{url!r:.200} has no port that exists") from error


async def get(url: str, seconds: float, private: bool, proxy: str = "") -> tuple[int, Mapping[str, str], bytes]:
    """(status, headers, the body), without following where it leads. `private` addresses are asked where that is allowed.

    Raises ToolError.
    """
    import httpx2

    host, port = host_of(url), port_of(url)
    target, more, headers = url, {}, {"user-agent": f"agentic/{__version__}", "accept": "text/html, text/*, application/json"}
    parts = urlsplit(url)
    if not proxy:  # a proxy looks the name up itself
        address = await _address(host, port, private)
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
    """Returns the host's address; it is spoken to there, whatever its name says a moment later. Raises ToolError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ToolError(f"{host} is not known here") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not private and (inside := [each for each in addresses if not _is_public(each)]):
        raise ToolError(f"{host} is at {inside[0]}, an address of this machine or network (plugin.web.private allows those)")
    return addresses[0]


def _is_public(address: str) -> bool:
    """Also of an address of IPv4 that is written within one of IPv6."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and (within := _within(parsed)):
        parsed = within
    return parsed.is_global and not (parsed.is_multicast or getattr(parsed, "is_site_local", False))


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _CARRIERS):
        return last
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


async def text_of(data: bytes, content_type: str) -> str:
    """Returns the data as text that a model reads. Raises ToolError."""
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower() or "text/html"
    if not kind.startswith("text/") and kind not in _TEXTS and not kind.endswith(("+json", "+xml")):
        return f"({kind}, {len(data)} bytes, which cannot be shown here)"
    named = _CHARSET.search(rest)
    charset = _charset(named[1]) if named else ""
    text = await _readable(data, charset) if kind in _HTML else _decoded(data, charset)
    return text[:MAX_TEXT]


def _decoded(data: bytes, charset: str) -> str:
    """By its byte order mark, else by what it says."""
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")
    return data.decode(marked or charset or "utf-8", "replace")


def _charset(name: str) -> str:
    """The one that is named, where pages are written in it; others that Python knows cost minutes, or raise errors of their own."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return known if _CHARSETS.fullmatch(known) else ""


async def _readable(page: bytes, charset: str) -> str:
    """Returns the page as Markdown. It comes from the web: a process of its own parses it, and ends when it takes too much."""
    if not (find_spec("bs4") and find_spec("markdownify")):
        raise ToolError("what makes pages readable is not installed", pip_install("web"))
    words = (sys.executable, "-P", "-m", "plugins_builtin.web.page", charset)
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        code, out, said = await outputs_of(words, page, Path("/"), environment, WAIT_SECONDS)
    except (TimeoutError, OSError) as error:
        raise ToolError(f"this page takes more than {WAIT_SECONDS} s to read as text") from error
    if code:
        why = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ToolError(f"this page cannot be read as text: {why or f'more than {SECONDS} s or too much memory'}")
    return out.decode("utf-8")
