"""The values that travel between the host and its plugins. No slots: they would cost every start 5 ms."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agentic.lib.record import record

Role = Literal["system", "user", "assistant", "tool"]
Effect = Literal["read", "write", "execute"]
LATEST = "latest"  # in place of a session's id: the newest one of the folder


@record(frozen=True)
class ToolCall:
    """A call that the model asked for; `arguments` is its JSON text, byte for byte (re-serialising it costs cached prefix).

    One that was `recovered` stood in the text of an answer: it may be a quotation, so the user is always asked.
    """

    id: str
    name: str
    arguments: str
    recovered: bool = False


@record(frozen=True)
class ToolNote:
    """A tool call and how it ended, in a few words: `did` is "run make test" or "edit_file a.py"."""

    did: str
    failed: bool = False
    exit_code: int | None = None


@record(frozen=True)
class TextPart:
    text: str


@record(frozen=True)
class ImagePart:
    """A picture's bytes as they are in its file."""

    data: bytes
    media_type: str = "image/png"


Content = str | tuple[TextPart | ImagePart, ...]


@record(frozen=True)
class Message:
    """`notes` say which tool results a message carries, whatever the tool protocol; they are never sent.

    `thought_as` is the name by which a server gave the reasoning, under which it goes back: "reasoning_content",
    "reasoning_details", "thinking" (a field) or "content" (parts of it); "" is "reasoning".
    """

    role: Role
    content: Content = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    notes: tuple[ToolNote, ...] = ()
    thought_as: str = ""

    @property
    def text(self) -> str:
        """The words of the content, without its pictures."""
        if isinstance(self.content, str):
            return self.content
        return "\n\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The pictures of the content."""
        return () if isinstance(self.content, str) else tuple(part for part in self.content if isinstance(part, ImagePart))

    def with_text(self, text: str) -> "Message":
        """The same message with other words and the same pictures."""
        return replace(self, content=(TextPart(text), *self.images) if self.images else text)

    def and_then(self, other: "Message") -> "Message":
        """This message with the other one's words, pictures and notes behind its own."""
        joined = self.with_text(f"{self.text}\n\n{other.text}" if self.text else other.text)
        if other.images:
            joined = replace(joined, content=(TextPart(joined.text), *self.images, *other.images))
        return replace(joined, notes=self.notes + other.notes)


def recall_id(text: str) -> str:
    """The name under which the `recall` tool finds a tool output that was left out of a prompt."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


@record(frozen=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON schema of type object.

    `effect` decides which approval a call needs; a tool that does not say it is taken for one that executes. Where the window has
    room, `guidance` is more to say about it; where it is small, parameters in `refinements` are not told. What the host may ask
    of a tool, whatever its name, is said by naming the parameters: `runs` takes a shell command, `writes` a path and the file's
    whole content, `recalls` the id of an output that was left out, `finds` words by which other tools are found, `calls` the name
    of another tool and its arguments, `access` what a command needs beyond the sandbox ("network", "protected", or paths),
    `fetches` a URL, whose host the rules and the question are about. One
    that is `opt_in` stands in the prompt only where a model's profile or `tools.enabled` names it, one that is `roomy` only where
    the window is large or `tools.enabled` names it; both can be called all the same.
    One that is `staged` writes through the workspace alone: it runs on a stage, so that the question can show what would change,
    and nothing happens before the answer.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: Effect = "execute"
    guidance: str = ""
    refinements: tuple[str, ...] = ()
    runs: str = ""
    writes: tuple[str, ...] = ()
    recalls: str = ""
    finds: str = ""
    calls: tuple[str, ...] = ()
    opt_in: bool = False
    roomy: bool = False
    access: str = ""
    staged: bool = False
    fetches: str = ""


ChangeKind = Literal["created", "updated", "deleted", "unchanged"]


@record(frozen=True)
class Change:
    """A tool's change to a file; "unchanged" where it already was as wanted."""

    path: str
    kind: ChangeKind = "updated"


@record(frozen=True)
class ToolOutput:
    """The result of a tool call. `exit_code` is set by tools that ran a command, `changes` by those that wrote files.

    `problems` are what is wrong with a change that was made, a line each; the model reads them behind the text.
    """

    text: str
    failed: bool = False
    exit_code: int | None = None
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def for_model(self) -> str:
        """Returns the text that the model reads."""
        return "\n".join((self.text, *self.problems))


@record(frozen=True)
class Sampling:
    """A `temperature` and a `seed` of one's own for an agent's answers, None for the settings' ones."""

    temperature: float | None = None
    seed: int | None = None

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of a request's body besides."""
        return {} if self.seed is None else {"seed": self.seed}


@record(frozen=True)
class ChatRequest:
    """A request for one answer. `model` "" means what the endpoint serves; `max_tokens` None leaves it to the server.

    `effort` is how long a reasoning model may think: low, medium, high, or "" for its default. `priority` below 0 is more urgent,
    for servers that schedule by it. `token_ids` asks for the tokens' numbers, without which a broken answer cannot be resumed.
    `extra` are further fields of the body, as the server names them. `purpose` says what it is for: turn, ask, batch, question (of
    a plugin), probe, warm-up or count; it is not sent. `role` is whose work it is, of the names in `[llm.roles]`, and `endpoint`
    where it should go; where nobody serves a role's `model`, the main one does its work. None of them is sent. `headers` go along
    over HTTP.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    response_format: Mapping[str, Any] | None = None
    session: str = ""
    effort: str = ""
    priority: int = 0
    token_ids: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""
    role: str = ""
    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of a tool call; pieces with one `index` belong together, `id` and `name` may come late, split or never."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@record(frozen=True)
class Usage:
    """Tokens as the server counted them; `cached_tokens` is None where it does not tell."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        known = [count for count in (self.cached_tokens, other.cached_tokens) if count is not None]
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            sum(known) if known else None,
        )


@dataclass(frozen=True)
class Delta:
    """A piece of an answer. `restart` says that all pieces before it are void: another endpoint begins the answer anew.

    `void_calls` says it of the tool calls alone: another endpoint goes on, and asks for an unfinished call again. `prompt_ids` and
    `token_ids` are the numbers of the prompt's and of this piece's tokens, where the request wanted them. `prefilled` comes before
    an answer's first token: (tokens of the prompt that are computed, of how many; 0 where the server does not say).
    `thought_as` is as in `Message`. `by_ids` says that this was read from the token ids: pieces of calls can be gone on with, too.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: str = ""
    usage: Usage | None = None
    restart: bool = False
    void_calls: bool = False
    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    prefilled: tuple[int, int] | None = None
    thought_as: str = ""
    by_ids: bool = False


ANNOUNCED = "announced"
"""The `finish_reason` of an answer that only says what will be done, in a format that tells that from a final one."""


@record(frozen=True)
class Answer:
    """A whole answer; `usage` where the server told."""

    message: Message
    finish_reason: str = ""
    usage: Usage | None = None


@record(slots=True)
class PartialAnswer:
    """The part of an answer that came before its stream broke.

    `shown` of the `token_ids` make the text and reasoning that was delivered, and the calls where it is read from its ids.
    """

    prompt_ids: tuple[int, ...] = ()
    token_ids: list[int] = field(default_factory=list)
    shown: int = 0
    size: int = 0
    reasoning: bool = False
    text: bool = False

    def add(self, delta: Delta) -> None:
        self.prompt_ids = delta.prompt_ids or self.prompt_ids
        self.token_ids += delta.token_ids
        self.size += len(delta.text) + len(delta.reasoning) + len(delta.tool_calls)
        self.reasoning = self.reasoning or bool(delta.reasoning)
        self.text = self.text or bool(delta.text)
        if delta.text or delta.reasoning or (delta.by_ids and delta.tool_calls):
            self.shown = len(self.token_ids)

    def go_on(self) -> None:
        """Drops the tokens that were not delivered, so that they are made again."""
        del self.token_ids[self.shown :]


@record(frozen=True)
class EndpointInfo:
    """The model that an endpoint serves. `window` is in tokens, 0 where it does not tell; `served` are all models it lists."""

    url: str
    model: str
    window: int = 0
    served: tuple[str, ...] = ()


@record(frozen=True)
class EndpointLoad:
    """An endpoint's report on itself: requests, the share of its KV cache in use (0 to 1), counters since it started (tokens).

    `block` is the size of a block of that cache in tokens, `blocks` how many there are.

    `first_tokens` counts the answers that began, `first_token_seconds` is what all of them together took for it.
    """

    running: int
    waiting: int
    kv_usage: float = 0.0
    preemptions: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    block: int = 0
    blocks: int = 0
    first_tokens: int = 0
    first_token_seconds: float = 0.0


@record(frozen=True)
class TokenCount:
    """A prompt's exact length in tokens, and how that was found out ("/tokenize", a vocabulary's name)."""

    tokens: int
    method: str


@record(frozen=True)
class Complexity:
    """`score` from 0 (trivial) to 1; `separable` where the `parts` can be built independently. `shared_files` speak against it."""

    score: float
    separable: bool
    reasons: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    shared_files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"the score must be from 0 to 1, not {self.score!r}")


_NO_NAME = ("", "none", "null", "n/a")  # what models write into a list that has to be empty
MAX_SUBTASKS = 6  # of a plan for a whole task
MAX_DELEGATED = 16
Isolation = Literal["", "worktree"]


@record(frozen=True)
class Subtask:
    """An agent's part of a task; `reads` and `writes` are paths, `done_check` is how to see that it is done.

    A higher `priority` begins first. `agent` is the kind of agent that does it, "" for one like any other.
    """

    id: str
    title: str
    objective: str = ""
    output: str = ""
    done_check: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    priority: int = 0
    agent: str = ""

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "Subtask":
        """From what a model wrote: whatever is no text or list counts as missing. Raises ValueError without a word to go by."""

        def text(*keys: str) -> str:
            return next((str(item[key]).strip() for key in keys if isinstance(item.get(key), str | int)), "")

        def names(key: str) -> tuple[str, ...]:
            value = item.get(key)
            return tuple(str(each) for each in value if str(each).lower() not in _NO_NAME) if isinstance(value, list) else ()

        title, objective = text("title"), text("objective", "description")
        name = cls.id_of(text("id") or title or objective)
        if not name:
            raise ValueError("a subtask without id, title and objective")
        priority = item.get("priority")
        return cls(
            name,
            title or objective or name,
            objective if title else "",
            text("output"),
            text("done_check"),
            names("reads"),
            names("writes"),
            tuple(map(cls.id_of, names("depends_on"))),
            priority if isinstance(priority, int) else 0,
            text("agent", "subagent_type"),
        )

    @staticmethod
    def id_of(text: str) -> str:
        """An id made of the text, "" where nothing of it can be in one."""
        return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:20].strip("-")

    @property
    def description(self) -> str:
        """Title and objective in one line."""
        return f"{self.title}: {self.objective}" if self.objective else self.title


@record(frozen=True)
class Plan:
    """`check` is a shell command that shows whether the whole works, "" for the folder's own tests.

    `isolation` "worktree" gives each subtask a git worktree of its own; their changes are merged one after the other.
    """

    subtasks: tuple[Subtask, ...]
    check: str = ""
    isolation: Isolation = ""

    def problems(self, least: int = 2, most: int = MAX_SUBTASKS) -> list[str]:
        """Why it cannot be carried out side by side; nothing for a good plan."""
        found = []
        if not least <= len(self.subtasks) <= most:
            found.append(f"a plan has {least} to {most} subtasks, this one {len(self.subtasks)}")
        ids = [subtask.id for subtask in self.subtasks]
        found += [f"two subtasks are called {name!r}" for name in sorted({name for name in ids if ids.count(name) > 1})]
        for subtask in self.subtasks:
            found += [f"{subtask.id} depends on {name!r}, which is no subtask" for name in subtask.depends_on if name not in ids]
        if not found and (circle := [name for name in ids if name in self.before(name)]):
            found.append(f"{', '.join(circle)} depend on each other in a circle")
        if not found:
            found += [
                f"{one.id} and {other.id} both write {path}, and neither waits for the other"
                for number, one in enumerate(self.subtasks)
                for other in self.subtasks[number + 1 :]
                for path in one.writes
                if path in other.writes and one.id not in self.before(other.id) and other.id not in self.before(one.id)
            ]
        return found

    def before(self, name: str) -> set[str]:
        """The ids of all subtasks that must be done before that one."""
        direct = {subtask.id: subtask.depends_on for subtask in self.subtasks}
        found: set[str] = set()
        waiting = list(direct.get(name, ()))
        while waiting:
            if (each := waiting.pop()) not in found:
                found.add(each)
                waiting += direct.get(each, ())
        return found


@record(frozen=True)
class Outcome:
    """How an agent ended. `status`: done, unchecked (nothing could show whether it is right), limit, timeout, gave_up, refused (it
    needed an approval), interrupted, failed (by an error), or skipped (what it depends on was not done).

    `evidence` is what was run and how that ended, `open_questions` what is undecided, `missing` the titles of parts that were not
    done, `unwritten` the files that were to be written and are not there, by the title of their part.
    """

    status: str
    summary: str
    files: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    evidence: tuple[str, ...] = ()
    open_questions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unwritten: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
