"""The command line. `--version` and `--help` need neither click nor a plugin, so they answer at once, whatever is installed."""

import sys

# Command → (module, what it does). A module is imported only when its command runs.
COMMANDS = {
    "run": ("agentic.cli.run", "does a task in this folder: edits files, runs commands, checks the outcome"),
    "chat": ("agentic.cli.chat", "a conversation with tools; `agentic` alone starts it in a terminal"),
    "ask": ("agentic.cli.ask", "one streamed answer, no tools; standard input is appended to the prompt"),
    "batch": ("agentic.cli.batch", "answers each line of a JSONL file; goes on where a kill stopped it"),
    "plugins": ("agentic.cli.plugins", "lists the plugins with their state"),
    "config": ("agentic.cli.config", "shows, starts or changes the configuration"),
    "sessions": ("agentic.cli.sessions", "lists, shows, exports, removes sessions; undo takes back what they wrote"),
}
PLUGIN_COMMANDS = {
    "doctor": "what is wrong with the servers, and the line that mends it",
    "serve": "prints or runs the vllm serve lines for this configuration",
    "local": "the embedded engine's models: pull, list, rm",
}

_OPTIONS = """\
  -C DIR                    work in DIR
  --endpoint URL            an OpenAI-compatible endpoint (repeatable)
  --model NAME              the model; without it, what the endpoint serves
  --local [MODEL|FILE.gguf] the embedded engine
  --output rich|plain|jsonl default: rich in a terminal, plain in a pipe
  --approve ask|edits|all|none  default: ask in a terminal, none without one
  --max-iterations N        the most model calls in a run
  --sub-agents / --no-sub-agents
  -c KEY=VALUE              any configuration key (repeatable)
  --debug                   tracebacks, and where each prompt's tokens are
  --continue, --resume ID   go on with this folder's latest session, or with that one"""


def help_text() -> str:
    """What `agentic --help` prints."""
    everything = {name: summary for name, (_, summary) in COMMANDS.items()} | PLUGIN_COMMANDS
    commands = "\n".join(f"  {name:<10}{summary}" for name, summary in everything.items())
    return f"""agentic: a coding agent for people who serve their own models

Usage: agentic [OPTIONS]              in a terminal: chat
       agentic COMMAND [OPTIONS] ...

Commands (agentic COMMAND --help tells more; plugins may add others):
{commands}

Options of run, chat and ask:
{_OPTIONS}

  --version, --help

Exit codes: 0 done; 1 not completed; 2 wrong usage; 3 no endpoint answered; 4 needed an approval; 130 interrupted"""


def main() -> None:
    """The entry point of the `agentic` command."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from agentic import __version__

        print(f"agentic {__version__}")
    elif arguments in (["--help"], ["-h"]) or (not arguments and not _in_terminal()):
        print(help_text(), flush=True)
    else:
        from agentic.cli.group import invoke

        alone = not arguments or arguments[0].startswith("-")
        sys.exit(invoke(["chat", *arguments] if alone else arguments))


def _in_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
