"""The admission batcher with the real transport, against servers that misbehave on purpose."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import ChatRequest, ContextOverflow, Delta, EndpointInfo, EndpointLoad, Lane, Message, ToolSpec, types
from agentic.config.schema import EndpointSettings
from agentic.events import EndpointSeen, Event, Failover
from agentic.lib.wire import AnswerBuilder
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, error, settings_with, tool_call
from plugins_builtin.batching.admission import Admission
from plugins_builtin.batching.endpoint import Cost, Endpoint
from plugins_builtin.batching.limit import STAGE_SECONDS, Limit
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.transport import VllmTransport
from tests.conftest import Agentic
from tests.plugins_builtin.test_reaching import LLAMA_CPP

STORY = "once upon a time there was a lighthouse that nobody had lit for years"
TOOL = ToolSpec("look", "looks", {"type": "object", "properties": {}})


def broken(text: str, after: int, **options: Any) -> ScriptedAnswer:
    """The answer breaks off after so many words."""
    return replace(answer(text, **options), fault="reset", fault_after=after + 1)


class Client:
    """A batcher over real connections. `failovers` and `seen` are what it told."""

    def __init__(self, *servers: FakeVLLM, places: int = 4, hold: float = 0.1) -> None:
        self.failovers: list[Failover] = []
        self.seen: list[EndpointSeen] = []
        self.transport = VllmTransport(settings_with({"llm.endpoints": [server.url for server in servers]}).llm, VllmOptions())
        self.batcher = Admission(self.transport, self._emit, places, hold, retry_seconds=1.0)

    async def _emit(self, event: Event) -> None:
        if isinstance(event, Failover):
            self.failovers.append(event)
        elif isinstance(event, EndpointSeen):
            self.seen.append(event)

    async def ask(self, text: str = "hi", lane: Lane = Lane.INTERACTIVE, **fields: Any) -> AnswerBuilder:
        built = AnswerBuilder()
        async for delta in self.batcher.submit(ChatRequest((Message("user", text),), **fields), lane):
            built.add(delta)
        return built

    def run(self, work: Callable[["Client"], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            try:
                await self.batcher.info()
                return await work(self)
            finally:
                await self.transport.aclose()

        return asyncio.run(main())


@pytest.fixture
def pair() -> Iterator[tuple[FakeVLLM, FakeVLLM]]:
    with FakeVLLM() as one, FakeVLLM() as other:
        yield one, other


def serving(one: FakeVLLM, other: FakeVLLM, session: str, **fields: Any) -> tuple[FakeVLLM, FakeVLLM]:
    """(the endpoint that a session's requests go to, the other)."""

    async def ask(client: Client) -> None:
        await client.ask(session=session, **fields)

    Client(one, other).run(ask)
    pair = (one, other) if one.chats else (other, one)
    for server in pair:
        server.requests.clear()
    return pair


@pytest.mark.parametrize("after", [1, 5, 13])
def test_a_broken_answer_goes_on_elsewhere_word_for_word(agentic: Agentic, pair: tuple[FakeVLLM, FakeVLLM], after: int) -> None:
    for server in pair:  # whichever is asked first breaks off
        server.otherwise = lambda request: broken(STORY, after) if request.path.endswith("chat/completions") else answer(STORY)
    done = agentic("ask", "tell", *(word for server in pair for word in ("--endpoint", server.url)))
    assert (done.code, done.out) == (0, f"{STORY}\n")
    assert "going on with" in done.err
    rest = [request for server in pair for request in server.requests if request.path == "/v1/completions"]
    assert len(rest) == 1


def test_the_rest_is_asked_for_by_token_numbers(pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    home, other = serving(*pair, session="s")
    home.script(broken(STORY, 5))
    other.say(STORY)
    client = Client(*pair)

    async def ask(client: Client) -> AnswerBuilder:
        return await client.ask(session="s", max_tokens=100)

    built = client.run(ask)
    assert built.message().content == STORY
    (rest,) = other.requests_to("/v1/completions")
    assert rest.json["max_tokens"] == 95
    assert rest.json["prompt"][-5:] != rest.json["prompt"][:5]
    assert len(rest.json["prompt"]) == built.usage.prompt_tokens + 5
    (told,) = client.failovers
    assert (told.from_, told.to, told.partial) == (home.url, other.url, 0)
    assert told.resumed == len("once upon a time there ")


def test_with_tools_the_servers_own_parser_reads_the_rest_and_a_partial_call_is_asked_again(
    pair: tuple[FakeVLLM, FakeVLLM],
) -> None:
    home, other = serving(*pair, session="s", tools=(TOOL,))
    whole = answer("I look ", tool_calls=tool_call("look", {"where": "everywhere"}))
    home.script(replace(whole, fault="reset", fault_after=5))
    other.script(whole)

    async def ask(client: Client) -> AnswerBuilder:
        return await client.ask(session="s", tools=(TOOL,))

    message = Client(*pair).run(ask).message()
    (rest,) = other.chats
    assert len(rest.json["kv_transfer_params"]["prompt_token_ids"]) > 2
    assert message.content == "I look "
    assert [(call.name, json.loads(call.arguments)) for call in message.tool_calls] == [("look", {"where": "everywhere"})]


@pytest.mark.parametrize("how", ["ignores the numbers", "has no such route"])
def test_a_server_that_cannot_resume_begins_anew(how: str) -> None:
    with FakeVLLM() as one, FakeVLLM(resumes=False, missing=["/v1/completions"] if "route" in how else ()) as other:
        one.script(broken(STORY, 5))
        other.otherwise = lambda request: answer(STORY)

        async def ask(client: Client) -> tuple[str, int]:
            restarts = 0
            built = AnswerBuilder()
            for session in "abcdefghijklmnop":  # one of them begins at the first server
                built = AnswerBuilder()
                async for delta in client.batcher.submit(ChatRequest((Message("user", "hi"),), session=session)):
                    restarts += delta.restart
                    built.add(delta)
                if restarts:
                    break
            return built.message().content, restarts

        one.otherwise = lambda request: answer(STORY)
        text, restarts = Client(one, other).run(ask)
        assert (text, restarts) == (STORY, 1)


def test_an_answer_that_breaks_off_again_and_again_is_whole_in_the_end(pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    for server in pair:
        server.otherwise = lambda request: broken(STORY, 4)

    async def ask(client: Client) -> AnswerBuilder:
        return await client.ask(session="s", tools=(TOOL,))

    client = Client(*pair)
    assert client.run(ask).message().content == STORY
    assert all(failover.partial == 0 for failover in client.failovers)


def test_an_event_names_the_endpoint_that_a_request_goes_to(agentic: Agentic, pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    endpoints = [word for server in pair for word in ("--endpoint", server.url)]
    for _ in range(4):
        done = agentic("run", "hi", *endpoints, "--output", "jsonl", "-c", "tools.protocol=native")
        (request,) = done.of_type("llm_request")
        (asked,) = [server for server in pair if server.chats]
        assert request["endpoint"] == asked.url
        asked.requests.clear()


def test_an_endpoint_that_died_between_two_requests_costs_no_word(pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    home, other = serving(*pair, session="s")

    async def ask(client: Client) -> list[str]:
        first = await client.ask(session="s")
        home.close()
        return [first.message().content, (await client.ask(session="s")).message().content]

    client = Client(*pair)
    assert client.run(ask) == ["ok", "ok"]
    assert len(other.chats) == 1


def test_one_that_comes_back_is_used_again() -> None:
    with FakeVLLM() as one, FakeVLLM() as other:
        home, stays = serving(one, other, session="s")
        port = home.port

        async def ask(client: Client) -> None:
            await client.ask(session="s")
            home.close()
            await client.ask(session="s")
            with FakeVLLM(port=port) as again:
                for turn in range(100):  # the breaker asks for it after a second or so, while there is work
                    stays.script(answer("slow", pause=0.02))
                    await client.ask("another", session=f"t{turn}")
                    await client.ask(session="s")
                    if again.chats:
                        return
                raise AssertionError("never used again")

        Client(one, other).run(ask)


def test_requests_beyond_the_queue_of_a_server_wait_for_their_turn() -> None:
    with FakeVLLM(queue_limit=8) as server:
        server.otherwise = lambda request: answer("a b c", pause=0.01)

        async def ask(client: Client) -> list[types.Answer | Exception]:
            requests = [ChatRequest((Message("user", str(number)),)) for number in range(32)]
            return await client.batcher.gather(requests)

        answers = Client(server, places=16).run(ask)
        assert [each.message.text for each in answers if isinstance(each, types.Answer)] == ["a b c"] * 32
        assert server.most_running <= 8


def test_the_urgent_lane_goes_first_and_takes_no_place_from_itself() -> None:
    with FakeVLLM() as server:
        server.otherwise = lambda request: answer("word " * 20, pause=0.005)

        async def ask(client: Client) -> list[str]:
            ended: list[str] = []

            async def one(name: str, lane: Lane) -> None:
                await client.ask(name, lane)
                ended.append(name)

            background = [asyncio.ensure_future(one(f"b{number}", Lane.BACKGROUND)) for number in range(6)]
            await asyncio.sleep(0)
            await asyncio.gather(one("now", Lane.INTERACTIVE), *background)
            return ended

        ended = Client(server, places=1).run(ask)
        assert ended.index("now") <= 1


def test_parallel_requests_leave_together() -> None:
    with FakeVLLM() as server:
        server.otherwise = lambda request: answer("a b", pause=0.05)

        async def ask(client: Client) -> list[types.Answer | Exception]:
            return await client.batcher.gather([ChatRequest((Message("user", str(number)),)) for number in range(4)])

        Client(server).run(ask)
        assert server.most_running == 4


def test_votes_go_out_as_one_request_and_one_by_one_where_there_is_no_such_route() -> None:
    votes = [ChatRequest((Message("user", str(number)),), max_tokens=5) for number in range(18)]

    async def ask(client: Client) -> list[types.Answer | Exception]:
        return await client.batcher.gather(votes, Lane.BACKGROUND)

    def echo(request: Any) -> ScriptedAnswer:
        return answer(request.json["messages"][0]["content"])

    for missing, singles, batches in ((), 0, 2), (("/v1/chat/completions/batch",), 18, 2):
        with FakeVLLM(missing=missing) as server:
            server.otherwise = echo
            answers = Client(server).run(ask)
            assert [each.message.text for each in answers if isinstance(each, types.Answer)] == [
                str(number) for number in range(18)
            ]
            assert (len(server.chats), len(server.requests_to("/v1/chat/completions/batch"))) == (singles, batches)


def test_a_conversation_stays_where_its_cache_is(pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    async def ask(client: Client) -> None:
        for turn in range(5):
            await asyncio.gather(*(client.ask(f"turn {turn} " + "x" * 400, session=f"s{number}") for number in range(8)))

    Client(*pair).run(ask)
    homes = [{request.headers["x-session-id"] for request in server.chats} for server in pair]
    assert not homes[0] & homes[1]
    assert min(map(len, homes)) >= 2


def test_a_request_only_goes_where_it_fits() -> None:
    with FakeVLLM(window=1000) as narrow, FakeVLLM(window=8000) as wide:

        async def ask(client: Client) -> None:
            await asyncio.sleep(0.05)
            for number in range(6):
                await client.ask("x " * 3000, session=f"s{number}")

        Client(narrow, wide).run(ask)
        assert len(wide.chats) == 6
        with pytest.raises(ContextOverflow):
            Client(narrow).run(ask)


def test_priorities_are_sent_only_to_servers_that_schedule_by_them(server: FakeVLLM) -> None:
    async def ask(client: Client) -> None:
        await client.ask(lane=Lane.BACKGROUND)

    Client(server).run(ask)
    assert "priority" not in server.chats[0].json


def test_cancelling_closes_the_connection(server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("word " * 500, pause=0.01)

    async def ask(client: Client) -> None:
        task = asyncio.ensure_future(client.ask())
        await asyncio.to_thread(server.wait_for, lambda: server.running == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.wait_for, lambda: server.running == 0, 5.0)

    Client(server).run(ask)


def test_the_prefix_is_warmed_on_every_endpoint_once(pair: tuple[FakeVLLM, FakeVLLM]) -> None:
    fixed = ChatRequest((Message("system", "rule " * 200), Message("user", ".")), session="s")

    async def ask(client: Client) -> None:
        await client.ask()  # both are known now
        await asyncio.sleep(0.05)
        await client.batcher.warm(fixed)
        await client.batcher.warm(fixed)

    Client(*pair).run(ask)
    warmed = [[each for each in server.requests_to("/v1/chat/completions") if each.json.get("max_tokens") == 1] for server in pair]
    assert list(map(len, warmed)) == [1, 1]


def test_preemption_halves_the_places(server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("word " * 60, pause=0.02)

    async def ask(client: Client) -> None:
        async def preempt() -> None:
            await asyncio.sleep(0.6)
            server.metrics = {"num_preemptions_total": 3, "num_requests_running": 1}

        await asyncio.gather(preempt(), *(client.ask(str(number)) for number in range(4)))

    client = Client(server)
    client.run(ask)
    assert client.seen[0].places >= 4
    assert client.seen[-1].places == 2


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_places_double_as_long_as_that_pays() -> None:
    clock = Clock()
    limit = Limit(4, clock)

    def stage(rate: float) -> int:
        for _ in range(100):
            limit.first_token()
        reached = limit.value
        clock.now += STAGE_SECONDS
        limit.token(int(rate * STAGE_SECONDS))
        limit.judge()
        return reached

    assert stage(1000) == 8
    assert stage(1800) == 16
    assert stage(1850) == 32  # hardly more than before
    assert limit.value == 16
    limit.first_token()
    assert limit.value == 16


@given(
    st.lists(st.one_of(st.just("first"), st.just("judge"), st.integers(0, 100), st.floats(0, 5)), max_size=200), st.integers(1, 100)
)
def test_there_is_always_a_place_and_never_more_than_the_most(steps: list[Any], first: int) -> None:
    clock = Clock()
    limit = Limit(first, clock, 64)
    for step in steps:
        if step == "first":
            limit.first_token()
        elif step == "judge":
            limit.judge()
        elif isinstance(step, int):
            limit.trouble(step)
        else:
            clock.now += step
            limit.token(int(step * 10))
        assert 1 <= limit.value <= max(64, first)


def test_an_endless_refusal_is_told(server: FakeVLLM) -> None:
    server.otherwise = lambda request: error(503, "busy", "ServiceUnavailableError")

    async def ask(client: Client) -> list[Delta]:
        return [delta async for delta in client.batcher.submit(ChatRequest((Message("user", "hi"),)))]

    with pytest.raises(Exception, match="overloaded"):
        Client(server).run(ask)


def load_of(number: int) -> EndpointLoad:
    return EndpointLoad(2, 0, 0.5, 7 * number, 1000 * number, 100 * number, 5000 * number)


def test_counters_that_run_backwards_are_a_routers_and_tell_nothing() -> None:
    """Three servers in turn: the first step up looks like preemptions, until one down shows what it is."""
    endpoint = Endpoint("http://x/v1", 8)
    for number in (0, 1, 2, 0):
        endpoint.saw(load_of(number))
    limit = endpoint.limit.value
    for number in (1, 2, 0, 2, 1):
        endpoint.saw(load_of(number))
    assert endpoint.limit.value == limit and endpoint.seen().kv_usage is None
    for _ in range(limit):
        endpoint.began(0.01, others_wait=True)
    assert endpoint.limit.value == 2 * limit


@pytest.mark.parametrize(
    ("told", "most"), [(2, 2), (3, 3), (0, 4), (-1, 4), (True, 4), ("many", 4)]
)  # with what it cannot mean as if it had said nothing
def test_a_llama_cpp_gets_as_many_requests_as_it_has_slots(server: FakeVLLM, told: object, most: int) -> None:
    server.models, server.missing, server.pages = LLAMA_CPP, ["/metrics"], {"/props": {"total_slots": told}}
    server.otherwise = lambda request: answer(STORY, pause=0.02)

    async def ask(client: Client) -> None:
        await asyncio.gather(*(client.ask(f"{number}") for number in range(8)))

    Client(server, places=4).run(ask)
    assert server.most_running == most if most < 4 else server.most_running >= most


def test_a_server_that_tells_its_places_keeps_them_when_a_prompt_takes_long() -> None:
    """Slots of a llama.cpp share no cache: an answer begins at once in one of them, and many times later in another."""
    endpoint, work = Endpoint("http://x/v1", 8), Cost(ChatRequest((Message("user", "hi"),)))
    endpoint.info = EndpointInfo(endpoint.url, "m", places=4)
    endpoint.tells_nothing()
    for _ in range(4):
        assert endpoint.has_slot(Lane.SUB_AGENT)
        endpoint.enter(work, Lane.SUB_AGENT)
    for seconds in (0.7, 16.5, 16.5, 16.5):
        endpoint.began(seconds, others_wait=False)
    assert not endpoint.has_slot(Lane.SUB_AGENT)
    endpoint.leave(endpoint.outstanding // 4, Lane.SUB_AGENT)
    assert endpoint.has_slot(Lane.SUB_AGENT) and endpoint.seen().places == 4


def test_a_server_that_refuses_has_fewer_places_than_it_tells() -> None:
    """A proxy before a llama.cpp, or another client of it: what is refused is not sent again while nothing ended."""
    endpoint, work = Endpoint("http://x/v1", 4), Cost(ChatRequest((Message("user", "hi"),)))
    endpoint.info = EndpointInfo(endpoint.url, "m", places=4)
    for _ in range(2):
        endpoint.enter(work, Lane.INTERACTIVE)
    endpoint.overloaded(0, 0)
    assert not endpoint.has_slot(Lane.INTERACTIVE)


def test_the_user_may_want_fewer_requests_than_a_server_has_places_for() -> None:
    endpoint = Endpoint("http://x/v1", 8, settings=EndpointSettings(max_in_flight=2))
    endpoint.info = EndpointInfo(endpoint.url, "m", places=4)
    assert endpoint.places == 2


def test_a_server_that_starts_again_counts_anew() -> None:
    endpoint = Endpoint("http://x/v1", 8)
    endpoint.saw(load_of(3))
    endpoint.failed()
    endpoint.answered()
    endpoint.saw(load_of(0))
    endpoint.saw(load_of(1))
    assert endpoint.seen().kv_usage == 0.5
