"""What other processes of the user can read of us: nothing that commands are not given."""

import ctypes
import os
import sys
from collections.abc import Collection

_PR_SET_DUMPABLE = 4


def conceal(names: Collection[str]) -> None:
    """Overwrites the values of these variables where /proc/PID/environ shows them; `os.environ` keeps them."""
    wanted = {os.fsencode(name) for name in names}
    variables = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    number = 0
    while address := variables[number]:
        name, separator, value = ctypes.string_at(address).partition(b"=")
        if separator and name in wanted:
            ctypes.memset(address + len(name) + 1, 0, len(value))
        number += 1


def close_memory() -> None:
    """Our memory to all other processes of the user, debuggers included; root still reads it. Nothing but Linux needs it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
