"""A run's result as a file, and beside an earlier one."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from agentic import ConfigError
from agentic.folders import state_folder
from agentic.lib.files import replace_file
from agentic.lib.record import record
from plugins_builtin.vllm.bench.load import Step


@record(frozen=True, slots=True)
class Result:
    """`servers` has each endpoint's model, version and what it tells of its flags; `when` in seconds since the epoch."""

    when: float
    servers: Mapping[str, Mapping[str, str]]
    steps: Sequence[Step]

    def save(self) -> Path:
        """Among the user's own results."""
        path = folder() / time.strftime("%Y%m%d-%H%M%S.json", time.localtime(self.when))
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(asdict(self), indent=1).encode())
        return path


def folder() -> Path:
    return state_folder() / "bench"


def earlier(name: str, endpoints: Sequence[str]) -> Result | None:
    """The result in that file; for "last" the newest of these endpoints, None where there is none. Raises ConfigError."""
    if name != "last":
        return _read(Path(name))
    for path in sorted(folder().glob("*.json"), reverse=True):
        found = _read(path)
        if set(endpoints) <= set(found.servers):
            return found
    return None


def _read(path: Path) -> Result:
    try:
        data = json.loads(path.read_text())
        return Result(float(data["when"]), dict(data["servers"]), [_step(each) for each in data["steps"]])
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "`agentic bench` writes one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no result of `agentic bench`", "name another, or none") from error


def _step(data: Mapping[str, Any]) -> Step:
    return Step(**{each.name: data[each.name] for each in fields(Step)} | {"endpoints": tuple(data["endpoints"])})


def change(now: Step, before: Result | None) -> float | None:
    """How many times the tokens a second of the same step in an earlier result."""
    for each in before.steps if before else ():
        same = (each.endpoints, each.shape, each.concurrency) == (now.endpoints, now.shape, now.concurrency)
        if same and each.tokens_per_second:
            return now.tokens_per_second / each.tokens_per_second
    return None
