"""The good forms of programs: what is known to start nothing besides itself. Whatever is not written here is not known.

A form is told by options: each word that begins with `-` fits the program's expression as a whole, so abbreviated, joined or new
options do not. Words before it that are no options are names of files, tests, branches and the like.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from agentic.lib.patterns import late_pattern
from plugins_builtin.shell_reader.good_commands import BY_COMMANDS, GIT, GIT_FIRST, REMOTE, SECOND
from plugins_builtin.shell_reader.good_options import BY_OPTIONS, MODULES, PLAIN
from plugins_builtin.shell_reader.scripts import awk_is_good, sed_is_good

Words = Sequence[str]

_COVERAGE = {"report", "html", "xml", "json", "combine", "erase", "annotate", "debug", "lcov"}


def unknown(name: str, words: Words, root: Path) -> str:
    """Why it is not known that the program starts nothing else, "" for a good form. `words` are those behind its name."""
    options = [word for word in words if word.startswith("-") and word not in ("-", "--")]
    if name in _CHECKED:
        return _CHECKED[name](words, root)
    if name in PLAIN:
        return ""
    if name in BY_OPTIONS:
        if why := _odd_words(name, words):
            return why
        given = next((word for word in words if word.startswith("@")), "")  # many read further options from such a file
        return f"what is in {given[1:40]} is not shown" if given else _odd_option(name, options, BY_OPTIONS[name])
    if name in BY_COMMANDS:
        commands, good = BY_COMMANDS[name]
        return _odd_option(name, options, good) or _odd_command(name, words, commands)
    if name == "git":
        return _git(words)
    return f"what `{name}` starts is not known"


OWN = ("gradlew", "mvnw", "manage.py", "configure")
"""Programs that projects bring under their own names, and that are known all the same."""


def is_known(name: str) -> bool:
    """True if anything is known of the program."""
    return name in _CHECKED or name in PLAIN or name in BY_OPTIONS or name in BY_COMMANDS or name == "git"


def _odd_option(name: str, options: Words, good: str) -> str:
    odd = next((word for word in options if not re.fullmatch(good, word, re.DOTALL)), "")
    return f"the option {odd[:40]} of `{name}` is not known to be harmless" if odd else ""


def _odd_words(name: str, words: Words) -> str:
    """Why a word that is no option may start another program, "" where none does."""
    if name in ("uvicorn", "gunicorn") and any(not re.fullmatch(r"[\w.:/-]+", word) for word in words):
        return f"`{name}` runs what it is given"
    if name == "flask" and not {"run", "routes"} & set(words[:1]):
        return "`flask` may open a shell"
    return f"`{name}` may start another program" if name in ("tox", "nox") and {"exec", "e"} & set(words) else ""


_SCRIPTS = "test tests build lint start dev format fmt typecheck type-check check watch serve preview coverage e2e docs clean"


def _odd_command(name: str, words: Words, commands: str) -> str:
    """Returns why the program's command may start others, "" where it is known not to.

    The command has to be the first word: an option's value before it could be taken for it.
    """
    first, second = (*words, "", "")[:2]
    if first.startswith("-"):
        return f"which of its words `{name}` takes for a command is not known" if second else ""
    if name == "gh" and "--" in words:
        return "what `gh` hands on to git is not known"
    if first and first not in commands.split():
        return f"`{name} {first[:40]}` may start others"
    if name in ("yarn", "bun") and first == "run" and second.partition(":")[0] not in _SCRIPTS.split():
        return f"`{name} run` may start any program that is installed"
    good = SECOND.get(f"{name} {first}")
    return "" if good is None or second in good.split() else f"`{name} {first} {second[:40]}` may start others"


def _git(words: Words) -> str:
    rest = list(words)
    while rest and rest[0] in ("--no-pager", "--no-optional-locks", "--version", "--help"):
        rest.pop(0)
    if not rest:
        return ""
    command, *rest = rest
    if command not in GIT:
        return f"`git {command[:40]}` is not known to start nothing else"
    end = rest.index("--") if "--" in rest else len(rest)
    options = [word for word in rest[:end] if word.startswith("-") and word != "-"]
    if why := _odd_option(f"git {command}", options, GIT[command]):
        return why
    names = [word for word in rest[:end] if not word.startswith("-")]
    first = GIT_FIRST.get(command, set())
    if first is None:
        reads = {"--get", "--get-all", "--get-regexp", "--list", "-l"} & set(options)
        return "" if reads else "`git config` changes what git does"
    if first and names and names[0] not in first:
        return f"`git {command} {names[0][:40]}` is not known to start nothing else"
    far = command in ("fetch", "pull", "push", "ls-remote", "clone", "remote")
    if far and not all(REMOTE.fullmatch(word) for word in names):
        return "where git reaches to is not known"
    return ""


def _python(words: Words, root: Path) -> str:
    place = 0
    while place < len(words) and words[place].startswith("-"):
        word = words[place]
        if word == "-m":
            return _module(words[place + 1 :], root)
        if word in ("-W", "-X"):
            place += 2
        elif re.fullmatch(r"-[uBOOIsSEdivqxbbP]+|-V|-VV|--version|--help|-h|-W\w+|-X\w+", word):
            place += 1
        else:
            return f"Python's option {word[:40]} is given code, or not known"
    if any(is_input(word) for word in words[place : place + 1]):
        return "Python runs what is written into it"
    return ""  # a file of the project, with whatever words it takes


def is_input(word: str) -> bool:
    """True if a file's name may stand for what is written into a program."""
    return word == "-" or bool(re.search(r"(?:^/|\.\.).*(?:^|/)(?:dev|proc)(?:/|$)|^/+(?:dev|proc)/", word))


def _module(words: Words, root: Path) -> str:
    name = words[0] if words else ""
    if name in MODULES:
        return unknown(MODULES[name], words[1:], root)
    if name == "coverage":
        return _coverage(words[1:], root)
    own = re.fullmatch(r"\w+(\.\w+)*", name) and any(
        (folder / name.replace(".", "/")).with_suffix(end).exists() for folder in (root, root / "src") for end in ("", ".py")
    )
    return "" if own else f"Python's module {name[:40]} is not known"


def _coverage(words: Words, root: Path) -> str:
    if words[:1] and words[0] in _COVERAGE:
        return ""
    if list(words[:2]) == ["run", "-m"]:
        return _module(words[2:], root)
    if len(words) > 1 and words[0] == "run" and not words[1].startswith("-"):
        return ""
    return "" if list(words) in (["--version"], ["--help"]) else "what `coverage` starts is not known"


_FIND = late_pattern(
    r"-(name|iname|path|ipath|wholename|type|maxdepth|mindepth|size|mtime|mmin|atime|amin|ctime|cmin|newer\w*|not|o|a"
    r"|and|or|print|print0|prune"
    r"|empty|user|group|perm|regex|iregex|regextype|links|L|P|H|xdev|mount|ls|true|false|quit|readable|writable"
    r"|executable|depth|daystart|follow"
    r"|samefile|inum|printf|lname|ilname|uid|gid|nouser|nogroup|noleaf|warn|nowarn|exec|execdir|ok|okdir|\d+)"
)


def _find(words: Words, root: Path) -> str:
    inside = False
    for word in words:
        if inside:
            inside = word not in (";", "+")
            continue
        inside = word in ("-exec", "-execdir", "-ok", "-okdir")  # its commands are read for themselves
        if word.startswith("-") and not _FIND.fullmatch(word):
            return f"the option {word[:40]} of `find` is not known to be harmless"
    return ""


def _sed(words: Words, root: Path) -> str:
    scripts, place, given = [], 0, False
    while place < len(words):
        word = words[place]
        if re.fullmatch(r"-[nErsuz]*e|--expression", word):
            scripts.append(words[place + 1] if place + 1 < len(words) else "")
            place, given = place + 2, True
            continue
        if word.startswith("--expression="):
            scripts.append(word.partition("=")[2])
            given = True
        elif word.startswith("-") and word != "-":
            if not re.fullmatch(
                r"-[nErsuz]+|--(quiet|silent|regexp-extended|separate|unbuffered|null-data|version"
                r"|help)",
                word,
            ):
                return f"the option {word[:40]} of `sed` changes files, or is not known"
        elif not scripts and not given:
            scripts.append(word)
        place += 1
    return "" if all(map(sed_is_good, scripts)) else "what the script of `sed` does is not known"


def _awk(words: Words, root: Path) -> str:
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] != "--":
        if words[place] in ("-F", "-v"):
            place += 2
        elif re.fullmatch(r"-F.{1,10}|-v\w+=[^|>@`]*|--version|--csv", words[place]):
            place += 1
        else:
            return f"the option {words[place][:40]} of `awk` is not known to be harmless"
    program = words[place + (words[place : place + 1] == ["--"]) :][:1]
    return "" if all(map(awk_is_good, program)) else "what the program of `awk` does is not known"


def _tar(words: Words, root: Path) -> str:
    letters = words[0] if words and not words[0].startswith("-") else ""
    if not re.fullmatch(r"[cxtruvzjJpkhaOmSPf]*", letters):
        return f"what {letters[:40]} means to `tar` is not known"
    options = [word for word in words if word.startswith("-") and word != "-"]
    return _odd_option("tar", options, BY_OPTIONS["tar"])


def _test(words: Words, root: Path) -> str:
    """Shells calculate what they compare as numbers, and look into what they are asked about: both can start commands."""
    odd = any(re.search(r"\[.*(?:\$|`)", word, re.DOTALL) for word in words)
    looks = any(before in ("-v", "-R") and not re.fullmatch(r"\w+", word) for before, word in pairwise(words))
    return "it has a test that shells read in different ways" if odd or looks else ""


_OF_SQLITE = late_pattern(r"\.(?:tables|schema|headers|mode|indexes|databases|width|timer|nullvalue|separator)(?:\s+[\w ,]*)?;?")
_OF_SQL = late_pattern(r"\b(?:edit|load_extension|writefile|readfile|fts3_tokenizer|attach|vacuum)\b", re.IGNORECASE)


def _sqlite(words: Words, root: Path) -> str:
    """A line that begins with a dot is a command of the program's own, in any abbreviation."""
    lines = [line.strip() for word in words for line in word.splitlines()]
    if any(line.startswith(".") and not _OF_SQLITE.fullmatch(line) for line in lines) or any(map(_OF_SQL.search, words)):
        return "`sqlite3` starts a program or writes a file"
    return _odd_option("sqlite3", [word for word in words if word.startswith("-")], BY_OPTIONS["sqlite3"])


def _printf(words: Words, root: Path) -> str:
    return _test(words, root) or _odd_option("printf", [word for word in words[:1] if word.startswith("-")], r"--|-[^v].*")


_CHECKED: Mapping[str, Callable[[Words, Path], str]] = {
    **dict.fromkeys(["python", "python2", "python3", "pypy", "pypy3", *(f"python3.{number}" for number in range(8, 16))],
        _python),
    "coverage": _coverage,
    "find": _find,
    "tar": _tar,
    "test": _test,
    "[": _test,
    "sqlite3": _sqlite,
    "printf": _printf,
    **dict.fromkeys(["sed", "gsed"], _sed),
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk"], _awk),
}  # fmt: skip
