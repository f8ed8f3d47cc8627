"""The next prompt as token ids: the earlier prompt's, the generated ones as they were, and what was said since, rendered here.

vLLM writes a call's header otherwise than the model did, so a prompt of messages breaks its prefix cache at every call. With ids no
generated token is computed twice, thoughts and calls stay where and as they were, and counting is addition.
"""

import logging
from array import array
from collections import OrderedDict, deque
from collections.abc import Sequence

from agentic import ChatRequest, Message
from agentic.lib.record import record
from plugins_builtin.vllm import harmony
from plugins_builtin.vllm.harmony_reader import CALL, END, RETURN, HarmonyReader

_log = logging.getLogger("agentic.exact")
MAX_SESSIONS = 64
MAX_TURNS = 4  # of a session: questions aside go out between two steps
Fingerprint = tuple[str, str]
"""What made the ids: (model, version of the server)."""


@record(frozen=True, slots=True)
class _Turn:
    """A request and its whole answer. `calls` are (id, recipient); `said` is (text, thoughts) where there are none."""

    request: ChatRequest
    by: Fingerprint
    prompt: "array[int]"
    made: "array[int]"
    calls: tuple[tuple[str, str], ...]
    said: tuple[str, str]

    def goes_on_in(self, request: ChatRequest) -> bool:
        """True if the request is this one with its answer, and more behind it."""
        count = len(self.request.messages)
        if len(request.messages) <= count or request.messages[:count] != self.request.messages:
            return False
        same = _made_of(request) == _made_of(self.request)
        return same and self._is_answer(request.messages[count])

    def _is_answer(self, message: Message) -> bool:
        if message.role != "assistant" or [call.id for call in message.tool_calls] != [id_ for id_, _ in self.calls]:
            return False
        return bool(self.calls) or (message.text.strip(), message.reasoning.strip()) == self.said


def _made_of(request: ChatRequest) -> tuple[object, ...]:
    """Returns the other parts of a request that a prompt depends on."""
    return request.tools, request.effort, request.model, request.response_format, request.extra


class ExactPrompts:
    """The exact prompts of one process.

    Nothing is kept of a server that answered to other ids than it was sent, or renders otherwise than we do.
    """

    def __init__(self, is_on: bool = True) -> None:
        self._is_on = is_on
        self._turns: OrderedDict[str, deque[_Turn]] = OrderedDict()
        self._off: dict[Fingerprint, str] = {}

    def ids(self, request: ChatRequest, by: Fingerprint) -> list[int] | None:
        """The whole prompt, None where it has to go as messages."""
        if not self._is_on or by in self._off or not request.session:
            return None
        for turn in reversed(self._turns.get(request.session, ())):
            if turn.by == by and turn.goes_on_in(request):
                rest = _rendered(request.messages[len(turn.request.messages) + 1 :], turn.calls)
                return None if rest is None else [*turn.prompt, *turn.made, *rest]
        return None

    def keep(self, request: ChatRequest, by: Fingerprint, prompt: Sequence[int], made: list[int], reader: HarmonyReader) -> None:
        """A whole answer, behind which the next request may go on; not behind a final: harmony drops the thoughts before it."""
        is_whole = bool(made) and made[-1] in (CALL, END, RETURN) and not (reader.has_final or reader.has_hidden)
        if by in self._off or not request.session or not prompt or not is_whole:
            return
        tokens = (*made[:-1], END) if made[-1] == RETURN else tuple(made)
        said = reader.text.strip(), reader.reasoning.strip()
        turn = _Turn(request, by, array("I", prompt), array("I", tokens), tuple(reader.calls), said)
        turns = self._turns.setdefault(request.session, deque(maxlen=MAX_TURNS))
        turns.append(turn)
        self._turns.move_to_end(request.session)
        while len(self._turns) > MAX_SESSIONS:
            self._turns.popitem(last=False)

    def compare(self, request: ChatRequest, by: Fingerprint, prompt: Sequence[int], sent: Sequence[int] | None) -> None:
        """Looks at the prompt that the server had: the ids that it was sent, or its rendering of messages, whose end we know."""
        if by in self._off or not prompt:
            return
        if sent is not None:
            if tuple(sent) != tuple(prompt):
                self.switch_off(by, "the server made a prompt of its own of the ids that it was sent")
            return
        count = next((place for place, each in enumerate(reversed(request.messages)) if each.role == "assistant"), 0)
        names = [(call.id, f"functions.{call.name}") for each in request.messages for call in each.tool_calls]
        rest = _rendered(request.messages[len(request.messages) - count :], names) if count else None
        if rest is not None and list(prompt[-len(rest) :]) != rest:
            self.switch_off(by, "the server renders a tool's result or the user's words otherwise than this does")

    def why_not(self, by: Fingerprint) -> str:
        """Why prompts go to it as messages, "" where they need not."""
        return self._off.get(by, "") if self._is_on else "llm.vllm.exact_prompts is off"

    def switch_off(self, by: Fingerprint, why: str) -> None:
        """From now on that server gets messages."""
        if by not in self._off:
            self._off[by] = why
            _log.info("prompts go as messages to %s: %s", by[0], why)


def _rendered(messages: Sequence[Message], calls: Sequence[tuple[str, str]]) -> list[int] | None:
    """Returns the ids of what was said since an answer and of the beginning of the next one.

    None for what has to be rendered by the server.
    """
    recipients = dict(calls)
    ids: list[int] = []
    for message in messages:
        if message.images or message.role == "assistant" or (message.role == "tool" and message.tool_call_id not in recipients):
            return None
        ids += harmony.message_ids(message, _author(recipients.get(message.tool_call_id, "")))
    return [*ids, *harmony.answer_start()]


def _author(recipient: str) -> str:
    """Who answers to a call: whom the model called, in the namespace that it may have left out."""
    return recipient if "." in recipient or recipient in ("python", "browser") else f"functions.{recipient}"
