"""How a model is asked for tool calls, and what is true of a model: chosen once, by probing and by how it went since."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from agentic.hooks import Provider, hookspec
from agentic.hooks.choosing import ChoiceSetup, Chooser
from agentic.lib.families import Family
from agentic.lib.record import record
from agentic.types import Answer, ChatRequest, EndpointInfo, Message, ToolCall, ToolOutput, ToolSpec


@record(frozen=True)
class ModelProfile:
    """The ways in which the host treats a model differently; the defaults are for one that can hold a conversation with tools.

    `brief`: it is told in a few words, and nothing that it was not asked about. `failures_first`: what fails is shown before it
    begins. `restarts`: how often its task is begun anew where the checks find something wrong, instead of telling it so.
    `says_and_does`: an answer that only acts may be its last. `unreadable`: how many answers in a row may be of no use.
    `long_answers`: each may take all that the window has left. The others go on for one minor version: they are a `Family`'s now.
    """

    brief: bool = False
    failures_first: bool = False
    restarts: int = 0
    says_and_does: bool = False
    unreadable: int = 3
    long_answers: bool = False
    temperature: float | None = None
    top_p: float | None = None
    efforts: tuple[tuple[str, str], ...] = ()
    tools: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()


@record(frozen=True)
class Turn:
    """The calls that an answer asks for. With no calls and no problem, it is the final word.

    `problem` goes back to the model where its answer could not be read. `message` is what history keeps.
    """

    message: Message
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    problem: str = ""


class Asks(Protocol):
    """Asks the model outside any conversation."""

    async def ask(self, request: ChatRequest) -> Answer | None:
        """The answer as it came; None where the server or its model cannot do this kind of request. Raises AgenticError."""
        ...


class ToolProtocol(Protocol):
    """A way of calling tools, one object per agent: it may remember what its conversation was about."""

    @property
    def profile(self) -> ModelProfile:
        """The profile of the models that it is made for."""
        ...

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        """True if this model can be asked in this way; found out once, and kept."""
        ...

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        """Returns the part of the system text about tools."""
        ...

    def begin(self, task: str, files: Sequence[str]) -> str:
        """A task begins, or begins anew with these files to correct. What is said again behind it, "" for nothing."""
        ...

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        """The request with whatever the server needs to know about tools."""
        ...

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        """Reads what the answer asks for; `cut_off` when it ran into the token limit."""
        ...

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        """The messages that tell the model what its calls gave. The host adds to each what it is a result of (`Message.notes`)."""
        ...


class OutputRepair(Protocol):
    """Reads what models write when they mean a tool call or an answer and miss the form."""

    def repair(self, answer: Message, tools: Sequence[ToolSpec]) -> Message:
        """The answer as it was meant, where that is certain: calls as calls under these tools' names, control words gone."""
        ...


class RepairProvider(Provider[OutputRepair]):
    """A provider of a repair, which `agentic_models` tells by its class from one of a protocol."""


@record(frozen=True)
class Vocabulary:
    """Counts a text's tokens as some models do, for estimates. `tokens_for(model)` gives the counting function.

    It gives None for models that it does not know; it raises AgenticError, saying what is missing, where it could know one.
    """

    name: str
    summary: str
    tokens_for: Callable[[str], Callable[[str], int] | None]


@record(frozen=True, slots=True, kw_only=True)
class ProtocolChoice(ChoiceSetup):
    """`model` can be asked, `info` says which it is."""

    model: Asks
    info: EndpointInfo


@hookspec
def agentic_models() -> Iterable[Provider[ToolProtocol] | RepairProvider | Vocabulary | Family | Chooser]:
    """Offers what a family of models needs: its facts, the protocol of its tool calls, repairs of its answers, its vocabulary.

    A protocol is selected by `tools.protocol`, or by the Chooser of that name, which gets a `ProtocolChoice`. Each repair looks at
    every answer before the protocol does, in the order of their names. The first vocabulary that knows the model counts.
    The first `Family` whose name fits what is served is the model's.
    """
    raise NotImplementedError
