"""What `--help` says can be typed: each example is a call that the command line takes, each command is told."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agentic.cli import summaries
from agentic.cli.group import group
from tests.conftest import Agentic, put


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


# What plugins bring is read, not imported, where nothing changed.
PLUGIN = """\
from agentic import Command, hookimpl
@hookimpl
def agentic_commands():
    yield Command("mine", "SUMMARY", "mine:command")
"""


def install(folder: Path, summary: str = "does this", name: str = "mine") -> dict[str, str]:
    info = folder / f"agentic_{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    put(folder / f"{name}.py", PLUGIN.replace("SUMMARY", summary).replace('"mine"', f'"{name}"'))
    put(info / "METADATA", f"Metadata-Version: 2.1\nName: agentic-{name}\nVersion: 1.0\n")
    put(info / "entry_points.txt", f"[agentic]\n{name} = {name}\n")
    return {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def test_a_second_help_imports_no_plugin(fresh_agentic: Agentic, env: dict[str, str], work: Path) -> None:
    first = fresh_agentic("--help")
    code = "import sys; sys.argv = ['agentic', '--help']\nfrom agentic.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print(*sorted(sys.modules), file=sys.stderr)"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=work, env=env)
    assert done.stdout == first.out and "  batch  " in first.out and "--local" in first.out
    bare = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, env=env)
    loaded = set(done.stderr.split()) - set(bare.stdout.split())
    assert not loaded & {"plugins_builtin", "pluggy", "asyncio", "click", "dataclasses", "pathlib", "re", "json"}


def test_what_changed_is_looked_at_anew(agentic: Agentic, home: Path, work: Path, tmp_path: Path) -> None:
    more = install(tmp_path / "site")
    assert "  mine        does this" in agentic("--help", more=more).out
    assert "  mine        does this" in agentic("--help", more=more).out
    install(tmp_path / "site", "does that now")
    assert "  mine        does that now" in agentic("--help", more=more).out
    install(tmp_path / "site", name="other")
    assert "  other" in agentic("--help", more=more).out
    put(home / ".config/agentic/config.toml", '[plugins]\ndisabled = ["other"]\n')
    assert "  other" not in agentic("--help", more=more).out
    (home / ".config/agentic/config.toml").unlink()
    shutil.rmtree(tmp_path / "site" / "agentic_mine-1.0.dist-info")
    assert "  mine" not in agentic("--help", more=more).out and "  other" in agentic("--help", more=more).out
    assert "  other" not in agentic("--help").out


@pytest.mark.parametrize("text", ["", "rubbish", "a\0\0b\0\0c", "\xff" * 100])
def test_an_index_that_cannot_be_read_costs_nothing(agentic: Agentic, home: Path, text: str) -> None:
    expected = agentic("--help").out
    for path in (home / ".local/state/agentic/index").iterdir():
        path.write_bytes(text.encode("latin-1"))
    assert agentic("--help").out == expected
    shutil.rmtree(home / ".local/state/agentic/index")
    put(home / ".local/state/agentic/index", "a file in its place")
    assert agentic("--help").out == expected


def test_a_rescan_forgets_what_was_found(agentic: Agentic, home: Path) -> None:
    agentic("--help")
    assert list((home / ".local/state/agentic/index").iterdir())
    agentic("plugins", "--rescan")
    assert not list((home / ".local/state/agentic/index").glob("offers-*"))
