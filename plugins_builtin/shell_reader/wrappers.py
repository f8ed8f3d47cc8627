"""Programs that start other programs: what is inside them."""

import re
from collections.abc import Callable, Mapping

from agentic.lib.patterns import late_pattern
from agentic.lib.record import record
from plugins_builtin.shell_reader.tables import GOOD_VARIABLES, INTERPRETERS, SHELLS

Words = tuple[str, ...]


@record(frozen=True, slots=True)
class Inner:
    """`commands` and command `lines` that it starts. `transparent`: it adds nothing of its own. `why` it cannot be told.

    `is_known`: the program is one that starts others, or is told apart here.
    """

    commands: tuple[Words, ...] = ()
    lines: tuple[str, ...] = ()
    transparent: bool = False
    why: str = ""
    is_known: bool = True


def inner_of(words: Words, in_pipe: bool) -> Inner:
    """Returns what a simple command starts besides itself. `in_pipe`: something else writes its input."""
    name, rest = words[0], words[1:]
    if name in SHELLS:
        return _shell(name, rest, in_pipe)
    if name in _READERS:
        return _READERS[name](rest)
    if name in _WRAPPERS:
        return _wrapped(name, rest, *_WRAPPERS[name])
    if name in INTERPRETERS and (not rest or (in_pipe and _runs_its_input(name, rest))):
        return Inner(why=f"`{name}` runs what is written into it")
    return Inner(is_known=False)


_FILTERS = {"sed", "awk", "gawk", "mawk"}
_SCRIPT = late_pattern(r"(?!-)(?:[\w@%+=,.-]+/)*[\w@%+=,.-]+\.(?:py|pl|rb|[cm]?js|ts|php|lua|[rR]|jl|tcl)")


def _runs_its_input(name: str, rest: Words) -> bool:
    """Returns True if the program runs its input. With a script or a module that is data, unless it goes on to ask for more."""
    if name in _FILTERS:
        return not any(not word.startswith("-") for word in rest)
    if any(re.fullmatch(r"-\w*[is]\w*|--interactive", word) for word in rest):
        return True
    first = next((place for place, word in enumerate(rest) if not word.startswith("-") or word == "-"), len(rest))
    if name.startswith(("python", "pypy")) and "-m" in rest[: first + 1]:
        return False
    script = rest[first] if first < len(rest) else ""
    return not _SCRIPT.fullmatch(script) or ".." in script.split("/")


# (options that stand alone, options that a value follows, words before the command, whether it adds nothing of its own).
# Whatever else begins with a dash is not known: it may take the next word, or run it.
_WRAPPERS: Mapping[str, tuple[str, str, int, bool]] = {
    "sudo": ("-n -E -H -S -k -i -s -b --non-interactive --preserve-env --set-home --stdin", "-u -g -h -p -C -D -R -r"
        " -t -T -U --user --group", 0, False),
    "doas": ("-n", "-u -C", 0, False),
    "pkexec": ("", "--user", 0, False),
    "chroot": ("", "", 1, False),
    "timeout": ("--preserve-status --foreground -v --verbose -f -p", "-k -s --kill-after --signal", 1, True),
    "nice": ("", "-n --adjustment", 0, True),
    "ionice": ("-t", "-c -n --class --classdata", 0, True),
    "chrt": ("-b -f -i -o -r --batch --idle", "", 1, True),
    "taskset": ("-a -c", "", 1, True),
    "numactl": ("--interleave=all --localalloc", "-N -m -C -i -p --cpunodebind --membind --physcpubind", 0, True),
    "nohup": ("", "", 0, True),
    "setsid": ("-f -w -c --fork --wait", "", 0, True),
    "stdbuf": ("-oL -eL -o0 -e0 -i0 -iL", "-i -o -e --input --output --error", 0, True),
    "time": ("-p -v --portability --verbose", "", 0, True),
    "builtin": ("", "", 0, True),
    "exec": ("-c -l", "-a", 0, True),
    "coproc": ("", "", 0, True),
    "strace": ("-f -ff -c -C -q -t -tt -r -T -y -v", "-e -p -s", 0, True),
    "ltrace": ("-f -c -S", "-e -p -s", 0, True),
    "catchsegv": ("", "", 0, True),
    "xvfb-run": ("-a --auto-servernum", "-n -s -e -f --server-num --server-args", 0, True),
    "caffeinate": ("-d -i -m -s -u", "-t -w", 0, True),
    "busybox": ("", "", 0, True),
    "toybox": ("", "", 0, True),
    "fakeroot": ("", "", 0, True),
    "dbus-run-session": ("--", "", 0, True),
    "unbuffer": ("-p", "", 0, True),
    "runuser": ("", "-u -g -G", 0, False),
    "flock": ("-n -x -s -e -u -o -F --nonblock --exclusive --shared --verbose", "-w -E --timeout", 1, True),
}  # fmt: skip


def _wrapped(name: str, rest: Words, alone: str, valued: str, before: int, transparent: bool) -> Inner:
    place = 0
    while place < len(rest) and rest[place].startswith("-") and rest[place] != "-":
        word = rest[place]
        if word == "--":
            place += 1
            break
        if word in valued.split():
            place += 2
        elif word in alone.split() or (name in ("nice", "timeout", "ionice") and re.fullmatch(r"-n?-?\d+|--\w[\w-]*=[\w.]+", word)):
            place += 1
        else:
            return Inner(why=f"what {word[:40]} means to `{name}` is not known")
    given, inner = rest[place : place + before], rest[place + before :]
    if any(word.startswith("-") or "\0" in word for word in given) or (inner and inner[0].startswith("-")):
        return Inner(why=f"which of the words of `{name}` is a command is not known")
    if inner and re.match(r"^[A-Za-z_]\w*=", inner[0]):
        return Inner(why=f"`{name}` is given variables")
    return Inner((inner,), transparent=transparent) if inner else Inner()


def _shell(name: str, rest: Words, in_pipe: bool) -> Inner:
    place = 0
    while place < len(rest) and (re.fullmatch(r"-[eluxv]+", rest[place]) or rest[place] in ("--login", "--norc", "--noprofile")):
        place += 1
    if rest[place : place + 2] and re.fullmatch(r"-[eux]*o", rest[place]) and rest[place + 1 : place + 2] == ("pipefail",):
        place += 2
    word = rest[place] if place < len(rest) else ""
    if re.fullmatch(r"-[eluxv]*c", word):
        line = rest[place + 1] if place + 1 < len(rest) else ""
        if line.startswith(("-", "+")):
            return Inner(why=f"what `{name}` runs is not known")
        return Inner(lines=(line,), transparent="\0" not in line, why="" if "\0" not in line else f"what `{name}` runs is made up")
    if word and not word.startswith(("-", "+")):
        return Inner(why=f"`{name}` runs a file that is not shown")
    return Inner(why=f"`{name}` runs what is written into it" if in_pipe or not rest else f"`{name}` reads commands")


def _env(rest: Words) -> Inner:
    place, why = 0, ""
    while place < len(rest):
        word = rest[place]
        if word in ("-u", "--unset", "-C", "--chdir"):
            place += 2
        elif word in ("-i", "-0", "--ignore-environment", "--null", "-", "--"):
            place += 1
        elif found := re.match(r"^([A-Za-z_]\w*)=", word):
            if not GOOD_VARIABLES.fullmatch(found[1]):
                why = why or f"{found[1]} may change what other programs do"
            place += 1
        elif word.startswith("-"):
            return Inner(why=f"what {word[:40]} means to `env` is not known")
        else:
            break
    sets = any("=" in word for word in rest[:place])
    return Inner((rest[place:],), transparent=not sets, why=why) if place < len(rest) else Inner(why=why)


def _xargs(rest: Words) -> Inner:
    place = 0
    while place < len(rest) and rest[place].startswith("-"):
        if rest[place] in ("-I", "-n", "-P", "-L", "-d", "-s", "-E"):
            place += 2
        elif re.fullmatch(
            r"-[0rtx]+|-[nPLs]\d+|-I\S+|-d\S+|--(null|no-run-if-empty|verbose|max-(args|procs"
            r"|lines)=\d+|delimiter=.+)",
            rest[place],
        ):
            place += 1
        else:
            return Inner(why=f"what {rest[place][:40]} means to `xargs` is not known")
    inner = rest[place:] or ("echo",)
    return Inner(((*inner, "\0"),), transparent=True)


def _find(rest: Words) -> Inner:
    commands, place = [], 0
    while place < len(rest):
        if rest[place] in ("-exec", "-execdir", "-ok", "-okdir"):
            end = next((i for i in range(place, len(rest)) if rest[i] in (";", "+")), len(rest))
            commands.append(tuple("\0" if "{}" in word else word for word in rest[place + 1 : end]))
            place = end
        place += 1
    return Inner(tuple(commands), is_known=False)  # its own words are looked at, too


def _eval(rest: Words) -> Inner:
    line = " ".join(rest)
    return (
        Inner(lines=(line,), transparent=True) if "\0" not in line else Inner(why="what `eval` runs is made up only when it runs")
    )


def _command(rest: Words) -> Inner:
    if rest[:1] and rest[0] in ("-v", "-V"):
        return Inner()
    return _wrapped("command", rest, "-p", "", 0, True)


def _su(rest: Words) -> Inner:
    """`su [-] [USER] -c LINE`, and nothing else: of two lines the last one is run."""
    lines = [rest[place + 1] for place, word in enumerate(rest[:-1]) if word in ("-c", "--command")]
    options = [word for word in rest if word.startswith("-") and word not in ("-", "-l", "--login")]
    if len(lines) == 1 and len(options) == 1:
        return Inner(lines=(lines[0],))
    return Inner(why="which command `su` starts is not known" if lines else "`su` opens a shell of another user")


def _script(rest: Words) -> Inner:
    """`script -q -c LINE [FILE]`, and nothing else."""
    places = [place for place, word in enumerate(rest[:-1]) if re.fullmatch(r"-[qefa]*c", word)]
    options = [word for word in rest if word.startswith("-") and not re.fullmatch(r"-[qefa]+", word)]
    if len(places) == 1 and len(options) == 1:
        return Inner(lines=(rest[places[0] + 1],), transparent=True)
    return Inner(why="which command `script` starts is not known" if options else "`script` opens a shell")


def _runner(name: str, rest: Words) -> Inner:
    """A program that runs others in an environment of the project's."""
    if rest[:1] != ("run",):
        return _nothing(rest, "run")
    inner = rest[1:]
    if not inner or inner[0].startswith("-"):
        return Inner(why=f"what `{name} run` starts is not known")
    if any(re.search(r"[&|;<>$`]", word) for word in inner):  # some of them hand the words on to a shell
        return Inner(why=f"`{name} run` may start more than one program")
    return Inner((inner,), transparent=True)


def _nothing(rest: Words, command: str) -> Inner:
    """Says that `command` may be meant if it stands behind unknown options; the program's other commands are known elsewhere."""
    return Inner(why=f"`{command}` may be the command that is meant") if command in rest else Inner(is_known=False)


def _unknown(what: str) -> Callable[[Words], Inner]:
    return lambda rest: Inner(why=what)


_READERS: Mapping[str, Callable[[Words], Inner]] = {
    "env": _env,
    "xargs": _xargs,
    "gxargs": _xargs,
    "find": _find,
    "eval": _eval,
    "command": _command,
    "su": _su,
    "script": _script,
    ".": _unknown("it runs a file that is not shown"),
    "source": _unknown("it runs a file that is not shown"),
    "alias": _unknown("it gives a program another name"),
    "trap": lambda rest: Inner() if rest[:1] in (("-",), ("",)) else Inner(why="`trap` has commands run later"),
    "watch": lambda rest: (
        Inner(lines=(" ".join(rest),), transparent=True)
        if not any(word.startswith("-") for word in rest[:1])
        else Inner(why="which of the words of `watch` is a command is not known")
    ),
    "uv": lambda rest: _runner("uv", rest),
    "poetry": lambda rest: _runner("poetry", rest),
    "pipenv": lambda rest: _runner("pipenv", rest),
    "pdm": lambda rest: _runner("pdm", rest),
    "hatch": lambda rest: _runner("hatch", rest),
    "rye": lambda rest: _runner("rye", rest),
    "conda": lambda rest: _runner("conda", rest),
    "bundle": lambda rest: (
        Inner((rest[1:],), transparent=True)
        if rest[:1] == ("exec",) and len(rest) > 1 and rest[1][:1] != "-"
        else _nothing(rest, "exec")
    ),
    "parallel": _unknown("`parallel` starts programs from a text"),
    "ssh": _unknown("it runs on another machine"),
    "crontab": _unknown("it has commands run later"),
    "at": _unknown("it has commands run later"),
    "batch": _unknown("it has commands run later"),
    "enable": _unknown("it changes what the shell's own commands are"),
    "hash": _unknown("it changes which program a name stands for"),
    "complete": _unknown("it has commands run later"),
    "bind": _unknown("it has commands run later"),
}
