"""The house keeps its order: who imports whom, what is public, what is documented, what start-up may import."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pluggy
import pytest

import agentic
from agentic.cli import COMMANDS, help_text
from agentic.plugins.host import SELECTED_BY, Host

ROOT = Path(__file__).parents[2]
GROUND = {"types", "events", "errors", "sanitize", "threads"}
# Who a part of the host may import, besides itself.
MAY_IMPORT = dict.fromkeys(GROUND, GROUND) | {
    "wire": GROUND,
    "workspace": GROUND,
    "hooks": GROUND | {"workspace"},
    "config": GROUND,
    "plugins": GROUND | {"hooks"},
    "sessions": GROUND | {"workspace"},
    "testing": GROUND | {"hooks"},
    "run": GROUND | {"wire", "workspace", "hooks", "config", "plugins", "sessions"},
    "cli": GROUND | {"wire", "workspace", "hooks", "config", "plugins", "sessions", "run"},
}
PUBLIC = GROUND | {"wire", "workspace", "hooks", "config"}


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return found | {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}


@pytest.mark.parametrize("path", sorted((ROOT / "agentic").rglob("*.py")), ids=str)
def test_the_host_imports_downwards_only(path: Path) -> None:
    part = path.relative_to(ROOT / "agentic").parts[0].removesuffix(".py")
    for name in imports(path):
        assert not name.startswith("plugins_builtin"), f"{path.name} imports {name}"
        if name.startswith("agentic.") and part in MAY_IMPORT:
            assert name.split(".")[1] in MAY_IMPORT[part] | {part}, f"{part} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "plugins_builtin").rglob("*.py")), ids=str)
def test_builtins_import_public_names_and_never_each_other(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins_builtin").parts[0].removesuffix(".py")
    for name in imports(path):
        if name.startswith("agentic."):
            assert name.split(".")[1] in PUBLIC, name
        if name.startswith("plugins_builtin."):
            assert name.split(".")[1] == own, name


def test_what_is_public_is_listed_and_there() -> None:
    assert agentic.__all__ == sorted(agentic.__all__)
    assert set(agentic.__all__) == {*agentic._HOME_OF, "__version__"}
    for name in agentic.__all__:
        assert getattr(agentic, name) is not None


def heavy_modules(*arguments: str) -> set[str]:
    code = "import sys; sys.argv = ['agentic', *sys.argv[1:]]\nfrom agentic.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)
    heavy = {
        "httpx2",
        "openai",
        "pydantic",
        "rich",
        "click",
        "pluggy",
        "asyncio",
        "tomlkit",
        "plugins_builtin",
        "importlib.metadata",
    }
    return heavy & set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_import_nothing_slow(argument: str) -> None:
    assert heavy_modules(argument) == set()


def test_help_names_every_command_and_each_has_help() -> None:
    for name, (module, _) in COMMANDS.items():
        assert f"\n  {name}" in help_text()
        assert import_module(module).command.help


def hook_signatures() -> dict[str, str]:
    host = Host()
    callers = {name: getattr(host.manager.hook, name) for name in dir(host.manager.hook) if name.startswith("agentic_")}
    specs = {name: caller.spec for name, caller in callers.items() if isinstance(caller, pluggy.HookCaller) and caller.spec}
    return {name: f"{name}({', '.join(spec.argnames)})" for name, spec in specs.items()}


def test_every_hook_is_documented_with_its_signature() -> None:
    text = (ROOT / "docs/plugins.md").read_text()
    for signature in hook_signatures().values():
        assert f"`{signature}`" in text


def test_every_hook_is_fired_somewhere_in_the_host() -> None:
    source = "".join(path.read_text() for path in (ROOT / "agentic").rglob("*.py") if path.parent.name != "hooks")
    for name in hook_signatures():
        assert f'"{name}"' in source or name in SELECTED_BY


def test_the_builtins_are_registered_as_anybodys() -> None:
    host = Host()
    assert {status.state for status in host.statuses if status.distribution == "agentic"} == {"loaded"}
    for hook in SELECTED_BY:
        assert host.offers(hook), hook


def python_blocks(path: Path) -> list[str]:
    return [block.split("```")[0] for block in path.read_text().split("```python\n")[1:]]


def test_the_documented_plugin_works(tmp_path: Path, env: dict[str, str]) -> None:
    """The code blocks of docs/plugins.md, run as they stand."""
    plugin, client = python_blocks(ROOT / "docs/plugins.md")
    (tmp_path / "agentic_shout.py").write_text(plugin)
    info = tmp_path / "agentic_shout-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-shout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\nshout = agentic_shout\n")
    path = f"{Path(sys.executable).parent}:{env['PATH']}"
    more = env | {"PYTHONPATH": str(tmp_path), "PATH": path}
    done = subprocess.run([sys.executable, "-c", client], env=more, cwd=tmp_path, capture_output=True, text=True)
    assert "'content': 'HI'" in done.stdout, done.stderr
