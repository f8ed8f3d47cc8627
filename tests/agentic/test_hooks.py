"""Every hook, used by separately installed distributions: those that `agentic plugins new` writes, which the docs show."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from agentic import PromptSection, hookimpl
from agentic.errors import ConfigError
from agentic.hooks.old import NEW
from agentic.testing import FakeVLLM, run_in_process
from plugins_builtin.scaffold.files import kinds, write
from tests.conftest import Agentic
from tests.modules import module_with

THIRD_PARTY = Path(__file__).parents[1] / "third_party" / "agentic_parrot"

BUILD = "import os, sys\nfrom hatchling.build import build_wheel\nfor folder in sys.argv[1:]:\n    os.chdir(folder)\n    build_wheel('..')\n"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a distribution of each kind."""
    folder = tmp_path_factory.mktemp("hooks")
    for kind in kinds():
        write(folder / kind, kind, f"my-{kind.replace('_', '-')}")
    return folder


def install(folder: Path) -> Path:
    """Builds a wheel of each by the build backend that it names and installs them; gives the Python that has them all."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    subprocess.run([sys.executable, "-c", BUILD, *(folder / kind for kind in kinds())], check=True, capture_output=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target", site]
    subprocess.run([*command, *folder.glob("*.whl")], check=True, cwd=folder)
    return folder / "venv" / "bin" / "python"


def test_each_plugin_passes_its_own_test(written: Path, env: dict[str, str]) -> None:
    """All beside each other, in one environment: what one does reaches no other's test."""
    tests = [written / kind / "tests" for kind in kinds()]
    command = [install(written), "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=written, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [kind for kind in kinds() if f"/test_agentic_my_{kind}.py::" not in done.stdout] == [], done.stdout


def test_they_are_typed(written: Path, env: dict[str, str]) -> None:
    """And so is the distribution of a third party's."""
    modules = sorted(path for kind in kinds() for path in (written / kind).glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", *modules, THIRD_PARTY]
    done = subprocess.run(command, cwd=written, env=env, capture_output=True, text=True)
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


@pytest.mark.parametrize("old", NEW)
def test_an_old_name_works_with_a_word_about_the_new_one(agentic: Agentic, home: Path, old: str) -> None:
    what = "Options(type('Mine', (Section,), {}))" if old == "agentic_options" else "[]"
    begin = "async def" if old == "agentic_before_end" else "def"
    code = f"from agentic import Options, Section, hookimpl\n@hookimpl\n{begin} {old}():\n    return {what}\n"
    folder = home / ".config" / "agentic" / "plugins"
    folder.mkdir(parents=True)
    (folder / "oldie.py").write_text(code)
    done = agentic("plugins", "--output", "jsonl")
    (oldie,) = [plugin for plugin in done.of_type("plugin") if plugin["name"] == "oldie"]
    assert oldie["state"] == "loaded" and oldie["hooks"] == [old]
    assert oldie["note"] == f"{old} is part of {NEW[old]} now; the old name goes with the next minor version"


def test_what_comes_under_an_old_name_is_used(tmp_path: Path) -> None:
    @hookimpl
    def agentic_prompt_sections() -> list[PromptSection]:
        return [PromptSection("weather", "of today", lambda setup: "It rains.", {"nano": 50})]

    plugin = module_with("oldie", agentic_prompt_sections=agentic_prompt_sections)
    with FakeVLLM() as server:
        run_in_process("x", server=server, plugins=[plugin])
        assert "It rains." in server.chats[0].json["messages"][0]["content"]
