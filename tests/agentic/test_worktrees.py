"""Writers in git worktrees of their own: merged one by one, checked, rolled back; and a git that runs nothing of a repository's."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from agentic import ToolError, Workspace
from agentic.lib.git import git
from agentic.sessions import SessionStore
from agentic.sessions.undo import Journal, undo
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.sub_agents.worktrees import Worktrees
from tests.children import PARTS, Model, split
from tests.conftest import Agentic
from tests.processes import soon

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def repository(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for arguments in (("init", "-q"), ("add", "-A"), (*IDENTITY, "commit", "-qm", "begin", "--allow-empty")):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


def status(folder: Path) -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=folder, check=True, capture_output=True, text=True).stdout


async def passes() -> str:
    return ""


def merged(
    root: Path, work: Mapping[str, Callable[[Path], object]], check: Callable[[], object] | None = None
) -> dict[str, object]:
    """Lets each agent do its `work` in a worktree of its own, then merges in order; the files, or why not, by agent."""

    async def run() -> dict[str, object]:
        async def checked() -> str:
            return str(check()) if check else ""

        trees = await Worktrees.open(Workspace(root), checked)
        for agent in work:
            work[agent](await trees.add(agent))
        outcomes: dict[str, object] = {}
        for agent in work:
            try:
                outcomes[agent] = await trees.merge(agent)
            except ToolError as error:
                outcomes[agent] = str(error)
        await trees.close()
        return outcomes

    return asyncio.run(run())


def puts(**files: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for name, text in files.items():
            (root / name).write_text(text)

    return write


LINES = "".join(f"line {number}\n" for number in range(20))


def test_changes_to_different_places_of_one_file_come_together(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": LINES, "b": "b\n"})
    outcomes = merged(
        root, {"one": puts(a=LINES.replace("line 1\n", "ONE\n")), "two": puts(a=LINES.replace("line 18\n", "TWO\n"), new="n\n")}
    )
    assert outcomes == {"one": ("a",), "two": ("a", "new")}
    assert (root / "a").read_text() == LINES.replace("line 1\n", "ONE\n").replace("line 18\n", "TWO\n")
    assert status(root) == " M a\n?? new\n"
    assert len(subprocess.run(["git", "worktree", "list"], cwd=root, capture_output=True).stdout.splitlines()) == 1


def test_of_two_that_conflict_one_is_merged_and_one_is_told_and_kept(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": LINES})
    outcomes = merged(root, {"one": puts(a="mine\n"), "two": puts(a="yours\n", other="o\n")})
    assert outcomes["one"] == ("a",)
    assert "a was changed in the same place by another" in str(outcomes["two"])
    assert (root / "a").read_text() == "mine\n"
    assert not (root / "other").exists()
    kept = Path(str(outcomes["two"]).rpartition(" left in ")[2])
    assert (kept / "a").read_text() == "yours\n"


def test_what_breaks_the_check_is_rolled_back(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": "a\n", "gone": "g\n"})

    def breaks(folder: Path) -> None:
        (folder / "gone").unlink()
        puts(a="broken\n", new="n\n")(folder)

    outcomes = merged(
        root, {"one": breaks, "two": puts(b="b\n")}, lambda: "it breaks" if "broken" in (root / "a").read_text() else ""
    )
    assert "this fails: it breaks" in str(outcomes["one"])
    assert outcomes["two"] == ("b",)
    assert status(root) == "?? b\n"
    assert (root / "gone").read_text() == "g\n"


def test_what_failed_before_is_nobodys_fault(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": "a\n"})
    assert merged(root, {"one": puts(b="b\n")}, lambda: "no tests yet") == {"one": ("b",)}


def test_the_users_uncommitted_work_is_there_and_stays(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": "a\n", "dir/b": "b\n", ".gitignore": "secret\n"})
    (root / "a").write_text("edited\n")
    (root / "untracked").write_text("u\n")
    (root / "secret").write_text("s\n")
    (root / "link").symlink_to("a")
    subprocess.run(["git", "add", "dir/b"], cwd=root, check=True)
    before = status(root)

    def looks(folder: Path) -> None:
        assert (folder / "a").read_text() == "edited\n"
        assert (folder / "untracked").read_text() == "u\n"
        assert not (folder / "secret").exists()
        puts(c="c\n")(folder)

    assert merged(root, {"one": looks}) == {"one": ("c",)}
    assert status(root) == "".join(sorted(f"{before}?? c\n".splitlines(keepends=True)))


def test_a_merge_can_be_taken_back(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": "a\n", "gone": "g\n"})
    session = SessionStore(tmp_path / "sessions").new(root)
    space = Workspace(root)
    space.journal = Journal(session)

    async def run() -> None:
        trees = await Worktrees.open(space, passes)
        folder = await trees.add("one")
        puts(a="b\n", new="n\n")(folder)
        (folder / "gone").unlink()
        assert await trees.merge("one") == ("a", "gone", "new")

    asyncio.run(run())
    assert sorted(path.name for path in root.iterdir() if path.name != ".git") == ["a", "new"]
    undo(session, space)
    assert status(root) == ""
    session.close()


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.sampled_from("xyz")), max_size=4), st.sampled_from("abc"))
def test_a_merge_is_whole_or_not_at_all_and_touches_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, str]], mine: str
) -> None:
    root = repository(tmp_path_factory.mktemp("m") / "r", dict.fromkeys("abc", LINES))

    def edit(folder: Path) -> None:
        for name, line, text in edits:
            lines = (folder / name).read_text().splitlines(keepends=True)
            lines[line] = f"{text}\n"
            (folder / name).write_text("".join(lines))

    async def run() -> None:
        trees = await Worktrees.open(Workspace(root), passes)
        folder = await trees.add("one")
        edit(folder)
        (root / mine).write_text(f"the user's\n{LINES}")
        before = {name: (root / name).read_text() for name in "abc"}
        try:
            files = await trees.merge("one")
        except ToolError:
            assert {name: (root / name).read_text() for name in "abc"} == before
            return
        for name in set("abc") - set(files):
            assert (root / name).read_text() == before[name]
        assert (root / mine).read_text().startswith("the user's\n")

    asyncio.run(run())


def writes(path: str, content: str, together: threading.Barrier | None = None) -> Callable[[Request], ScriptedAnswer]:
    """A child that writes the file, `together` with another one."""

    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer(f"wrote {content}")
        if together is not None:
            together.wait()
        return answer(tool_calls=tool_call("write_file", {"path": path, "content": content}), pause=0.05)

    return reply


def test_what_a_rejected_merge_broke_is_nobodys_work(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """It was rolled back: the whole is judged without it, and the agent is told of what was not done, not of what is not there."""
    repository(work, {"api.py": "value = 0\n"})
    parts = [{**each, "writes": []} for each in PARTS]
    model = Model(server, parts, {"backend": writes("api.py", "value = 1\n"), "tests": writes("broken.py", "def (\n")})
    model.plan = json.dumps({"subtasks": parts, "check": f"{sys.executable} -m compileall -q .", "isolation": "worktree"})
    done = split(agentic, server)
    assert done.code == 1
    result = done.of_type("run_finished")[0]["result"]
    assert "with them this fails" in result, result
    assert "Not done: tests." in result
    assert not (work / "broken.py").exists()
    told = [request.json["messages"][-1]["content"] for request in server.chats if "You do one part" not in str(request.json)]
    assert sum("Not done by the sub-agents: tests." in text for text in told) == 1
    assert not any("def (" in text for text in told)


def test_a_plan_that_asks_for_worktrees_gets_them(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """Two children write the same file: one is merged, the other is reported, and the tree is as the first left it."""
    repository(work, {"api.py": "value = 0\n"})
    parts = [{**each, "writes": []} for each in PARTS]
    both = threading.Barrier(2, timeout=30)  # neither begins with what the other left
    model = Model(
        server,
        parts,
        {"backend": writes("api.py", "value = 1\n", both), "tests": writes("api.py", "value = 2\n", both)},
    )
    model.plan = json.dumps({"subtasks": parts, "check": f"{sys.executable} -c 'import api'", "isolation": "worktree"})
    done = split(agentic, server, "-c", "sub_agents.max_concurrent=4")
    assert done.code == 1, done.out
    result = done.of_type("run_finished")[0]["result"]
    assert result.count("None of its changes were taken: api.py was changed in the same place by another") == 1
    winner = (work / "api.py").read_text()
    assert winner in ("value = 1\n", "value = 2\n")
    assert sorted(status(work).splitlines())[:1] == [" M api.py"]


def test_without_a_repository_leases_do(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    model = Model(server, PARTS)
    model.plan = json.dumps({"subtasks": PARTS, "check": "", "isolation": "worktree"})
    done = split(agentic, server)
    assert done.code == 0
    assert "no worktrees here" in done.of_type("warning")[0]["message"]
    assert len(list(work.glob("*.txt"))) == 4


# F4: what a repository can configure to be run

TRAPS = {
    "hook post-checkout": lambda r, t: trap(r / ".git/hooks/post-checkout", t),
    "hook post-index-change": lambda r, t: trap(r / ".git/hooks/post-index-change", t),
    "hooksPath": lambda r, t: (trap(r / "h/post-checkout", t), configure(r, "core.hooksPath", str(r / "h"))),
    "fsmonitor": lambda r, t: configure(r, "core.fsmonitor", str(trap(r / "../fsm", t))),
    "filter clean": lambda r, t: (attribute(r, "filter=x"), configure(r, "filter.x.clean", str(trap(r / "../c", t)))),
    "filter smudge": lambda r, t: (attribute(r, "filter=x"), configure(r, "filter.x.smudge", str(trap(r / "../s", t)))),
    "filter process": lambda r, t: (
        attribute(r, "filter=X.y"), configure(r, "filter.X.y.process", str(trap(r / "../p", t))), configure(r, "filter.X.y.required", "true"),
    ),
    "textconv": lambda r, t: (attribute(r, "diff=x"), configure(r, "diff.x.textconv", str(trap(r / "../t", t)))),
    "external diff": lambda r, t: configure(r, "diff.external", str(trap(r / "../d", t))),
    "merge driver": lambda r, t: (attribute(r, "merge=x"), configure(r, "merge.x.driver", str(trap(r / "../m", t)))),
    "ssh and promisor": lambda r, t: (
        configure(r, "core.sshCommand", str(trap(r / "../ssh", t))), configure(r, "remote.o.url", "ssh://nowhere/x"),
        configure(r, "remote.o.promisor", "true"), configure(r, "extensions.partialClone", "o"),
    ),
    "pager and editor": lambda r, t: (configure(r, "core.pager", str(trap(r / "../pg", t))), configure(r, "core.editor", str(r / "../pg"))),
}  # fmt: skip


def trap(path: Path, marker: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{marker}'\ncat </dev/null\n")
    path.chmod(0o755)
    return path


def configure(root: Path, name: str, value: str) -> None:
    subprocess.run(["git", "config", name, value], cwd=root, check=True)


def attribute(root: Path, what: str) -> None:
    (root / ".gitattributes").write_text(f"* {what}\n")


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_that_a_repository_configures_is_run(tmp_path: Path, name: str) -> None:
    root, marker = repository(tmp_path / "r", {"a": LINES, "b": "b\n"}), tmp_path / "MARKER"
    TRAPS[name](root, marker)
    (root / "b").write_text("c\n")
    work = {
        "one": puts(a=LINES.replace("line 1\n", "ONE\n")),
        "two": puts(a=LINES.replace("line 18\n", "TWO\n")),
        "three": puts(a="conflict\n"),
    }
    outcomes = merged(root, work)
    assert outcomes["two"] == ("a",)
    assert not marker.exists()


def test_a_repository_that_lacks_an_object_fetches_nothing(tmp_path: Path) -> None:
    root, marker = repository(tmp_path / "r", {"a": "a\n"}), tmp_path / "MARKER"
    TRAPS["ssh and promisor"](root, marker)
    with pytest.raises(ToolError):
        asyncio.run(git(root, "cat-file", "blob", "1" * 40))
    assert not marker.exists()


def test_git_where_there_is_none_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match="not a git repository"):
        asyncio.run(Worktrees.open(Workspace(tmp_path), passes))
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(ToolError, match="git cannot be run"):
        asyncio.run(git(tmp_path, "status"))


def test_nothing_else_in_the_program_calls_git() -> None:
    root = Path(__file__).parents[2]
    callers = [
        path.name
        for package in ("agentic", "plugins_builtin")
        for path in (root / package).rglob("*.py")
        if '"git"' in path.read_text()
    ]
    callers = [
        name for name in callers if name not in ("tables.py", "dangers.py", "good.py")
    ]  # they read command lines, and run none
    assert callers == ["git.py"]


def test_a_worktree_of_the_users_that_is_called_like_ours_is_left_alone(tmp_path: Path) -> None:
    """The first is at no commit yet, the second is locked and on a disk that is not there."""
    root = repository(tmp_path / "agentic-vllm", {"a": "a\n"})

    def run(*words: str, cwd: Path = root) -> None:
        subprocess.run(["git", *IDENTITY, *words], cwd=cwd, check=True, capture_output=True)

    site = root / "trees" / "site"
    run("worktree", "add", "-q", str(site), "-b", "pages")
    run("checkout", "-q", "--orphan", "empty", cwd=site)
    (site / "index.html").write_text("precious\n")
    run("worktree", "add", "-q", "--lock", str(tmp_path / "agentic-trees" / "x" / "away"))
    (tmp_path / "agentic-trees" / "x" / "away").rename(tmp_path / "elsewhere")
    merged(root, {"one": puts(a="b\n")})
    assert (site / "index.html").read_text() == "precious\n"
    listed = subprocess.run(["git", "worktree", "list"], cwd=root, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == 3


def test_trees_that_another_process_is_making_are_left_alone(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a": "a\n"})

    async def run() -> None:
        first = await Worktrees.open(Workspace(root), passes)
        tree = await first.add("one")
        state = root / ".git" / "worktrees" / tree.name
        head = (state / "HEAD").read_text()
        (state / "HEAD").write_text("0" * 40 + "\n")  # as it is while git makes it
        second = await Worktrees.open(Workspace(root), passes)
        assert tree.is_dir() and state.is_dir()
        (state / "HEAD").write_text(head)
        await second.close()
        await first.discard("one")
        await first.close()

    asyncio.run(run())


KILLED = """
import asyncio, os, pathlib, signal, tempfile
from agentic import Workspace
from plugins_builtin.sub_agents.worktrees import Worktrees

make = os.mkdir
def make_and_die(path, *rest, **named):
    make(path, *rest, **named)
    if pathlib.Path(path).parent == pathlib.Path(tempfile.gettempdir()):
        os.kill(os.getpid(), signal.SIGKILL)

async def passes(): return ""

os.mkdir = make_and_die
asyncio.run(Worktrees.open(Workspace(pathlib.Path.cwd()), passes, stay=False))
"""


def test_a_kill_when_the_folder_of_the_trees_was_just_made_leaves_none(tmp_path: Path) -> None:
    root, temporary = repository(tmp_path / "r", {"a": "a\n"}), tmp_path / "temporary"
    temporary.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=root, env=os.environ | {"TMPDIR": str(temporary)})
    assert killed.returncode == -signal.SIGKILL
    assert soon(lambda: not list(temporary.iterdir()), 10), list(temporary.iterdir())


def test_what_may_be_run_comes_along_and_links_are_told(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"go": "true\n", "was": "true\n", "a": "a\n"})
    (root / "was").chmod(0o755)

    async def run() -> tuple[tuple[str, ...], list[str]]:
        trees = await Worktrees.open(Workspace(root), passes)
        tree = await trees.add("one")
        (tree / "go").chmod(0o755)
        (tree / "was").chmod(0o644)
        (tree / "link").symlink_to("a")
        links = await trees.left_out("one")
        files = await trees.merge("one")
        await trees.close()
        return files, links

    assert asyncio.run(run()) == (("go", "was"), ["link"])
    assert os.access(root / "go", os.X_OK) and not (root / "was").stat().st_mode & 0o111


def test_a_file_that_vanishes_meanwhile_is_no_part_of_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {"a": "a\n", "b": "b\n"})
    copy = shutil.copy2

    def vanishing(source: Path, target: Path, **how: Any) -> object:
        if source.name == "a":
            source.unlink(missing_ok=True)
        return copy(source, target, **how)

    monkeypatch.setattr(shutil, "copy2", vanishing)

    async def run() -> bool:
        trees = await Worktrees.open(Workspace(root), passes)
        tree = await trees.add("one")
        found = (tree / "b").exists() and not (tree / "a").exists()
        await trees.discard("one")
        await trees.close()
        return found

    assert asyncio.run(run())
