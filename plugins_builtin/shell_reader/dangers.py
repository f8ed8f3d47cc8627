"""The commands that nobody should run unasked, in whatever mode: they reach beyond the project, and nothing undoes them."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from agentic.lib.patterns import late_pattern

_DISKS = late_pattern(r"/dev/(sd|hd|vd|xvd|nvme|mmcblk|loop|dm-|mapper/|disk|rdisk|mem|kmem|port|sg)")
_ENDS_MACHINE = {"shutdown", "reboot", "halt", "poweroff", "telinit"}
_DISK_PROGRAMS = late_pattern(
    r"mkfs(\..+)?|fdisk|sfdisk|cfdisk|gdisk|sgdisk|parted|wipefs|blkdiscard|mkswap|cryptsetup|pvcreate|vgremove|lvremove|zpool"
)
_DELETES = late_pattern(r"rm|shred|srm|unlink")
_MADE_UP = "\0"


def of(words: Sequence[str], folder: Path, root: Path) -> Iterator[str]:
    """Why a simple command, started in `folder`, is dangerous. A word that is made up only when it runs has a NUL in it."""
    name, rest = words[0], words[1:]
    options = [word for word in rest if word.startswith("-")]
    targets = [word for word in rest if not word.startswith("-")]
    if name in ("rm", "chmod", "chown", "chgrp", "shred", "srm", "mv") and (name in ("mv", "shred") or _recursive(options)):
        yield from _far_reaching(name, targets[:-1] if name == "mv" else targets, folder, root)
    if name == "find" and ("-delete" in rest or any(_DELETES.fullmatch(os.path.basename(word)) for word in rest)):
        yield from _far_reaching("find", list(takewhile(lambda word: word[:1] not in "-(!", rest)) or ["."], folder, root)
    if name == "git":
        yield from _git(targets, rest)
    if name == "dd" and any(_DISKS.match(word.removeprefix("of=")) for word in rest if word.startswith("of=")):
        yield "it writes to a disk itself"
    if _DISK_PROGRAMS.fullmatch(name) or (name in ("shred", "cp", "tee", "cat") and any(map(_DISKS.match, targets[-1:]))):
        yield "it changes a disk itself"
    if name in _ENDS_MACHINE or (name == "init" and set(rest) & {"0", "6"}) or (name == "systemctl" and set(rest) & _ENDS_MACHINE):
        yield "it stops the machine"
    if name in ("killall", "pkill", "skill", "xkill") or (name == "kill" and (set(targets) & {"1"} or "-1" in rest[-1:])):
        yield "it ends processes that are not its own"
    if name in ("crontab", "at", "atrm") and "-l" not in rest:
        yield "it has commands run later, or takes such away"
    if name in ("useradd", "userdel", "usermod", "passwd", "visudo", "chpasswd", "groupadd", "adduser", "deluser"):
        yield "it changes who may use the machine"
    if name in ("iptables", "nft", "ufw", "firewall-cmd", "sysctl", "modprobe", "insmod", "rmmod"):
        yield "it changes the system"


def of_write(path: str) -> str:
    """Why writing to a path is dangerous, "" where it is not."""
    return "it writes to a disk itself" if _DISKS.match(path) else ""


def _recursive(options: Sequence[str]) -> bool:
    return any(
        word in ("--recursive", "--dir") or re.match(r"-[a-zA-Z]*[rR]", word)
        for word in options
        if not word.startswith("--") or word == "--recursive"
    )


def _far_reaching(what: str, targets: Sequence[str], folder: Path, root: Path) -> Iterator[str]:
    home = os.path.expanduser("~")
    for target in targets:
        if _MADE_UP in target:
            yield f"what `{what}` reaches is made up only when it runs"
            continue
        path = os.path.normpath(
            os.path.join(
                folder, os.path.expanduser(re.sub(r"/?(\.?\*|\{.*\}|\.\[.*)+$", "", target) or ((target[:1] == "/" and "/") or "."))
            )
        )
        here = os.path.normpath(root)
        everything = target.rstrip("/") in (".", "./", "..", "*", "./*") or path == here
        if path in ("/", home) or here.startswith(f"{path.rstrip('/')}/"):
            yield f"`{what}` reaches {'your home folder' if path == home else path}"
        elif everything:
            yield f"`{what}` reaches the whole project"
        elif not path.startswith(f"{here}/") and path.count("/") <= 2 and not path.startswith("/tmp/"):
            yield f"`{what}` reaches {path}"


def _git(targets: Sequence[str], rest: Sequence[str]) -> Iterator[str]:
    flags = "".join(word[1:] for word in rest if re.fullmatch(r"-[a-zA-Z]+", word))
    if "push" in targets:
        forced = any(word.startswith(("--force", "--mirror", "--delete", "--prune")) for word in rest) or set(flags) & {"f", "d"}
        if forced or any(word.startswith(("+", ":")) for word in targets):
            yield "it changes or deletes what others have pushed"
    if "clean" in targets and set(flags) & {"f"} and set(flags) & {"x", "X"}:
        yield "it deletes files that git does not keep"
    if "clean" in targets and "--force" in rest:
        yield "it deletes files that git does not keep"
    if set(targets) & {"filter-branch", "filter-repo"} or ("reflog" in targets and set(targets) & {"expire", "delete"}):
        yield "it rewrites the history"
