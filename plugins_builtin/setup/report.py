"""`agentic report`: a zip file for whoever is to help, without keys, and without conversations unless they are asked for."""

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

import click

from agentic import ConfigError, Settings
from agentic.commands import model_options, present_host
from agentic.lib.safeguards import Safeguards
from agentic.lib.sanitize import hide_logins

SECONDS = 60.0  # for each command
MAX_LOG = 1_000_000  # bytes of the log's end
_PARTS: dict[str, tuple[str, ...]] = {"config.txt": ("config", "show"), "plugins.txt": ("plugins",), "doctor.txt": ("doctor",)}


@click.command("report", epilog="The manual: agentic docs servers")
@click.option("-o", "path", type=click.Path(path_type=Path, dir_okay=False), default=Path("agentic-report.zip"), show_default=True)
@click.option("--transcript", is_flag=True, help="Include this folder's latest session, with all that was said and done.")
@model_options
def command(root: Path, settings: Settings, path: Path, transcript: bool) -> None:
    """Writes a zip file to attach to a bug report: versions, configuration, plugins, what `doctor` finds, the end of the log.

    It masks the secrets that it recognizes and your home folder's name. Look at the file before you send it.

    For example: agentic report --transcript
    """
    parts = _PARTS | ({"transcript.md": ("sessions", "export", "--format", "markdown")} if transcript else {})
    safeguards = Safeguards(offer.record for offer in present_host().offers("agentic_safeguards").values())
    texts = {"versions.txt": _versions()} | {name: _output_of(words, root) for name, words in parts.items()}
    if settings.log.file:
        texts["log.txt"] = _end_of(Path(settings.log.file))
    try:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as made:
            for name, text in texts.items():
                made.writestr(name, _masked(text, safeguards))
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", "-o names another file") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", "-o names another file") from error
    click.echo(f"wrote {path}: {', '.join(texts)}")


def _versions() -> str:
    found = sorted(f"{each.metadata['Name']} {each.version}" for each in distributions())
    return "\n".join([f"Python {sys.version}", platform.platform(), f"TERM={os.environ.get('TERM', '')}", "", *found])


def _output_of(words: Sequence[str], root: Path) -> str:
    """All that the command prints, and how it ended where it failed."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "agentic", *words],
            cwd=root, capture_output=True, text=True, errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({error})"
    return f"{done.stdout}{done.stderr}" + (f"(exit code {done.returncode})\n" if done.returncode else "")


def _end_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MAX_LOG))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"({path}: {error.strerror})"


def _masked(text: str, safeguards: Safeguards) -> str:
    return hide_logins(safeguards.masked(text)[0]).replace(os.path.expanduser("~"), "~")
