"""Runners, the places where one part of a plan runs, and the part as it travels."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, field, fields
from typing import Any, Protocol, TypeVar, get_origin

from agentic.errors import AgenticError
from agentic.hooks import Provider, Setup, hookspec
from agentic.hooks.agents import AgentKind
from agentic.lib.children.records import MAX_RECORD as MAX_RECORD, records_of
from agentic.lib.record import record
from agentic.types import Message, Subtask

T = TypeVar("T")


@record(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a plan as it travels: what `agentic sub-agent` reads, as JSON, from its standard input.

    `task` is the agent's, `messages` its opening, byte for byte, so that it begins in the server's prefix cache; `protocol`,
    `model`, `tier`, `tools` and `effort` have to be alike for that. `kind` says what it may do. `settings` are by dotted key, all
    that differ from the defaults; `secrets` map a key to the environment variable that holds it where the part runs. `calls` and
    `seconds` are what it may use, `approval` is the mode. `shared` is what agents have shared (key, value, by), `outputs` what may
    be recalled. `tree` is a git bundle (base64) of the folder's files with one branch, `refs/heads/part`; `folder` is the path
    of the folder to work in, from the name that the bundle's top has. `late` says what late tools are about, `trusted` what the
    user trusts of the folder.
    """

    version: str
    agent: str
    session: str
    subtask: Subtask
    task: str
    messages: tuple[Message, ...]
    protocol: str
    model: str
    tier: str
    tools: tuple[str, ...]
    effort: str
    calls: int
    seconds: float
    lane: str
    approval: str
    folder: str
    tree: str
    kind: AgentKind | None = None
    late: str = ""
    trusted: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[Mapping[str, str], ...] = ()
    outputs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the part as JSON has it."""
        from agentic.lib.messages import to_record

        data = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        kind = self.kind
        limits = {name: _plain(getattr(kind, name)) for name in _LIMITS} if kind is not None else {}
        return data | {"subtask": asdict(self.subtask), "kind": limits, "messages": [to_record(each) for each in self.messages]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Part":
        """Raises AgenticError for what is no part; it names the fields that are wrong."""
        from agentic.lib.messages import from_record

        wrong = [each.name for each in fields(cls) if not isinstance(data.get(each.name), _form(each))]
        if wrong:
            raise AgenticError(f"the part cannot be read: {', '.join(wrong)}")
        values = {each.name: _frozen(data[each.name]) for each in fields(cls)}
        try:
            values["subtask"] = Subtask(**{name: _frozen(value) for name, value in data["subtask"].items()})
            values["kind"] = _kind(data["kind"]) if data["kind"] else None
        except (TypeError, KeyError) as error:
            raise AgenticError(f"the part cannot be read: {error}") from error
        values["messages"] = tuple(message for each in data["messages"] if (message := from_record(each)) is not None)
        return cls(**values)

    def __getitem__(self, name: str) -> Any:
        """The value in JSON, as parts had them until 0.1."""
        import warnings

        warnings.warn("a Part is a record now: part.NAME, or part.to_json()", DeprecationWarning, stacklevel=2)
        return self.to_json()[name]

    def keys(self) -> Iterable[str]:
        """The names of the fields, as parts had them until 0.1."""
        return self.to_json().keys()


_LIMITS = ("name", "tools", "without", "reads_only", "role")  # of an agent definition; what it is told stands in its messages
_FORMS: Mapping[str, tuple[type, ...]] = {"subtask": (dict,), "kind": (dict,), "calls": (int,), "seconds": (int, float)}


def _form(each: Any) -> tuple[type, ...]:
    """Returns the types of the field in JSON."""
    kind = get_origin(each.type) or each.type
    return _FORMS.get(each.name) or ((list,) if kind is tuple else (str,) if kind is str else (dict,))


def _kind(data: Mapping[str, Any]) -> AgentKind:
    without = tuple(data["without"])
    return AgentKind(data["name"], "", "", tuple(data["tools"]), data["reads_only"], data["role"], without=without)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@record(frozen=True, slots=True, kw_only=True)
class RunnerSetup(Setup):
    """`secrets` are the values of the variables that a part names under `secrets`, as far as they are known here."""

    secrets: Mapping[str, str]


class Runner(Protocol):
    @property
    def elsewhere(self) -> bool:
        """True if parts run on other machines, where this one's localhost is not to be reached."""
        ...

    def run(self, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        """Has `agentic sub-agent` do the part; its records as they come, the last one of type "outcome".

        Closing the iterator ends the part, and leaves nothing behind. Raises AgenticError where it cannot be run.
        """
        ...


@hookspec
def agentic_runners() -> Iterable[Provider[Runner]]:
    """Offers places where parts run, selected by `sub_agents.runner`."""
    raise NotImplementedError


def sub_agent(
    command: "tuple[str, ...] | list[str]", part: Part | Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Mapping[str, Any]]:
    """Yields the records of a part from `command`, a local `agentic sub-agent`: for runners, and for the workers that they start.

    `part` may be in JSON's form. Closing it ends the command, with what it started. Raises AgenticError where there is no outcome.
    """
    return records_of(command, part.to_json() if isinstance(part, Part) else part, "outcome", environment)
