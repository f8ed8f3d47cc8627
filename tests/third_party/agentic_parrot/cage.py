"""A second plugin of the same distribution: the doors that the first one leaves shut, and taking another's place on purpose."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic import (
    Answer,
    Batcher,
    BatcherSetup,
    Chat,
    ChatCommand,
    ChatRequest,
    CommandLauncher,
    CommandReader,
    CommandReading,
    Complexity,
    ComplexityEstimator,
    ContextStrategy,
    Decomposer,
    Delta,
    EndpointInfo,
    FanOut,
    Judgement,
    Lane,
    Launch,
    Launcher,
    LauncherSetup,
    LaunchPolicy,
    Llm,
    Message,
    Outcome,
    Part,
    Permissions,
    Plan,
    PromptSection,
    Provider,
    Renderer,
    RendererSetup,
    Runner,
    RunnerSetup,
    Safeguard,
    Setup,
    Spawn,
    Subtask,
    Tool,
    ToolOutput,
    ToolSetup,
    ToolSource,
    ToolSpec,
    Transport,
    Workspace,
    hookimpl,
)
from agentic.events import Event, LlmChunk


class CagedRun:
    """Takes the place of the tool `run`, and wraps it."""

    def __init__(self, setup: ToolSetup) -> None:
        self._run: Tool = setup.provider("run")
        self.spec = self._run.spec

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        output = await self._run.run(arguments, workspace)
        return replace(output, text=f"(caged) {output.text}")


class Wrapped:
    """The transport to vLLM, with one word more at the end of each answer."""

    def __init__(self, setup: Setup) -> None:
        self._inner: Transport = setup.provider("vllm")

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._inner.endpoints

    async def probe(self, endpoint: str) -> EndpointInfo:
        return await self._inner.probe(endpoint)

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        async for delta in self._inner.stream(request, endpoint):
            yield replace(delta, text=f"{delta.text} squawk") if delta.finish_reason else delta

    async def aclose(self) -> None:
        await self._inner.aclose()


class OneBatcher:
    def __init__(self, setup: BatcherSetup) -> None:
        self._transport = setup.transport

    def submit(self, request: ChatRequest, lane: Lane = Lane.INTERACTIVE) -> AsyncIterator[Delta]:
        return self._transport.stream(request, self._transport.endpoints[0])

    async def gather(self, requests: Sequence[ChatRequest], lane: Lane = Lane.SUB_AGENT) -> list[Answer | Exception]:
        answers: list[Answer | Exception] = []
        for request in requests:
            text = "".join([delta.text async for delta in self.submit(request)])
            answers.append(Answer(Message("assistant", text)))
        return answers

    async def info(self) -> EndpointInfo:
        return await self._transport.probe(self._transport.endpoints[0])


class Everything:
    def fit(self, history: Sequence[Message], budget: int, count: Callable[[Message], int]) -> list[Message]:
        return list(history)


class AlwaysLarge:
    async def estimate(self, task: str, llm: Llm) -> Complexity:
        return Complexity(1.0, True, ("parrots like company",))


class TwoParrots:
    async def decompose(self, task: str, llm: Llm) -> Plan:
        return Plan((Subtask("polly", "Polly"), Subtask("kiki", "Kiki")))


class InTurn:
    async def run(self, plan: Plan, spawn: Spawn) -> list[Outcome]:
        return [await spawn(subtask) for subtask in plan.subtasks]


class Loud:
    def __init__(self, setup: RendererSetup) -> None:
        self._out = setup.stdout

    def handle(self, event: Event) -> None:
        if isinstance(event, LlmChunk):
            self._out.write(event.text.upper())
            self._out.flush()

    def close(self) -> None:
        """Nothing is open."""


class Bell:
    spec = ToolSpec("ring_bell", "Rings the bell of the cage.", {"type": "object", "properties": {}}, "read")

    async def run(self, arguments: Mapping[str, Any], workspace: Workspace) -> ToolOutput:
        return ToolOutput("ding")


class Cage:
    async def open(self) -> None:
        """It is open."""

    def tools(self) -> list[Tool]:
        return [Bell()]

    async def close(self) -> None:
        """Shut."""


class Perch:
    confines = False
    gaps = ("everything",)

    def wrap(self, argv: Sequence[str], policy: LaunchPolicy) -> Launch:
        return Launch(("env", "PERCH=1", *argv))


@hookimpl
def agentic_tools() -> Iterable[Provider[Tool]]:
    yield Provider("run", "in a cage", CagedRun, replaces="tools")


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("squawking", "vLLM with a squawk", Wrapped)


@hookimpl
def agentic_batchers() -> Iterable[Provider[Batcher]]:
    yield Provider("one", "one endpoint", OneBatcher)


@hookimpl
def agentic_context_strategies() -> Iterable[Provider[ContextStrategy]]:
    yield Provider("everything", "all of it", lambda setup: Everything())


@hookimpl
def agentic_complexity_estimators() -> Iterable[Provider[ComplexityEstimator]]:
    yield Provider("large", "every task is large", lambda setup: AlwaysLarge())


@hookimpl
def agentic_decomposers() -> Iterable[Provider[Decomposer]]:
    yield Provider("parrots", "two parrots", lambda setup: TwoParrots())


@hookimpl
def agentic_fan_outs() -> Iterable[Provider[FanOut]]:
    yield Provider("in-turn", "one after the other", lambda setup: InTurn())


class Flown:
    """The builtin's processes, from outside."""

    elsewhere = False

    def __init__(self, setup: RunnerSetup) -> None:
        self._inner: Runner = setup.provider("process")

    async def run(self, part: Part) -> AsyncIterator[Mapping[str, Any]]:
        async for record in self._inner.run(replace(part, outputs=())):
            yield record


@hookimpl
def agentic_runners() -> Iterable[Provider[Runner]]:
    yield Provider("flown", "in processes, from outside", Flown)


@hookimpl
def agentic_renderers() -> Iterable[Provider[Renderer]]:
    yield Provider("loud", "in capitals", Loud)


@hookimpl
def agentic_tool_sources() -> Iterable[Provider[ToolSource]]:
    yield Provider("cage", "what hangs in the cage", lambda setup: Cage())


class Wings:
    def read(self, command: str, root: Path) -> CommandReading:
        return CommandReading(dangers=("it flies away",) if command.startswith("fly") else ())


@hookimpl
def agentic_command_readers() -> Iterable[Provider[CommandReader]]:
    yield Provider("wings", "commands of birds", lambda setup: Wings())


class Beak:
    """Says nothing of anything."""

    def of_command(self, command: str, tool: str = "", check: str = "") -> Judgement:
        return Judgement()

    def of_path(self, kind: str, path: str, tool: str = "") -> Judgement:
        return Judgement()

    def of_host(self, host: str, tool: str = "") -> Judgement:
        return Judgement()

    def of_tool(self, name: str) -> Judgement:
        return Judgement()


@hookimpl
def agentic_permissions() -> Iterable[Provider[Permissions]]:
    yield Provider("beak", "says nothing", lambda setup: Beak())


def _nest(setup: LauncherSetup) -> Launcher:
    nest: Launcher = setup.provider("sandbox")
    return nest


@hookimpl
def agentic_launchers() -> Iterable[Provider[Launcher]]:
    yield Provider("nest", "the builtin's", _nest)


@hookimpl
def agentic_safeguards() -> Iterable[Safeguard]:
    yield Safeguard("protected", "**/perch.toml", "the parrot sits on it")


@hookimpl
def agentic_command_launchers() -> Iterable[Provider[CommandLauncher]]:
    yield Provider("perch", "from a perch", lambda setup: Perch())


@hookimpl
def agentic_prompt_sections() -> Iterable[PromptSection]:
    yield PromptSection("parrot", "manners", lambda setup: "Be polite to parrots.", {"nano": 30, "small": 30, "full": 30})


async def _feed(argument: str, chat: Chat) -> None:
    chat.say(f"fed {argument or 'nuts'} in {chat.root.name}")


@hookimpl
def agentic_chat_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("feed", "[WHAT] feeds the parrot", _feed, lambda argument: ["nuts", "seeds"])


@hookimpl
async def agentic_after_tool(output: ToolOutput, tool: ToolSpec) -> ToolOutput | None:
    return replace(output, problems=("the parrot laughs",)) if tool.name == "squawk" else None
