"""Git, called so that nothing is run which a repository configures: no hook, filter, monitor, pager, editor, transport.

The one place of the program that calls it. A cloned repository's `.git/config` is anybody's (CVE-2026-26268, CVE-2026-72718).
"""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from agentic.errors import ToolError

_NEVER = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sshCommand=false",
    "core.editor=false",
    "core.askPass=",
    "credential.helper=",
    "diff.external=",
    "gpg.program=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.bareRepository=explicit",
)
SECONDS = 10.0  # for the list of what is tracked
_DRIVERS = ("filter.", "diff.", "merge.")
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # a partial clone would fetch what it lacks
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


async def git(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    good: tuple[int, ...] = (0,),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Its standard output. `environment` is what it gets of git's own variables.

    Raises ToolError with git's own words where it ends with none of the `good` codes.
    """
    listed = await _call(folder, (), ("config", "--name-only", "--list", "-z"), b"", (0,), environment)
    names = {name for name in listed.decode("utf-8", "replace").split("\0") if name.lower().startswith(_DRIVERS)}
    blank = [f"{name}={'false' if name.lower().endswith(('.required', '.cachetextconv')) else ''}" for name in sorted(names)]
    return await _call(folder, (*_NEVER, *blank), arguments, stdin, good, environment)


async def top_of(folder: Path) -> Path:
    """The top of the work tree that holds it. Raises ToolError where there is none."""
    return Path(os.fsdecode(await git(folder, "rev-parse", "--show-toplevel")).rstrip("\n"))


def tracked_files(top: Path) -> list[str]:
    """Returns the paths below the top that git tracks, ignored ones too; none without a repository or without git."""
    argv = _argv(_NEVER, ("ls-files", "-z", "--recurse-submodules"))
    try:
        done = subprocess.run(argv, cwd=top, env=_surroundings({}), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path] if done.returncode == 0 else []


def _argv(settings: tuple[str, ...], arguments: tuple[str, ...]) -> list[str]:
    return ["git", "--no-pager", *(part for setting in settings for part in ("-c", setting)), *arguments]


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AGENTIC_"))}
    return kept | _ENVIRONMENT | dict(environment)


async def _call(
    folder: Path,
    settings: tuple[str, ...],
    arguments: tuple[str, ...],
    stdin: bytes,
    good: tuple[int, ...],
    environment: Mapping[str, str],
) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *_argv(settings, arguments),
            cwd=folder,
            env=_surroundings(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ToolError(f"git cannot be run ({error.strerror})") from error
    try:
        out, err = await process.communicate(stdin)
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode not in good:
        said = err.decode("utf-8", "replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise ToolError(f"git {arguments[0]}: {said[-1]}")
    return out
