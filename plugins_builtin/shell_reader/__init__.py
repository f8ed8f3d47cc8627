"""Reads shell command lines, by the grammar of tree-sitter-bash, for permissions to judge what they would start."""

from collections.abc import Iterable

from agentic import CommandReader, Provider, Setup, hookimpl


def _reader(setup: Setup) -> CommandReader:
    from plugins_builtin.shell_reader.reader import ShellReader

    return ShellReader()


@hookimpl(optionalhook=True)
def agentic_command_readers() -> Iterable[Provider[CommandReader]]:
    yield Provider("shell", "command lines of sh and bash", _reader)
