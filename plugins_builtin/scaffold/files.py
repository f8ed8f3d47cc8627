"""The files of a new plugin, from a template of its kind."""

import re
from importlib.resources import files
from pathlib import Path

from agentic import ConfigError, __version__
from agentic.extras import DISTRIBUTION

_PART = re.compile(r"^# ---- (test|file (\S+)) ----\n", re.MULTILINE)


def kinds() -> list[str]:
    """Returns the kinds of plugins that can be made, sorted."""
    names = (path.name for path in files("plugins_builtin.scaffold").joinpath("templates").iterdir())
    return sorted(name.removesuffix(".txt") for name in names if name.endswith(".txt"))


def module_of(name: str) -> str:
    return "agentic_" + name.replace("-", "_")


def rendered(kind: str, name: str) -> dict[str, str]:
    """The files of a plugin of that kind by path: its modules, its test, its pyproject.toml."""
    text = files("plugins_builtin.scaffold").joinpath("templates", f"{kind}.txt").read_text(encoding="utf-8")
    module = module_of(name)
    text = text.replace("MODULE", module).replace("NAME", name)
    code, *parts = _PART.split(text)
    found = {f"{module}.py": f'"""A plugin of agentic: {kind.replace("_", " ")}."""\n\n{code}'}
    for what, path, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        target = f"tests/test_{module}.py" if what == "test" else path
        doc = "Tests of the plugin." if what == "test" else "A part of the plugin that is imported when it is needed."
        found[target] = f'"""{doc}"""\n\n{body}'
    return found | {"pyproject.toml": _pyproject(name, module)}


def _pyproject(name: str, module: str) -> str:
    included = f'"{module}*.py"'  # also a module that its author adds
    text = files("plugins_builtin.scaffold").joinpath("templates", "pyproject.tmpl").read_text(encoding="utf-8")
    text = text.replace("HOST", f"{DISTRIBUTION}>={__version__}").replace("INCLUDED", included)
    return text.replace("MODULE", module).replace("NAME", name)


def write(folder: Path, kind: str, name: str) -> list[Path]:
    """The files written. Raises ConfigError for a name or a kind that cannot be, or a folder that is there."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ConfigError(f"{name!r} cannot be a plugin's name", "lower-case words with hyphens, such as my-gate")
    if kind not in kinds():
        raise ConfigError(f"there is no kind {kind!r}", f"choose from {', '.join(kinds())}")
    if folder.exists():
        raise ConfigError(f"{folder} is there already", "choose another name")
    paths = []
    for name_in, text in rendered(kind, name).items():
        path = folder / name_in
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths
