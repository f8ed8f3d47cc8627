"""The hiding of our environment, arguments and memory: other processes of the user read nothing that commands are not given."""

import ctypes
import os
import re
import sys
from collections.abc import Collection, Iterable

_PR_SET_DUMPABLE = 4


def conceal(names: Collection[str]) -> None:
    """Overwrites the values of these variables where /proc/PID/environ shows them; we and what we start keep them."""
    wanted = {os.fsencode(name) for name in names}
    found = [(address, *ctypes.string_at(address).partition(b"=")) for address in _variables()]
    for address, name, separator, value in found:
        if separator and name in wanted:
            os.putenv(name, value)  # a copy of its own
            if address not in _variables():
                ctypes.memset(address + len(name) + 1, 0, len(value))


def conceal_arguments(names: Iterable[str]) -> None:
    """Overwrites the values of these settings (`-c NAME=VALUE`), and logins in URLs, where /proc/PID/cmdline and `ps` show them."""
    try:
        with open("/proc/self/stat", "rb") as file:
            start, end = map(int, file.read().rpartition(b")")[2].split()[45:47])
    except (OSError, ValueError):  # another system than Linux
        return
    words = ctypes.string_at(start, end - start)
    secret = re.compile(b"(?:" + b"|".join(re.escape(name.encode()) for name in names) + rb")=([^\0]+)|://([^\0/@]+)@")
    for found in secret.finditer(words):
        place, until = found.span(1) if found[1] else found.span(2)
        ctypes.memset(start + place, ord("*"), until - place)


def _variables() -> list[int]:
    """Returns the addresses of the C library's `NAME=VALUE` strings."""
    variables = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    found: list[int] = []
    while address := variables[len(found)]:
        found.append(address)
    return found


def close_memory() -> None:
    """Our memory to all other processes of the user, debuggers included; root still reads it. Nothing but Linux needs it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
