"""A session in a git worktree of its own."""

import subprocess
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic

WRITES = answer(tool_calls=tool_call("write_file", {"path": "new.txt", "content": "new\n"}))
OPTIONS = ("--approve", "all", "--no-sandbox", "-c", "tools.protocol=native", "--worktree", "try")


def git(folder: Path, *words: str) -> str:
    given = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    return subprocess.run(given, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(work: Path) -> Path:
    (work / "sub").mkdir()
    (work / "sub" / "a.txt").write_text("a\n")
    (work / ".gitignore").write_text("node_modules/\n")
    (work / "node_modules").mkdir()
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    return work


def test_work_is_kept_in_a_worktree_beside_the_repository(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    server.script(WRITES, answer("done"))
    done = fresh_agentic("run", "write it", "--endpoint", server.url, *OPTIONS, cwd=repository / "sub")
    tree = repository.parent / f"{repository.name}-try"
    assert (tree / "sub" / "new.txt").read_text() == "new\n" and not (repository / "sub" / "new.txt").exists()
    assert f"worktree try: kept in {tree}, branch agentic/try" in done.err
    assert (tree / "node_modules").resolve() == repository / "node_modules"
    again = fresh_agentic("run", "look", "--endpoint", server.url, *OPTIONS, cwd=tree)
    assert f"worktree try: found in {tree}" in again.err and (tree / "sub" / "new.txt").exists()


def test_one_without_work_is_gone_at_the_end(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    (repository / "sub" / "a.txt").write_text("not committed\n")
    done = fresh_agentic("ask", "what is here?", "--endpoint", server.url, "--worktree", "try", cwd=repository)
    assert done.code == 0 and f"what is not committed in {repository} is not in it" in done.err
    assert not (repository.parent / f"{repository.name}-try").exists()
    assert "try" not in git(repository, "branch") + git(repository, "worktree", "list")
    assert (repository / "sub" / "a.txt").read_text() == "not committed\n"


def runs(command: str) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("run", {"command": command}))


@pytest.mark.parametrize(
    "command",
    [
        "echo 1 > results.db",  # which git ignores
        "git config status.showUntrackedFiles no && echo 1 > new.py",
        "git checkout -q --detach && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two",
        "git switch -q -c feature && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m two",
        "ln -s sub/a.txt current",
        "rm sub/a.txt",
    ],
)
def test_whatever_a_session_left_is_kept(fresh_agentic: Agentic, server: FakeVLLM, repository: Path, command: str) -> None:
    (repository / ".gitignore").write_text("node_modules/\n*.db\n")
    git(repository, "commit", "-qam", "ignores")
    server.script(runs(command), answer("done"))
    tree = repository.parent / f"{repository.name}-try"
    done = fresh_agentic("run", "do it", "--endpoint", server.url, *OPTIONS, cwd=repository)
    assert f"kept in {tree}" in done.err and tree.is_dir()


def test_caches_of_a_check_are_no_work(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    (repository / ".gitignore").write_text("node_modules/\n__pycache__/\n")
    git(repository, "commit", "-qam", "ignores")
    server.script(runs("mkdir -p sub/__pycache__ && echo 1 > sub/__pycache__/a.pyc"), answer("done"))
    fresh_agentic("run", "do it", "--endpoint", server.url, *OPTIONS, cwd=repository)
    assert not (repository.parent / f"{repository.name}-try").exists()


def test_one_of_the_users_and_a_submodule_are_left_alone(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    tree = repository.parent / f"{repository.name}-try"
    git(repository, "worktree", "add", "-q", "-b", "mine", str(tree))
    done = fresh_agentic("ask", "hello", "--endpoint", server.url, "--worktree", "try", cwd=repository)
    assert done.code == 2 and "is no worktree for agentic/try" in done.err
    assert git(tree, "branch", "--show-current").strip() == "mine"
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "vendor")
    done = fresh_agentic("ask", "hello", "--endpoint", server.url, "--worktree", "b", cwd=repository / "vendor")
    assert done.code == 2 and "this is a submodule" in done.err


def test_paths_of_the_command_line_are_the_shells(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    schema = repository / "schema.json"
    schema.write_text('{"type": "object"}')
    server.otherwise = lambda request: answer("{}")
    done = fresh_agentic(
        "run", "do it", "--endpoint", server.url, *OPTIONS, "--schema", "schema.json", "--log", "a.log", cwd=repository
    )
    assert "{}" in done.out and (repository / "a.log").exists()
    assert not (repository.parent / f"{repository.name}-try").exists()


def test_commits_are_work(fresh_agentic: Agentic, server: FakeVLLM, repository: Path) -> None:
    tree = repository.parent / f"{repository.name}-try"
    fresh_agentic("ask", "hello", "--endpoint", server.url, "--worktree", "other", cwd=repository)
    git(repository, "worktree", "add", "-q", "-b", "agentic/try", str(tree))
    git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    assert "kept in" in fresh_agentic("ask", "hello", "--endpoint", server.url, "--worktree", "try", cwd=repository).err
    assert tree.is_dir()


@pytest.mark.parametrize("name", ["../out", "a b", "-x", "a..b", "a.lock"])
def test_a_name_is_a_name(fresh_agentic: Agentic, repository: Path, name: str) -> None:
    done = fresh_agentic("ask", "hello", f"--worktree={name}", cwd=repository)
    assert done.code == 2 and "no name for a folder and a branch" in done.err


def test_what_is_in_the_way_stays(fresh_agentic: Agentic, repository: Path, tmp_path: Path) -> None:
    there = repository.parent / f"{repository.name}-try"
    there.mkdir()
    done = fresh_agentic("ask", "hello", "--worktree", "try", cwd=repository)
    assert done.code == 2 and f"{there} is there, and is no worktree for agentic/try" in done.err
    two = fresh_agentic("ask", "hello", "--worktree", "other", "-C", "../elsewhere", cwd=repository)
    assert two.code == 2
    assert fresh_agentic("ask", "hello", "--worktree", "try", cwd=tmp_path.parent).code == 2
