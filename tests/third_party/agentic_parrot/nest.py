"""How parrots are asked for tool calls, what checks their work, and what they are told."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentic import (
    Addition,
    AgentKind,
    Asks,
    Change,
    Check,
    Checker,
    CheckResult,
    EndpointInfo,
    Failure,
    Message,
    ModelProfile,
    OutputRepair,
    PromptTemplate,
    Provider,
    RunnableFinder,
    Setup,
    ToolOutput,
    ToolProtocol,
    ToolSpec,
    Vocabulary,
    Workspace,
    hookimpl,
)
from agentic.trust import Runnable, digest_of


class Chirps:
    """The native protocol, for parrots: it is built on another plugin's, and fits parrots alone."""

    profile = ModelProfile(tools=("apply_patch",), temperature=0.25)

    def __init__(self, setup: Setup) -> None:
        self._native: ToolProtocol = setup.provider("native")
        self._word = setup.prompt("parrot.word")

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        return info.model.startswith("parrot")

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        return f"{self._native.instructions(tools)} {self._word}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)


class Feathers:
    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        return [Check("feathers", "The feathers", "test ! -e ruffled")] if (workspace.root / "feathers").exists() else []

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        return CheckResult("fails", (Failure("feathers", "a feather is ruffled"),)) if output.failed else CheckResult("passes")


class Tidied:
    def repair(self, answer: Message, tools: Sequence[ToolSpec]) -> Message:
        return replace(answer, content=answer.text.replace("(squawk)", "").strip()) if "(squawk)" in answer.text else answer


def _tokens_for(model: str) -> Callable[[str], int] | None:
    return len if model.startswith("parrot") else None


def _chirps(setup: Setup) -> ToolProtocol:
    return Chirps(setup)


def _feathers(setup: Setup) -> Checker:
    return Feathers()


def _tidied(setup: Setup) -> OutputRepair:
    return Tidied()


@hookimpl
def agentic_tool_protocols() -> Iterable[Provider[ToolProtocol]]:
    yield Provider("chirps", "native calls for parrots", _chirps, automatic=1)


@hookimpl
def agentic_checkers() -> Iterable[Provider[Checker]]:
    yield Provider("feathers", "whether no feather is ruffled", _feathers)


@hookimpl
def agentic_output_repairs() -> Iterable[Provider[OutputRepair]]:
    yield Provider("squawks", "takes squawks out of answers", _tidied)


@hookimpl
def agentic_vocabularies() -> Iterable[Vocabulary]:
    yield Vocabulary("letters", "a token for each letter", _tokens_for)


@hookimpl
def agentic_prompts() -> Iterable[PromptTemplate]:
    yield PromptTemplate("parrot.word", "Polly says: one call at a time.")
    yield PromptTemplate("turn.empty", "Say a word, Polly.", replaces="prompts")


def _eggs(root: Path) -> Sequence[Runnable]:
    return (
        [Runnable("egg", "speckled", "egg.sh", "sh egg.sh", digest_of(root, "egg", ["egg.sh"]))]
        if (root / "egg.sh").exists()
        else []
    )


@hookimpl
def agentic_agents() -> Iterable[AgentKind]:
    yield AgentKind("fledgling", "only looks", "You are a young bird: look, and touch nothing.", reads_only=True)


@hookimpl
def agentic_runnables() -> Iterable[RunnableFinder]:
    yield RunnableFinder("eggs", "what hatches", _eggs)


@hookimpl
async def agentic_before_task(task: str, first: bool) -> Addition | None:
    return Addition(refused="parrots do not whistle") if "whistle" in task else None


@hookimpl
async def agentic_before_end(result: str, times: int) -> str | None:
    return "Say goodbye." if "farewell" in result and not times else None
