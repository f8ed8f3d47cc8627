"""The real command line as a process, with a home of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from agentic.testing import FakeVLLM, ForkServer
from tests import forks
from tests.forks import PORTABLE as PORTABLE, base_environment

pytest_plugins = ["agentic.testing.fixtures"]


def pytest_configure(config: pytest.Config) -> None:
    """`-m long` makes sweeps long; a busy machine is no reason for a red test."""
    if "long" in config.option.markexpr and "not long" not in config.option.markexpr:
        os.environ["AGENTIC_TEST_LONG"] = "1"
    from tests.sweeps import EXAMPLES

    settings.register_profile("agentic", deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("agentic")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What hypothesis tries is a sweep."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Takes away, with the end of the tests, all that agentic has kept in the place for temporary files."""
    tmp_path_factory.getbasetemp()  # pytest's own folders stay where they are: the last runs' can be read
    place = tempfile.TemporaryDirectory(prefix="agentic-tests-", ignore_cleanup_errors=True)
    with place as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


Agentic = Callable[..., Done]


@pytest.fixture
def home(agentic_home: Path) -> Path:
    return agentic_home


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    """The environment of a command."""
    return base_environment() | {"HOME": str(home)}


@pytest.fixture
def work(agentic_work: Path) -> Path:
    """The folder that commands run in."""
    return agentic_work


@pytest.fixture
def own(work: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work folder as a repository's top, and this process with the user's home: for code that is called here."""
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (work / ".git").mkdir()
    return work


def put(path: Path, content: object, executable: bool = False) -> Path:
    """A file with its folders: a text as it is, anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode())
    if executable:
        path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """The process that most commands of this worker are forked from. One that is unfit for it fails every test that uses it."""
    yield forks.server()
    forks.end()


@pytest.fixture
def agentic(fork_server: ForkServer, env: dict[str, str], work: Path) -> Agentic:
    """Runs `agentic ARGUMENTS` in the work folder, as a process that is forked."""

    def run(
        *arguments: str, stdin: str | None = None, cwd: Path | None = None, more: Mapping[str, str] = {}, seconds: float = 60
    ) -> Done:
        return ended(fork_server.run(arguments, cwd=cwd or work, env=env | dict(more), stdin=stdin, timeout=seconds))

    return run


@pytest.fixture
def fresh_agentic(env: dict[str, str], work: Path) -> Agentic:
    """The same in a fresh interpreter: for what depends on how one starts."""

    def run(
        *arguments: str, stdin: str | None = None, cwd: Path | None = None, more: Mapping[str, str] = {}, seconds: float = 60
    ) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "agentic", *arguments],
            cwd=cwd or work,
            env=env | dict(more),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return ended(done)

    return run


def ended(done: "subprocess.CompletedProcess[str]") -> Done:
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def server(fake_vllm: FakeVLLM) -> FakeVLLM:
    return fake_vllm


@pytest.fixture
def second_server() -> Iterator[FakeVLLM]:
    with FakeVLLM() as fake:
        yield fake


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: more than there are cores, since half of a test's time is waiting for what is due."""
    return 2 * (os.cpu_count() or 1)
