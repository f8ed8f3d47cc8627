"""The command line. `--version` needs neither click nor a plugin; `--help` asks plugins for theirs, and does without."""

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Command → (module, what it does). A module is imported only when its command runs.
COMMANDS = {
    "run": ("agentic.cli.run", "does a task in this folder: edits files, runs commands, checks the outcome"),
    "ask": ("agentic.cli.ask", "gives one streamed answer without tools; appends standard input to the prompt"),
    "plugins": ("agentic.cli.plugins", "lists the plugins with their state"),
    "completions": ("agentic.cli.completions", "prints the completion script of bash, zsh or fish"),
}
ON_WINDOWS = "agentic: it runs on Linux and macOS\n  → on Windows, install and start it inside WSL (`wsl --install`)"
OBJECTS = 100_000  # that a start makes and keeps: looking through them for garbage takes a tenth of it
COMPLETE = "_AGENTIC_COMPLETE"  # the variable by which a shell asks what may follow
_OPTIONS = """\
  -C DIR                    work in DIR
  --endpoint URL            an OpenAI-compatible endpoint (repeatable)
  --model NAME              the model; without it, what the endpoint serves
{flags}  --output NAME             {renderers}; default: the richest that the output can show
  --approve ask|edits|all|none  default: ask in a terminal, none without one
  --no-sandbox              run commands without a sandbox: nothing confines them to this folder
  --no-floor                never ask about what the mode allows, not even about irreversible commands
  --add-dir DIR             also work in DIR (repeatable)
  --max-iterations N        the maximum number of model calls in a run
  --sub-agents / --no-sub-agents
  --agent NAME              the agent definition to follow
  -c KEY=VALUE              any configuration key (repeatable)
  -e FILE                   try a plugin that is one file (repeatable)
  --log FILE                log internal events to FILE, one line each
  --debug                   show tracebacks, and which parts of a prompt take its tokens
  --continue, --resume ID   continue this folder's latest session, or session ID"""


def help_text() -> str:
    """Returns the text that `agentic --help` prints."""
    found = _offered_by_plugins()
    flags, renderers = _of("flag", found), ", ".join(_of("renderer", found)) or "a renderer"
    more = _of("command", found)
    commands = "\n".join(f"  {name:<12}{summary}" for name, summary in sorted(_merged(more).items()))
    options = _OPTIONS.format(flags="".join(f"  {flag:<26}{summary}\n" for flag, summary in flags.items()), renderers=renderers)
    return f"""agentic: a coding agent for people who serve their own models

Usage: agentic [OPTIONS] [TASK]       in a terminal: chat
       agentic COMMAND [OPTIONS] ...

Commands (agentic COMMAND --help tells more):
{commands}

Options of run, chat and ask:
{options}

  --version, --help; the manual: agentic docs

Exit codes: 0 done; 1 not completed; 2 wrong usage; 3 no endpoint answered; 4 needed an approval; 130 interrupted"""


def summaries() -> dict[str, str]:
    """All commands with what they do: ours, then those of plugins."""
    return _merged(_of("command", _offered_by_plugins()))


def default_command() -> str:
    """Returns the name of the command that `agentic` alone starts, "" for none."""
    return next(iter(_of("default", _offered_by_plugins())), "")


def _merged(more: dict[str, str]) -> dict[str, str]:
    own = {name: summary for name, (_, summary) in COMMANDS.items()}
    return own | more | own


def _offered_by_plugins() -> list[tuple[str, str, str]]:
    """(kind, name, summary) of what plugins add to the command line; nothing where they cannot be asked."""
    try:
        from agentic.index import rows

        return rows(_offered)
    except Exception:  # --help works whatever is installed
        return []


def _of(kind: str, found: list[tuple[str, str, str]]) -> dict[str, str]:
    return {name: summary for each, name, summary in found if each == kind}


def _offered() -> tuple[list[tuple[str, str, str]], list[str]]:
    """(what the plugins themselves say that they bring, the files of their code)"""
    from agentic.commands import own_flags, present_host, transport_flags

    host = present_host()
    commands = host.offers("agentic_commands")
    seen = [offer.record for name, offer in commands.items() if not offer.record.hidden and " " not in name]
    found = [("command", record.name, record.summary) for record in seen]
    found += [("default", name, "") for name, offer in commands.items() if offer.record.is_default]
    found += [("flag", f"{offer.record.flag} [VALUE]", offer.record.summary) for offer in transport_flags().values()]
    found += [("flag", *flag.row) for flag in own_flags().values()]
    found += [("renderer", name, offer.record.summary) for name, offer in host.offers("agentic_renderers").items()]
    return found, host.sources()


def program() -> None:
    """The `agentic` command: `main`, without what an interpreter does at its end, which is a sixth of a start.

    It does all of it where code of others may count on that: a thread to wait for, a file that is closed by nobody.
    """
    try:
        main()
    except SystemExit as end:
        threads, plugins = sys.modules.get("threading"), sys.modules.get("agentic.plugins.loaded")
        waits = threads is not None and any(each is not threads.main_thread() and not each.daemon for each in threads.enumerate())
        if waits or (plugins is not None and plugins.others) or not isinstance(end.code, int):
            raise
        _end(end.code)
    except KeyboardInterrupt:  # before anything had begun that would leave a word
        _end(130)


def main() -> None:
    """The command line in this process. Raises SystemExit."""
    if sys.platform == "win32":
        print(ON_WINDOWS, file=sys.stderr)
        sys.exit(2)
    os.umask(os.umask(0o077) & 0o077)  # what we write we can read, whatever the mask
    gc.set_threshold(OBJECTS, 20, 20)
    try:
        _leave(_run(sys.argv[1:]))
    except OSError as error:
        if error.filename is not None:
            raise
        sys.exit(unwritable(error))


def _leave(code: int) -> None:
    """Ends with that code. An engine's thread that goes on would find no interpreter any more, and crash."""
    gc.disable()  # all of it goes with the process
    threads = sys.modules.get("agentic.lib.threads")
    if threads is not None and threads.running():
        _end(code)
    sys.exit(code)


def _end(code: int) -> "NoReturn":
    """Ends the process as it is, once what is to be done at its end is done."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # none, a full disk, closed: it was said before, or nobody is there
            continue
    os._exit(code)


def unwritable(error: OSError) -> int:
    """The exit code where the standard output takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 141
    try:
        print(f"agentic: the output cannot be written: {error.strerror}", file=sys.stderr, flush=True)
    except OSError:  # nor can that
        os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    return 1


def _run(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        from agentic import __version__

        print(f"agentic {__version__}", flush=True)
    elif os.environ.get(COMPLETE):
        from agentic.cli.group import invoke

        return invoke(arguments)
    elif arguments in (["--help"], ["-h"]) or (not arguments and not _in_terminal()):
        print(help_text(), flush=True)
    else:
        from agentic.cli.group import invoke

        alone = not arguments or arguments[0].startswith("-") or any(map(str.isspace, arguments[0]))  # a task is no command
        return invoke([default_command() or "--help", *arguments] if alone else arguments)
    return 0


def _in_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
