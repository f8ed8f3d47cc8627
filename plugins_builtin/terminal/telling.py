"""A command of the user's that is told of questions and ends of turns: a notification on a phone, a mail."""

import os
import subprocess
from contextlib import suppress


def tell_user(command: str, text: str) -> None:
    """Starts it with the text in $AGENTIC_SAYS, and does not wait. Nothing where there is no command."""
    if command:
        with suppress(OSError):
            subprocess.Popen(
                ("/bin/sh", "-c", command),
                env={**os.environ, "AGENTIC_SAYS": text},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
