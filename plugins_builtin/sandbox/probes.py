"""`agentic doctor --sandbox`: what holds commands here, found out by trying to get out."""

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from agentic import CommandLauncher, Safeguard
from agentic.config import schema
from agentic.hooks.launcher import Probe
from agentic.lib.safeguards import Safeguards
from plugins_builtin.sandbox.starting import Folders, Launchers, Sandbox

SECONDS = 30.0
MAX_ADDRESS = 100  # bytes of a unix socket
_PROGRAM = Path(__file__).with_name("probe_program.py")
LEFT_BEHIND = "leave a process behind"


async def probe(name: str, launcher: CommandLauncher, safeguards: Safeguards, at_home: bool = False) -> list[Probe]:
    """Every way out, tried under this launcher; nothing at all where nothing can be run under it.

    The commands work in a folder below the home folder, `at_home` in the home folder itself. Raises AgenticError where the launcher
    is not used there.
    """
    with _outside(at_home) as (given, hidden, work), _environment(given["canary"], work if at_home else Path.home()):
        known = [Safeguard("hidden", str(hidden)), *safeguards.records]
        sandbox = Sandbox(
            schema.SandboxSettings(launcher=name), Launchers((), lambda wanted: launcher), Safeguards(known), folders=Folders(work)
        )
        sandbox.conceal()
        try:
            await sandbox.ready()
            words = [sys.executable, "-I", "-S", str(_PROGRAM), json.dumps(given)]
            found = [Probe(each["name"], each["open"], each["why"]) async for each in _run(sandbox, words, work)]
        finally:
            await sandbox.aclose()
        if found:
            await asyncio.sleep(1.5)
            left = os.path.lexists(work / "left-behind") or os.path.lexists(os.path.join(given["outside"], "left"))  # noqa: ASYNC240
            found = [Probe(each.name, left) if each.name == LEFT_BEHIND else each for each in found]
        return found


async def _run(sandbox: Sandbox, words: list[str], work: Path) -> AsyncIterator[dict[str, Any]]:
    with tempfile.TemporaryFile() as output:
        child = await sandbox.start(words, work, output.fileno())
        try:
            await asyncio.wait_for(child.wait(), SECONDS)
        except TimeoutError:
            await child.end()
        output.seek(0)
        for line in output.read().decode("utf-8", "replace").splitlines():
            with suppress(ValueError):
                yield json.loads(line)


@contextmanager
def _outside(at_home: bool) -> Iterator[tuple[dict[str, Any], Path, Path]]:
    """(what the probes are told, a hidden folder, a workspace), with servers that wait for them."""
    with ExitStack() as stack:
        # Not in the temporary folder, which a sandbox may replace as a whole.
        base = Path(tempfile.mkdtemp(prefix=".agentic-probes-", dir=Path.home())).resolve()
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        outside, work = base / "outside", base / "work"
        hidden = (work if at_home else base) / "hidden"
        for folder in (outside, work, hidden, work / ".git", work / ".git" / "hooks"):
            folder.mkdir()
        for file, text in ((outside / "file", "before"), (outside / "victim", "x"), (hidden / "secret", "secret")):
            file.write_text(text)
        (work / ".git" / "config").write_text("[core]\n")
        canary, abstract = secrets.token_hex(16), f"agentic-{secrets.token_hex(8)}"
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        stack.enter_context(_answering(tcp, udp))
        path = str(outside / "socket")
        if sys.platform == "linux":
            stack.enter_context(_listening("\0" + abstract))
        stack.enter_context(_listening(path))
        sleeper = subprocess.Popen(["/bin/sleep", "60"], env={"CANARY": canary})
        stack.callback(sleeper.wait)
        stack.callback(sleeper.kill)
        given: dict[str, Any] = {"outside": str(outside), "hidden": str(hidden), "socket": path, "abstract": abstract}
        given |= {"canary": canary, "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "pid": sleeper.pid}
        yield given, hidden, work


@contextmanager
def _listening(path: str) -> Iterator[None]:
    """Also where the path is longer than an address can be."""
    folder, name = os.path.split(path)
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as stack:
        if len(os.fsencode(path)) > MAX_ADDRESS and sys.platform == "linux":
            descriptor = os.open(folder, os.O_PATH)
            stack.callback(os.close, descriptor)
            path = f"/proc/self/fd/{descriptor}/{name}"
        server.bind(path)
        server.listen()
        yield


@contextmanager
def _answering(tcp: socket.socket, udp: socket.socket) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def greet() -> None:
        with tcp.accept()[0] as link:
            link.sendall(b"hello")

    def echo() -> None:
        _, sender = udp.recvfrom(100)
        udp.sendto(b"hello", sender)

    loop.add_reader(tcp, greet)
    loop.add_reader(udp, echo)
    try:
        yield
    finally:
        loop.remove_reader(tcp)
        loop.remove_reader(udp)


@contextmanager
def _environment(canary: str, home: Path) -> Iterator[None]:
    """Puts `canary` as a key into our own environment and makes `home` the home folder, while the block runs."""
    before = {name: os.environ.get(name) for name in ("AGENTIC_PROBE_API_KEY", "PROBE_TOKEN", "HOME")}
    os.environ["AGENTIC_PROBE_API_KEY"] = os.environ["PROBE_TOKEN"] = canary
    os.environ["HOME"] = str(home)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: value} if value is not None else {})
