"""The plugins' additions to the command line, as the last start found them: read instead of imported, and anew on any doubt.

A start is like the last one where the same is installed, with the same configuration: by path, time and size of each file that
decides it.
"""

import os
import sys
import zlib
from contextlib import suppress
from itertools import chain

from agentic.folders import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Rows = list[tuple[str, str, str]]

MOST = 20  # remembered starts


def rows(find: "Callable[[], tuple[Rows, Iterable[str]]]") -> "Rows":
    """(kind, name, summary) of each command, flag and renderer of a plugin. `find` asks them, and names the files of their code."""
    return _read("offers", "\n".join([sys.version, _stamp(chain(_installed(), _configured())), _variables()]), find)


_sources: list[str] = []


def plugins() -> "Rows | None":
    """(name, hooks, what is known besides) of each plugin that can be used, in order; None where that is not known.

    The same is installed, configured and switched on as when it was kept, and no file of the plugins' code has changed.
    """
    path, stamp = _plugins_file()
    with suppress(OSError, ValueError):
        with open(path, encoding="utf-8") as file:
            known, files, offered = file.read().split("\0\0")
        names = [line.rpartition(" ")[0].rpartition(" ")[0] for line in files.split("\n")]
        if known == stamp and _stamp(names) == files:
            _sources[:] = names
            return [_row(line) for line in offered.split("\n") if line]
    return None


def keep_plugins(found: "Rows", sources: "Iterable[str]") -> None:
    """Keeps what `plugins` gives from the next start on."""
    path, stamp = _plugins_file()
    _keep(path, "\0\0".join([stamp, _stamp(sources), "\n".join("\0".join(row) for row in found)]))


def sources() -> list[str]:
    """Returns the files of the plugins' code, as `plugins` found them."""
    return _sources


def _plugins_file() -> tuple[str, str]:
    stamp = "\n".join([sys.version, _stamp(chain(_installed(), _configured())), _variables()])
    return os.path.join(place("XDG_STATE_HOME"), "index", f"hooks-{zlib.crc32(stamp.encode('utf-8', 'surrogatepass')):08x}"), stamp


def entry_points(find: "Callable[[], Rows]") -> "Rows":
    """(name, "module:attribute", what is known of its distribution) of each installed plugin; `find` looks into all metadata."""
    return _read("plugins", "\n".join([sys.version, _stamp(_installed())]), lambda: (find(), ()))


def _read(topic: str, stamp: str, find: "Callable[[], tuple[Rows, Iterable[str]]]") -> "Rows":
    path = os.path.join(place("XDG_STATE_HOME"), "index", f"{topic}-{zlib.crc32(stamp.encode('utf-8', 'surrogatepass')):08x}")
    with suppress(OSError, ValueError):
        with open(path, encoding="utf-8") as file:
            known, files, offered = file.read().split("\0\0")
        if known == stamp and _stamp(line.rpartition(" ")[0].rpartition(" ")[0] for line in files.split("\n")) == files:
            return [_row(line) for line in offered.split("\n") if line]
    found, sources = find()
    _keep(path, "\0\0".join([stamp, _stamp(sources), "\n".join("\0".join(row) for row in found)]))
    return found


def forget() -> None:
    """The next start looks anew."""
    folder = os.path.join(place("XDG_STATE_HOME"), "index")
    with suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))


def _row(line: str) -> tuple[str, str, str]:
    kind, name, summary = line.split("\0")
    return kind, name, summary


def _keep(path: str, text: str) -> None:
    with suppress(OSError, UnicodeError):
        folder = os.path.dirname(path)
        os.makedirs(os.path.dirname(place("XDG_STATE_HOME")), exist_ok=True)
        for own in (place("XDG_STATE_HOME"), folder):
            with suppress(FileExistsError):
                os.mkdir(own, 0o700)
        if len(os.listdir(folder)) >= MOST:
            forget()
        fresh = f"{path}.{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, path)


def _installed() -> "Iterator[str]":
    """The files that say which plugins there are."""
    for folder in dict.fromkeys(sys.path):
        with suppress(OSError):
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))
            yield from (os.path.join(folder, name, "entry_points.txt") for name in names)


def _configured() -> "Iterator[str]":
    """The user's own plugins, and the files that say which plugins are switched off."""
    own = place("XDG_CONFIG_HOME")
    with suppress(OSError):
        yield from (os.path.join(own, "plugins", name) for name in sorted(os.listdir(os.path.join(own, "plugins"))))
    yield os.path.join(own, "config.toml")
    here = os.getcwd()
    while True:
        yield from (os.path.join(here, name) for name in ("agentic.toml", "pyproject.toml"))
        if here == os.path.dirname(here):
            return
        here = os.path.dirname(here)


def _variables() -> str:
    """Returns the environment variables that select plugins."""
    return "\n".join(sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("AGENTIC_PLUGINS")))


def _stamp(paths: "Iterable[str]") -> str:
    """Each file that is there, with its time and size."""
    lines = []
    for path in paths:
        with suppress(OSError, ValueError):
            seen = os.stat(path)
            lines.append(f"{path} {seen.st_mtime_ns} {seen.st_size}")
    return "\n".join(lines)
