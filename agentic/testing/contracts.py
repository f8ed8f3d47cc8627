"""The contracts of every transport, batcher, tool and renderer: subclass one in a test module, with `make` giving yours."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from inspect import isabstract
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, TextIO, TypeVar

from agentic import events
from agentic.errors import EndpointUnavailable
from agentic.hooks.batching import Batcher
from agentic.hooks.screen import Renderer
from agentic.hooks.tools import Tool
from agentic.hooks.transport import Transport
from agentic.lib.guard import Guard, contract_of, problem_with, problem_with_spec
from agentic.lib.workspace import Workspace
from agentic.types import Answer, ChatRequest, Delta, EndpointInfo, Message, ToolOutput

T = TypeVar("T")
_HI = ChatRequest((Message("user", "say hi"),), max_tokens=20)


def _guarded(made: Any, protocol: type) -> Any:
    """Wraps the object as the host does: what it returns is checked."""
    assert problem_with(made, protocol) == ""
    return Guard(made, contract_of(protocol), "the plugin", "mine")


async def _collected(stream: AsyncIterator[Delta]) -> list[Delta]:
    return [delta async for delta in stream]


class TransportContract:
    """`make` gives a transport whose first endpoint answers."""

    def make(self) -> Transport:
        raise NotImplementedError

    def _with(self, use: Callable[[Transport], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            transport: Transport = _guarded(self.make(), Transport)
            try:
                return await use(transport)
            finally:
                await transport.aclose()
                await transport.aclose()  # harmless twice

        return asyncio.run(main())

    def test_it_names_its_endpoints(self) -> None:
        endpoints = self.make().endpoints
        assert endpoints and all(isinstance(endpoint, str) for endpoint in endpoints)

    def test_a_probe_tells_what_is_served(self) -> None:
        info = self._with(lambda transport: transport.probe(transport.endpoints[0]))
        assert info.model
        assert info.window >= 0

    def test_an_answer_ends_with_a_finish_reason(self) -> None:
        deltas = self._with(lambda transport: _collected(transport.stream(_HI, transport.endpoints[0])))
        assert any(delta.finish_reason for delta in deltas), "without one, an answer that broke off cannot be told from a whole one"

    def test_an_answer_may_be_left_in_the_middle(self) -> None:
        async def leave(transport: Transport) -> None:
            stream: Any = transport.stream(_HI, transport.endpoints[0])
            await anext(stream)
            await stream.aclose()

        self._with(leave)


class ScriptedTransport:
    """Answers with the prompt's own words; a prompt that says "fail" gets EndpointUnavailable."""

    endpoints = ("scripted:one",)

    async def probe(self, endpoint: str) -> EndpointInfo:
        return EndpointInfo(endpoint, "scripted", 8192)

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        text = request.messages[-1].text
        await asyncio.sleep(0)
        if "fail" in text:
            raise EndpointUnavailable(f"{endpoint}: scripted to fail")
        yield Delta(text=text)
        yield Delta(finish_reason="stop")

    async def aclose(self) -> None:
        """There is no connection."""


class BatcherContract:
    """`make` gives a batcher over a transport."""

    def make(self, transport: Transport) -> Batcher:
        raise NotImplementedError

    def _batcher(self) -> Batcher:
        batcher: Batcher = _guarded(self.make(ScriptedTransport()), Batcher)
        return batcher

    def test_an_answer_comes_through_untouched(self) -> None:
        async def main() -> list[Delta]:
            return await _collected(self._batcher().submit(_HI))

        deltas = asyncio.run(main())
        assert "".join(delta.text for delta in deltas) == "say hi"
        assert deltas[-1].finish_reason == "stop"

    def test_many_answers_come_in_order_and_one_failure_is_nobody_elses(self) -> None:
        prompts = ["zero", "fail", "two"]

        async def main() -> list[Answer | Exception]:
            return await self._batcher().gather([ChatRequest((Message("user", prompt),)) for prompt in prompts])

        first, second, third = asyncio.run(main())
        assert isinstance(first, Answer) and first.message.text == "zero"
        assert isinstance(second, Exception)
        assert isinstance(third, Answer) and third.message.text == "two"

    def test_it_knows_what_is_served(self) -> None:
        async def main() -> EndpointInfo:
            return await self._batcher().info()

        assert asyncio.run(main()).model == "scripted"


class ToolContract:
    """`make` gives a tool, `arguments` are some that it takes; it is run in an empty folder."""

    arguments: ClassVar[Mapping[str, Any]] = {}

    def make(self) -> Tool:
        raise NotImplementedError

    def test_a_server_and_a_model_understand_its_spec(self) -> None:
        tool = self.make()
        assert problem_with(tool, Tool) == ""
        assert problem_with_spec(tool.spec, tool.spec.name) == ""
        assert set(self.arguments) <= set(tool.spec.parameters.get("properties", {}))

    def test_it_gives_an_output(self, tmp_path: Path) -> None:
        async def main() -> ToolOutput:
            tool: Tool = _guarded(self.make(), Tool)
            return await tool.run(self.arguments, Workspace(tmp_path))

        assert asyncio.run(main()).for_model


class RendererContract:
    """`make` gives a renderer that writes to `stdout`."""

    def make(self, stdout: TextIO) -> Renderer:
        raise NotImplementedError

    def test_it_takes_every_event_and_closes_twice(self) -> None:
        renderer: Renderer = _guarded(self.make(StringIO()), Renderer)
        for event in _one_of_each():
            renderer.handle(event)
        renderer.close()
        renderer.close()


_SAMPLES: dict[str, Any] = {"str": "text", "int": 1, "float": 0.5, "bool": True}


def _one_of_each() -> list[events.Event]:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event) and kind.type]
    return [kind(**{name: _sample(hint) for name, hint in kind.__annotations__.items()}) for kind in kinds if not isabstract(kind)]


def _sample(hint: Any) -> Any:
    if isinstance(hint, type) and hint.__name__ in _SAMPLES:
        return _SAMPLES[hint.__name__]
    text = str(hint)
    if text.startswith("dict"):
        return {"path": 1} if "int" in text else {"path": "a.py"}
    if text.startswith("tuple"):
        return ({"description": "a part"},) if "dict" in text else ("a",)
    return None
