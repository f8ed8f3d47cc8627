"""Patches that a model hands to a shell, as it was trained to: the command `apply_patch` is the tool of that name here."""

import posixpath
import re
import shlex

BEGIN = "*** Begin Patch"
MAX_DEPTH = 3  # of shells that are called by shells
_VALUE = r"[\w./:,+-]*"
_BEFORE = rf"(?:(?:sudo|time|env|command)[ \t]+|[A-Za-z_]\w*={_VALUE}[ \t]+)*(?:python3?[ \t]+(?:-m[ \t]+)?)?"
_PROGRAM = rf"{_BEFORE}(?:[\w.-]*/)*apply[_-]?patch(?:\.py)?(?:[ \t]+(?:--?|-p\d|--stdin)(?=\s))*"
_HERE = r"<<-?[ \t]*\\?(?P<quote>['\"]?)(?P<end>[\w.-]+)(?P=quote)"
_SHELL = r"(?:/\S*/)?(?:bash|sh|zsh)(?:[ \t]+-[a-z]+)*"
# The program reads a here-document, or what `cat` hands on; nothing else stands in the command.
_BODY = r"[ \t]*\n(?P<patch>.*?)(?:\n[ \t]*(?P=end)[ \t]*|(?<=\*\*\* End Patch))"
_FORMS = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        rf"{_PROGRAM}[ \t]*{_HERE}{_BODY}",
        rf"cat[ \t]*{_HERE}[ \t]*\|[ \t]*{_PROGRAM}{_BODY}",
        rf'{_PROGRAM}[ \t]+"?\$\(cat[ \t]*{_HERE}{_BODY}\s*\)"?',
    )
)
_INPUT = re.compile(rf"{_SHELL}[ \t]*{_HERE}{_BODY}", re.DOTALL)
_WORDS = re.compile(rf"{_PROGRAM}[ \t]+(?:<<<[ \t]*)?(?P<rest>.*)", re.DOTALL)
_SAID = re.compile(r"(?:echo|printf)(?:[ \t]+(?:-[neE]+|--|['\"]?%[sb](?:\\n)?['\"]?)(?=[ \t]))*[ \t]+")
_READS = re.compile(rf"\s*{_PROGRAM}")
_CALLED = re.compile(rf"{_SHELL}[ \t]+(?P<rest>['\"$].*)", re.DOTALL)
_FENCE = re.compile(r"```\w*\n(?P<inner>.*?)\n?```", re.DOTALL)
_NOTHING = re.compile(r"(?:#[^\n]*|set[ \t]+[-+][\w \t-]+)(?:\n|&&|;)\s*")
_FOLDER = re.compile(r"cd[ \t]+(?P<folder>[\w./+@-]+|'[^']+'|\"[^\"$`\\]+\")[ \t]*(?:&&|;|\n)\s*")
_PATH = re.compile(r"^(\*\*\* (?:(?:Add|Update|Delete) File|Move to):[ \t]*)(\S.*)$", re.MULTILINE)
_WRITTEN = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def patch_in(command: str, depth: int = 0) -> str:
    """The patch that the command would apply, "" where it does anything else."""
    if BEGIN not in command or depth > MAX_DEPTH:
        return ""
    folder, command = _in_folder(command.replace("\r\n", "\n").strip())
    return _below(folder, _alone(command, depth))


def _in_folder(command: str) -> tuple[str, str]:
    """(where it runs, the rest) without fence, comments, and the shell's own settings."""
    folder = ""
    if fenced := _FENCE.fullmatch(command):
        command = fenced["inner"].strip()
    while match := _NOTHING.match(command) or _FOLDER.match(command):
        if where := match.groupdict().get("folder"):
            folder = posixpath.join(folder, where.strip("'\""))
        command = command[match.end() :]
    return folder, command


def _alone(command: str, depth: int) -> str:
    if command.startswith(BEGIN):
        return command
    for form in _FORMS:
        if match := form.fullmatch(command):
            return _patch(match["patch"])
    if match := _INPUT.fullmatch(command):
        return patch_in(match["patch"], depth + 1)
    if match := _CALLED.fullmatch(command):
        return patch_in(_one_word(match["rest"]), depth + 1)
    said, _, program = command.rpartition("|")
    if (match := _SAID.match(said)) and _READS.fullmatch(program):
        return _patch(_one_word(said[match.end() :].strip()))
    match = _WORDS.fullmatch(command)
    return _patch(_one_word(match["rest"])) if match else ""


def _patch(text: str) -> str:
    text = text.strip()
    text = text if "\n" in text else with_line_ends(text)
    return text if text.startswith(BEGIN) else ""


def _one_word(text: str) -> str:
    """Returns the word that the shell makes of the text, "" where it does not make exactly one."""
    if match := re.fullmatch(r"\$'((?:[^'\\]|\\.)*)'", text, re.DOTALL):
        return with_line_ends(match[1])
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    return words[0] if len(words) == 1 else ""


def with_line_ends(text: str) -> str:
    """The text with what is written for a line's end, a tab or a quote in place of these signs."""
    return re.sub(r"\\([ntr\\'\"])", lambda match: _WRITTEN[match[1]], text)


def _below(folder: str, patch: str) -> str:
    """The patch with the paths that it has in that folder."""
    if not folder or posixpath.normpath(folder) == ".":
        return patch
    return _PATH.sub(lambda match: match[1] + posixpath.normpath(posixpath.join(folder, match[2])), patch)
