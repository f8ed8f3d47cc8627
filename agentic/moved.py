"""Modules under the names that they had until 0.1: they go on for one minor version, with a warning."""

import warnings
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType

import agentic

_NEW = {f"agentic.{name}": f"agentic.lib.{name}" for name in agentic._IN_LIB}


class _Alias(Loader):
    """Gives out a module that is loaded under its new name."""

    def __init__(self, new: str) -> None:
        self._new = new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self._module = import_module(self._new)
        self._spec = self._module.__spec__
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def find_spec(name: str) -> ModuleSpec | None:
    """For the import of a module by an old name; None for any other."""
    head = next((old for old in _NEW if name == old or name.startswith(f"{old}.")), "")
    if not head:
        return None
    new = _NEW[head] + name.removeprefix(head)
    warnings.warn(f"{name} is {new} now; the old name goes with the next minor version", DeprecationWarning, stacklevel=3)
    return ModuleSpec(name, _Alias(new))
