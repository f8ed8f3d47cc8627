"""The host's own keys: a class per section, each key with its default, scope and meaning. Plugins bring their own sections."""

import os
import warnings
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from agentic.config.section import Key, Section, setting
from agentic.errors import ConfigError
from agentic.lib.families import EFFORTS
from agentic.lib.palette import THEMES

PLUGIN_PREFIX = "plugin."


class EndpointSettings(Section):
    """The settings of an endpoint: a `[[llm.endpoint]]` table."""

    url: str = setting("", "its base URL; it ends in /v1")
    api_key_env: str = setting("", "the variable of the environment that holds its key; empty: llm.api_key")
    model: str = setting("", "what it is asked for; empty: llm.model")
    weight: float = setting(1.0, "how much it does beside the others", minimum=0.01)
    max_in_flight: int = setting(0, "requests in flight at most; 0: batching.max_in_flight times the weight")
    all_addresses: bool = setting(False, "whether each address that its name has is an endpoint, looked up again every 30 s")


class LlmSettings(Section):
    # Which transport serves decides where the code of a project goes, so a project may not choose it.
    transport: str = setting(
        "auto", "auto: the endpoints; where none is named and none answers within a second, after a question the embedded engine"
    )
    endpoints: tuple[str, ...] = setting(("http://localhost:8001/v1", "http://localhost:8002/v1"), "in the order of preference")
    endpoint: tuple[EndpointSettings, ...] = setting((), "the endpoints as tables, [[llm.endpoint]]", tables=EndpointSettings)
    model: str = setting("", "empty: what the endpoint serves", "select")
    api_key: str = setting("", "sent to the endpoints; better in the environment as AGENTIC_LLM_API_KEY", secret=True)
    logins: Mapping[str, Any] = setting(
        {}, "USER:PASSWORD by the endpoint's URL, sent as Basic; a URL with both in it is written http://***@HOST", secret=True
    )
    ca_file: str = setting("", "certificates of the authorities that an https endpoint is checked by; empty: the system's")
    proxy: str = setting("", "URL of an HTTP proxy; proxy variables of the environment are not read")
    follow_redirects: bool = setting(False, "whether an endpoint may redirect")
    temperature: float | None = setting(None, "not set: the server's default", "select", kind=float)
    top_p: float | None = setting(None, "not set: the server's default", "select", kind=float)
    seed: int | None = setting(None, "not set: the server's default", "select", kind=int)
    max_tokens: int | None = setting(
        None, "of one answer; not set: as many as the window keeps for it", "select", kind=int, minimum=1
    )
    reasoning_effort: str = setting("", "empty: the server's default", "select", ("", *EFFORTS))
    thinking_tokens: int = setting(0, "of a thought; 0: three quarters of what an answer may have, 32,768 at most", minimum=0)
    session_headers: Mapping[str, Any] = setting(
        {"X-Session-ID": "{session}"}, "headers by which a router keeps a conversation at one server; {session} is its name"
    )
    stream: bool = setting(True, "false: answers in one piece, for gateways that hold streams back or forbid them")
    extra_body: Mapping[str, Any] = setting({}, "further fields of every request, as the server names them")
    connect_timeout: float = setting(5.0, "seconds until a connection stands", "lower")
    first_token_timeout: float = setting(180.0, "seconds until the first token; a long prompt takes its time", "lower")
    progress_timeout: float = setting(60.0, "seconds between two pieces of an answer; keep-alives do not count", "lower")
    total_timeout: float = setting(1800.0, "seconds for one answer", "lower")
    retry_seconds: float = setting(120.0, "how long a request that gets no further is tried again (`ask`: 20)", "lower")

    def of(self, url: str) -> EndpointSettings:
        """Returns the settings of the endpoint at `url`, one of `endpoints`."""
        return next((each for each in self.endpoint if each.url.rstrip("/") == url.rstrip("/")), EndpointSettings(url=url))

    def authorization(self, url: str) -> str:
        """The header by which we are known there: by the login in its URL, else by its key; "" for neither. Raises ConfigError."""
        if login := self.logins.get(url):
            return f"Basic {b64encode(unquote(str(login)).encode()).decode()}"
        name = self.of(url).api_key_env
        if name and name not in os.environ:
            raise ConfigError(f"{url}: its api_key_env {name} is not set", f"export {name}=KEY")
        key = os.environ[name] if name else self.api_key
        return f"Bearer {key}" if key else ""


class Role(Section):
    """Which model does one kind of work: one of `[llm.roles.NAME]`."""

    endpoint: str = setting("", "where it is served; empty: wherever the model is")
    model: str = setting("", "the model; empty: what the endpoint serves")
    effort: str = setting("", "how much it thinks; empty: as llm.reasoning_effort", choices=("", *EFFORTS))


ROLES = ("main", "small", "sub_agent", "vision")


class Batching(Section):
    strategy: str = setting("", "which request goes where and when", "select")
    batch_size: int = setting(4, "requests in flight per endpoint to begin with", "lower", minimum=1)
    max_in_flight: int = setting(256, "requests in flight per endpoint at most, as far as more brings more", "lower", minimum=1)
    batch_timeout: float = setting(0.1, "the longest a request may be held for a better endpoint, in seconds", "lower")


class ContextSettings(Section):
    strategy: str = setting("", "what of a history goes into a request", "select")
    context_window: int = setting(0, "tokens; 0: what the server says, 4096 where it says nothing", "lower")
    reserved_for_response: int = setting(1024, "of 4096; in proportion for other windows", "select", minimum=1)


class WorkflowSettings(Section):
    max_iterations: int = setting(
        50, "model calls in a run; unless set, more for large windows (1,000 at 131k)", "lower", minimum=1
    )
    timeout_seconds: int = setting(1200, "for a whole run; unless set, more with max_iterations", "lower", minimum=1)
    recursion_limit: int = setting(100, "node transitions in a run", "lower", minimum=1)
    agent: str = setting("", "the kind of agent that works; empty: one like any other", "select")


class ComplexityEstimate(Section):
    estimator: str = setting("", "who says how large a task is", "select")


class Decomposition(Section):
    strategy: str = setting("", "who splits a large task", "select")


class SubAgentSettings(Section):
    enabled: bool = setting(True, "whether a large task may be split", "lower")
    fan_out: str = setting("", "which parts of a plan run when", "select")
    runner: str = setting("", "where sub-agents run; empty: in this process")
    always: bool = setting(False, "split each task, whatever its size (--sub-agents)", "select")
    complexity_threshold: float = setting(0.7, "from which complexity on a task is split", "select")
    max_concurrent: int = setting(4, "sub-agents at once", "lower", minimum=1)
    subtask_max_iterations: int = setting(10, "model calls in a sub-agent", "lower", minimum=1)
    timeout_seconds: int = setting(300, "for one sub-agent", "lower", minimum=1)


class Tools(Section):
    protocol: str = setting("auto", "how a model is asked for tool calls; auto: the first way that it is able to", "select")
    enabled: tuple[str, ...] = setting((), "empty: all that plugins offer", "select", narrows=True)
    folders: tuple[str, ...] = setting((), "further folders to work in as in the first one (--add-dir)")
    mask_secrets: bool = setting(True, "whether what looks like a key is masked in what tools give to the model")
    command_timeout: int = setting(120, "seconds for one command", "lower", minimum=1)


class SandboxSettings(Section):
    mode: str = setting(
        "auto",
        "auto: the strongest that works here; required: nothing is run without one; off",
        choices=("auto", "required", "off"),
    )
    launcher: str = setting("", "who starts commands; empty: the strongest sandbox that works here")
    network: bool = setting(False, "whether commands reach the network without a question")
    devices: bool = setting(False, "whether commands reach the GPUs")
    writable: tuple[str, ...] = setting((), "further folders that commands may write to")
    hidden: tuple[str, ...] = setting((), "further files and folders that commands do not see")
    environment: tuple[str, ...] = setting((), "further variables that commands get, such as DJANGO_*")
    memory: int = setting(0, "GiB that one process of a command may take; 0: three quarters of the machine's")
    processes: int = setting(8192, "that may run for this user while a command starts more; 0: any number")
    file_size: int = setting(16, "GiB that a command may write into one file; 0: any number")


class Checks(Section):
    test: str = setting("", "the command that runs the tests; empty: what the project's files say")
    lint: str = setting("", "a linter's command, run after changes")
    build: str = setting("", "the command that builds or type-checks, run after changes")
    require: bool = setting(False, "a run that nothing checked ends with exit code 1", "higher")


class PromptSettings(Section):
    texts: Mapping[str, Any] = setting({}, "texts in place of those that models are told, by the names of `agentic prompts`")


class PermissionSettings(Section):
    allow: tuple[str, ...] = setting((), 'what needs no question, e.g. "run(git status *)", "edit(src/**)"')
    ask: tuple[str, ...] = setting((), "what is always asked", "more")
    deny: tuple[str, ...] = setting((), "what is never done", "more")
    floor: bool = setting(True, "whether what cannot be taken back is asked in every mode; the same as --no-floor")
    bash: Any = setting(
        "", "commands: allow, ask or deny, or a table of patterns with one of them; the last that fits counts", kind=object
    )
    edit: Any = setting("", "changed files, as bash", kind=object)
    read: Any = setting("", "read files, as bash", kind=object)
    webfetch: Any = setting("", "fetched hosts, as bash", kind=object)


class Approval(Section):
    mode: str = setting("", "empty: ask in a terminal, none without one", choices=("", "ask", "edits", "all", "none"))


class Plugins(Section):
    disabled: tuple[str, ...] = setting((), "names of plugins that are not loaded", "more")
    require: tuple[str, ...] = setting((), 'what must be loaded, e.g. "agentic-foo>=1"', "select")
    may_grant: tuple[str, ...] = setting((), 'plugins whose gate may allow a call without a question by "allow"')


class Ui(Section):
    debug: bool = setting(False, "tracebacks, and where each prompt's tokens are: the same as --debug")
    renderer: str = setting("", "empty: the richest that the output can show")
    editing: str = setting("emacs", "the keys of the chat's line", choices=("emacs", "vi"))
    status: tuple[str, ...] = setting((), "the footer's parts: folder, model, context, mode, sandbox, endpoints, cache")
    reasoning: str = setting("fold", "what the model thinks: folded into a line, or shown", choices=("fold", "show"))
    status_command: str = setting("", "prints rows for below the footer; it gets the session as JSON on its standard input")
    accessible: bool = setting(False, "for screen readers: lines only, nothing is drawn again")
    wrap: bool = setting(True, "prose is broken between words; false: the terminal breaks it")
    keys: Mapping[str, Any] = setting({}, 'the chat\'s keys by their actions: [ui.keys] mode = "f2"')
    notify: bool = setting(True, "whether the terminal is told of a question, or of a turn's end, while you look elsewhere")
    notify_command: str = setting("", "run then, too, with the words in $AGENTIC_SAYS")
    theme: str = setting("auto", "the colours; auto: dark or light, as the terminal is", choices=THEMES)


class Log(Section):
    file: str = setting("", "a file for one line on each thing that happens behind the scenes: the same as --log and AGENTIC_LOG")


SECTIONS: dict[str, type[Section]] = {
    "llm": LlmSettings,
    **{f"llm.roles.{name}": Role for name in ROLES},
    "batching": Batching,
    "context": ContextSettings,
    "workflow": WorkflowSettings,
    "complexity": ComplexityEstimate,
    "decomposition": Decomposition,
    "sub_agents": SubAgentSettings,
    "tools": Tools,
    "sandbox": SandboxSettings,
    "checks": Checks,
    "prompts": PromptSettings,
    "permissions": PermissionSettings,
    "approval": Approval,
    "plugins": Plugins,
    "ui": Ui,
    "log": Log,
}
KEYS: dict[str, Key] = {f"{name}.{field}": key for name, section in SECTIONS.items() for field, key in section.known.items()}


_OLD_NAMES = {
    "Context": ContextSettings,
    "Endpoint": EndpointSettings,
    "Llm": LlmSettings,
    "Permissions": PermissionSettings,
    "Prompts": PromptSettings,
    "Sandbox": SandboxSettings,
    "SubAgents": SubAgentSettings,
    "Workflow": WorkflowSettings,
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> type[Section]:
        """Gives a section's class by the name that it had until 0.1, with a warning."""
        if name not in _OLD_NAMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        new = _OLD_NAMES[name]
        warnings.warn(
            f"{name} is {new.__name__} now; the old name goes with the next minor version", DeprecationWarning, stacklevel=2
        )
        return new
