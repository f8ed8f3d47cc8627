"""Why a server cannot be reached, in words, and what helps: one remedy for each cause."""

import errno
import os
import socket
import ssl
from pathlib import Path
from urllib.parse import SplitResult

from agentic import ConfigError

TRUST_IT = "name its authority's certificate: SSL_CERT_FILE=FILE.pem in the environment, or llm.ca_file"
_PLAIN = {"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
_EXPIRED, _NOT_YET, _OTHER_HOST, _OTHER_ADDRESS = 10, 9, 62, 64  # OpenSSL's numbers of what is wrong with a certificate


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Checks servers by the system's authorities, or by those in the file. Raises ConfigError for a file that cannot be read."""
    named = {"llm.ca_file": ca_file, "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", "")}
    for name, value in named.items():
        if value and not Path(value).expanduser().is_file():
            raise ConfigError(f"{name} names {value}, which is no file", f"{name}: the authority's certificate, as PEM")
    try:
        return ssl.create_default_context(cafile=os.path.expanduser(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"llm.ca_file names {ca_file}, which holds no certificate as PEM") from error


def why_unreachable(error: Exception, server: SplitResult, is_tls: bool) -> tuple[str, str]:
    """(cause, remedy; "" where a server that is started would help)"""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, server)
    plain = f"is it http://{server.netloc.rpartition('@')[2]}?"
    if is_tls and (isinstance(error, ConnectionResetError | ConnectionAbortedError) or getattr(error, "reason", "") in _PLAIN):
        return "it speaks no TLS at that port", plain
    if isinstance(error, ssl.SSLError):
        return (
            f"TLS fails ({(error.reason or str(error)).replace('_', ' ').lower()})",
            "which versions of TLS does the server speak?",
        )
    if isinstance(error, socket.gaierror):
        return f"no address is known for {server.hostname}", "check the host's name, or your name server"
    if isinstance(error, UnicodeError):
        return f"{server.hostname} cannot be a host's name", "an endpoint is http://HOST:PORT/v1"
    if isinstance(error, TimeoutError):
        more = f", and does it speak TLS at that port, or {plain}" if is_tls else "?"
        return "no answer in time", f"is the address right, does a firewall let it through{more}"
    number = getattr(error, "errno", None)
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM):
        return "its address cannot be reached from here", "check the address, the network and the firewall"
    return "nothing listens there", ""


def _of_certificate(error: ssl.SSLCertVerificationError, server: SplitResult) -> tuple[str, str]:
    if error.verify_code in (_OTHER_HOST, _OTHER_ADDRESS):
        return f"its certificate is for another name than {server.hostname}", "use the name in the certificate as the host"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired", "renew it on the server"
    if error.verify_code == _NOT_YET:
        return "its certificate is not valid yet", "is the clock right, here and there?"
    return f"its certificate is of an unknown authority ({error.verify_message})", TRUST_IT
