"""Endpoints as tables, behind a name, and as they come and go."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentic.config import Settings, load
from agentic.config.layers import Layer
from agentic.core.endpoints import Endpoints
from agentic.errors import ConfigError
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer
from agentic.types import ChatRequest, Message
from plugins_builtin.batching.admission import Admission
from plugins_builtin.vllm.options import VllmOptions
from plugins_builtin.vllm.transport import VllmTransport
from tests.conftest import Agentic


def configure(home: Path, text: str) -> None:
    path = home / ".config/agentic/config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def lines(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps({"prompt": f"{number}"}) + "\n" for number in range(count)))
    return path


def slow(request: Request) -> ScriptedAnswer:
    return answer("one two", pause=0.02)


def test_each_endpoint_has_its_own_key_model_and_limit(agentic: Agentic, home: Path, work: Path) -> None:
    with FakeVLLM("one", api_key="first") as one, FakeVLLM("one", api_key="second") as two:
        one.otherwise = two.otherwise = slow
        configure(
            home,
            f'[[llm.endpoint]]\nurl = "{one.url}"\napi_key_env = "KEY_ONE"\nmax_in_flight = 2\n'
            f'[[llm.endpoint]]\nurl = "{two.url}/"\napi_key_env = "KEY_TWO"\nmodel = "one"\n',
        )
        keys = {"KEY_ONE": "first", "KEY_TWO": "second"}
        done = agentic("batch", str(lines(work / "in.jsonl", 60)), "-o", "out.jsonl", more=keys)
        assert done.code == 0, done.err
        assert one.chats and two.chats and len(one.chats) + len(two.chats) == 60
        assert one.most_running <= 3 < two.most_running
        assert one.metrics == {}  # asked with the key, too: a refusal would count as silence
        one.requests.clear()
        assert agentic("ask", "hi", "--endpoint", one.url, more=keys).out.strip() == "one two"
        assert len(one.chats) == 1
        lacking = agentic("ask", "hi", more={"KEY_ONE": "first"})
        assert lacking.code == 2 and "KEY_TWO" in lacking.err
        shown = agentic("config", "show", "llm.endpoint", more=keys).out
        assert "KEY_ONE" in shown and "first" not in shown


def test_a_heavier_endpoint_does_more(agentic: Agentic, home: Path, work: Path) -> None:
    with FakeVLLM() as one, FakeVLLM() as two:
        one.otherwise = two.otherwise = slow
        tables = f'[[llm.endpoint]]\nurl = "{one.url}"\nweight = 3\n[[llm.endpoint]]\nurl = "{two.url}"\n'
        configure(home, tables + "[batching]\nmax_in_flight = 12\nbatch_size = 4\n")
        assert agentic("batch", str(lines(work / "in.jsonl", 160)), "-o", "out.jsonl").code == 0
        assert len(one.chats) > 1.5 * len(two.chats) > 0  # three times, as far as the machine lets both be asked


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[llm.endpoint]]\nweight = 2\n", "url"),
        ('[[llm.endpoint]]\nurl = "http://a/v1"\nwieght = 2\n', "wieght"),
        ('[[llm.endpoint]]\nurl = "http://a/v1"\nweight = 0\n', "weight"),
        ('[[llm.endpoint]]\nurl = "http://a/v1"\n[[llm.endpoint]]\nurl = "http://a/v1"\n', "of its own"),
        ('[llm]\nendpoint = ["http://a/v1"]\n', "table"),
        ('[llm]\nendpoint = "http://a/v1"\n', "list of tables"),
        ('[llm]\nendpoints = ["http://b/v1"]\n[[llm.endpoint]]\nurl = "http://a/v1"\n', "leave out"),
        ('[[llm.endpoint]]\nurl = "https://a/v1"\nall_addresses = true\n', "all_addresses"),
    ],
)
def test_a_wrong_table_is_one_line(agentic: Agentic, home: Path, text: str, what: str) -> None:
    configure(home, text)
    done = agentic("ask", "hi")
    assert done.code == 2 and what in done.err and len(done.err.splitlines()) == 2, done.err


def test_a_project_names_no_endpoint() -> None:
    tables = {"llm.endpoint": [{"url": "http://evil/v1"}], "llm.endpoints": ["http://evil/v1"]}
    settings = Settings([Layer("repo", tables, trusted=False)])
    assert "evil" not in str(settings.values) and len(settings.ignored) == 2


def test_a_later_layer_chooses_among_tables_and_sets_tables_of_its_own() -> None:
    user = Layer("user", {"llm.endpoint": [{"url": "http://a/v1", "weight": 2}, {"url": "http://b/v1"}]})
    assert Settings([user]).llm.endpoints == ("http://a/v1", "http://b/v1")
    chosen = Settings([user, Layer("command line", {"llm.endpoints": ["http://a/v1/"]})]).llm
    assert (chosen.endpoints, chosen.of(chosen.endpoints[0]).weight) == (("http://a/v1/",), 2)
    text = Settings([user, Layer("environment", texts={"AGENTIC_LLM_ENDPOINT": '[{url = "http://c/v1"}]'})])
    assert text.llm.endpoints == ("http://c/v1",)


def test_config_set_writes_tables(agentic: Agentic, home: Path) -> None:
    assert agentic("config", "set", "--user", "llm.endpoint", '[{url = "http://a/v1", weight = 2.0}]').code == 0
    assert "http://a/v1" in agentic("config", "show", "llm.endpoints").out


def addresses(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    """A DNS of one name."""

    def look(host: str, port: int, **more: Any) -> list[Any]:
        if not found:
            raise OSError("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in (*found, found[0])]

    monkeypatch.setattr(socket, "getaddrinfo", look)


def test_each_address_of_a_name_is_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["10.0.0.2", "10.0.0.1"]
    addresses(monkeypatch, found)
    table = {"url": "http://vllm.svc:8000/v1", "all_addresses": True, "weight": 2.0}
    endpoints = Endpoints(Settings([Layer("user", {"llm.endpoint": [table, {"url": "http://one/v1"}]})]))

    def urls() -> tuple[str, ...]:
        return asyncio.run(endpoints.look()).llm.endpoints

    assert urls() == ("http://10.0.0.1:8000/v1", "http://10.0.0.2:8000/v1", "http://one/v1")
    llm = asyncio.run(endpoints.look()).llm
    assert llm.of("http://10.0.0.2:8000/v1").weight == 2.0
    found.clear()  # a name server that is away for a while takes no endpoint away
    assert len(urls()) == 3
    found.append("::1")
    assert urls() == ("http://[::1]:8000/v1", "http://one/v1")
    found.clear()
    fresh = Endpoints(Settings([Layer("user", {"llm.endpoint": [table]})]))
    assert asyncio.run(fresh.look()).llm.endpoints == ("http://vllm.svc:8000/v1",)


def test_endpoints_come_and_go_while_requests_are_in_flight() -> None:
    def llm(*servers: FakeVLLM) -> Any:
        return Settings([Layer("user", {"llm.endpoints": [server.url for server in servers]})]).llm

    async def nowhere(event: Any) -> None: ...

    async def scenario(one: FakeVLLM, two: FakeVLLM) -> None:
        transport = VllmTransport(llm(one), VllmOptions())
        batcher = Admission(transport, nowhere, 4, 0.1, retry_seconds=1.0)
        request = ChatRequest((Message("user", "hi"),))
        await batcher.info()
        running = asyncio.ensure_future(batcher.gather([request] * 8))
        await asyncio.to_thread(one.wait_for, lambda: one.running == 4)
        for follower in (transport, batcher):
            follower.follow(llm(two))
        answers = await running
        assert [getattr(each, "message", each).text for each in answers] == ["one two three"] * 8
        assert len(one.chats) == 4 and len(two.chats) == 4
        for follower in (transport, batcher):
            follower.follow(llm(one, two))
        assert transport.endpoints == (one.url, two.url)
        await batcher.aclose()
        await transport.aclose()

    with FakeVLLM() as one, FakeVLLM() as two:
        one.otherwise = two.otherwise = lambda request: answer("one two three", pause=0.1)
        asyncio.run(scenario(one, two))


def test_settings_are_read_again_from_where_they_stood(work: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    configure(home, '[llm]\nendpoints = ["http://a/v1"]\n')
    settings = load(work, {"batching.batch_size": 3})
    configure(home, '[llm]\nendpoints = ["http://b/v1"]\n')
    again = settings.again()
    assert (again.llm.endpoints, again.batching.batch_size) == (("http://b/v1",), 3)
    configure(home, "[llm\n")
    with pytest.raises(ConfigError):
        again.again()


def test_a_hangup_without_a_terminal_reads_the_endpoints_again(home: Path, work: Path, env: dict[str, str]) -> None:
    """As in a container or a batch system."""
    with FakeVLLM() as one, FakeVLLM() as two:
        one.otherwise = two.otherwise = lambda request: answer("one two three", pause=0.05)
        configure(home, f'[llm]\nendpoints = ["{one.url}"]\n[batching]\nmax_in_flight = 2\nbatch_size = 2\n')
        words = [sys.executable, "-m", "agentic", "batch", str(lines(work / "in.jsonl", 60)), "-o", "out.jsonl"]
        process = subprocess.Popen(
            words, cwd=work, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert one.wait_for(lambda: len(one.chats) > 4)
        configure(home, "[llm\n")
        os.kill(process.pid, signal.SIGHUP)
        seen = len(one.chats)
        assert one.wait_for(lambda: len(one.chats) > seen + 4)
        configure(home, f'[llm]\nendpoints = ["{two.url}"]\n')
        os.kill(process.pid, signal.SIGHUP)
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 0, err
        assert "the endpoints are as before" in err
        assert two.chats and len(one.chats) + len(two.chats) == 60
