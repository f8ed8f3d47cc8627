"""What a command leaves in protected places is put back: through no link, and nothing that was there before it is lost."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentic.lib.workspace import Workspace
from agentic.sessions import SessionStore
from agentic.sessions.undo import Journal
from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.command_undo.changes import CommandChanges, Surroundings
from plugins_builtin.command_undo.interrupted import take_up_interrupted
from tests.conftest import Agentic, put
from tests.guards import safeguards
from tests.test_run import wait_until

Tree = Mapping[str, str]
"""A file's text, or "-> TARGET", by path."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def make(root: Path, tree: Tree) -> None:
    root.mkdir(exist_ok=True)
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            (root / path).symlink_to(text.removeprefix("-> "))
        else:
            put(root / path, text)


def tree_of(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_text(errors="surrogateescape")
    return found


def after(root: Path, command: Callable[[], object]) -> str:
    """What is said of the command."""
    changes = CommandChanges(Workspace(root), root.parent / "cache", safeguards(), None, lambda text: None)

    async def watched() -> str:
        await changes.before()
        command()
        return (await changes.after(may_change_protected=False))[1]

    said = asyncio.run(watched())
    changes.close()
    return said


def shell(root: Path, line: str) -> Callable[[], object]:
    return lambda: subprocess.run(["/bin/sh", "-c", line], cwd=root, check=True)


ENV = {"env/pyvenv.cfg": "home = /usr\n", "env/bin/activate": "ours\n", "env/bin/python": "-> /usr/bin/python3"}
CASES: dict[str, tuple[Tree, str, Tree]] = {
    # there before, the command, there afterwards beside what was there before
    "a file that makes a folder an environment": ({"src/a.py": "code", "src/link": "-> a.py"}, "touch src/pyvenv.cfg", {}),
    "an environment that is deleted": (ENV, "rm -r env", {}),
    "an environment that is a file": (ENV, "rm -r env; echo x > env", {}),
    "a link in its place": ({**ENV, "b/bin/activate": "the user's"}, "rm -r env; ln -s b env", {}),
    "links in folders that are gone": (
        {".vscode/a": "x", ".vscode/l": "-> a", "node_modules/.bin/tsc": "-> ../t", "node_modules/t": "t"},
        "rm -r .vscode node_modules/.bin", {}),
    "a closed folder": ({".vscode/a": "x"}, "echo y > .vscode/a; chmod 0 .vscode", {}),
    "a folder for a file": ({".envrc": "x"}, "rm .envrc; mkdir .envrc; echo y > .envrc/z", {}),
    "a mode": ({".husky/pre-commit": "#!/bin/sh\n"}, "chmod 4777 .husky/pre-commit", {}),
    "a new folder": ({"a": "1"}, "mkdir .vscode; echo y > .vscode/tasks.json", {}),
    "a moved repository": ({"sub/.git/HEAD": "ref", "sub/.git/objects/ab": "o", "sub/f": "1"}, "mv sub sub2", {"sub2/f": "1"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_it_was(tmp_path: Path, name: str) -> None:
    before, line, more = CASES[name]
    root = tmp_path / "work"
    make(root, before)
    said = after(root, shell(root, line))
    found = tree_of(root)
    assert not [path for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o6022]
    moved = {path for path in before if path.startswith("sub/f")} if "moved" in name else set()
    assert found == {path: text for path, text in before.items() if path not in moved} | dict(more)
    assert "protected, so it was put back as it was before the command" in said


def test_nothing_outside_is_written_through_a_link(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "work"
    make(home, {".bashrc": "mine", "main.py": "mine"})
    make(root, {"h/pyvenv.cfg": "home", "h/.bashrc": "-> ../evil", "h/main.py": "env", "evil": "evil"})
    after(root, shell(root, f"rm -r h; ln -s {home} h"))
    assert tree_of(home) == {".bashrc": "mine", "main.py": "mine"}
    assert tree_of(root)["h/main.py"] == "env" and (root / "h").is_dir() and not (root / "h").is_symlink()


def test_what_was_there_before_under_another_name_is_kept(tmp_path: Path, state: Path) -> None:
    root = tmp_path / "work"
    make(root, {"src/a.py": "code", "src/l": "-> a.py"})
    os.utime(root / "src/a.py", (1_000_000_000, 1_000_000_000))
    said = after(root, lambda: os.rename(root / "src", root / ".vscode"))
    assert not (root / ".vscode").exists() and "what was found there is in" in said
    (kept,) = (state / "agentic/put-back").rglob("a.py")
    assert kept.read_text() == "code" and os.readlink(kept.with_name("l")) == "a.py"


def test_a_folder_that_flips_to_a_link_lets_nothing_out(tmp_path: Path) -> None:
    root, precious = tmp_path / "work", tmp_path / "precious"
    make(precious, {".vscode/f": "mine"})
    make(root, {"real/x": "x"})

    def flip() -> None:
        (root / "real/.vscode").mkdir()
        (root / "real/.vscode/f").write_text("evil")

    changes = CommandChanges(Workspace(root), tmp_path / "cache", safeguards(), None, lambda text: None)

    async def watched() -> None:
        await changes.before()
        flip()
        look = changes._look  # between the look and the putting back

        async def look_and_flip() -> None:
            await look()
            if not (root / "real").is_symlink():
                shutil.rmtree(root / "real")
                (root / "real").symlink_to(precious)

        changes._look = look_and_flip  # type: ignore[method-assign]
        await changes.after(may_change_protected=False)

    asyncio.run(watched())
    changes.close()
    assert tree_of(precious) == {".vscode/f": "mine"}


def test_a_deleted_history_is_named(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {".git/config": "[core]\n", ".git/HEAD": "ref", ".git/objects/ab/c": "o"})
    assert ".git (deleted: its history cannot be put back)" in after(root, shell(root, "rm -r .git"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_an_interrupted_command_changed_is_put_back(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path, number: signal.Signals, code: int
) -> None:
    put(work / ".envrc", "mine\n")
    put(work / "x.sh", "echo evil > .envrc; mkdir .vscode; echo evil > .vscode/tasks.json; touch ready; sleep 100")
    server.script(answer(tool_calls=tool_call("run", {"command": f"sh x.sh # {number}"})))
    more = ("--endpoint", server.url, "--approve", "all", "--no-sandbox", "-c", "tools.protocol=native")
    command = [sys.executable, "-m", "agentic", "run", "x", *more]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until((work / "ready").exists)
        process.send_signal(number)
        assert process.wait(20) == code
    finally:
        process.kill()
    if number == signal.SIGKILL:  # nobody was there to do it: the next one names it
        server.say("ok")
        said = agentic("run", "x", *more).err
        assert "a command was cut off by a kill" in said and ".envrc" in said and ".vscode/tasks.json" in said
        return
    assert (work / ".envrc").read_text() == "mine\n" and not (work / ".vscode").exists()


def watching(
    root: Path, lingers: Callable[[], frozenset[int]] = frozenset, journal: Any = None
) -> tuple[CommandChanges, list[str]]:
    warned = list[str]()
    return CommandChanges(
        Workspace(root), root.parent / "cache", safeguards(), journal, warned.append, Surroundings(lingers)
    ), warned


def kept_in(state: Path) -> dict[str, str]:
    """Returns the contents put aside, by their paths in the folder."""
    place = state / "agentic/put-back"
    return {"/".join(path.relative_to(place).parts[1:]): path.read_text() for path in place.rglob("*") if path.is_file()}


def test_what_the_user_did_meanwhile_is_kept_and_told(tmp_path: Path, state: Path) -> None:
    root = tmp_path / "work"
    make(root, {"AGENTS.md": "old\n", ".git/config": "[core]\n"})
    changes, warned = watching(root)

    async def watched() -> str:
        await changes.before()
        put(root / "AGENTS.md", "mine\n")
        put(root / ".vscode/settings.json", "{}")
        put(root / ".git/worktrees/wt/config.worktree", "mine")
        return (await changes.after(may_change_protected=False))[1]

    said = asyncio.run(watched())
    changes.close()
    assert (root / "AGENTS.md").read_text() == "old\n" and not (root / ".vscode").exists()
    assert kept_in(state) == {"AGENTS.md": "mine\n", ".vscode/settings.json": "{}", ".git/worktrees/wt/config.worktree": "mine"}
    assert warned == [said] and "what was found there is in" in said


@pytest.mark.parametrize("where", ["sub/", ""])
def test_a_repository_is_one_whatever_it_is_called(tmp_path: Path, where: str) -> None:
    root = tmp_path / "work"
    make(root, {"a.py": "x"})
    evil = "[core]\nworktree=.\nfsmonitor=touch PWN\n"
    made = {f"{where}HEAD": "ref: refs/heads/main\n", f"{where}config": evil, f"{where}objects/x": "", f"{where}refs/x": ""}
    assert f"{where}HEAD" in after(root, lambda: make(root, made))
    assert not (root / where / "HEAD").exists()


def test_a_bare_repository_of_the_users_keeps_what_git_obeys(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {"r.git/HEAD": "ref\n", "r.git/config": "[core]\n", "r.git/objects/x": "o", "r.git/refs/x": "r"})
    after(
        root, shell(root, "echo evil > r.git/config; mkdir r.git/hooks; echo evil > r.git/hooks/update; echo o2 > r.git/objects/x")
    )
    assert tree_of(root) == {"r.git/HEAD": "ref\n", "r.git/config": "[core]\n", "r.git/objects/x": "o2\n", "r.git/refs/x": "r"}


def test_a_tree_of_any_depth_is_put_aside(tmp_path: Path, state: Path) -> None:
    root = tmp_path / "work"
    make(root, {".git/config": "mine"})

    def deep() -> None:
        here = os.getcwd()
        try:
            os.chdir(root)
            for name in (".vscode", *["d"] * 1_500):
                os.mkdir(name)
                os.chdir(name)
        finally:
            os.chdir(here)
        put(root / ".git/config", "evil")
        put(root / ".envrc", "evil")

    after(root, deep)
    assert tree_of(root) == {".git/config": "mine"}
    subprocess.run(["rm", "-rf", str(state)], check=True)  # too deep for the one that clears up


def test_what_is_too_much_for_another_file_system_stays_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, rename = tmp_path / "work", os.rename
    make(root, {"a.py": "x"})

    def elsewhere(source: Any, target: Any, **named: Any) -> None:
        if str(tmp_path / "state") in str(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target, **named)

    monkeypatch.setattr("os.rename", elsewhere)
    monkeypatch.setattr("plugins_builtin.command_undo.put_back.MAX_ENTRIES", 3)
    said = after(root, lambda: make(root, {".vscode/a/b/c/d": "1", ".envrc": "2"}))
    found = tree_of(root)
    assert sorted(found.values()) == ["1", "x"] and not (root / ".vscode").exists() and not (root / ".envrc").exists()
    assert f"{root}/.put-back-" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads closed folders")
@pytest.mark.parametrize("where", ["src", "."])
def test_a_folder_that_a_command_closes_is_looked_into(tmp_path: Path, where: str) -> None:
    root = tmp_path / "work"
    make(root, {"src/a.py": "x"})
    after(root, shell(root, f"echo evil > {where}/.envrc; chmod 311 {where}"))
    assert tree_of(root) == {"src/a.py": "x"}


JOB = frozenset({1})


def test_what_goes_on_in_the_background_never_becomes_what_was_there(tmp_path: Path) -> None:
    root, running = tmp_path / "work", [frozenset[int]()]
    make(root, {".git/hooks/update": "mine", "conftest.py": "mine"})
    changes, _ = watching(root, lambda: running[0])

    def writes() -> None:
        put(root / ".git/hooks/update", "evil")
        put(root / "conftest.py", "evil")
        put(root / ".envrc", "evil")
        (root / ".vscode").mkdir(exist_ok=True)

    async def watched() -> None:
        await changes.before()
        running[0], take = JOB, changes._snapshots.take

        def take_while_it_writes(*given: Any) -> None:
            writes()
            take(*given)

        changes._snapshots.take = take_while_it_writes  # type: ignore[method-assign]
        for _ in range(3):
            writes()
            await changes.after(may_change_protected=False)
            await changes.before()
        running[0] = frozenset()
        changes._snapshots.take = take  # type: ignore[method-assign]
        await changes.settle()

    asyncio.run(watched())
    changes.close()
    assert tree_of(root) == {".git/hooks/update": "mine", "conftest.py": "mine"} and not (root / ".vscode").exists()


def test_an_allowed_command_frees_no_other_one_in_the_background(tmp_path: Path) -> None:
    root, running = tmp_path / "work", [frozenset[int]()]
    make(root, {".git/hooks/update": "mine"})
    changes, _ = watching(root, lambda: running[0])

    async def watched() -> str:
        await changes.before()
        running[0] = JOB
        await changes.after(may_change_protected=False)
        await changes.before()
        put(root / ".git/hooks/update", "evil")
        said = (await changes.after(may_change_protected=True))[1]
        put(root / ".envrc", "evil")
        running[0] = frozenset()
        await changes.settle()
        return said

    assert "a command in the background goes on" in asyncio.run(watched())
    changes.close()
    assert tree_of(root) == {".git/hooks/update": "mine"}


def test_after_a_kill_what_changed_is_named_and_nothing_else(tmp_path: Path) -> None:
    root, cache = tmp_path / "work", tmp_path / "cache"
    make(root, {".git/config": "mine", ".git/hooks/x.sample": "s", "env/pyvenv.cfg": "", "env/bin/activate": "mine", "b.py": "b"})
    store = SessionStore(tmp_path / "sessions")
    session, _ = store.new(root), ""
    changes, _ = watching(root, journal=Journal(session))
    asyncio.run(changes.before())
    put(root / "env/bin/activate", "evil")
    (root / ".envrc").symlink_to("evil")
    changes.close()
    session.close()
    said = take_up_interrupted(root, cache, safeguards, store)
    assert "changed since: env/bin/activate, .envrc (look at it: `undo` does not know it); `agentic sessions undo" in said


def test_where_nothing_can_be_kept_commands_ask_and_nothing_breaks(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {"AGENTS.md": "mine"})
    (tmp_path / "cache").write_text("a file")
    changes, warned = watching(root)

    async def watched() -> tuple[list[Any], str]:
        await changes.prepare()
        await changes.before()
        put(root / "AGENTS.md", "evil")
        return await changes.after(may_change_protected=False)

    assert asyncio.run(watched())[0] == [] and "could not be put back" in changes.unwatched
    assert any("cannot be taken back" in line for line in warned)


def test_a_folder_that_comes_back_brings_nothing_new(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {".git/config": "mine", ".git/HEAD": "ref", ".gitignore": ".vscode\n", ".vscode/a": "1"})
    after(
        root, shell(root, "mv .git .idea; mkdir -p .idea/hooks; echo evil > .idea/hooks/pre-commit; ln -s x .idea/config.worktree")
    )
    assert tree_of(root) == {".git/config": "mine", ".git/HEAD": "ref", ".gitignore": ".vscode\n", ".vscode/a": "1"}
    after(root, shell(root, "mv .vscode .idea; echo evil > .idea/tasks.json"))
    assert ".vscode/tasks.json" not in tree_of(root) and not (root / ".idea").exists()


@pytest.mark.parametrize("made", ["touch src/pyvenv.cfg", "mkdir src/objects src/refs; echo ref > src/HEAD"])
@pytest.mark.parametrize("ignored", ["", "src\n"])
def test_an_environment_made_around_them_covers_no_names(tmp_path: Path, made: str, ignored: str) -> None:
    root = tmp_path / "work"
    make(root, {"src/a.py": "x", ".gitignore": ignored})
    evil = "mkdir -p src/.git/hooks src/.vscode; echo e > src/.git/config; ln -s e src/.envrc; echo e > src/.vscode/tasks.json"
    after(root, shell(root, f"{made}; {evil}; echo e > src/conftest.py"))
    found = {path: text for path, text in tree_of(root).items() if not path.startswith(("src/objects", "src/refs"))}
    assert found == {"src/a.py": "x", ".gitignore": ignored}


@pytest.mark.parametrize("allowed", [False, True])
def test_two_commands_at_once_are_each_held_to_what_was_there(tmp_path: Path, allowed: bool) -> None:
    root = tmp_path / "work"
    make(root, {".git/config": "mine"})
    changes, _ = watching(root)

    async def watched() -> None:
        await changes.before()
        put(root / ".git/hooks/pre-commit", "evil")
        (root / ".envrc").symlink_to("evil")
        await changes.before()  # of another agent's command
        put(root / ".git/config", "evil")
        await changes.after(may_change_protected=allowed)
        put(root / ".git/config", "evil")
        await changes.after(may_change_protected=False)

    asyncio.run(watched())
    changes.close()
    assert tree_of(root) == {".git/config": "mine"}


def test_what_cannot_be_put_back_stays_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "work"
    make(root, {".envrc": "mine", "a.py": "x"})
    changes, _ = watching(root)

    def full(*given: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def watched() -> str:
        await changes.before()
        put(root / ".envrc", "evil")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("plugins_builtin.command_undo.put_back.put", full)
            said = (await changes.after(may_change_protected=False))[1]
        assert (root / ".envrc").read_text() == "evil" and "could not be put back" in changes.unwatched
        await changes.before()
        return said

    assert ".envrc (not put back: No space left on device)" in asyncio.run(watched())
    changes.close()
    assert (root / ".envrc").read_text() == "mine" and changes.unwatched == ""


def test_the_users_edit_outlives_what_a_tool_wrote_before(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {"a.py": "x"})
    journal = Journal(SessionStore(tmp_path / "sessions").new(root))
    space = Workspace(root, journal)
    changes, _ = watching(root, journal=journal)

    async def watched() -> None:
        space.write(".envrc", b"tool")
        put(root / ".envrc", "user")
        await changes.before()
        put(root / ".envrc", "tool")
        await changes.after(may_change_protected=False)

    asyncio.run(watched())
    changes.close()
    assert (root / ".envrc").read_text() == "user"


def test_a_file_with_another_name_elsewhere_is_put_back_there_too(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {".venv/pyvenv.cfg": "", ".venv/lib/a.py": "mine\n"})
    (tmp_path / "cache.py").hardlink_to(root / ".venv/lib/a.py")
    after(root, shell(root, "echo evil >> .venv/lib/a.py"))
    assert (root / ".venv/lib/a.py").read_text() == "mine\n" == (tmp_path / "cache.py").read_text()
    assert (root / ".venv/lib/a.py").stat().st_nlink == 2


def test_a_new_link_to_a_users_file_does_not_cost_that_files_content(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {"a/main.py": "mine\n", "z/.envrc": "export A=1\n"})
    after(root, shell(root, "ln -f a/main.py z/.envrc"))
    assert tree_of(root) == {"a/main.py": "mine\n", "z/.envrc": "export A=1\n"}


@pytest.mark.parametrize(
    "line",
    [
        "mkdir node_modules/.bin; echo evil > node_modules/.bin/tsc",
        "mkdir tools; echo evil > tools/tsc; ln -s ../tools node_modules/.bin",
        "mv node_modules nm; mkdir nm/.bin; echo evil > nm/.bin/tsc; ln -s nm node_modules",
    ],
)
def test_packages_get_no_programs(tmp_path: Path, line: str) -> None:
    root = tmp_path / "work"
    make(root, {"node_modules/dep/index.js": "1"})
    assert "node_modules" in after(root, shell(root, line))
    assert not (root / "node_modules/.bin/tsc").exists()


def test_a_repository_that_keeps_its_objects_elsewhere_is_one(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make(root, {"src/a.py": "1", "g/HEAD": "ref: refs/heads/main", "g/config": "[core]\n"})
    (root / "g/objects").mkdir()
    (root / "g/refs").mkdir()
    line = "cd src; echo ref: refs/heads/main > HEAD; echo ../g > commondir; printf '[core]\\nfsmonitor = touch PWN\\n' > config.worktree"
    assert after(root, shell(root, line))
    assert not (root / "src/config.worktree").exists()


@pytest.mark.parametrize(
    "line",
    ["git checkout -q -b other", "git clone -q . copy", "git remote add o . && git fetch -q o && git remote set-head o main"],
)
def test_what_git_does_every_day_stays(tmp_path: Path, line: str) -> None:
    root = tmp_path / "work"
    git = conflicting(root)
    git("checkout -q main")
    said = after(root, shell(root, line))
    assert "HEAD" not in said


def conflicting(root: Path) -> Callable[[str], object]:
    """A repository in which a rebase stops."""
    run = ["git", "-c", "user.name=U", "-c", "user.email=u@x"]

    def git(line: str) -> object:
        return subprocess.run([*run, *line.split()], cwd=root, capture_output=True, env={**os.environ, "GIT_EDITOR": "true"})

    root.mkdir()
    git("init -q -b main")
    for branch, text in (("main", "base"), ("side", "side"), ("main", "main")):
        git(f"checkout -q {'-b ' if branch == 'side' else ''}{branch}")
        (root / "f").write_text(text)
        git("add f")
        git(f"commit -q -m {text}")
    git("checkout -q side")
    return git


def test_a_rebase_that_stops_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "work"
    git = conflicting(root)
    assert after(root, lambda: git("rebase main")) == ""
    assert (root / ".git/rebase-merge").is_dir()
    (root / "f").write_text("both")
    assert after(root, lambda: (git("add f"), git("rebase --continue"))) == ""
    assert not (root / ".git/rebase-merge").exists()
    log = subprocess.run(["git", "log", "--format=%s"], cwd=root, capture_output=True, text=True)
    assert log.stdout.split() == ["side", "main", "base"]


def test_a_worktree_that_is_made_while_a_command_runs_goes_on(tmp_path: Path) -> None:
    """A sub-agent's, or one of the user's; what is committed there is not lost either."""
    root, other = tmp_path / "work", tmp_path / "other"
    git = conflicting(root)
    assert after(root, lambda: git(f"worktree add -q --detach {other} main")) == ""
    (other / "f").write_text("more")
    assert after(root, lambda: (git(f"-C {other} commit -q -a -m more"), git(f"-C {other} reset -q --soft HEAD"))) == ""
    log = subprocess.run(["git", "log", "-1", "--format=%s"], cwd=other, capture_output=True, text=True)
    assert log.stdout.split() == ["more"]


@pytest.mark.parametrize(
    ("path", "text"),
    [("commondir", "/evil\n"), ("config.worktree", "[core]\n"), ("HEAD", "ref: ../x\n"), ("gitdir", "evil\n"), ("index", None)],
)
def test_a_worktree_that_git_would_find_another_way_is_put_back(tmp_path: Path, path: str, text: str | None) -> None:
    root = tmp_path / "work"
    git = conflicting(root)
    git(f"worktree add -q --detach {tmp_path / 'other'} main")
    state = root / ".git/worktrees/other"
    before = tree_of(state)
    said = after(root, lambda: (state / path).unlink() if text is None else put(state / path, text))
    assert f".git/worktrees/other/{path}" in said
    assert tree_of(state) == before


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("git-rebase-todo", "pick 1234 a\nexec touch PWN\n"), ("git-rebase-todo", "x touch PWN\n"), ("done", " \texec touch PWN"),
        ("author-script", "GIT_AUTHOR_NAME='a'; touch PWN\n"), ("strategy", "evil"),
        ("gpg_sign_opt", "-Sx"), ("author-script", "GIT_AUTHOR_NAME=`touch PWN`\n"), ("sub/head-name", "x"),
    ],
)  # fmt: skip
def test_a_rebase_that_would_run_something_is_put_back(tmp_path: Path, path: str, text: str) -> None:
    root = tmp_path / "work"
    git = conflicting(root)
    git("rebase main")
    before = tree_of(root / ".git/rebase-merge")
    top = path.split("/")[0]
    assert f".git/rebase-merge/{top}" in after(root, lambda: put(root / ".git/rebase-merge" / path, text))
    assert tree_of(root / ".git/rebase-merge") == before
