"""Where a failed test's mistake may be: in the file that defines what its assertion calls."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

MAX_SUSPECTS = 2
_ASSERTED = re.compile(r"assert.*?(?=\n {4}→|\Z)", re.DOTALL)
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_DEFINED = re.compile(
    r"^[ \t]*(?:export |public |async |pub )*(?:def|class|function|func|fn)\s+(?:\([^)]*\)\s*)?(\w+)", re.MULTILINE
)
_ASSIGNED = re.compile(r"^(\w+) *(?::[^=\n]*)?=(?!=)", re.MULTILINE)
_UNDEFINED = re.compile(r"([\w./-]+\.py) line \d+: .*\n.*NameError: name '(\w+)' is not defined")
_UNKNOWN_MODULE = re.compile(r"([\w./-]+\.py) line \d+: from \S+ import (.*)\n.*ModuleNotFoundError: No module named '([\w.]+)'")
_NO_LIBRARY = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'|ImportError: (\w+) must be installed")
_IMPORTS = re.compile(r"^\s*(?:from|import)\s.*$", re.MULTILINE)


def suspects(told: str, sources: Mapping[str, str]) -> list[str]:
    """The files that define what the failed assertions in `told` call; all of `sources` where none stands out.

    If one suspect imports another, the imported one is picked: its bugs surface in its importers.
    """
    called = {name for part in _ASSERTED.findall(told) for name in _CALLED.findall(part)}
    found = [name for name, source in sources.items() if called & set(_DEFINED.findall(source))]
    lowest = [name for name in found if not any(_imports(sources[name], other) for other in found if other != name)]
    return lowest if 0 < len(lowest) <= MAX_SUSPECTS else list(sources)


def blamed(told: str, written: Sequence[str]) -> list[str]:
    """Of more files than a small model can write at once: those that what went wrong names, a test with what it is a test of."""
    named = [path for path in written if re.search(rf"(?<![\w.-]){re.escape(PurePath(path).name)}\b", told)]
    if len(written) <= MAX_SUSPECTS or not named:
        return list(written)
    tested = [path for path in written if path not in named and any(is_named_after(name, path) for name in named)]
    return [*tested, *named] if "→  NameError" not in told else named


def is_named_after(test: str, source: str) -> bool:
    """Whether a file is a test of the other, as far as names tell: test_web.py of web.py."""
    return PurePath(source).stem in PurePath(test).stem


def missing_import(told: str, sources: Mapping[str, str]) -> str:
    """The line that mends a name that is used and not there, as far as the files of the folder tell; "" otherwise."""
    if undefined := _UNDEFINED.search(told):
        file, name = undefined.groups()
        homes = [other for other in sources if other != file and name in _defined(sources[other])]
        near = [other for other in homes if is_named_after(file, other)] or homes
        return f"At the top of {file} this is missing: from {_module(near[0])} import {name}" if near else ""
    if unknown := _UNKNOWN_MODULE.search(told):
        file, names, module = unknown[1], re.findall(r"\w+", unknown[2]), unknown[3]
        homes = [_module(other) for other in sources if other != file and {*names[:1]} & _defined(sources[other])]
        return f"There is no module {module} here; {names[0]} is defined in {homes[0]}." if homes else ""
    return ""


def missing_library(told: str, sources: Mapping[str, str]) -> str:
    """The library that is not installed: what more than the tests import and no file defines; "" otherwise."""
    found = _NO_LIBRARY.search(told)
    name = (found[1] or found[2]).partition(".")[0] if found else ""
    ours = any(name in PurePath(path).with_suffix("").parts for path in sources)
    used = name and any(re.search(rf"^\s*(?:from|import) +{name}\b", source, re.MULTILINE) for source in sources.values())
    return name if found and (found[2] or used) and not ours else ""


def _defined(source: str) -> set[str]:
    return {*_DEFINED.findall(source), *_ASSIGNED.findall(source)}


def _module(path: str) -> str:
    return ".".join(PurePath(path).with_suffix("").parts)


def _imports(source: str, other: str) -> bool:
    return any(re.search(rf"\b{re.escape(PurePath(other).stem)}\b", line) for line in _IMPORTS.findall(source))
