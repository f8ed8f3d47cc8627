"""The tests and the configuration that a goal's checks rest on, by their content when it was set; and what keeps checkers quiet."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agentic.lib.files import files_below

MAX_BYTES = 2_000_000  # of a file that is read
_FOLDERS = frozenset(["test", "tests", "spec", "specs", "__tests__", "testing", "e2e", "fixtures", "testdata"])
_TEST = r"test_.*\.py|.*_tests?\.\w+|.*\.(?:test|spec)\.\w+"
_NAMES = re.compile(
    rf"{_TEST}|conftest\.py|(?:site|user)customize\.py|.*\.pth|pytest\.ini|tox\.ini|setup\.cfg"
    r"|setup\.py|pyproject\.toml|noxfile\.py|\.?mypy\.ini|\.?ruff\.toml|\.flake8|\.?pylintrc|\.coveragerc|pyrightconfig\.json"
    r"|(?:gnu)?makefile|\.?justfile|taskfile\.ya?ml|rakefile|package\.json|tsconfig.*\.json|(?:jest|vitest|babel|karma|playwright)\.config\.\w+"
    r"|\.mocharc.*|\.?eslint.*|biome\.jsonc?|\.golangci\.ya?ml|clippy\.toml|phpunit\.xml.*|\.rspec|cmakelists\.txt|build\.gradle.*|pom\.xml",
    re.IGNORECASE,
)
_HUSHES = re.compile(
    r"type:\s*ignore|#\s*noqa|pragma: no cover|(?:pylint|flake8|ruff|mypy)[:=]\s*(?:disable|noqa|ignore)|eslint-disable"
    r"|@ts-(?:ignore|nocheck|expect-error)|//\s*nolint|#!?\[allow\(|pytest\.(?:skip|xfail|importorskip|exit)|unittest\.skip"
    r"|os\._exit|\b(?:it|test|describe)\.(?:skip|only)\b|t\.Skip\("
)
_CODE = re.compile(r".*\.(?:py|pyi|js|jsx|ts|tsx|mjs|cjs|go|rs|rb|php|java|kt|c|cc|cpp|h|hpp|sh|lua|swift|scala)", re.IGNORECASE)


def fixed_files(root: Path, checks: Sequence[str]) -> dict[str, str]:
    """The digests of the files that the checks rest on, by name."""
    return {name: _digest(root / name) for name in _names(root, checks)}


def _names(root: Path, checks: Sequence[str]) -> Iterator[str]:
    words = {word.strip("'\"").removeprefix("./") for check in checks for word in re.split(r"[\s;&|()<>=]+", check)}
    programs = {Path(word).stem for word in words if word}
    for name in files_below(root):
        path = Path(name)
        is_shadow = len(path.parts) <= 2 and (path.stem in programs or path.parts[0] in programs)
        if _NAMES.fullmatch(path.name) or _FOLDERS & {part.lower() for part in path.parts[:-1]} or name in words or is_shadow:
            yield name


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def hushes(root: Path) -> dict[str, int]:
    """How often each file of code keeps a checker quiet."""
    found: dict[str, int] = {}
    for name in files_below(root):
        path = root / name
        try:
            if _CODE.fullmatch(name) and path.stat().st_size <= MAX_BYTES:
                count = len(_HUSHES.findall(path.read_text("utf-8", "replace")))
                found |= {name: count} if count else {}
        except OSError:
            continue
    return found


def weakened(root: Path, checks: Sequence[str], before: Mapping[str, str], hushed: Mapping[str, int]) -> list[str]:
    """Lines on what was done to the checks since; further test files weaken nothing."""
    now = fixed_files(root, checks)
    told = [f"{name} was changed" if name in now else f"{name} was removed" for name in before if now.get(name) != before[name]]
    added = [name for name in now if name not in before and not _is_a_test(name)]
    told += [f"{name} was added, which the checks obey" for name in added]
    for name, count in hushes(root).items():
        if count > hushed.get(name, 0):
            told.append(f"{name} keeps a checker quiet {count - hushed.get(name, 0)} more times")
    return told


def _is_a_test(name: str) -> bool:
    return bool(re.fullmatch(_TEST, Path(name).name))


_COUNTS = (
    re.compile(r"(?P<passed>\d+) passed", re.MULTILINE),  # pytest, vitest, cargo, playwright
    re.compile(r"^Ran (?P<passed>\d+) tests?", re.MULTILINE),
    re.compile(r"(?P<passed>\d+) passing", re.MULTILINE),
    re.compile(r"(?P<passed>\d+) (?:examples|tests), ", re.MULTILINE),
)


def number_of_tests(output: str, succeeded: bool) -> int | None:
    """How many tests ran, of a check that `succeeded` how many passed; None where it does not say."""
    found = next(
        (sum(int(each["passed"]) for each in matches) for count in _COUNTS if (matches := list(count.finditer(output)))), None
    )
    failed = re.search(r"(\d+) (?:failed|failing)", output)
    if not succeeded and failed is not None and "Ran " not in output:
        return (found or 0) + int(failed[1])
    if found is not None and "Ran " in output:
        return found - sum(int(each) for each in re.findall(r"skipped=(\d+)", output))
    return found
