"""The house keeps its order: who imports whom, what is public, what is documented, what start-up may import."""

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import agentic
from agentic.cli import COMMANDS, help_text
from agentic.hooks.old import NEW
from agentic.plugins import Host
from agentic.plugins.doors import EVENTS, ROWS, HookTable, is_known, specification
from plugins_builtin.scaffold.files import kinds, rendered

ROOT = Path(__file__).parents[2]
GROUND = {"extras", "index", "types", "messages", "answers", "plans", "events", "errors", "folders", "lib", "trust", "logs", "once"}
# Who a part of the host may import, besides itself.
_BELOW_CORE = GROUND | {"hooks", "config", "plugins", "sessions"}
MAY_IMPORT = dict.fromkeys(GROUND, GROUND) | {
    "lib": {"types", "errors", "folders"},
    "config": GROUND,
    "hooks": GROUND | {"config", "sessions"},
    "plugins": GROUND | {"config", "hooks"},
    "sessions": GROUND,
    "testing": GROUND | {"config", "hooks", "plugins", "api", "cli"},
    "core": _BELOW_CORE,
    "api": _BELOW_CORE | {"core", "queries"},
    "queries": _BELOW_CORE | {"core"},
    "commands": GROUND | {"api", "config", "plugins"},
    "cli": _BELOW_CORE | {"core", "api", "commands"},
}
PUBLIC = GROUND | {"hooks", "config", "sessions", "api", "commands"}


def test_each_test_that_the_security_page_names_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(test_\w+)\.py::(\w+)`", text)
    assert {f"F{number}" for number in range(1, 37)} <= set(re.findall(r"^\| (F\d+) \|", text, re.MULTILINE))
    for module, name in named:
        paths = (ROOT / "tests").rglob(f"{module}.py")
        assert any(f"def {name}(" in path.read_text() for path in paths), f"{module}.py has no {name}"


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


def test_nothing_in_the_core_imports_in_a_circle() -> None:
    folder = ROOT / "agentic" / "core"
    modules = {
        ".".join(("agentic", *path.relative_to(ROOT / "agentic").with_suffix("").parts)): path for path in folder.rglob("*.py")
    }
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    needs = {name: imports(path) & modules.keys() - {name} for name, path in modules.items()}

    def reached(name: str, seen: set[str]) -> set[str]:
        for other in needs[name] - seen:
            seen.add(other)
            reached(other, seen)
        return seen

    assert [name for name in modules if name in reached(name, set())] == []


def strings(path: Path) -> set[str]:
    """Every text in the code but docstrings."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


def test_the_host_names_no_plugin() -> None:
    """No text of the host is the name of a builtin plugin, or of what one offers, but for words that it has in common with them."""
    host = Host()
    names = {status.name for status in host.statuses if status.distribution == "agentic-vllm"}
    # Templates are the host's own words for purposes, slash commands are called by words of everybody.
    hooks = [hook for hook in HookTable() if hook not in ("agentic_prompts", "agentic_chat_commands")]
    names |= {name for hook in hooks for name in host.offers(hook)}
    sections = {
        "batching",
        "complexity",
        "context",
        "decomposition",
        "llm",
        "tools",
        "checks",
        "prompts",
        "sandbox",
        "sub_agents",
    }  # of the configuration
    words = {
        "run",
        "ps",
        "stop",
        "sessions",
        "init",
        "local",
        "instructions",
        "search",
        "mcp",
        "hooks",
        "plan",
        "chat",
        "trust",
        "permissions",
        "setup",
        "agents",
        "screen",
        "sub-agent",
        "auto",
        "config",
    }  # of commands, settings, rules, nodes, and git
    formats = {"plain", "jsonl"}  # of lists that a command prints
    for path in sorted((ROOT / "agentic").rglob("*.py")):
        inside = str(path.relative_to(ROOT / "agentic"))
        if not inside.startswith("testing/"):
            assert strings(path) & (names - sections - words - formats) == set(), path


WORDS = re.compile(
    r"\b(pytest|unittest|doctest|npm|cargo|jest|harmony|fenced|native|pyflakes|gpt|qwen|llama(?!\.cpp)|mistral|hermes|deepseek|o200k)\b|gpt-",
    re.IGNORECASE,
)


def test_the_host_holds_no_word_of_a_test_runner_a_model_or_a_protocol() -> None:
    """Neither in code nor in a comment. What is written for plugin authors to begin with may name what they need."""
    for path in sorted((ROOT / "agentic").rglob("*.py")):
        if not str(path.relative_to(ROOT / "agentic")).startswith("testing/"):
            found = {match[0].lower() for match in WORDS.finditer(path.read_text())}
            assert found == set(), path


def test_the_loop_reads_in_one_sitting() -> None:
    lines = (ROOT / "agentic" / "core" / "agent.py").read_text().splitlines()
    assert len(lines) <= 200


@pytest.mark.parametrize("path", sorted((ROOT / "plugins_builtin").rglob("*.py")), ids=str)
def test_builtins_import_public_names_and_never_each_other(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins_builtin").parts[0].removesuffix(".py")
    for name in imports(path):
        if name.startswith("agentic."):
            assert name.split(".")[1] in PUBLIC, name
        if name.startswith("plugins_builtin."):
            assert name.split(".")[1] == own, name


def test_what_is_public_is_listed_and_there() -> None:
    assert len(agentic.__all__) == len(set(agentic.__all__))
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


def test_version_imports_nothing_slow() -> None:
    assert heavy_modules("--version") == set()


def test_help_imports_no_more_than_the_plugins_themselves() -> None:
    assert heavy_modules("--help") & {"httpx2", "openai", "pydantic", "rich", "tomlkit"} == set()


def test_help_names_every_command_and_each_has_help() -> None:
    for name, (module, _) in COMMANDS.items():
        assert f"\n  {name}" in help_text()
        command = import_module(module).command
        for each in (command, *getattr(command, "commands", {}).values()):
            assert re.search("For example: .*agentic", " ".join((each.help or "").split())), each.name


def test_the_builtins_commands_have_an_example_each() -> None:
    for name, offer in Host().offers("agentic_commands").items():
        module, _, attribute = offer.record.target.partition(":")
        command = getattr(import_module(module), attribute)
        for each in (command, *getattr(command, "commands", {}).values()):
            assert re.search("For example: .*agentic", " ".join((each.help or "").split())), name


def hook_signatures() -> dict[str, str]:
    """The signature of each hook that counts: the host's, those of plugins, and the old names."""
    host = Host()
    host.implementations("agentic_add_hooks")
    specs = {name: specification(name) for name in (*ROWS, *EVENTS, *NEW, "agentic_models", "agentic_plugin") if is_known(name)}
    specs |= {name: host.hooks[name].spec for name in host.added_by}
    return {name: f"{name}({', '.join(inspect.signature(spec).parameters)})" for name, spec in specs.items()}


def test_every_hook_has_a_page_with_its_signature() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs" / "plugins").glob("*.md"))
    for name, signature in hook_signatures().items():
        assert f"`{signature}`" in text or name in NEW


def test_every_hook_is_fired_somewhere_in_the_host() -> None:
    host = Host()
    source = "".join(path.read_text() for path in (ROOT / "agentic").rglob("*.py") if path.parent.name != "hooks")
    for name in hook_signatures():
        assert f'"{name}"' in source or name in (*ROWS, *NEW) or name in host.added_by


def test_the_builtins_are_registered_as_anybodys() -> None:
    host = Host()
    assert {status.state for status in host.statuses if status.distribution == "agentic-vllm"} == {"loaded"}
    for hook in HookTable():
        assert host.offers(hook) or hook in ("agentic_command_launchers", "agentic_tool_sources"), hook


def test_every_page_of_a_door_shows_what_is_written_and_tested() -> None:
    """The examples in the docs are the plugins that `agentic plugins new` writes; test_hooks.py installs and tests them all."""
    for kind in kinds():
        page = (ROOT / "docs" / "plugins" / f"{kind}.md").read_text()
        blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
        written = {path: text for path, text in rendered(kind, "example").items() if path.endswith(".py")}
        assert blocks == [f"# {path}\n{text.split(chr(10) * 2, 1)[1]}" for path, text in written.items()], kind
        assert f"](plugins/{kind}.md)" in (ROOT / "docs" / "plugins.md").read_text()


def test_no_page_installs_a_distribution_of_that_name_from_an_index() -> None:
    """There is none of ours there, and another's could be."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "packages").rglob("README.md")]
    installs = [
        (page.name, line)
        for page in pages
        for line in page.read_text().splitlines()
        if re.search(r"(pip|uv|pipx)\S* .*install", line)
    ]
    assert len(installs) > 5
    assert [
        each
        for each in installs
        if re.search(
            r"(?<!un)install .*(?<![\w./-])agentic(-vllm)?(?![\w/-])[\['\"` ]*",
            each[1].partition("#")[0].partition("in agentic's")[0],
        )
    ] == []


@pytest.mark.parametrize("name", ["files", "files.walk", "wire", "workspace", "children.jobs", "sanitize"])
def test_a_module_that_moved_is_found_by_its_old_name(name: str) -> None:
    sys.modules.pop(f"agentic.{name}", None)
    with pytest.warns(DeprecationWarning, match="is agentic.lib"):
        old = import_module(f"agentic.{name}")
    assert old is import_module(f"agentic.lib.{name}") and old.__spec__.name == f"agentic.lib.{name}"
