"""A command that is given a text, gives one, and is over."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


async def outputs_of(
    command: Sequence[str], text: bytes, folder: Path, env: Mapping[str, str], seconds: float
) -> tuple[int, bytes, bytes]:
    """(exit code, standard output, standard error); nothing of its session is left afterwards.

    Raises OSError where it cannot be started or does not read what it is given, TimeoutError.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=env,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            out, errors = await process.communicate(text)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return process.returncode or 0, out, errors
