"""A whole run in this process: the real host and plugins, a scripted model, a home with nothing in it."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from agentic.api import run_sync
from agentic.errors import ConfigError
from agentic.events import Event
from agentic.plugins import discovery
from agentic.testing.answers import Request, ScriptedAnswer, answer
from agentic.testing.fake_vllm import FakeVLLM

Script = Sequence[ScriptedAnswer | str] | Callable[[Request], ScriptedAnswer]
_USERS_OWN = ("AGENTIC_", "XDG_")
_alone = threading.Lock()


def run_in_process(
    task: str,
    script: Script = (),
    settings: Mapping[str, Any] | None = None,
    *,
    root: Path | None = None,
    home: Path | None = None,
    server: FakeVLLM | None = None,
    plugins: Sequence[ModuleType] = (),
    **options: Any,
) -> list[Event]:
    """Does `task` as `agentic run` would, against a model that says `script`; gives all events, the last one `RunFinished`.

    `script` has answers, plain texts among them, or is a function that answers each request; "ok" is said after its end. `settings`
    are dotted keys over the defaults; the protocol is "native" unless they say otherwise. The run works in `root`, with the user's
    `home`: each is a folder of its own unless it is given. A `server` of yours shows what it was asked. `plugins` are
    modules beside those that are installed, loaded for this run alone. `options` are those of `agentic.run`: `approve`, `resume`,
    `schema`, `screen`. Raises what `agentic.run` raises, and ConfigError for a plugin that is broken.

    events = run_in_process("write a.txt", [answer(tool_calls=tool_call("write_file", {...})), "done"], {"approval.mode": "edits"})
    assert [event.name for event in events if isinstance(event, ToolCalled)] == ["write_file"]

    While it runs, `os.environ` is that of a user who has set nothing, so one run waits for the other. What guards a real run stays:
    variables that commands do not get are no longer in `/proc/self/environ`, and without a sandbox no debugger gets in.
    """
    if root is not None and not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    with ExitStack() as stack:
        stack.enter_context(_alone)
        server = server or stack.enter_context(FakeVLLM())
        if callable(script):
            server.otherwise = script
        else:
            server.script(*(answer(each) if isinstance(each, str) else each for each in script))
        folder, user = (each or Path(stack.enter_context(TemporaryDirectory())) for each in (root, home))
        stack.enter_context(_environment_of(user))
        stack.enter_context(_with_plugins(plugins))
        given = {"llm.endpoints": [server.url], "llm.retry_seconds": 1.0, "tools.protocol": "native", **(settings or {})}
        return list(run_sync(task, root=folder, settings=given, **options))


def environment_of(home: Path, before: Mapping[str, str]) -> dict[str, str]:
    """The variables of a user of that home who has set nothing of ours."""
    return {name: value for name, value in before.items() if not name.startswith(_USERS_OWN)} | {"HOME": str(home)}


@contextmanager
def _with_plugins(plugins: Sequence[ModuleType]) -> Iterator[None]:
    before = list(discovery.tried)
    discovery.tried += plugins
    try:
        yield
    finally:
        discovery.tried[:] = before


@contextmanager
def _environment_of(home: Path) -> Iterator[None]:
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment_of(home, before))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
