"""Families of models that people serve: what is true of each, with its source."""

from collections.abc import Iterable
from importlib import import_module

from agentic import Family, hookimpl

NAMES = ("deepseek", "qwen", "glm", "kimi", "minimax", "mistral", "llama", "gemma", "granite")


@hookimpl
def agentic_models() -> Iterable[Family]:
    for name in NAMES:
        yield from import_module(f"plugins_builtin.families.{name}").FAMILIES
