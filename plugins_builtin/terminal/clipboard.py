"""Pictures that are pasted: from the clipboard, by the program that the system has for it, or as the path of a file."""

import re
import shutil
import subprocess
from pathlib import Path

from agentic.errors import AgenticError
from agentic.lib.files import read_regular
from agentic.lib.mentions import IMAGES, MAX_IMAGE_BYTES
from agentic.types import ImagePart

# What prints the clipboard's picture as PNG: Wayland, X11, macOS.
_PROGRAMS = (
    ("wl-paste", "--no-newline", "--type", "image/png"),
    ("xclip", "-selection", "clipboard", "-target", "image/png", "-out"),
    ("pngpaste", "-"),
)
SECONDS = 3.0


def pasted_picture() -> ImagePart:
    """The clipboard's. Raises AgenticError where there is none."""
    known = [words for words in _PROGRAMS if shutil.which(words[0])]
    if not known:
        names = ", ".join(words[0] for words in _PROGRAMS)
        raise AgenticError("nothing here can read the clipboard's picture", f"install one of {names}, or paste the path of a file")
    for words in known:
        try:
            data = subprocess.run(words, capture_output=True, timeout=SECONDS).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        if data.startswith(b"\x89PNG") and len(data) <= MAX_IMAGE_BYTES:
            return ImagePart(data)
    raise AgenticError("there is no picture in the clipboard")


def picture_at(text: str) -> ImagePart | None:
    """The picture in the file whose path was pasted, as terminals paste a file that is dropped; None for any other text."""
    name = re.sub(r"\\(.)", r"\1", text.strip().strip("'\"").removeprefix("file://"))
    path = Path(name).expanduser()
    if "\n" in name or path.suffix.lower() not in IMAGES or not path.is_absolute():
        return None
    try:
        return ImagePart(read_regular(path, MAX_IMAGE_BYTES), IMAGES[path.suffix.lower()])
    except OSError:
        return None
