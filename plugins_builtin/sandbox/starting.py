"""The start of a session's commands: what they get of the environment, and what holds them to their policy."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from agentic import AgenticError, CommandLauncher, ConfigError, Grant, Launch, LauncherSetup, LaunchPolicy
from agentic.config import schema
from agentic.hooks.launcher import Attempted
from agentic.lib.children import Child, Children
from agentic.lib.conceal import close_memory, conceal, conceal_arguments
from agentic.lib.record import record
from agentic.lib.safeguards import Safeguards
from agentic.lib.temporary import new_folder, remove
from plugins_builtin.sandbox.denied import files_of

HOOK = "agentic_command_launchers"
PROBE_SECONDS = 10.0
_KEY = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_GIB = 1 << 30
_PROBE = 'echo in > "$1" && ! { echo out > "$2"; } 2>/dev/null && ! cat "$3" >/dev/null 2>&1'


NOTHING = Grant()


class AsTheyAre:
    """Commands as they are."""

    confines = False
    gaps = ("everything",)

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        return Launch(tuple(argv))


async def _unannounced(sandbox: "Sandbox") -> None:
    """Tells nobody."""


def sandbox_of(setup: LauncherSetup) -> "Sandbox":
    """Returns the sandbox for a session's commands. What commands are not given is concealed from now on."""
    assert setup.hooks is not None
    launchers = Launchers(by_strength(setup), partial(setup.hooks.build, HOOK))
    opened = setup.opened or _unannounced
    sandbox = Sandbox(setup.settings.sandbox, launchers, setup.safeguards(), opened, Folders(setup.root, setup.roots), setup.denied)
    sandbox.conceal()
    return sandbox


def by_strength(setup: LauncherSetup) -> list[str]:
    """The names of those that are tried where the user names none, the strongest first."""
    assert setup.hooks is not None
    offered = setup.hooks.offers(HOOK)
    return sorted((name for name, offer in offered.items() if offer.automatic), key=lambda name: offered[name].automatic)


@record(frozen=True, slots=True)
class Launchers:
    """The names that are tried where the user names none, the strongest first, and what makes one of a name."""

    automatic: Sequence[str]
    build: Callable[[str], CommandLauncher]


@record(frozen=True, slots=True)
class Folders:
    """The folders where commands will work: a launcher that cannot hold them in the `first` is not used."""

    first: Path | None = None
    more: Sequence[Path] = ()


ONE = Folders()


class Sandbox:
    """Opened once, for the first command; `name` is the launcher that holds commands, "" for none, `gaps` what it leaves open.

    `announce` is called when it is open. `folders` are where commands will work.
    Files of `denied` programs are hidden. `temporary` is where commands may write besides the workspace: we see it under the same
    name as they do.
    """

    def __init__(
        self,
        settings: schema.SandboxSettings,
        launchers: Launchers,
        safeguards: Safeguards,
        announce: Callable[["Sandbox"], Any] = _unannounced,
        folders: Folders = ONE,
        denied: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._settings = settings
        self._folder, self._roots = folders.first, folders.more
        self._launchers = launchers
        self._safeguards = safeguards
        self._announce = announce
        self._denied = denied
        self._children = Children()
        self._launcher: CommandLauncher = AsTheyAre()
        self.temporary = new_folder()
        self._opening: asyncio.Task[None] | None = None
        self.name = ""
        self.refused: dict[str, str] = {}

    @property
    def confines(self) -> bool:
        """True if commands are held to their policy."""
        return self._launcher.confines

    @property
    def gaps(self) -> Sequence[str]:
        return self._launcher.gaps

    @property
    def is_off(self) -> bool:
        """True if the user wants none."""
        return self._settings.mode == "off"

    async def ready(self) -> None:
        """Raises ConfigError where a sandbox is required and none works, or the named one does not."""
        self._opening = self._opening or asyncio.ensure_future(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        await self._children.open()
        await self._choose()
        if not self.confines:
            close_memory()
        await self._announce(self)

    def conceal(self) -> None:
        """Overwrites the variables that commands do not get, where others could read them. Closes memory where none is wanted."""
        conceal(self.withheld())
        conceal_arguments(key for key, each in schema.KEYS.items() if each.secret)
        if self.is_off and not self._settings.launcher:
            close_memory()

    async def _choose(self) -> None:
        if self._settings.mode == "off" and not self._settings.launcher:
            return
        for name in self._tried():
            try:
                launcher = self._launchers.build(name)
                why = await self._problem(launcher)
            except AgenticError as error:
                why = str(error)
            if not why:
                self._launcher, self.name = launcher, name
                return
            self.refused[name] = why
        tried = "; ".join(f"{name}: {why}" for name, why in self.refused.items()) or "no plugin offers one"
        if self._settings.launcher or self._settings.mode == "required":
            what = f"the launcher {self._settings.launcher}" if self._settings.launcher else "a sandbox"
            raise ConfigError(
                f"sandbox: {what} is required and does not work here ({tried})", "`agentic doctor --sandbox` shows more"
            )

    def _tried(self) -> Sequence[str]:
        """The launcher that the user names, else those by strength."""
        return [self._settings.launcher] if self._settings.launcher else self._launchers.automatic

    async def _problem(self, launcher: CommandLauncher) -> str:
        """Why it does not hold, by really running something in it; "" where it does."""
        if not launcher.confines:
            return ""
        if self._folder is not None:
            launcher.wrap(("/bin/true",), self.policy(self._folder))
        inside, outside, secret = (new_folder() for _ in range(3))
        try:
            (secret / "secret").write_text("secret")
            policy = LaunchPolicy(inside, (inside,), self.temporary, hidden=(secret,))
            words = ("/bin/sh", "-c", _PROBE, "sh", str(inside / "in"), str(outside / "out"), str(secret / "secret"))
            launch = launcher.wrap(words, policy)
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                child = await self._start(launch, inside, {"PATH": os.defpath}, null, {})
                code = await asyncio.wait_for(child.wait(), PROBE_SECONDS)
            except TimeoutError:
                return f"nothing came of it within {PROBE_SECONDS:g} s"
            finally:
                os.close(null)
            if not (inside / "in").exists():
                return child.fault or "nothing can be run in it"
            return "" if code == 0 and not (outside / "out").exists() else "it holds nothing"
        finally:
            for folder in (inside, outside, secret):
                remove(folder)

    async def report(self) -> AsyncIterator[Attempted]:
        """Tries to get out of each launcher, in a folder below the home folder and in the home folder itself."""
        from plugins_builtin.sandbox.probes import probe

        for name in self._tried():
            for at_home in (False, True):
                try:
                    launcher = self._launchers.build(name)
                    yield Attempted(name, at_home, "", await probe(name, launcher, self._safeguards, at_home))
                except AgenticError as error:
                    yield Attempted(name, at_home, str(error))

    async def start(self, argv: Sequence[str], folder: Path, output: int, grant: Grant = NOTHING) -> Child:
        """Starts a command in `folder`; both of its outputs go to the descriptor. Raises ToolError, ConfigError."""
        await self.ready()
        policy = self.policy(folder, grant)
        child = await self._start(self._launcher.wrap(argv, policy), folder, self.environment(), output, self._limits())
        child.has_network = policy.network or not self.confines
        return child

    async def _start(
        self, launch: Launch, folder: Path, environment: Mapping[str, str], output: int, limits: Mapping[str, int]
    ) -> Child:
        return await self._children.start(
            launch.argv, folder, environment, output, launch.confine, launch.arguments, launch.inputs, limits
        )

    def policy(self, folder: Path, grant: Grant = NOTHING) -> LaunchPolicy:
        """Returns the policy for a command that works in `folder`."""
        settings = self._settings
        writable = (folder, *self._roots, *(Path(path).expanduser() for path in settings.writable), *grant.writable)
        hidden = (*self._safeguards.hidden, *(Path(path).expanduser() for path in settings.hidden))
        hidden += tuple(files_of(self._denied(), writable))
        places = (folder, *self._roots)
        protected = () if grant.protected else tuple(path for each in places for path in self._safeguards.protected_paths(each))
        network = settings.network or grant.network
        return LaunchPolicy(
            folder, writable, self.temporary, protected, hidden, network, settings.devices, _our_program(), grant.hidden
        )

    async def unchangeable(self, folder: Path) -> frozenset[str]:
        """The protected entries of the folder that no command can change, whatever is put back afterwards; by their names in it."""
        try:
            await self.ready()
        except AgenticError:  # told where the command is to start
            return frozenset()
        paths = self._safeguards.protected_paths(folder) if getattr(self._launcher, "keeps_protected", False) else ()
        return frozenset(str(path.relative_to(folder)) for path in paths)

    def environment(self) -> dict[str, str]:
        """Returns those of our variables that commands need. The user may add to them; nothing else goes, least of all a key."""
        names = _passed_on(tuple(os.environ), tuple(self._settings.environment), tuple(self._safeguards.variables))
        return {name: os.environ[name] for name in names} | {"TMPDIR": str(self.temporary)}

    def withheld(self) -> list[str]:
        """The variables that commands do not get."""
        return sorted(set(os.environ) - set(self.environment()))

    def _limits(self) -> dict[str, int]:
        memory = self._settings.memory * _GIB or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
        found = {"RLIMIT_CORE": 0, "RLIMIT_DATA": memory}
        found |= {"RLIMIT_NPROC": self._settings.processes} if self._settings.processes else {}
        return found | ({"RLIMIT_FSIZE": self._settings.file_size * _GIB} if self._settings.file_size else {})

    async def aclose(self) -> None:
        """Ends what still runs, its opening too."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._children.aclose()
        remove(self.temporary)


@lru_cache(maxsize=1)
def _our_program() -> tuple[Path, ...]:
    """Returns the folders of Python and its packages: some tools run a part of a package as a child."""
    places = (sys.base_prefix, sys.prefix, *sys.path)
    return tuple(dict.fromkeys(Path(place).resolve() for place in places if os.path.isabs(place) and os.path.isdir(place)))


@lru_cache(maxsize=8)
def _passed_on(names: Sequence[str], mine: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """Returns the variables that commands get: the user's own choice, and the usual ones that do not look like a key."""
    is_mine, is_usual = _pattern(mine), _pattern(usual)
    found = (name for name in names if is_mine.match(name) or (is_usual.match(name) and not _KEY.search(name)))
    return tuple(name for name in found if not name.startswith("AGENTIC_"))


def _pattern(globs: Sequence[str]) -> re.Pattern[str]:
    """Matches a name that fits one of them. One expression compiles faster than each by itself."""
    return re.compile("|".join(map(translate, globs)) or "(?!)")
