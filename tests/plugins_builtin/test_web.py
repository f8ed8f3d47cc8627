"""Pages and searches: off until they are switched on, asked about by host, and nothing of this network unless it is allowed."""

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from agentic import ToolError
from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.web.fetch import _is_public, text_of
from tests.conftest import Agentic

NATIVE = ("-c", "tools.protocol=native")
ON = ("-c", "plugin.web.fetch=true", "-c", "plugin.web.private=true")
PAGE = b"""<html><head><title>The docs</title><script>evil()</script></head><body><nav>Home | About</nav>
<main><h1>Install</h1><p>Run <code>make</code> and <a href="/next">go on</a>.</p><ul><li>one</li><li>two</li></ul></main>
<footer>Copyright</footer></body></html>"""


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/here":
            return self.give(302, "", b"", {"Location": "/page"})
        if path == "/away":
            return self.give(302, "", b"", {"Location": "http://other.example/page"})
        if path == "/loop":
            return self.give(302, "", b"", {"Location": "/loop"})
        if path == "/search":
            results = [{"title": "A title", "url": "http://a.example/", "content": "some  words"}]
            return self.give(200, "application/json", json.dumps({"results": results}).encode())
        bodies = {
            "/page": ("text/html; charset=utf-8", PAGE),
            "/data": ("application/json", b'{"a": 1}'),
            "/pdf": ("application/pdf", b"%PDF"),
            "/large": ("text/plain", b"x" * 6_000_000),
            "/nested": ("text/html", b"<div>" * 3_000 + b"far inside"),
            "/names": ("text/html; charset=punycode", b"plain words " * 30_000),
        }
        kind, body = bodies.get(path, ("text/plain", b"not here"))
        return self.give(200 if path in bodies else 404, kind, body)

    def give(self, status: int, kind: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: Any) -> None:
        """Silent."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def told(agentic: Agentic, server: FakeVLLM, tool: str, argument: dict[str, str], *more: str) -> str:
    server.script(answer(tool_calls=tool_call(tool, argument)), answer("ok"))
    agentic("run", "look", "--endpoint", server.url, *NATIVE, *more)
    return str(server.chats[-1].json["messages"][-1]["content"])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/page", "# Install\n\nRun `make` and [go on](/next).\n\n* one\n* two"),
        ("/here", "# Install"),
        ("/data", '{"a": 1}'),
        ("/pdf", "(application/pdf, 4 bytes, which cannot be shown here)"),
        ("/nothing", "HTTP 404\nnot here"),
        ("/large", "it is larger than 5 MB"),
        ("/nested", "far inside"),
        ("/names", "plain words"),
        ("/away", "It is at http://other.example/page now, which is another host: fetch that."),
        ("/loop", "more than 5 redirects"),
    ],
)
def test_a_page_is_read_as_text(agentic: Agentic, server: FakeVLLM, site: str, path: str, said: str) -> None:
    text = told(agentic, server, "web_fetch", {"url": site + path}, *ON, "-c", "permissions.allow=fetch(127.0.0.1)")
    assert said in text and "evil" not in text and "Copyright" not in text


def test_each_host_is_asked_about(agentic: Agentic, server: FakeVLLM, site: str) -> None:
    assert "nobody can give" in told(agentic, server, "web_fetch", {"url": site + "/page"}, *ON)
    assert "nobody can give" in told(
        agentic, server, "web_fetch", {"url": site + "/page"}, *ON, "-c", "permissions.allow=fetch(docs.python.org)"
    )
    denied = told(
        agentic,
        server,
        "web_fetch",
        {"url": site + "/page"},
        *ON,
        "--approve",
        "all",
        "--no-sandbox",
        "-c",
        "permissions.deny=fetch(*)",
    )
    assert "says deny" in denied


def test_it_is_off_until_it_is_switched_on(agentic: Agentic, server: FakeVLLM, site: str) -> None:
    allow = ("-c", "permissions.allow=fetch(127.0.0.1)")
    assert "switched off" in told(agentic, server, "web_fetch", {"url": site + "/page"}, *allow)
    assert "web_" not in json.dumps(server.chats[0].json["tools"])
    assert "switched off" in told(agentic, server, "web_search", {"query": "x"})


def test_a_project_cannot_switch_it_on(agentic: Agentic, server: FakeVLLM, site: str, work: Path) -> None:
    (work / "agentic.toml").write_text("[plugin.web]\nfetch = true\nprivate = true\n")
    assert "switched off" in told(agentic, server, "web_fetch", {"url": site + "/page"}, "-c", "permissions.allow=fetch(127.0.0.1)")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://0/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
def test_addresses_of_this_network_are_refused(agentic: Agentic, server: FakeVLLM, url: str) -> None:
    text = told(agentic, server, "web_fetch", {"url": url}, "-c", "plugin.web.fetch=true", "-c", "permissions.allow=fetch(*)")
    assert "an address of this machine or network" in text


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "http://user:word@example.com/", "nothing", "http://["])
def test_what_is_no_address_of_the_web_is_refused(agentic: Agentic, server: FakeVLLM, url: str) -> None:
    text = told(agentic, server, "web_fetch", {"url": url}, *ON, "-c", "permissions.allow=fetch(*),web_fetch")
    assert "is no address of the web" in text


def test_what_is_public() -> None:
    assert all(map(_is_public, ("8.8.8.8", "2606:4700::1111")))
    assert not any(
        map(_is_public, ("10.1.2.3", "192.168.1.1", "100.64.0.1", "::1", "fe80::1", "fd00::1", "224.0.0.1", "::ffff:127.0.0.1"))
    )


@pytest.mark.parametrize(
    "address",
    [
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:0:0:0:0:80ff:fffe",
        "fec0::1",
        "::ffff:0:127.0.0.1",
    ],
)
def test_a_private_address_within_one_of_ipv6_is_private(address: str) -> None:
    assert not _is_public(address)


def test_a_port_that_cannot_be(agentic: Agentic, server: FakeVLLM) -> None:
    text = told(agentic, server, "web_fetch", {"url": "http://127.0.0.1:99999/"}, *ON, "-c", "permissions.allow=fetch(*)")
    assert "has no port that exists" in text


def test_a_page_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins_builtin.web.fetch.WAIT_SECONDS", 0.5)
    with pytest.raises(ToolError, match=r"takes more than 0\.5 s to read as text"):
        asyncio.run(text_of(b"<!--" * 100_000, "text/html"))


@pytest.mark.parametrize("charset", ["punycode", "idna", "undefined", "unicode_escape", "hex", "a\0b"])
def test_a_charset_that_no_page_is_written_in_counts_for_nothing(charset: str) -> None:
    assert asyncio.run(text_of(b"plain " * 50_000, f"text/plain; charset={charset}")).startswith("plain plain")


def test_a_page_in_another_encoding() -> None:
    assert asyncio.run(text_of("한국어".encode("euc-kr"), "text/plain; charset=euc-kr")) == "한국어"
    assert asyncio.run(text_of(b"abc", "text/plain; charset=no-such")) == "abc"


@pytest.mark.parametrize(
    ("page", "kind", "said"),
    [
        ("<p>café</p>".encode("latin-1"), "text/html; charset=ISO-8859-1; q=1", "café"),
        ("<p>café</p>".encode("latin-1"), "text/html; Charset=ISO-8859-1", "café"),
        ("<meta charset='windows-1251'><p>привет</p>".encode("cp1251"), "text/html", "привет"),
        ("<p>привет</p>".encode("utf-16"), "text/html", "привет"),
        ("привет".encode("utf-16"), "text/plain", "привет"),
        (b"<ol start='\xc2\xb2'><li>one</li></ol>", "text/html", "one"),
        (b"<main></main><p>beside it</p>", "text/html", "beside it"),
        (b"<form><p>all of it</p></form>", "text/html", "all of it"),
    ],
)
def test_a_page_is_read_as_it_is_written(page: bytes, kind: str, said: str) -> None:
    assert said in asyncio.run(text_of(page, kind))


def test_searching_with_the_users_server(agentic: Agentic, server: FakeVLLM, site: str) -> None:
    text = told(agentic, server, "web_search", {"query": "how to"}, "-c", f"plugin.web.search_url={site}")
    assert text == "- A title\n  http://a.example/\n  some words"
    wrong = told(agentic, server, "web_search", {"query": "how to"}, "-c", f"plugin.web.search_url={site}/page/search")
    assert "answers with HTTP 404" in wrong


def test_a_run_touches_no_address_but_the_configured_ones(
    fresh_agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path
) -> None:
    """Every connection and every look-up of a name, of the process and its Python children, seen by an audit hook."""
    (tmp_path / "watch").mkdir()
    log = tmp_path / "log"
    (tmp_path / "watch" / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def watch(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'):\n"
        "        where = args[1] if event in ('socket.connect', 'socket.sendto') else args[:2]\n"
        f"        if isinstance(where, tuple): os.write(os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT), repr(where[:2]).encode() + b'\\n')\n"
        "sys.addaudithook(watch)\n"
    )
    (work / "a.py").write_text("print(1)\n")
    path = os.pathsep.join([str(tmp_path / "watch"), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    server.script(
        answer(tool_calls=tool_call("edit_file", {"path": "a.py", "old": "print(1)", "new": "print(2)"}, 0, "1")),
        answer(tool_calls=tool_call("run", {"command": f"{sys.executable} a.py"}, 0, "2")),
        answer("done"),
    )
    done = fresh_agentic(
        "run", "change it", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox", more={"PYTHONPATH": path}
    )
    assert done.code == 0
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    assert {line.replace("localhost", "127.0.0.1") for line in log.read_text().splitlines()} == {f"('127.0.0.1', {port})"}
