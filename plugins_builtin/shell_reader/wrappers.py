"""Programs that start other programs: what is inside them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plugins_builtin.shell_reader.tables import INTERPRETERS, SHELLS

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inner:
    """`commands` and command `lines` that it starts. `transparent`: it adds nothing of its own. `why` it cannot be told."""

    commands: tuple[Words, ...] = ()
    lines: tuple[str, ...] = ()
    transparent: bool = False
    why: str = ""


def inner_of(words: Words, in_pipe: bool) -> Inner:
    """What a simple command starts besides itself. `in_pipe`: something else writes its input."""
    name, rest = words[0], words[1:]
    if name in SHELLS:
        return _shell(name, rest, in_pipe)
    if name in _READERS:
        return _READERS[name](rest)
    if name in _WRAPPERS:
        return _wrapped(rest, *_WRAPPERS[name])
    if name in INTERPRETERS and (in_pipe or not rest) and not any(not word.startswith("-") for word in rest):
        return Inner(why=f"`{name}` runs what is written into it")
    return Inner()


# Options that take a value, how many words come before the command, and whether the wrapper adds nothing of its own.
_WRAPPERS: Mapping[str, tuple[str, int, bool]] = {
    "sudo": ("-u -g -h -p -C -D -R -r -t -T -U --user --group --host --prompt --chdir", 0, False),
    "doas": ("-u -C", 0, False),
    "pkexec": ("--user", 0, False),
    "chroot": ("--userspec --groups", 1, False),
    "nsenter": ("-t -S -G --target", 0, False),
    "unshare": ("-S -G -R -w --map-user --map-group", 0, False),
    "timeout": ("-k -s --kill-after --signal", 1, True),
    "nice": ("-n --adjustment", 0, True),
    "ionice": ("-c -n --class --classdata", 0, True),
    "chrt": ("-T -P -D", 1, True),
    "taskset": ("", 1, True),
    "numactl": ("-N -m -C -i -p --cpunodebind --membind --physcpubind", 0, True),
    "nohup": ("", 0, True),
    "setsid": ("", 0, True),
    "stdbuf": ("-i -o -e --input --output --error", 0, True),
    "time": ("-f -o --format --output", 0, True),
    "builtin": ("", 0, True),
    "exec": ("-a", 0, True),
    "coproc": ("", 0, True),
    "watch": ("-n -d --interval", 0, True),
    "strace": ("-e -o -p -s -u -E", 0, True),
    "ltrace": ("-e -o -p -s -u", 0, True),
    "catchsegv": ("", 0, True),
    "setpriv": ("--reuid --regid --groups --ambient-caps --inh-caps --bounding-set", 0, False),
    "xvfb-run": ("-n -s -e -f --server-num --server-args", 0, True),
    "flock": ("-w -E --timeout", 1, True),
    "caffeinate": ("-t -w", 0, True),
    "busybox": ("", 0, True),
    "toybox": ("", 0, True),
    "fakeroot": ("-l -s -i", 0, True),
    "dbus-run-session": ("--config-file", 0, True),
    "unbuffer": ("", 0, True),
    "rlwrap": ("-f -H", 0, True),
    "systemd-run": ("-p -u --property --unit --uid --gid", 0, False),
    "runuser": ("-u -g -G", 0, False),
}


def _wrapped(rest: Words, valued: str, before: int, transparent: bool) -> Inner:
    values = valued.split()
    place = 0
    while place < len(rest) and rest[place].startswith("-") and rest[place] != "-":
        if rest[place] == "--":
            place += 1
            break
        if "\0" in rest[place]:
            return Inner(why="an option of a program that starts others is made up only when it runs")
        place += 2 if rest[place] in values else 1
    inner = rest[place + before :]
    while inner and re.match(r"^[A-Za-z_]\w*=", inner[0]):  # sudo takes assignments as env does
        inner = inner[1:]
    return Inner((inner,), transparent=transparent) if inner else Inner()


def _shell(name: str, rest: Words, in_pipe: bool) -> Inner:
    for place, word in enumerate(rest):
        if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", word) and not word.startswith("--"):
            line = rest[place + 1] if place + 1 < len(rest) else ""
            return Inner(
                lines=(line,), transparent="\0" not in line, why="" if "\0" not in line else f"what `{name}` runs is made up"
            )
        if not word.startswith(("-", "+")):
            return Inner(why=f"`{name}` runs a file that is not shown")
    return Inner(why=f"`{name}` runs what is written into it" if in_pipe or not rest else f"`{name}` reads commands")


def _env(rest: Words) -> Inner:
    place = 0
    while place < len(rest):
        word = rest[place]
        if word in ("-S", "--split-string") or word.startswith(("-S", "--split-string=")):
            return Inner(why="`env -S` splits a text into a command")
        if word in ("-u", "--unset", "-C", "--chdir"):
            place += 2
        elif word.startswith("-") or re.match(r"^[A-Za-z_]\w*=", word):
            if re.match(r"^(PATH|LD_\w+|BASH_ENV|ENV|IFS|PYTHON\w+|PERL\w+|RUBY\w+|NODE_OPTIONS|GIT_\w+|PAGER|EDITOR)=", word):
                return Inner((rest[place + 1 :],), why=f"{word.partition('=')[0]} changes what other programs do")
            place += 1
        else:
            break
    return Inner((rest[place:],), transparent=True) if place < len(rest) else Inner()


def _xargs(rest: Words) -> Inner:
    valued = ("-I", "-i", "-n", "-P", "-L", "-d", "-s", "-E", "-a", "--arg-file", "--delimiter", "--max-args", "--max-procs")
    place = 0
    while place < len(rest) and rest[place].startswith("-"):
        place += 2 if rest[place] in valued else 1
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
    return Inner(tuple(commands))


def _eval(rest: Words) -> Inner:
    line = " ".join(rest)
    return (
        Inner(lines=(line,), transparent=True) if "\0" not in line else Inner(why="what `eval` runs is made up only when it runs")
    )


def _command(rest: Words) -> Inner:
    if rest[:1] and rest[0] in ("-v", "-V"):
        return Inner()
    return _wrapped(rest, "", 0, True)


def _su(rest: Words) -> Inner:
    for place, word in enumerate(rest):
        if word in ("-c", "--command") and place + 1 < len(rest):
            return Inner(lines=(rest[place + 1],))
    return Inner(why="`su` opens a shell of another user")


def _script(rest: Words) -> Inner:
    for place, word in enumerate(rest):
        if word.startswith("-") and not word.startswith("--") and word.endswith("c") and place + 1 < len(rest):
            return Inner(lines=(rest[place + 1],), transparent=True)
    return Inner(why="`script` opens a shell")


def _unknown(what: str) -> Callable[[Words], Inner]:
    return lambda rest: Inner(why=what)


_READERS: Mapping[str, Callable[[Words], Inner]] = {
    "env": _env,
    "xargs": _xargs,
    "gxargs": _xargs,
    "find": _find,
    "fd": lambda rest: Inner(why="`fd -x` starts programs") if set(rest) & {"-x", "-X", "--exec", "--exec-batch"} else Inner(),
    "eval": _eval,
    "command": _command,
    "su": _su,
    "script": _script,
    ".": _unknown("it runs a file that is not shown"),
    "source": _unknown("it runs a file that is not shown"),
    "alias": _unknown("it gives a program another name"),
    "trap": lambda rest: _eval(rest[:1]),
    "parallel": _unknown("`parallel` starts programs from a text"),
    "ssh": lambda rest: Inner(why="it runs on another machine") if len([w for w in rest if not w.startswith("-")]) > 1 else Inner(),
    "docker": lambda rest: Inner(why="it runs in a container") if set(rest) & {"run", "exec", "compose", "build"} else Inner(),
    "podman": lambda rest: Inner(why="it runs in a container") if set(rest) & {"run", "exec", "build"} else Inner(),
    "kubectl": lambda rest: Inner(why="it runs in a cluster") if set(rest) & {"exec", "run", "debug"} else Inner(),
    "crontab": _unknown("it has commands run later"),
    "at": _unknown("it has commands run later"),
    "batch": _unknown("it has commands run later"),
    "enable": _unknown("it changes what the shell's own commands are"),
    "hash": _unknown("it changes which program a name stands for"),
    "mapfile": lambda rest: Inner(why="`mapfile -C` starts commands") if "-C" in rest else Inner(),
    "complete": _unknown("it has commands run later"),
    "bind": _unknown("it has commands run later"),
}
