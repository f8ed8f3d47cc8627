"""Modules made for a test, which are plugins for one run (`run_in_process(plugins=[…])`)."""

from types import ModuleType
from typing import Any


def module_with(name: str, **hooks: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(hooks)
    return module
