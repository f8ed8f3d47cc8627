"""A seccomp filter as bytes: what no command needs and every escape begins with. Made by hand: the bindings on the index are dead.

Instructions of classic BPF over `struct seccomp_data` (number, architecture, arguments). A blocked call fails with EPERM; the
program goes on and can say so.
"""

import errno
import platform
import struct
from functools import lru_cache

from agentic.lib.record import record

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets; of an argument the lower half
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET and TIME
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# (x86_64, arm64); 0 where there is no such call.
_BLOCKED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "iopl": (172, 0), "ioperm": (173, 0), "vhangup": (153, 58),
    "mknod": (133, 0), "mknodat": (259, 33), "fanotify_init": (300, 262), "nfsservctl": (180, 42), "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "mbind": (237, 235), "modify_ldt": (154, 0),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
# shmget, msgget, semget, shmctl, msgctl, semctl: of all processes of a user.
_SHARED = ((29, 194), (68, 186), (64, 190), (31, 195), (71, 187), (66, 191))
# prlimit64, sched_setparam, sched_setscheduler, sched_setattr by their first argument, setpriority and ioprio_set by their second:
# 0 is the caller itself.
_OF_PROCESSES = (
    ((302, 261), _FIRST), ((142, 118), _FIRST), ((144, 119), _FIRST), ((314, 274), _FIRST),
    ((141, 140), _SECOND), ((251, 30), _SECOND),
)  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm64": (1, 0xC00000B7)}


@record(frozen=True, slots=True)
class _Rule:
    """A call; its answer where the `offset`ted argument compares so with one of the values, whatever it is without values."""

    number: int
    answer: int
    offset: int = 0
    compare: int = _EQUAL
    values: tuple[int, ...] = ()
    otherwise: int = _ALLOW


def supported() -> bool:
    return platform.machine() in _ARCHITECTURES


@lru_cache(maxsize=4)
def program(families: tuple[int, ...], apart: bool = True) -> bytes:
    """The filter; sockets are those of the address `families` only. A socketpair is no socket: pipes of that kind work.

    `apart`: the command sees no processes and no shared memory but its own. Else it may change only itself, and has no such memory.
    """
    column, architecture = _ARCHITECTURES[platform.machine()]
    deny = _ERRNO | errno.EPERM
    rules = [_Rule(numbers[column], deny) for numbers in _BLOCKED.values() if numbers[column]]
    rules += [
        _Rule(_CLONE3[column], _ERRNO | errno.ENOSYS),  # its flags cannot be seen; libraries go back to clone then
        _Rule(_CLONE[column], deny, _FIRST, _ANY_BIT, (_NEW_NAMESPACES,)),
        _Rule(_SOCKET[column], _ALLOW, _FIRST, _EQUAL, tuple(families), _ERRNO | errno.EACCES),
        _Rule(_IOCTL[column], deny, _SECOND, _EQUAL, (_TIOCSTI, _TIOCLINUX)),
    ]
    if not apart:
        rules += [_Rule(numbers[column], deny) for numbers in _SHARED]
        rules += [_Rule(numbers[column], _ALLOW, offset, _EQUAL, (0,), deny) for numbers, offset in _OF_PROCESSES]
    head = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if column == 0:
        head += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, deny)]
    body = [instruction for rule in rules for instruction in _instructions(rule)]
    return b"".join(struct.pack("=HBBI", *each) for each in [*head, *body, (_RETURN, 0, 0, _ALLOW)])


def _instructions(rule: _Rule) -> list[tuple[int, int, int, int]]:
    """Falls through, with the number still loaded, where it is another call."""
    if not rule.offset:
        return [(_EQUAL, 0, 1, rule.number), (_RETURN, 0, 0, rule.answer)]
    count = len(rule.values)
    tests = [(rule.compare, count - place, 0, value) for place, value in enumerate(rule.values)]
    return [
        (_EQUAL, 0, count + 3, rule.number),
        (_LOAD, 0, 0, rule.offset),
        *tests,
        (_RETURN, 0, 0, rule.otherwise),
        (_RETURN, 0, 0, rule.answer),
    ]
