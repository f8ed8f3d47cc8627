"""A program that tries to get out of the sandbox it is started in, one way after the other, and prints which ways are open.

Its argument is JSON: `outside` a folder that is not the command's, `hidden` one that it should not see, `socket` a unix socket in
`outside`, `abstract` the name of another, `tcp` and `udp` ports on this machine, `pid` a process that is not its own, `canary` a
word that stands in that process's environment, `gone` a file that a process left behind touches.
"""

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_ARM = os.uname().machine in ("aarch64", "arm64")
_PROBES: dict[str, Callable[[dict[str, Any]], object]] = {}


def probe(name: str) -> Callable[[Callable[[dict[str, Any]], object]], Callable[[dict[str, Any]], object]]:
    """A way out. It is open unless the function raises OSError or gives something false."""

    def add(function: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
        _PROBES[name] = function
        return function

    return add


def main() -> None:
    given = json.loads(sys.argv[1])
    for name, function in _PROBES.items():
        try:
            is_open, why = bool(function(given)), ""
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            is_open, why = False, str(error)
        print(json.dumps({"name": name, "open": is_open, "why": why}), flush=True)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _write(path: str, text: str = "escaped") -> bool:
    with open(path, "w") as file:
        file.write(text)
    return True


def _call(x86: int, arm: int, *arguments: object) -> bool:
    """A system call that succeeds, or is refused for another reason than that it is forbidden."""
    result = _LIBC.syscall(arm if _ARM else x86, *arguments)
    code = ctypes.get_errno()
    if result < 0 and code in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        raise OSError(code, os.strerror(code))
    return True


@probe("write a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    return _write(f"{given['outside']}/new")


@probe("write through a link that leads out")
def _(given: dict[str, Any]) -> bool:
    os.symlink(f"{given['outside']}/file", "link-out")
    return _write("link-out")


@probe("write into another name of a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    os.link(f"{given['outside']}/file", "other-name")
    return _write("other-name")


@probe("delete a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    os.unlink(f"{given['outside']}/victim")
    return True


@probe("move a file elsewhere over another")
def _(given: dict[str, Any]) -> bool:
    _write("mine")
    os.rename("mine", f"{given['outside']}/file")
    return True


@probe("empty a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    os.truncate(f"{given['outside']}/file", 0)
    return True


@probe("read a hidden file")
def _(given: dict[str, Any]) -> bool:
    with open(f"{given['hidden']}/secret") as file:
        return bool(file.read())


@probe("list a hidden folder")
def _(given: dict[str, Any]) -> bool:
    return bool(os.listdir(given["hidden"]))


@probe("read another process's environment")
def _(given: dict[str, Any]) -> bool:
    found = False
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit():
                with open(f"/proc/{name}/environ", "rb") as file:
                    found = found or given["canary"].encode() in file.read()
    return found


@probe("read another process's files through /proc")
def _(given: dict[str, Any]) -> bool:
    with open(f"/proc/{given['pid']}/root{given['hidden']}/secret") as file:
        return bool(file.read())


@probe("find a key in its own environment")
def _(given: dict[str, Any]) -> bool:
    return any(given["canary"] in value for value in os.environ.values())


@probe("reach a server of this machine over TCP")
def _(given: dict[str, Any]) -> bool:
    with socket.create_connection(("127.0.0.1", given["tcp"]), 2) as link:
        return link.recv(5) == b"hello"


@probe("send a datagram to this machine")
def _(given: dict[str, Any]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(0.5)
        link.sendto(b"out", ("127.0.0.1", given["udp"]))
        return link.recv(5) == b"hello"


@probe("reach a unix socket by its path")
def _(given: dict[str, Any]) -> bool:
    folder, name = os.path.split(given["socket"])
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)  # its path may be longer than an address can be
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(name)
            return True
    finally:
        os.fchdir(before)
        os.close(before)


@probe("reach an abstract unix socket")
def _(given: dict[str, Any]) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect("\0" + given["abstract"])
        return True


@probe("open a raw packet socket")
def _(given: dict[str, Any]) -> bool:
    socket.socket(17, socket.SOCK_RAW).close()
    return True


@probe("change .git/config")
def _(given: dict[str, Any]) -> bool:
    return _write(".git/config")


@probe("add a git hook")
def _(given: dict[str, Any]) -> bool:
    return _write(".git/hooks/post-checkout")


@probe("add a protected file that was not there")
def _(given: dict[str, Any]) -> bool:
    return _write(".envrc")


@probe("change the mode of a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    os.chmod(f"{given['outside']}/file", 0o777)
    return True


@probe("change the times of a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    os.utime(f"{given['outside']}/file", (1, 1))
    return True


@probe("change an attribute of a file elsewhere")
def _(given: dict[str, Any]) -> bool:
    if not hasattr(os, "setxattr"):
        return False
    os.setxattr(f"{given['outside']}/file", "user.agentic", b"x")
    return True


@probe("signal a process that is not its own")
def _(given: dict[str, Any]) -> bool:
    os.kill(given["pid"], 0)
    with open(f"/proc/{given['pid']}/comm") as file:  # in a process namespace the number is nobody's
        return bool(file.read())


@probe("end a process that is not its own by its limits")
def _(given: dict[str, Any]) -> bool:
    with open(f"/proc/{given['pid']}/comm") as file:  # in a process namespace the number is nobody's
        file.read()
    return _call(302, 261, ctypes.c_long(given["pid"]), ctypes.c_long(7), None, ctypes.create_string_buffer(16))


@probe("read another process's arguments")
def _(given: dict[str, Any]) -> bool:
    with open(f"/proc/{given['pid']}/cmdline", "rb") as file:
        return b"sleep" in file.read()


@probe("change a setting of the kernel")
def _(given: dict[str, Any]) -> bool:
    found = False
    for path in ("/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger"):
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY))  # nothing is written
            found = True
    return found


@probe("open the user's terminals")
def _(given: dict[str, Any]) -> bool:
    found = False
    for name in ("tty", "console", *(f"pts/{each}" for each in _names_in("/dev/pts") if each.isdigit())):
        with suppress(OSError):
            os.close(os.open(f"/dev/{name}", os.O_WRONLY | os.O_NOCTTY))
            found = True
    return found


@probe("trace a process that is not its own")
def _(given: dict[str, Any]) -> bool:
    return _call(101, 117, ctypes.c_long(16), ctypes.c_long(given["pid"]), None, None)


@probe("read the memory of a process that is not its own")
def _(given: dict[str, Any]) -> bool:
    return _call(310, 270, ctypes.c_long(given["pid"]), None, ctypes.c_long(0), None, ctypes.c_long(0), ctypes.c_long(0))


@probe("make a user namespace")
def _(given: dict[str, Any]) -> bool:
    return _call(272, 97, ctypes.c_long(0x10000000))


@probe("make a user namespace by clone3")
def _(given: dict[str, Any]) -> bool:
    arguments = struct.pack("=QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0)
    pid = _LIBC.syscall(435, arguments, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(pid, 0)
    return True


@probe("mount a file system")
def _(given: dict[str, Any]) -> bool:
    return _call(165, 40, b"none", b"/tmp", b"tmpfs", ctypes.c_long(0), None)


@probe("set up io_uring")
def _(given: dict[str, Any]) -> bool:
    return _call(425, 425, ctypes.c_long(1), ctypes.create_string_buffer(120))


@probe("load a program into the kernel")
def _(given: dict[str, Any]) -> bool:
    return _call(321, 280, ctypes.c_long(0), ctypes.create_string_buffer(72), ctypes.c_long(72))


@probe("change the root folder")
def _(given: dict[str, Any]) -> bool:
    return _call(161, 51, b".")


@probe("make a device")
def _(given: dict[str, Any]) -> bool:
    os.mknod("disk", 0o660 | 0o060000, os.makedev(8, 0))
    return True


@probe("type into the terminal")
def _(given: dict[str, Any]) -> bool:
    with open("/dev/tty", "rb+", buffering=0) as terminal:
        import fcntl

        fcntl.ioctl(terminal, 0x5412, b"x")
    return True


@probe("call the kernel by the x32 numbers")
def _(given: dict[str, Any]) -> bool:
    return not _ARM and _LIBC.syscall(0x40000000 + 39) > 0


@probe("leave a process behind")
def _(given: dict[str, Any]) -> bool:
    line = f"sleep 1; echo left > left-behind; echo left > {given['outside']}/left"
    subprocess.Popen(["/usr/bin/env", "-i", "/usr/bin/setsid", "/bin/sh", "-c", line], close_fds=True)
    time.sleep(0.1)
    return False  # whether it is left shows later


if __name__ == "__main__":
    main()
