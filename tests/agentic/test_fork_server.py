"""The fork server: its processes are what fresh ones are, and it refuses where they would not be."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from agentic.testing.fork_server import ForkServer, UnfitServerError
from tests.conftest import Agentic
from tests.forks import base_environment

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ("--version",),
    ("--help",),
    ("nonsense",),
    ("ask", "hi"),
    ("ask", "hi", "--output", "nonsense"),
    ("config", "show"),
    ("permissions", "test", "rm -rf /"),
    ("sessions", "list"),
    ("run", "write a file", "--approve", "edits", "-c", "tools.protocol=native"),
    ("run", "-C", "nowhere", "x"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_fork_says_and_does_what_a_fresh_process_does(
    agentic: Agentic, fresh_agentic: Agentic, tmp_path: Path, words: tuple[str, ...]
) -> None:
    seen = []
    for number, run in enumerate((agentic, fresh_agentic)):
        own = {name: tmp_path / str(number) / name for name in ("home", "folder")}
        for folder in own.values():
            folder.mkdir(parents=True)
        with FakeVLLM() as server:
            server.script(answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x"})), answer("done"))
            options = ("--endpoint", server.url) if words[0] in ("ask", "run") else ()
            done = run(*words, *options, cwd=own["folder"], more={"HOME": str(own["home"])})
            said = [text.replace(str(server.port), "PORT") for text in (done.out, done.err)]
            told = [request.json["messages"] for request in server.chats]
        left = sorted(str(path.relative_to(own["folder"])) for path in own["folder"].rglob("*"))
        said = [text.replace(str(tmp_path / str(number)), "HERE") for text in said]
        seen.append((done.code, *said, left, json.dumps(told)))
    assert seen[0] == seen[1]


def test_standard_input_folder_and_environment_are_the_commands_own(agentic: Agentic, server: FakeVLLM, tmp_path: Path) -> None:
    server.otherwise = lambda request: answer(request.json["messages"][-1]["content"])
    assert agentic("ask", "-", "--endpoint", server.url, stdin="안녕\r\n").out.strip().endswith("안녕")
    shown = agentic("config", "show", more={"AGENTIC_LLM_MODEL": "mine"}).out
    assert 'llm.model = "mine"  # environment' in shown
    assert "mine" not in agentic("config", "show").out
    (tmp_path / "agentic.toml").write_text('[llm]\nmodel = "of the folder"\n')
    assert "of the folder" in agentic("config", "show", cwd=tmp_path).out


ENDINGS = """
import atexit, os, sys, threading, time
import click
from agentic import Command, hookimpl


@hookimpl
def agentic_commands():
    yield Command("end", "ends in some way", "agentic_end:end")


@click.command()
@click.argument("way")
def end(way):
    print("begun", os.path.basename(os.getcwd()), sorted(os.listdir("/proc/self/fd")) if way == "files" else "")
    if way == "late":
        atexit.register(print, "registered")
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    if way == "file":
        open("kept", "w").write("x")
    if way == "closed":
        sys.stdout.close()
    if way == "none":
        sys.stdout = None
    if way == "lines":
        print(repr(sys.stdin.read()), repr(sys.stdin.newlines))
    if way == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    if way == "interrupt":
        raise KeyboardInterrupt
    if way.lstrip("-").isdecimal():
        sys.exit(int(way))
    if way == "word":
        sys.exit("a word")
"""


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a distribution whose command ends in some way."""
    folder = tmp_path_factory.mktemp("endings")
    info = folder / "agentic_end-1.0.dist-info"
    info.mkdir()
    (folder / "agentic_end.py").write_text(ENDINGS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-end\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[agentic]\nend = agentic_end\n")
    return {"PYTHONPATH": str(folder)}


WAYS = ["late", "file", "files", "closed", "none", "lines", "full", "interrupt", "0", "7", "-1", "1099511627776", "word"]


@pytest.mark.parametrize("way", WAYS)
def test_its_end_is_an_interpreters(
    agentic: Agentic, fresh_agentic: Agentic, endings: dict[str, str], work: Path, way: str
) -> None:
    """Threads are waited for, what is registered is called, what is written comes out, and the exit code is the same."""
    seen = []
    for run in (agentic, fresh_agentic):
        done = run("end", "--", way, more=endings, stdin="one\r\ntwo\rthree\n")
        seen.append((done.code, done.out, (work / "kept").exists() and (work / "kept").read_text()))
    assert seen[0] == seen[1]
    assert seen[0][1].startswith("begun work") or way in ("closed", "full")


def test_one_that_asked_and_is_gone_harms_nobody(fork_server: ForkServer, env: dict[str, str], work: Path) -> None:
    """Cut off before its request, in the middle of it, and before its answer."""
    for sent in (b"", b"\0\0\4\0", b"\0\0\4\0{", b"\0\0\0\2[]"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(fork_server._link, [b"."], [theirs.fileno()])
            if sent:
                ours.sendall(sent)
        assert fork_server.run(["--version"], cwd=work, env=env).returncode == 0


def test_a_process_whose_server_has_died_can_still_be_ended(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("words", fault="stall", fault_after=2))
    with ForkServer(env=base_environment()) as forks, open(os.devnull, "r+") as null:
        numbers = {name: null.fileno() for name in ("stdin", "stdout", "stderr")}
        process = forks.start(["ask", "hi", "--endpoint", server.url], cwd=work, env=env, **numbers)
        assert server.wait_for(lambda: server.running == 1)
        os.kill(forks.pid, signal.SIGKILL)
        with pytest.raises(UnfitServerError):
            process.wait()
        process.kill()
        assert server.wait_for(lambda: server.running == 0)
        with pytest.raises(UnfitServerError):
            forks.run(["--version"], cwd=work, env=env)


def test_a_folder_that_is_not_there_is_said(fork_server: ForkServer, env: dict[str, str], work: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fork_server.run(["--version"], cwd=work / "nowhere", env=env)


def test_a_signal_ends_it_as_it_ends_a_fresh_one(
    fork_server: ForkServer, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
        server.script(answer("words", fault="stall", fault_after=2))
        with open(os.devnull, "r+") as null:
            words = ["ask", "hi", "--endpoint", server.url]
            process = fork_server.start(words, cwd=work, env=env, stdin=null.fileno(), stdout=null.fileno(), stderr=null.fileno())
        assert process.poll() is None
        assert server.wait_for(lambda: server.running == 1)
        process.send_signal(number)
        assert process.wait(20) == process.returncode == code
        assert server.wait_for(lambda: server.running == 0)


def test_one_that_takes_too_long_is_killed(fork_server: ForkServer, server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.otherwise = lambda request: ScriptedAnswer([], fault="stall", fault_after=-1)
    with pytest.raises(subprocess.TimeoutExpired):
        fork_server.run(["ask", "hi", "--endpoint", server.url], cwd=work, env=env, timeout=1)
    assert server.wait_for(lambda: server.running == 0)


def test_what_an_interpreter_reads_at_its_start_needs_a_fresh_one(agentic: Agentic, modules: Path) -> None:
    (modules / "sitecustomize").mkdir()
    for more in ({"LC_ALL": "C"}, {"PYTHONUTF8": "0"}, {"PYTHONPATH": str(modules)}):
        with pytest.raises(ValueError, match="needs a fresh one"):
            agentic("--version", more=more)


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Path]:
    """A folder of modules that the fork server of the test can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    yield folder


def test_a_cache_that_an_import_filled_is_refused(modules: Path) -> None:
    (modules / "caching.py").write_text("from plugins_builtin.permissions.rules import _expression\n_expression('a*', '')\n")
    with pytest.raises(UnfitServerError, match=r"remembers what plugins_builtin\.permissions\.rules\._expression gave"):
        ForkServer(["caching"], base_environment() | {"PYTHONPATH": str(modules)})


def test_a_parent_that_becomes_unfit_fails_every_test_from_then_on_and_leaves_nothing(modules: Path) -> None:
    (modules / "late.py").write_text(
        "import os, threading\n\n\ndef start():\n    threading.Thread(target=threading.Event().wait, daemon=True).start()\n\n\n"
        "os.register_at_fork(after_in_parent=start)\n"
    )
    with ForkServer(["late"], base_environment() | {"PYTHONPATH": str(modules)}) as server:
        assert server.run(["--version"], cwd=modules, env=base_environment()).returncode == 0
        for _ in range(2):
            with pytest.raises(UnfitServerError, match="has 2 threads"):
                server.run(["--version"], cwd=modules, env=base_environment())
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_an_unfit_parent_fails_every_test_that_uses_it(modules: Path) -> None:
    (modules / "threaded.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    (modules / "conftest.py").write_text(
        "import tests.forks\ntests.forks.IMPORTED_LATE.append('threaded')\n"
        "from tests.conftest import agentic, env, fork_server, home, work\n"
    )
    (modules / "test_it.py").write_text("".join(f"def test_{n}(agentic):\n    agentic('--version')\n\n\n" for n in "ab"))
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(modules), "-n", "1", str(modules)]
    env = os.environ | {"PYTHONPATH": f"{modules}{os.pathsep}{ROOT}"}
    done = subprocess.run(words, cwd=modules, env=env, capture_output=True, text=True)
    assert done.returncode == 1 and "2 errors" in done.stdout, done.stdout
    assert "the fork server has 2 threads" in done.stdout


def test_a_thread_that_never_comes_back_keeps_nothing_from_ending() -> None:
    """An engine computes on, in code that calls Python back: the interpreter must not be taken apart under it."""
    code = (
        "import asyncio, time, agentic.cli\n"
        "from agentic.lib.threads import on_daemon_thread\n"
        "async def main():\n"
        "    asyncio.ensure_future(on_daemon_thread(lambda: time.sleep(1000)))\n"
        "    await asyncio.sleep(0)\n"
        "    await asyncio.sleep(0.1)\n"
        "asyncio.new_event_loop().run_until_complete(main())\n"
        "print('said')\n"
        "agentic.cli._leave(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (7, "said\n"), done.stderr
