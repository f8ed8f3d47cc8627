"""bubblewrap: a file system, a network, processes and a user of the command's own. The system's own `bwrap` is used.

Ubuntu's AppArmor lets exactly /usr/bin/bwrap make user namespaces.
"""

import os
import shutil
import stat
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from agentic import Launch, LaunchPolicy, ToolError
from plugins_builtin.sandbox import seccomp

SECONDS = 5.0
MAX_HIDDEN = 1_500  # bwrap takes 9,000 words, and each takes three
_SOCKETS = ("/run", "/var/run")  # of docker, D-Bus, the resolver: they work through a read-only mount
_RESOLVERS = ("/run/systemd/resolve", "/run/NetworkManager/resolv.conf", "/run/resolvconf")
# Of the machine, not of the command: who is root outside may write to them from a namespace, too.
_MACHINES = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/mtrr", "/proc/scsi", "/proc/acpi")
_TEMPORARY = ("/tmp", "/var/tmp")
_DEVICES = ("/dev/dri", "/dev/kfd")


class Bubblewrap:
    confines = keeps_protected = True
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
    for machines in _MACHINES if "--proc" in _proc(program) else ():
        yield from ("--ro-bind-try", machines, machines)
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
    hidden = dict.fromkeys(Path(os.path.realpath(path)) for path in policy.hidden)  # what a link leads to is what is kept
    inside = [path for path in hidden if any(path.is_relative_to(folder) for folder in policy.writable)]
    private = _bounded([Path(os.path.realpath(path)) for path in policy.private], policy.folder)
    yield from _empty(path for path in hidden if path not in inside)
    for path in _existing(policy.writable):
        yield from ("--bind", str(path), str(path))
    for path in _existing(policy.protected):
        yield from ("--ro-bind", str(path), str(path))
    yield from _empty([*inside, *private])


def _bounded(paths: Sequence[Path], root: Path) -> list[Path]:
    """At most MAX_HIDDEN of them; where there are more, whole folders that hold many. Raises ToolError."""
    found = list(dict.fromkeys(paths))
    while len(found) > MAX_HIDDEN:
        holding = Counter(path.parent for path in found)
        folder, count = max(holding.items(), key=lambda each: each[1])
        if count < 2 or root.is_relative_to(folder):
            raise ToolError(f"{len(paths)} files of secrets are too many to hide: commands would see them")
        found = [folder, *(path for path in found if not path.is_relative_to(folder))]
    return found


def _empty(paths: Iterable[Path]) -> Iterator[str]:
    for path in _existing(paths):
        yield from ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields the paths that exist and are no links: a mount over a link would land elsewhere."""
    for path in paths:
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except OSError:
            continue
        if not is_link:
            yield path
