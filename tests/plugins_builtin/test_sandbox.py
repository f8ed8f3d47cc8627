"""The sandbox, tried for real under each launcher that works here; what commands leave behind; taking back what they did."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from agentic.errors import ToolError
from agentic.lib.safeguards import Safeguards
from agentic.testing import FakeVLLM, ForkServer, ScriptedAnswer, answer, settings_with, tool_call
from plugins_builtin.sandbox.bubblewrap import _bounded
from plugins_builtin.sandbox.starting import PROBE_SECONDS, AsTheyAre, Launchers, Sandbox
from tests.conftest import Agentic, Done, put
from tests.launchers import require_launcher
from tests.processes import children_of, sleepers
from tests.terminal import terminal

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl", "--approve", "all")
# What stays open, and why: docs/security.md.
PUT_BACK = {"add a protected file that was not there"}
NAMED = {
    "bubblewrap": PUT_BACK,
    "landlock": {
        *PUT_BACK,
        "change .git/config",
        "add a git hook",
        "change the mode of a file elsewhere",
        "change the times of a file elsewhere",
        "change an attribute of a file elsewhere",
        "read another process's arguments",
    },
}


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
def launcher(request: pytest.FixtureRequest) -> str:
    require_launcher(request.param)
    return str(request.param)


def call(command: str, call_id: str = "call_1", **more: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("run", {"command": command, **more}, 0, call_id))


def run(agentic: Agentic, server: FakeVLLM, *more: str) -> Done:
    return agentic("run", "do it", "--endpoint", server.url, *NATIVE, *more)


def results(server: FakeVLLM) -> list[str]:
    return [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


PROBING = """
import asyncio, json, os, sys
from plugins_builtin.sandbox.probes import probe
from agentic.errors import ConfigError
from agentic.plugins import Host
from agentic.lib.safeguards import Safeguards
from agentic.testing import make_setup
name, at_home = sys.argv[1], sys.argv[2] == "itself"
host = Host()
launcher = host.build("agentic_command_launchers", name, lambda *more: make_setup())
try:
    known = Safeguards(offer.record for offer in host.offers("agentic_safeguards").values())
    found = asyncio.run(probe(name, launcher, known, at_home))
except ConfigError as error:
    sys.exit(str(error))
print(json.dumps([(each.name, each.is_open) for each in found]))
"""
NOBODY = 65534


@pytest.mark.parametrize("folder", ["below", "itself"])
@pytest.mark.parametrize("uid", [os.getuid(), NOBODY])
def test_no_way_out_is_open_that_is_not_named(
    launcher: str, uid: int, folder: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As root and as nobody, in a folder of the home folder and in the home folder: the table of docs/security.md."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        os.chown(home, uid, -1)
        as_user: dict[str, Any] = {"user": uid, "extra_groups": []} if uid != os.getuid() else {}
        command = [sys.executable, "-c", PROBING, launcher, folder]
        environment = {"PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": str(Path(__file__).parents[2])}
        try:
            done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, **as_user)
        except PermissionError:
            pytest.skip(f"uid {uid} cannot start {sys.executable}, or we cannot become it")
    if (launcher, folder) == ("landlock", "itself"):  # what is granted cannot be hidden in parts
        assert done.returncode == 1 and "Landlock cannot hide" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) >= 39
    assert {name for name, is_open in found if is_open} <= NAMED[launcher]


def test_commands_work_in_it(agentic: Agentic, server: FakeVLLM, work: Path, launcher: str) -> None:
    line = (
        "echo hi > a.txt; cat a.txt; echo x > $TMPDIR/t && cat $TMPDIR/t; python3 -c 'print(1)'; echo o > /dev/null; git --version"
    )
    server.script(call(line), answer("done"))
    done = run(agentic, server, "-c", f"sandbox.launcher={launcher}")
    assert results(server)[0].startswith("hi\nx\n1\ngit version"), results(server)
    assert (work / "a.txt").read_text() == "hi\n"
    assert done.of_type("sandbox")[0]["name"] == launcher


def test_what_it_may_not_do_it_cannot(agentic: Agentic, server: FakeVLLM, work: Path, home: Path, launcher: str) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_x").write_text("PRIVATE")
    (work / ".git").mkdir()
    (work / ".git" / "config").write_text("[core]\n")
    line = f"echo x > {home}/escaped; cat {home}/.s*/id_x; echo evil > .git/config; echo evil > conftest.py; echo ok > fine.txt"
    server.script(call(line), answer("done"))
    run(agentic, server, "-c", f"sandbox.launcher={launcher}", "--no-floor", "-c", "permissions.allow=run")
    assert not (home / "escaped").exists() and "PRIVATE" not in results(server)[0]
    assert (work / ".git" / "config").read_text() == "[core]\n"
    assert not (work / "conftest.py").exists()


def test_a_program_that_a_rule_denies_is_not_found_by_a_script(
    agentic: Agentic, server: FakeVLLM, work: Path, launcher: str
) -> None:
    (work / "all.sh").write_text(
        "#!/bin/sh\ntac all.sh && echo RAN; /usr/bin/tac all.sh && echo RAN; cat all.sh > copied; echo end\n"
    )
    (work / "all.sh").chmod(0o755)
    server.script(call("./all.sh"), answer("done"))
    run(
        agentic,
        server,
        "-c",
        f"sandbox.launcher={launcher}",
        "-c",
        "permissions.deny=run(tac *)",
        "-c",
        "permissions.allow=run(./all.sh)",
    )
    assert (work / "copied").exists(), results(server)
    assert "RAN" not in results(server)[0].replace("echo RAN", "")
    assert "\nend\n" in results(server)[0], results(server)


def test_protected_files_that_a_program_changes_are_put_back(agentic: Agentic, server: FakeVLLM, work: Path, launcher: str) -> None:
    """Nothing of it stands in the command line, so nobody was asked."""
    (work / ".envrc").write_text("mine\n")
    (work / "do.py").write_text(
        "open('.envrc', 'w').write('evil'); open('conftest.py', 'w').write('evil'); open('ok', 'w').write('1')\n"
    )
    server.script(call("python3 do.py"), answer("done"))
    run(agentic, server, "-c", f"sandbox.launcher={launcher}")
    assert (work / ".envrc").read_text() == "mine\n" and not (work / "conftest.py").exists()
    assert "Read-only" in results(server)[0] or (work / "ok").read_text() == "1"


def test_a_required_sandbox_that_does_not_work_ends_the_run(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("x")
    done = run(agentic, server, "-c", "sandbox.mode=required", "-c", "sandbox.launcher=sandbox-exec")
    assert done.code == 2 and "is required and does not work here" in done.err and "Traceback" not in done.err


def test_all_without_a_sandbox_has_to_be_spelled_out(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    plugin = ("-c", "plugins.disabled=sandbox")
    done = run(agentic, server, *plugin)
    assert done.code == 4 and "--approve all needs a sandbox" in done.err and "--no-sandbox" in done.err
    server.script(call("touch made"), answer("done"))
    assert run(agentic, server, *plugin, "--no-sandbox").code == 0 and (work / "made").exists()


def test_the_environment_is_a_list(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(call("env"), answer("done"))
    run_env = {"SECRET_THING": "no", "DJANGO_SETTINGS": "yes", "AGENTIC_LLM_API_KEY": "no"}
    agentic(
        "run", "x", "--endpoint", server.url, *NATIVE, "-c", "sandbox.environment=DJANGO_*,AGENTIC_*", more=run_env
    )  # fmt: skip
    told = results(server)[0]
    assert "DJANGO_SETTINGS=yes" in told and "SECRET_THING" not in told and "API_KEY" not in told and "PATH=" in told


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are read from /proc")
@pytest.mark.parametrize("mode", ["none", "edits", "all"])
def test_nothing_is_started_before_a_command_is_wanted(
    fork_server: ForkServer, server: FakeVLLM, env: dict[str, str], work: Path, mode: str
) -> None:
    """Neither the keeper nor a probe, but where nobody looks at commands: something must hold them there."""
    begun: list[list[int]] = []

    def look(request: object) -> ScriptedAnswer:
        begun.append(children_of(process.pid))
        return answer("done") if len(begun) > 1 else answer(tool_calls=tool_call("list_files", {"path": "."}))

    server.otherwise = look
    words = ["run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", mode]
    with open(os.devnull, "r+") as null:
        process = fork_server.start(words, cwd=work, env=env, stdin=null.fileno(), stdout=null.fileno(), stderr=null.fileno())
    assert process.wait(30) == 0
    assert [bool(pids) for pids in begun] == [mode == "all"] * 2


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the children of a process are read from /proc")
def test_a_chat_starts_nothing_before_a_command_is_wanted(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(tool_calls=tool_call("list_files", {"path": "."})), answer("hello"), call("true"), answer("bye"))
    with terminal(["--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("hi\r")
        shown.until(lambda: "hello" in shown.text and shown.is_ready)
        (session,) = children_of(shown.process.pid)
        assert children_of(session) == []
        shown.type("run it\r")
        shown.until(lambda: shown.menu("Allow once"))
        assert len(children_of(session)) == 1
        shown.type("y")
        shown.until(lambda: "bye" in shown.text)


def test_it_is_opened_for_the_first_command_and_announced_once(agentic: Agentic, server: FakeVLLM) -> None:
    allowed = ("--approve", "edits", "-c", "permissions.allow=run(echo *)", "--no-sandbox")
    server.script(
        answer(tool_calls=tool_call("list_files", {"path": "."})), call("echo a"), call("echo b", "call_2"), answer("done")
    )
    done = agentic("run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "--output", "jsonl", *allowed)
    kinds = [event["type"] for event in done.events if event["type"] in ("tool_call", "sandbox")]
    assert kinds == ["tool_call", "tool_call", "sandbox", "tool_call"], kinds
    assert done.code == 0


def test_a_command_that_is_cancelled_while_it_opens_keeps_it_from_no_other(tmp_path: Path) -> None:
    sandbox = Sandbox(settings_with({"sandbox.mode": "off"}).sandbox, Launchers((), lambda name: AsTheyAre()), Safeguards([]))

    async def two() -> int:
        with open(os.devnull, "w") as null:
            first = asyncio.ensure_future(sandbox.start(["true"], tmp_path, null.fileno()))
            await asyncio.sleep(0)
            first.cancel()
            second = await sandbox.start(["sh", "-c", "exit 7"], tmp_path, null.fileno())
            code = await second.wait()
        await sandbox.aclose()
        return code

    assert asyncio.run(two()) == 7


HANGS = """
from agentic import Launch, Provider, hookimpl


class Hangs:
    confines, gaps = True, ()

    def wrap(self, argv, policy):
        return Launch(("/bin/sh", "-c", "exec sleep 6791"))


@hookimpl
def agentic_command_launchers():
    yield Provider("hangs", "starts nothing", lambda setup: Hangs())
"""


def test_an_opening_that_hangs_is_not_waited_for_at_the_end(
    fork_server: ForkServer, server: FakeVLLM, env: dict[str, str], home: Path, work: Path
) -> None:
    put(home / ".config" / "agentic" / "plugins" / "hangs.py", HANGS)
    server.script(call("echo a"), answer("done"))
    words = ["run", "x", "--endpoint", server.url, *NATIVE[:-2], "--approve", "edits", "-c", "sandbox.launcher=hangs"]
    words += ["-c", "permissions.allow=run(echo *)"]
    with open(os.devnull, "r+") as null:
        process = fork_server.start(words, cwd=work, env=env, stdin=null.fileno(), stdout=null.fileno(), stderr=null.fileno())
    end = time.monotonic() + 20
    while not sleepers("6791"):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(PROBE_SECONDS - 2) == 130
    assert not sleepers("6791")


LEFT = "env -i setsid sleep 6789 & setsid sleep 6789 & (sleep 6789 &) ; echo begun"


@pytest.mark.parametrize("mode", [(), ("--no-sandbox",)])
def test_nothing_is_left_of_a_command(agentic: Agentic, server: FakeVLLM, mode: tuple[str, ...]) -> None:
    server.script(call(LEFT), answer("done"))
    assert run(agentic, server, *mode).code == 0
    assert not sleepers("6789")


@pytest.mark.parametrize("mode", [(), ("--no-sandbox",)])
def test_nothing_is_left_when_we_are_killed(server: FakeVLLM, env: dict[str, str], work: Path, mode: tuple[str, ...]) -> None:
    server.script(call(f"{LEFT}; touch begun; sleep 6789"), answer("done"))
    command = [sys.executable, "-m", "agentic", "run", "x", "--endpoint", server.url, *NATIVE, *mode]
    process = subprocess.Popen(
        command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 30
    while not (work / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while sleepers("6789"):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_commands_did_is_taken_back_and_done_over(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "src").mkdir()
    for name in ("a.py", "b.py"):
        (work / "src" / name).write_text(name)
    (work / "keep.txt").write_text("old\n")
    (work / ".gitignore").write_text("secret.local\n")
    (work / "secret.local").write_text("precious\n")
    server.script(call("rm -r src/a.py src/b.py; echo more >> keep.txt; rm secret.local; echo new > new.txt"), answer("done"))
    assert run(agentic, server).code == 0
    assert not (work / "src" / "a.py").exists() and (work / "new.txt").exists()
    taken = agentic("sessions", "undo")
    assert taken.code == 0, taken.err
    assert (work / "src" / "a.py").read_text() == "a.py" and (work / "src" / "b.py").exists()
    assert (work / "keep.txt").read_text() == "old\n" and (work / "secret.local").read_text() == "precious\n"
    assert not (work / "new.txt").exists()
    assert agentic("sessions", "redo").code == 0
    assert not (work / "src" / "a.py").exists() and (work / "keep.txt").read_text() == "old\nmore\n"
    assert not (work / ".git").exists()  # nothing of it lives in the repository


def test_the_users_later_edit_is_not_overwritten_without_a_word(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a.txt").write_text("old\n")
    server.script(call("echo new > a.txt"), answer("done"))
    run(agentic, server)
    (work / "a.txt").write_text("mine\n")
    refused = agentic("sessions", "undo")
    assert refused.code != 0 and "changed since" in refused.err and (work / "a.txt").read_text() == "mine\n"
    assert agentic("sessions", "undo", "--yes").code == 0 and (work / "a.txt").read_text() == "old\n"
    assert agentic("sessions", "redo").code == 0 and (work / "a.txt").read_text() == "mine\n"


def test_git_commits_where_a_rule_says_so(agentic: Agentic, server: FakeVLLM, work: Path, env: dict[str, str]) -> None:
    subprocess.run(["git", "init", "-q"], cwd=work, check=True, env=env)
    (work / "a.txt").write_text("x")
    line = "git add a.txt && git -C . commit -q -m x --author='a <a@b>'"
    who = {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    server.script(call(line), answer("no"))
    run(agentic, server, "-c", "sandbox.environment=GIT_COMMITTER_*")
    server.script(call(line), answer("yes"))
    done = agentic(
        "run", "x", "--endpoint", server.url, *NATIVE, "-c", "permissions.allow=protected(git *)",
        "-c", "sandbox.environment=GIT_COMMITTER_*", more=who,
    )  # fmt: skip
    assert done.code == 0, done.err
    logged = subprocess.run(["git", "log", "--oneline"], cwd=work, env=env, capture_output=True, text=True)
    assert logged.stdout.count("\n") == 1, results(server)


def test_a_launcher_that_is_none_is_said(agentic: Agentic, server: FakeVLLM) -> None:
    done = run(agentic, server, "-c", "sandbox.launcher=nonsense")
    assert done.code == 2 and "nonsense" in done.err


def test_a_hidden_folder_that_is_a_link_is_hidden(
    agentic: Agentic, server: FakeVLLM, work: Path, home: Path, launcher: str
) -> None:
    """As people keep their dotfiles."""
    (home / "dotfiles" / "aws").mkdir(parents=True)
    (home / "dotfiles" / "aws" / "credentials").write_text("AWSKEY")
    (home / ".aws").symlink_to("dotfiles/aws")
    (work / "look.py").write_text(
        f"import os; [print(open(p).read()) for p in ('{home}/.aws/credentials', '{home}/dotfiles/aws/credentials')]"
    )
    server.script(call("python3 look.py"), answer("done"))
    run(agentic, server, "-c", f"sandbox.launcher={launcher}")
    assert "AWSKEY" not in results(server)[0]


def test_our_own_folders_are_hidden_wherever_they_are(
    agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path, launcher: str
) -> None:
    elsewhere = tmp_path / "xdg"
    (elsewhere / "agentic").mkdir(parents=True)
    (elsewhere / "agentic" / "config.toml").write_text("[llm]\napi_key = 'OURKEY'\n")
    (work / "look.py").write_text(f"print(open('{elsewhere}/agentic/config.toml').read())")
    server.script(call("python3 look.py"), answer("done"))
    agentic(
        "run",
        "x",
        "--endpoint",
        server.url,
        *NATIVE,
        "-c",
        f"sandbox.launcher={launcher}",
        more={"XDG_CONFIG_HOME": str(elsewhere)},
    )
    assert "OURKEY" not in results(server)[0]


def test_landlock_is_not_used_where_it_would_hide_nothing(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    """Started in the home folder, or above: what may be written there can be read."""
    require_launcher("landlock")
    for folder in (home, home.parent):
        done = agentic("run", "x", "--endpoint", server.url, *NATIVE, "-c", "sandbox.launcher=landlock", "-C", str(folder))
        assert done.code == 2 and "Landlock cannot hide" in done.err, done.err


def test_a_folder_full_of_secrets_is_hidden_as_a_whole(tmp_path: Path) -> None:
    root = tmp_path / "work"
    private = tuple(root / "keys" / f"{number}.pem" for number in range(10_000))
    found = _bounded(private, root)
    assert found == [root / "keys"]
    with pytest.raises(ToolError, match="too many to hide"):
        _bounded(tuple(root / f"{number}.pem" for number in range(10_000)), root)


def test_a_key_on_the_command_line_is_seen_by_nobody(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    """Nor one in a URL: other users see the arguments of every process."""
    server.otherwise = lambda request: answer("one two three four", pause=0.3)
    url = server.url.replace("127.0.0.1", "bob:hunter2@127.0.0.1")
    words = [
        sys.executable,
        "-m",
        "agentic",
        "run",
        "hello",
        "--endpoint",
        url,
        "-c",
        "llm.api_key=sk-mine",
        "-c",
        "tools.protocol=native",
    ]
    process = subprocess.Popen(words, cwd=work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while not server.chats and time.monotonic() < end:
            time.sleep(0.02)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"hello" in shown and b"sk-mine" not in shown and b"hunter2" not in shown
    finally:
        process.wait(20)
    assert server.chats[0].headers["authorization"].startswith("Basic ")


def test_what_we_write_is_the_users_alone_whatever_the_umask(agentic: Agentic, home: Path, env: dict[str, str]) -> None:
    for mask in ("000", "777"):
        line = f"umask {mask}; exec {sys.executable} -m agentic config set --user llm.api_key X{mask}"
        assert subprocess.run(["/bin/sh", "-c", line], env=env, cwd=home, capture_output=True).returncode == 0
        file = home / ".config" / "agentic" / "config.toml"
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert f"X{mask}" in file.read_text()
        file.unlink()
