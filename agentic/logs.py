"""A line on each thing that happens behind the scenes: scheduling, failover, trims, plugins' faults. Off unless asked for."""

import logging
import sys
from pathlib import Path

from agentic.errors import ConfigError

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def start_logging(file: str, debug: bool) -> None:
    """Writes what `agentic.*` logs to `file`, and with `debug` warnings and tracebacks to stderr. Raises ConfigError."""
    logger = logging.getLogger("agentic")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    if file:
        try:
            handler = logging.FileHandler(Path(file).expanduser(), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ConfigError(f"--log {file} cannot be written: {error.strerror}") from error
        handler.setFormatter(_OneLine(_FORMAT))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    if debug:
        screen = logging.StreamHandler(sys.stderr)
        screen.setLevel(logging.WARNING)
        logger.addHandler(screen)


class _OneLine(logging.Formatter):
    """A record in one line, whatever is in it; a traceback is the screen's, with --debug."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        return " ⏎ ".join(self.formatMessage(record).splitlines())
