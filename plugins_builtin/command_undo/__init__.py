"""Takes back what commands do to files: the folder is looked at before and after each, and protected files are put back."""

from collections.abc import Iterable

from agentic import Permissions, PermissionsSetup, Provider, hookimpl


def _undo(setup: PermissionsSetup) -> Permissions:
    from plugins_builtin.command_undo.guard import UndoGuard

    return UndoGuard(setup)


@hookimpl
def agentic_permissions() -> Iterable[Provider[Permissions]]:
    yield Provider("undo", "what commands change is seen, and can be taken back", _undo)
