"""bubblewrap: a file system, a network, processes and a user of the command's own. The system's own `bwrap` is used.

Ubuntu's AppArmor lets exactly /usr/bin/bwrap make user namespaces.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from agentic import Launch, LaunchPolicy, ToolError
from plugins_builtin.sandbox import seccomp

SECONDS = 5.0
_SOCKETS = ("/run", "/var/run")  # of docker, D-Bus, the resolver: they work through a read-only mount
_RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager/resolv.conf", "/run/resolvconf")
_TEMPORARY = ("/tmp", "/var/tmp")
_DEVICES = ("/dev/dri", "/dev/kfd")


class Bubblewrap:
    confines = True
    gaps = ("a new file with a protected name can be made: it is taken away after the command",)

    def __init__(self) -> None:
        self._program = shutil.which("bwrap", path="/usr/bin:/bin") or shutil.which("bwrap") or ""

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        if not self._program or not seccomp.supported():
            raise ToolError("bwrap is not installed here" if not self._program else "no filter is known for this processor")
        families = (seccomp.AF_INET, seccomp.AF_INET6, seccomp.AF_NETLINK)
        words = [self._program, *_namespaces(self._program), *_mounts(self._program, policy)]
        words += ["--share-net"] if policy.network else []
        words += ["--seccomp", "{seccomp}", "--chdir", str(policy.folder), "--", *argv]
        return Launch(tuple(words), {"seccomp": seccomp.program(families)})


@lru_cache(maxsize=1)
def _namespaces(program: str) -> tuple[str, ...]:
    """Without --die-with-parent a background process survives; --disable-userns needs --unshare-user said beside it."""
    words = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    return (*words, "--disable-userns") if _works(program, (*words, "--disable-userns")) else tuple(words)


@lru_cache(maxsize=1)
def _proc(program: str) -> tuple[str, ...]:
    """A /proc of its own, which a container that masks parts of its own forbids; an empty one hides other processes then."""
    return next((words for words in (("--proc", "/proc"), ("--tmpfs", "/proc")) if _works(program, ("--unshare-all", *words))), ())


def _works(program: str, words: Sequence[str]) -> bool:
    command = [program, "--ro-bind", "/", "/", *words, "--", "/bin/true"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _mounts(program: str, policy: LaunchPolicy) -> Iterator[str]:
    yield from ("--ro-bind", "/", "/", "--dev", "/dev", *_proc(program))
    if policy.devices:
        names = sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))
        for device in (*(f"/dev/{name}" for name in names), *_DEVICES):
            yield from ("--dev-bind-try", device, device)
    for folder in _SOCKETS:
        if os.path.isdir(folder) and not os.path.islink(folder):
            yield from ("--tmpfs", folder)
    if policy.network:
        for resolver in _RESOLVERS:
            yield from ("--ro-bind-try", resolver, resolver)
    for folder in _TEMPORARY:
        yield from ("--bind", str(policy.temporary), folder)
    for path in policy.readable:
        if any(path.is_relative_to(folder) and path != Path(folder) for folder in _TEMPORARY):
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--bind", str(policy.temporary), str(policy.temporary))  # for what is agreed on by name
    writable = tuple(f"{folder}/" for folder in policy.writable)
    inside = [path for path in policy.hidden if str(path).startswith(writable)]
    yield from _empty(path for path in policy.hidden if path not in inside)
    for path in _existing(policy.writable):
        yield from ("--bind", str(path), str(path))
    for path in _existing(policy.protected):
        yield from ("--ro-bind", str(path), str(path))
    yield from _empty(inside)


def _empty(paths: Iterable[Path]) -> Iterator[str]:
    for path in _existing(paths):
        yield from ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    """As they really are: a mount over a link would land elsewhere."""
    for path in paths:
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except OSError:
            continue
        if not is_link:
            yield path
