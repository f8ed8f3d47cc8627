"""macOS's sandbox-exec: deprecated for years, and what every agent there stands on, since nothing has taken its place."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from agentic import Launch, LaunchPolicy, ToolError

_PROGRAM = "/usr/bin/sandbox-exec"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/dtracehelper")


class Seatbelt:
    confines = keeps_protected = True
    gaps = ("services of the system can be asked by Mach messages",)

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        if shutil.which(_PROGRAM) is None:
            raise ToolError("sandbox-exec is not here")
        return Launch((_PROGRAM, "-p", profile(policy), *argv))


def profile(policy: LaunchPolicy) -> str:
    """The policy in Apple's language; the last rule that fits counts."""
    writable = [f"(allow file-write* {_below(path)})" for path in (*policy.writable, policy.temporary)]
    return "\n".join(
        [
            "(version 1)",
            "(allow default)",
            "(deny file-write*)",
            *writable,
            *(f"(allow file-write-data (literal {_quoted(path)}))" for path in _DEVICES),
            *(f"(deny file-write* {_below(path)})" for path in policy.protected),
            *(f"(deny file-read* file-write* {_below(path)})" for path in policy.hidden),
            *(() if policy.network else ("(deny network*)", '(allow network* (local ip "localhost:*") (remote ip "localhost:*"))')),
            "(deny process-info* (target others))",
            "(deny signal (target others))",
            "(allow signal (target same-sandbox))",
        ]
    )


def _below(path: Path) -> str:
    return f"(subpath {_quoted(os.path.realpath(path))})"


def _quoted(text: str | Path) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
