"""The addresses behind a server's name."""

import socket
from urllib.parse import urlsplit, urlunsplit

from agentic.errors import ConfigError


def address_urls(url: str) -> list[str]:
    """Returns an address of the server for each address of its name, sorted. Raises ConfigError, OSError where it has none."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise ConfigError(f"{url}: all_addresses is for http://", "a certificate is one for the name, not for an address")
    port = parts.port or 80
    found = {str(address[0]) for *_, address in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)}
    hosts = (f"[{host}]" if ":" in host else host for host in sorted(found))
    return [urlunsplit(parts._replace(netloc=f"{host}:{port}")) for host in hosts]
