"""One walker for listings, search and prompts: what .gitignore files say, as git itself understands them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentic.lib.files import FileFinder, files_below
from agentic.lib.files.find import matching

NAMES = ["a", "b.py", "c.log", "build", "src"]
PATTERNS = ["*.log", "build/", "/a", "!c.log", "src/*.py", "**/b.py", "a/", "# a", "", "src/**", "!src/b.py", "[ab]*", "b.p?"]
PATHS = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True)
IGNORES = st.dictionaries(st.sampled_from(["", "src", "build", "a"]), st.lists(st.sampled_from(PATTERNS), max_size=4), max_size=3)


def lay(folder: Path, paths: list[str], ignores: dict[str, list[str]]) -> None:
    for path in paths:
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text("x")
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            continue  # a name cannot be a file and a folder
    for where, patterns in ignores.items():
        if (folder / where).is_dir():
            (folder / where / ".gitignore").write_text("\n".join(patterns) + "\n")


@pytest.mark.skipif(not shutil.which("git"), reason="git is not here")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(PATHS, IGNORES)
def test_git_says_the_same(tmp_path_factory: pytest.TempPathFactory, paths: list[str], ignores: dict[str, list[str]]) -> None:
    folder = tmp_path_factory.mktemp("files")
    subprocess.run(["git", "init", "-q", folder], check=True)
    lay(folder, paths, ignores)
    command = ["git", "-C", folder, "ls-files", "-z", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert sorted(files_below(folder)) == sorted(name for name in listed.split("\0") if name)


def test_rules_above_the_folder_count_and_those_below_come_first(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    lay(tmp_path, ["pkg/target/main.rs", "pkg/src/main.rs", "pkg/src/keep.log", "pkg/other.log"], {"": ["*.log", "target/"]})
    (tmp_path / "pkg" / "src" / ".gitignore").write_text("!keep.log\n")
    assert list(files_below(tmp_path / "pkg")) == ["src/.gitignore", "src/keep.log", "src/main.rs"]
    assert list(files_below(tmp_path / "pkg", "src")) == ["src/.gitignore", "src/keep.log", "src/main.rs"]


def test_shallow_files_come_first_and_links_are_not_followed(tmp_path: Path) -> None:
    lay(tmp_path, ["z", "a/deep/x", "node_modules/m/i.js", ".venv/p.py"], {})
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(files_below(tmp_path)) == ["z", "a/deep/x"]


@given(st.lists(st.text("ab_/.", min_size=1, max_size=8), max_size=12), st.text("ab_.", max_size=4))
def test_a_name_is_found_by_its_letters_in_order_and_by_nothing_else(names: list[str], letters: str) -> None:
    found = list(matching(names, [name.lower() for name in names], letters))

    def has(name: str) -> bool:
        rest = iter(name)
        return all(letter in rest for letter in letters)

    assert set(found) == {name for name in names if has(name)}
    near = [letters in name for name in found]
    assert near == sorted(near, reverse=True)  # one behind the other before those that only have them in this order


def test_files_and_folders_are_found_as_they_are_now(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text("")
    (tmp_path / "made.log").write_text("")
    (tmp_path / ".gitignore").write_text("*.log\n")
    finder = FileFinder(tmp_path)
    finder.look(wait=True)
    assert list(finder.find("gd")) == ["docs/guide.md"]
    assert next(finder.find("docs")) == "docs/"
    assert not list(finder.find("made"))


def test_no_pattern_of_a_repository_keeps_a_listing_from_ending(tmp_path: Path) -> None:
    """A `.gitignore` is an expression of a stranger's."""
    folder = tmp_path.joinpath(*["a"] * 40)
    folder.mkdir(parents=True)
    (tmp_path / ("a" * 200)).touch()
    (folder / "file").touch()
    lines = ["*a" * 16 + "b", "**/a/" * 20 + "b", *(f"name{number}" for number in range(100_000)), "late"]
    (tmp_path / ".gitignore").write_text("\n".join(lines))
    code = "from agentic.lib.files import files_below; from pathlib import Path; print('a' * 200 in list(files_below(Path('.'))))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n", done.stderr


def test_an_ignore_file_of_agentics_own_leaves_out_more_and_brings_back(tmp_path: Path) -> None:
    for name in ("a.py", "data.csv", "build/made.py", "build/other.py", "sub/deep.csv", "sub/shown.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / ".gitignore").write_text("build/*\n")
    (tmp_path / ".agenticignore").write_text("*.csv\n!build/made.py\n.*\n")
    (tmp_path / "sub" / ".agenticignore").write_text("!shown.csv\n")
    assert list(files_below(tmp_path)) == ["a.py", "build/made.py", "sub/shown.csv"]
    assert list(files_below(tmp_path, "sub")) == ["sub/shown.csv"]
