"""The root: what is beneath it, what leads out, and bytes that stay."""

import os
import stat
import threading
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agentic.errors import AgenticError, ToolError
from agentic.lib.files import beneath, open_beneath
from agentic.lib.workspace import OutsideWorkspace, Workspace


@pytest.fixture(params=["openat2", "walk"])
def space(request: pytest.FixtureRequest, work: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """On a kernel with openat2, and on one without it."""
    if request.param == "walk":

        def missing(*arguments: object) -> int:
            raise OSError(38, "not implemented")

        monkeypatch.setattr(beneath, "_openat2", missing)
    return Workspace(work)


def test_write_then_read(space: Workspace) -> None:
    assert space.write("a/b/c.txt", b"hello")
    assert space.read("a/b/c.txt").data == b"hello"
    assert space.read(str(space.root / "a/b/c.txt")).data == b"hello"
    assert list(space.written) == ["a/b/c.txt"]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "/proc/self" + "/root" + "/etc/passwd", "~/../../etc/passwd/../../.."]
)
def test_a_path_out_is_not_opened(space: Workspace, path: str) -> None:
    with pytest.raises(OutsideWorkspace):
        space.read(path)
    with pytest.raises(OutsideWorkspace):
        space.write(path, b"x")


@pytest.mark.parametrize("kind", ["file", "folder", "missing leaf", "chain"])
def test_a_link_out_is_not_followed(space: Workspace, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    links = {
        "file": ("l", outside / "secret"),
        "folder": ("d", outside),
        "missing leaf": ("m", outside / "new"),
        "chain": ("c", "d2"),
    }
    name, target = links[kind]
    (space.root / name).symlink_to(target)
    (space.root / "d2").symlink_to(outside)
    path = {"folder": "d/secret", "chain": "c/secret"}.get(kind, name)
    with pytest.raises(AgenticError):
        space.read(path)
    with pytest.raises(AgenticError):
        space.write(path, b"x")
    assert (outside / "secret").read_bytes() == b"secret"
    assert not (outside / "new").exists()


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "x" * 300])
def test_what_is_no_path(space: Workspace, path: str) -> None:
    with pytest.raises(ToolError):
        space.read(path)


def test_special_files_do_not_block(space: Workspace) -> None:
    os.mkfifo(space.root / "fifo")
    for path in ("fifo", "."):
        with pytest.raises(ToolError):
            space.read(path)
        with pytest.raises(ToolError):
            space.write(path, b"x")


def test_a_link_inside_is_written_through(work: Path) -> None:
    space = Workspace(work)
    space.write("real.txt", b"old")
    (work / "link.txt").symlink_to("real.txt")
    space.write("link.txt", b"new")
    assert (work / "link.txt").is_symlink()
    assert (work / "real.txt").read_bytes() == b"new"


def test_a_file_with_other_names_is_refused(space: Workspace) -> None:
    """Written into, a kill could leave it torn; replaced, it would part from its other name."""
    (space.root / "first").write_bytes(b"old")
    os.link(space.root / "first", space.root / "second")
    with pytest.raises(ToolError, match="hard links"):
        space.write("first", b"new")
    assert (space.root / "second").read_bytes() == b"old"


def test_the_mode_stays(space: Workspace) -> None:
    alone = space.root / "alone"
    alone.write_bytes(b"old")
    alone.chmod(0o750)
    space.write("alone", b"new")
    assert stat.S_IMODE(alone.stat().st_mode) == 0o750


def test_a_new_file_honours_the_umask(space: Workspace) -> None:
    before = os.umask(0o027)
    try:
        space.write("new", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((space.root / "new").stat().st_mode) == 0o640


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(space: Workspace) -> None:
    space.write("a", b"one")
    (space.root / "a").write_bytes(b"the user's")
    with pytest.raises(ToolError, match="changed since"):
        space.write("a", b"two")
    assert (space.root / "a").read_bytes() == b"the user's"
    space.read("a")
    assert space.write("a", b"two")


def test_a_read_only_file_is_refused(space: Workspace) -> None:
    (space.root / "a").write_bytes(b"x")
    (space.root / "a").chmod(0o444)
    with pytest.raises(ToolError, match="read-only"):
        space.write("a", b"y")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    space.write("a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolError, match="No space left"):
        space.write("a", b"new")
    assert os.listdir(space.root) == ["a"]
    assert (space.root / "a").read_bytes() == b"old"


def test_a_granted_path_outside(space: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(b"x")
    space.grant(str(other))
    assert space.read(str(other)).data == b"x"
    with pytest.raises(OutsideWorkspace):
        space.read(str(tmp_path / "third.txt"))


def test_a_link_that_flips_never_lets_out(work: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (work / "real").mkdir()
    (work / "flip").symlink_to(work / "real")
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            for target in (work / "real", outside):
                link = work / f"new{threading.get_ident()}"
                link.symlink_to(target)
                link.replace(work / "flip")

    thread = threading.Thread(target=flip)
    thread.start()
    space = Workspace(work)
    try:
        for number in range(3000):
            try:
                space.write("flip/x", str(number).encode())
            except AgenticError:
                space = Workspace(work)
    finally:
        stop.set()
        thread.join()
    assert os.listdir(outside) == []


@given(st.text(alphabet=st.sampled_from("ab/.~\\ \t-"), max_size=20))
def test_no_spelling_of_a_path_leads_out(path: str) -> None:
    """Whatever the text, what is opened has the root above it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        (root / "a" / "b").mkdir(parents=True)
        space = Workspace(root)
        try:
            name = space.relative(path)
        except AgenticError:
            return
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            descriptor = open_beneath(top, name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return
        finally:
            os.close(top)
        opened = os.readlink(f"/proc/self/fd/{descriptor}")
        os.close(descriptor)
        assert opened == str(root) or opened.startswith(f"{root}/")


def apart(name: str) -> str:
    """As a Mac stores it."""
    return unicodedata.normalize("NFD", name)


NAMES = ["설계.md", "tiếng Việt.txt", "café.py", "が.md", "폴더/설계.md", "1.00 PM.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_stored_in_another_form_is_that_file(tmp_path: Path, name: str) -> None:
    """For every tool that opens one, and nobody writes a twin beside it; it is told by the name that it has."""
    there = tmp_path / (name.replace(" ", "\u202f") if name.isascii() else apart(name))
    there.parent.mkdir(exist_ok=True)
    there.write_bytes(b"old")
    space = Workspace(tmp_path)
    assert space.exists(name) and space.read(name).data == b"old"
    space.write(name, b"new")
    assert there.read_bytes() == b"new" and len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    stage = space.stage()
    stage.write(name, b"newer")
    space.commit(stage.edits)
    assert there.read_bytes() == b"newer"
    space.remove(name)
    assert not there.exists()


@pytest.mark.parametrize(
    ("there", "given"),
    [
        ("it\u2019s.md", "it's.md"),
        ("a \u2013 b.md", "a - b.md"),
        ("\u201ca\u201d.md", '"a".md'),
        ("a\u200bb.md", "ab.md"),
        ("\ufeffa.md", "a.md"),
    ],
)
def test_signs_that_nobody_types_are_no_other_file(tmp_path: Path, there: str, given: str) -> None:
    (tmp_path / there).write_bytes(b"old")
    Workspace(tmp_path).write(given, b"new")
    assert os.listdir(tmp_path) == [there]


def test_a_protected_name_is_asked_about_however_it_is_written(tmp_path: Path) -> None:
    """Whoever judges a path judges the one that is opened."""
    (tmp_path / ".env").write_bytes(b"x")
    space = Workspace(tmp_path)
    assert space.relative(".e\u200bnv") == space.relative(".env\ufeff") == ".env"


def test_a_new_name_is_written_as_it_is_given_and_a_known_one_is_never_another(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.write("새.md", b"1")
    assert os.listdir(tmp_path) == ["새.md"]
    (tmp_path / apart("새.md")).write_bytes(b"2")
    assert (space.read("새.md").data, space.read(apart("새.md")).data) == (b"1", b"2")
    (tmp_path / "a\u00a0b").write_bytes(b"3")
    (tmp_path / "a\u202fb").write_bytes(b"4")
    with pytest.raises(ToolError, match="does not exist"):
        space.read("a b")
    space.write(f"{apart('폴더')}/x", b"5")
    space.write("폴더/y", b"6")
    assert sorted(os.listdir(tmp_path / apart("폴더"))) == ["x", "y"]
