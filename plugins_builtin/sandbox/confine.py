"""The confinement of the calling process and all that it starts: Landlock for files, TCP and signals, seccomp for system calls.

Called in the child, between fork and exec, so it imports next to nothing. Raises OSError: the command is not run then.
"""

import ctypes
import errno
import os
import stat
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 38, 22, 24, 47
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a folder
_FILE = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # what a rule on a file may say
_BY_VERSION = (13, 14, 15, 15, 16, 16, 16)  # how many file rights a Landlock version knows
_NETWORK = 1 << 0 | 1 << 1  # bind and connect over TCP, from version 4 on
_SCOPES = 1 << 0 | 1 << 1  # abstract unix sockets and signals, from version 6 on
_CAPABILITIES = 41
_KEPT = (1, 2)  # DAC_OVERRIDE, DAC_READ_SEARCH: root in a folder of somebody else's can do without no more than these

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def landlock_version() -> int:
    """0 where the kernel has none, or a filter forbids it."""
    version: int = _LIBC.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    return max(0, version)


def confine(readable: list[str], writable: list[str], network: bool, filter: str) -> None:
    """Reading below `readable`, everything below `writable`, TCP only with `network`; `filter` is seccomp's, in hexadecimal."""
    version = landlock_version()
    if not version:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    _drop_capabilities()
    rights = (1 << _BY_VERSION[min(version, len(_BY_VERSION)) - 1]) - 1
    handled = struct.pack("=QQQ", rights, 0 if network or version < 4 else _NETWORK, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _called(_CREATE, handled, ctypes.c_size_t(size), ctypes.c_uint(0))
    for paths, wanted in ((readable, _READ), (writable, rights)):
        for path in paths:
            _allow(ruleset, path, wanted & rights)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _called(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)
    install(bytes.fromhex(filter))


def install(program: bytes) -> None:
    """Puts a seccomp filter in force."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if _LIBC.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(head), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp is not to be had here")


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, or not ours to see: nothing to allow
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE
        rule = struct.pack("=Qi", rights, descriptor)
        _called(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.c_char_p(rule), ctypes.c_uint(0))
    finally:
        os.close(descriptor)


def _drop_capabilities() -> None:
    """Drops all of root's capabilities but those for reading and writing files; Landlock says which files."""
    if os.geteuid() != 0:
        return
    for number in range(_CAPABILITIES):
        if number not in _KEPT:
            _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
    kept = sum(1 << number for number in _KEPT)
    header = struct.pack("=Ii", 0x20080522, 0)
    data = struct.pack("=IIIIII", kept, kept, 0, 0, 0, 0)
    _LIBC.capset(ctypes.c_char_p(header), ctypes.c_char_p(data))


def _called(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
