"""What `--help` says can be typed: each example is a call that the command line takes, each command is told."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from agentic.cli import summaries
from agentic.cli.group import group
from tests.conftest import Agentic


def commands(command: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command with the words that call it."""
    if names:
        yield names, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in summaries() if not names else command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None, name
                yield from commands(found, *names, name)


ALL = dict(commands(group))


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_the_example_of_a_command_can_be_typed(names: tuple[str, ...]) -> None:
    """As far as its words go: what it does is for other tests."""
    text = " ".join((ALL[names].help or "").split())
    example = re.search(r".*For example: (?:.* \| )?(agentic .*?)(?: > .*|\.)?$", text)
    assert example, f"{' '.join(names)} has no example"
    words = shlex.split(example[1], comments=True)
    with click.Context(group, info_name="agentic") as context:
        command: click.Command = group
        rest = ["chat", *words[1:]] if words[1].startswith("-") else words[1:]
        while isinstance(command, click.Group) and rest and (found := command.get_command(context, rest[0])):
            command, rest = found, rest[1:]
        try:
            command.make_context("example", rest or [], parent=context)
        except click.BadParameter as error:
            assert "does not exist" in str(error)


def test_ask_offers_nothing_that_is_about_tools_and_takes_it(agentic: Agentic) -> None:
    done = agentic("ask", "--help")
    assert "--approve" not in done.out and "--output" in done.out
    assert "no endpoint answered" in agentic("ask", "hi", "--approve", "none", "--endpoint", "http://127.0.0.1:9/v1").err


@pytest.mark.parametrize("name", ["doctor", "serve"])
def test_commands_of_servers_work_in_a_named_folder(agentic: Agentic, name: str) -> None:
    assert "-C DIR" in agentic(name, "--help").out
