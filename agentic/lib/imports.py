"""Objects by the names that plugins give them."""

from importlib import import_module
from typing import Any


def imported(target: str) -> Any:
    """Imports "module:attribute", or a module alone. Raises whatever its code raises.

    >>> imported("os.path:sep")
    '/'
    """
    module, _, attribute = target.partition(":")
    found = import_module(module.strip())
    for name in filter(None, attribute.strip().split(".")):
        found = getattr(found, name)
    return found
