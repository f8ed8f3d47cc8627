"""What a command leaves in protected places is put back: through no link, and nothing that was there before it is lost."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentic.core.command_changes import CommandChanges
from agentic.core.runtime import safeguards_of
from agentic.lib.workspace import Workspace
from agentic.plugins import Host
from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic, put
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
            found[str(path.relative_to(root))] = path.read_text()
    return found


def after(root: Path, command: Callable[[], object]) -> str:
    """What is said of the command."""
    events: Any = SimpleNamespace(warn=lambda text: None)
    changes = CommandChanges(Workspace(root), root.parent / "cache", safeguards_of(Host()), None, events)

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

    events: Any = SimpleNamespace(warn=lambda text: None)
    changes = CommandChanges(Workspace(root), tmp_path / "cache", safeguards_of(Host()), None, events)

    async def watched() -> None:
        await changes.before()
        flip()
        look = changes._look_again  # between the look and the putting back

        async def look_and_flip() -> Any:
            found = await look()
            shutil.rmtree(root / "real")
            (root / "real").symlink_to(precious)
            return found

        changes._look_again = look_and_flip  # type: ignore[method-assign]
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
