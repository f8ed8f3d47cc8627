"""`agentic top`: the servers, also those that somebody else keeps busy."""

import json
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from agentic import EndpointLoad
from agentic.lib.palette import PLAIN
from agentic.testing import FakeVLLM, answer
from plugins_builtin.vllm.top import ServerRow, panel, spark
from tests.conftest import Agentic
from tests.terminal import terminal


@given(st.lists(st.floats(0, 1e9), max_size=80), st.integers(0, 70), st.booleans())
def test_a_line_has_its_width_and_its_largest_value_the_highest_bar(values: list[float], width: int, ascii_only: bool) -> None:
    line = spark(values, width, ascii_only)
    assert len(line) == width
    shown = values[-width:] if width else []
    if shown and max(shown) > 0:
        assert ("#" if ascii_only else "█") in line


def test_numbers_a_second_are_those_between_two_looks() -> None:
    server = ServerRow("http://localhost:8001/v1", ours={"interactive": 1})
    before = EndpointLoad(1, 0, 0.1, 3, 1_000, 500, 200, first_tokens=2, first_token_seconds=1.0)
    server.see(EndpointLoad(4, 2, 0.5, 5, 3_000, 2_300, 700, first_tokens=4, first_token_seconds=1.6), before, 2.0)
    assert (server.tokens_per_second, server.prompt_per_second, server.hit_rate) == (250, 1_000, 0.9)
    assert (server.preemptions, server.ttft, server.others) == (2, pytest.approx(0.3), 5)
    server.see(EndpointLoad(0, 0, generated_tokens=1), before, 1.0)  # it was started anew
    assert server.tokens_per_second == 250


@given(st.integers(26, 220))
def test_the_lines_fit_the_terminal(width: int) -> None:
    server = ServerRow("http://localhost:8001/v1", "m", "0.32", "", ours={"interactive": 3})
    history = {"running": deque([1.0, 5.0]), "kv_usage": deque([0.5])}
    assert all(cell_len(line) <= width for line in panel(server, history, width, PLAIN))


@pytest.fixture
def busy(server: FakeVLLM) -> Iterator[FakeVLLM]:
    server.otherwise = lambda request: answer("some words", pause=0.05)
    yield server


def test_once_prints_each_server_and_what_does_not_answer(agentic: Agentic, busy: FakeVLLM) -> None:
    done = agentic("top", "--once", "--interval", "0.2", "--endpoint", busy.url, "--endpoint", "http://127.0.0.1:9/v1")
    assert done.code == 0, done.err
    assert f"{busy.url} · fake" in done.out and "running" in done.out and "nothing listens there" in done.out


def test_programs_get_fields(agentic: Agentic, busy: FakeVLLM) -> None:
    done = agentic("top", "--once", "--interval", "0.2", "--output", "jsonl", "--endpoint", busy.url)
    (told,) = map(json.loads, done.out.splitlines())
    assert told["type"] == "server" and told["url"] == busy.url and told["others"] == 0


def test_q_leaves_the_terminal_as_it_was(busy: FakeVLLM, env: dict[str, str], work: Path) -> None:
    with terminal(["top", "--interval", "0.2", "--endpoint", busy.url], env, work) as shown:
        shown.until(lambda: "q ends" in shown.text and "KV cache" in shown.text)
        shown.type("q")
        assert shown.until_ended() == 0
        assert shown.restored()
        assert b"\x1b[?1049l" in shown.raw


def test_our_own_requests_are_told_from_other_clients(agentic: Agentic, busy: FakeVLLM, env: dict[str, str], work: Path) -> None:
    busy.otherwise = lambda request: answer([f"w{number} " for number in range(600)], pause=0.02)
    with terminal(["ask", "count", "--endpoint", busy.url, "--output", "plain"], env, work) as shown:
        shown.until(lambda: "w50 " in shown.text)
        done = agentic("top", "--once", "--interval", "0.3", "--endpoint", busy.url)
        assert re.search(r"ours: 1 interactive · other clients: 0", done.out), done.out
