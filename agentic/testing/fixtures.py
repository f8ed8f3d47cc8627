"""Fixtures for a plugin's own tests.

# conftest.py
pytest_plugins = ["agentic.testing.fixtures"]


# test_shout.py
def test_it_shouts(agentic_run):
    agentic_run("shout hi", [answer(tool_calls=tool_call("shout", {"text": "hi"})), "done"], plugins=[agentic_shout])
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from agentic.events import Event
from agentic.testing.fake_vllm import FakeVLLM
from agentic.testing.fork_server import ForkServer
from agentic.testing.runs import environment_of, run_in_process


@pytest.fixture
def fake_vllm() -> Iterator[FakeVLLM]:
    """A server on loopback that speaks vLLM's wire, and shows what it was asked."""
    with FakeVLLM() as server:
        yield server


@pytest.fixture
def agentic_home(tmp_path: Path) -> Path:
    """The home of a user who has set nothing."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def agentic_work(tmp_path: Path) -> Path:
    """An empty folder to work in."""
    work = tmp_path / "work"
    work.mkdir()
    return work


@pytest.fixture
def agentic_run(fake_vllm: FakeVLLM, agentic_work: Path, agentic_home: Path) -> Callable[..., list[Event]]:
    """`run_in_process` in `agentic_work` with `agentic_home`, against `fake_vllm`."""
    return partial(run_in_process, root=agentic_work, home=agentic_home, server=fake_vllm)


@pytest.fixture(scope="session")
def agentic_processes() -> Iterator[ForkServer]:
    """Has imported agentic and the installed plugins once, and forks a process for each command."""
    with ForkServer() as server:
        yield server


@pytest.fixture
def agentic_command(
    agentic_processes: ForkServer, fake_vllm: FakeVLLM, agentic_work: Path, agentic_home: Path
) -> Callable[..., "CompletedProcess[str]"]:
    """Runs `agentic` with these arguments as a process, in `agentic_work` with `agentic_home`, against `fake_vllm`."""

    def command(*arguments: str, stdin: str | None = None, timeout: float = 60) -> "CompletedProcess[str]":
        env = environment_of(agentic_home, os.environ) | {"AGENTIC_LLM_ENDPOINTS": fake_vllm.url}
        return agentic_processes.run(arguments, cwd=agentic_work, env=env, stdin=stdin, timeout=timeout)

    return command
