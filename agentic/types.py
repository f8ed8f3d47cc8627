"""The values that travel between the host and its plugins. No slots: they would cost every start 5 ms."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from agentic.answers import (
    ANNOUNCED as ANNOUNCED,
    THOUGHT_ENDED as THOUGHT_ENDED,
    Answer as Answer,
    Delta as Delta,
    PartialAnswer as PartialAnswer,
    ToolCallDelta as ToolCallDelta,
    Usage as Usage,
)
from agentic.lib.record import record
from agentic.messages import (
    Content as Content,
    ImagePart as ImagePart,
    Message as Message,
    Role as Role,
    TextPart as TextPart,
    ToolCall as ToolCall,
    ToolNote as ToolNote,
    recall_id as recall_id,
)
from agentic.plans import (
    MAX_DELEGATED as MAX_DELEGATED,
    MAX_SUBTASKS as MAX_SUBTASKS,
    Complexity as Complexity,
    Isolation as Isolation,
    Plan as Plan,
    Subtask as Subtask,
)

Effect = Literal["read", "write", "execute"]
LATEST = "latest"  # in place of a session's id: the newest one of the folder


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
    def fields(self) -> dict[str, Any]:
        """The fields of a `ChatRequest` for it."""
        return {"temperature": self.temperature, "extra": {} if self.seed is None else {"seed": self.seed}}

    def for_another(self) -> "Sampling":
        """Returns the sampling of an answer that has to differ from the last: warmer, with a seed that no other agent has."""
        warmer = min(max((self.temperature or 0.0) + 0.15, 0.7), 1.5)
        return Sampling(warmer, None if self.seed is None else self.seed + 1000)


@record(frozen=True)
class ChatRequest:
    """A request for one answer. `model` "" means what the endpoint serves; `max_tokens` None leaves it to the server.

    `effort` is how long a reasoning model may think: none to max, or "" for its default; `thinking_tokens` how many tokens, 0 for
    the usual. `priority` below 0 is more urgent, for servers that schedule by it. `token_ids` asks for the tokens' numbers, without
    which a broken answer cannot be resumed. `extra` are further fields of the body, as the server names them.

    None of these is sent: `purpose` says what it is for: turn, ask, batch, question (of a plugin), probe, warm-up or count; `role`
    whose work it is, of the names in `[llm.roles]`, and `endpoint` where it should go; where nobody serves a role's `model`, the
    main one does its work. `headers` go along over HTTP.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    response_format: Mapping[str, Any] | None = None
    session: str = ""
    effort: str = ""
    thinking_tokens: int = 0
    priority: int = 0
    token_ids: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""
    role: str = ""
    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@record(frozen=True)
class EndpointInfo:
    """The model that an endpoint serves, its `root` and chat `template`, and all that are `served`.

    `window` in tokens, and the requests that it has `places` for at once; 0 where it does not tell.
    `shown`: where nothing else tells the model's family, the prompts that the server makes of `agentic.lib.families.SAMPLES`.
    """

    url: str
    model: str
    window: int = 0
    served: tuple[str, ...] = ()
    root: str = ""
    template: str = ""
    shown: tuple[str, ...] = ()
    places: int = 0


@record(frozen=True)
class EndpointLoad:
    """An endpoint's report on itself: requests, the share of its KV cache in use (0 to 1), counters since it started (tokens).

    `block` is the size of a block of that cache in tokens, `blocks` how many there are. `cache` is how prompts are found again:
    full, hybrid (only some layers have such a cache), off, or "" where the server does not tell; `unit` in what steps of tokens.

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
    cache: str = ""
    unit: int = 0
    first_tokens: int = 0
    first_token_seconds: float = 0.0


@record(frozen=True)
class TokenCount:
    """A prompt's exact length in tokens, and how that was found out ("/tokenize", a vocabulary's name)."""

    tokens: int
    method: str


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
