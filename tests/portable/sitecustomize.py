"""A Linux that has nothing but what macOS has too: `PYTHONPATH=tests/portable pytest` shows what stands on Linux alone.

It takes the names away; it cannot bring the ways of macOS (its file names, `sandbox-exec`, its signals).
"""

import errno
import os
import sys
import types
from typing import Any

_AWAY = ("O_PATH", "O_TMPFILE", "pidfd_open", "memfd_create", "sched_getaffinity", "copy_file_range", "sendfile", "posix_fallocate")
_LOOKS = {"open", "os.listdir", "os.scandir", "os.readlink", "os.link"}
_PROC = (b"/proc", b"/sys/fs")


def _without_proc(event: str, arguments: tuple[Any, ...]) -> None:
    path = arguments[0] if event in _LOOKS and arguments else 0
    if isinstance(path, (str, bytes, os.PathLike)) and os.fsencode(path).startswith(_PROC):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _is_dir(path: Any, whether: Any = os.path.isdir) -> bool:
    return bool(whether(path)) and not (isinstance(path, str) and path.startswith("/proc"))


os.environ["_PYTHON_SYSCONFIGDATA_NAME"] = f"_sysconfigdata_{sys.abiflags}_linux_{sys.implementation._multiarch}"
sys.platform = "darwin"
sys.modules["_scproxy"] = types.ModuleType("_scproxy")  # urllib wants it there
vars(sys.modules["_scproxy"]).update(_get_proxy_settings=dict, _get_proxies=dict)
for _name in _AWAY:
    if hasattr(os, _name):
        delattr(os, _name)
os.path.isdir = _is_dir
sys.addaudithook(_without_proc)
