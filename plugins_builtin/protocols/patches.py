"""Patches that a model hands to a shell, as it was trained to: the command `apply_patch` is the tool of that name here."""

import re
import shlex

BEGIN = "*** Begin Patch"
_PROGRAMS = ("apply_patch", "applypatch", "apply-patch")
_PROGRAM = "|".join(_PROGRAMS)
_HERE = r"<<-?[ \t]*(?P<quote>['\"]?)(?P<end>[\w.-]+)(?P=quote)"
# The program reads a here-document, or what `cat` hands on; nothing else stands in the command.
_FORMS = (
    re.compile(rf"(?:{_PROGRAM})[ \t]*{_HERE}[ \t]*\n(?P<patch>.*)\n[ \t]*(?P=end)", re.DOTALL),
    re.compile(rf"cat[ \t]*{_HERE}[ \t]*\|[ \t]*(?:{_PROGRAM})[ \t]*\n(?P<patch>.*)\n[ \t]*(?P=end)", re.DOTALL),
)
MAX_DEPTH = 3  # of shells that are called by shells


def patch_in(command: str, depth: int = 0) -> str:
    """The patch that the command would apply, "" where it does anything else."""
    command = command.strip()
    if command.startswith(BEGIN):
        return command
    for form in _FORMS:
        if (match := form.fullmatch(command)) and match["patch"].lstrip().startswith(BEGIN):
            return match["patch"].strip()
    try:
        words = shlex.split(command) if BEGIN in command else []
    except ValueError:
        return ""
    if len(words) == 3 and words[0].rpartition("/")[2] in ("bash", "sh", "zsh") and re.fullmatch(r"-l?c", words[1]):
        return patch_in(words[2], depth + 1) if depth < MAX_DEPTH else ""
    given = words[1:] if words[:1] and words[0] in _PROGRAMS else []
    return given[0].strip() if len(given) == 1 and given[0].lstrip().startswith(BEGIN) else ""
