"""Every door, used by separately installed distributions: those that `agentic plugins new` writes, which the docs show."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from agentic.cli.scaffold import kinds, write
from agentic.errors import ConfigError
from tests.conftest import Agentic


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution of each kind, and `python`, an environment in which all of them are installed."""
    folder = tmp_path_factory.mktemp("doors")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for kind in kinds():
        write(folder / kind, kind, f"my-{kind.replace('_', '-')}")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target", site]
    subprocess.run([*install, *(folder / kind for kind in kinds())], check=True, cwd=folder)
    return folder


@pytest.mark.parametrize("kind", kinds())
def test_the_plugin_passes_its_own_test(installed: Path, env: dict[str, str], kind: str) -> None:
    python = installed / "venv" / "bin" / "python"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=installed / kind, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_typed(installed: Path, env: dict[str, str]) -> None:
    modules = sorted(path for kind in kinds() for path in (installed / kind).glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", *modules]
    done = subprocess.run(command, cwd=installed, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("name", "kind"), [("My Tool", "tool"), ("x", "nonsense"), ("-x", "gate")])
def test_what_cannot_be_made_is_said(tmp_path: Path, name: str, kind: str) -> None:
    with pytest.raises(ConfigError):
        write(tmp_path / "new", kind, name)
    assert not (tmp_path / "new").exists()


def test_new_overwrites_nothing(agentic: Agentic, work: Path) -> None:
    assert agentic("plugins", "new", "mine", "--kind", "gate").code == 0
    (work / "agentic-mine" / "agentic_mine.py").write_text("mine\n")
    assert agentic("plugins", "new", "mine").code == 2
    assert (work / "agentic-mine" / "agentic_mine.py").read_text() == "mine\n"
