"""Files beneath a folder: opened without following what leads out, listed without what .gitignore leaves out."""

from agentic.lib.files.beneath import Beneath, open_beneath, read_regular, require_regular
from agentic.lib.files.find import FileFinder
from agentic.lib.files.names import as_stored, printable_name, stored
from agentic.lib.files.replace import changed_at, make_own, private, put, replace_file
from agentic.lib.files.walk import files_below, project_top

__all__ = [
    "Beneath",
    "FileFinder",
    "as_stored",
    "changed_at",
    "files_below",
    "make_own",
    "open_beneath",
    "printable_name",
    "private",
    "project_top",
    "put",
    "read_regular",
    "replace_file",
    "require_regular",
    "stored",
]
