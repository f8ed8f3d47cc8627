"""`agentic bench` against servers whose every request is seen."""

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, error
from plugins_builtin.vllm.bench.advice import advice
from plugins_builtin.vllm.bench.load import Step
from tests.conftest import Agentic

QUICK = ("--tokens", "4", "--prompt", "200", "--output", "jsonl")


def words(request: Request) -> ScriptedAnswer:
    return answer("one two three four", pause=0.005)


def steps(out: str) -> list[dict[str, Any]]:
    return [each for each in map(json.loads, out.splitlines()) if each["type"] == "step"]


def test_so_many_are_in_flight_and_each_is_counted(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = words
    done = agentic("bench", "--endpoint", server.url, "--shape", "unshared", "--concurrency", "1,8", *QUICK)
    assert done.code == 0, done.err
    one, eight = steps(done.out)
    assert (one["concurrency"], eight["concurrency"]) == (1, 8) and 8 <= server.most_running <= 10
    assert (one["requests"], eight["requests"], one["failed"]) == (6, 48, 0)
    assert len(server.chats) == 1 + 6 + 48  # the first warms up
    assert all(request.json["ignore_eos"] and request.json["max_tokens"] == 4 for request in server.chats)
    assert eight["tokens_per_second"] > one["tokens_per_second"] > 0
    assert 0 < one["ttft_p50"] <= one["ttft_p95"] < one["seconds"]


def test_endpoints_are_measured_one_by_one_and_together(agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM) -> None:
    server.otherwise = second_server.otherwise = words
    urls = ("--endpoint", server.url, "--endpoint", second_server.url)
    done = agentic("bench", *urls, "--shape", "agent", "--concurrency", "2", *QUICK)
    assert [(len(each["endpoints"]), each["concurrency"]) for each in steps(done.out)] == [(1, 2), (1, 2), (2, 4)]
    assert all(2 <= each.most_running <= 3 for each in (server, second_server))


def test_prompts_of_agents_share_and_grow_and_others_do_neither(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = words
    agentic("bench", "--endpoint", server.url, "--shape", "agent", "--concurrency", "3", *QUICK)
    prompts = [[message["content"] for message in request.json["messages"]] for request in server.chats]
    assert len({prompt[0] for prompt in prompts}) == 1
    longer = [prompt for prompt in prompts if len(prompt) > 2]
    assert longer and all(prompt[:-2] in prompts for prompt in longer)  # a turn more than an earlier one
    server.requests.clear()
    agentic("bench", "--endpoint", server.url, "--shape", "unshared", "--concurrency", "3", *QUICK)
    starts = [request.json["messages"][0]["content"][:60] for request in server.chats]
    assert len(set(starts)) == len(starts)


def test_it_rises_while_it_pays(agentic: Agentic, server: FakeVLLM) -> None:
    """A server that does no more at once than one: twice as many bring nothing, and it ends."""
    from threading import Lock

    alone = Lock()

    def one_by_one(request: Request) -> ScriptedAnswer:
        with alone:
            import time

            time.sleep(0.03)
        return answer("one two three four")

    server.otherwise = one_by_one
    done = agentic("bench", "--endpoint", server.url, "--shape", "unshared", "--most", "64", *QUICK)
    levels = [each["concurrency"] for each in steps(done.out)]
    assert levels[0] == 1 and levels[-1] < 64


class Page(HTMLParser):
    """Collects what a browser would load, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "data", "action")]


def test_the_page_holds_everything_and_loads_nothing(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.otherwise = words
    server.model = "<script>x</script>"
    done = agentic("bench", "--endpoint", server.url, "--concurrency", "1,2,4", *QUICK, "--html", "page.html")
    assert done.code == 0, done.err
    text = (work / "page.html").read_text()
    page = Page()
    page.feed(text)
    assert page.loads == [] and {"script", "link", "img", "iframe"} & set(page.tags) == set()
    assert "url(" not in text and "@import" not in text
    assert page.tags.count("svg") == 6 and page.tags.count("polyline") == 12
    assert page.tags.count("tr") == 1 + 6
    assert server.url in text and "batching.batch_size" in text


def test_what_it_says_is_written_and_the_next_run_is_compared(agentic: Agentic, server: FakeVLLM, home: Path) -> None:
    server.otherwise = words
    options = ("--endpoint", server.url, "--shape", "agent", "--concurrency", "1,4", *QUICK[:-2])
    none = agentic("bench", *options, "--against", "last")
    assert none.code == 2 and "no earlier result" in none.err
    first = agentic("bench", *options, "--write")
    assert first.code == 0 and "batching.batch_size = 4" in first.out and "× " not in first.out
    assert "batch_size = 4" in (home / ".config/agentic/config.toml").read_text()
    (kept,) = (home / ".local/state/agentic/bench").glob("*.json")
    assert json.loads(kept.read_text())["servers"][server.url]["version"] == "0.32.0"
    second = agentic("bench", *options, "--against", str(kept))
    assert second.out.count("× ") == 2
    assert agentic("bench", *options, "--against", "last").out.count("× ") == 2
    kept.write_text("{")
    broken = agentic("bench", *options, "--against", str(kept))
    assert broken.code == 2 and "is no result" in broken.err


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--concurrency", "0"), 2, "at least 1"),
        (("--concurrency", "many"), 2, "at least 1"),
        (("--endpoint", "http://127.0.0.1:9/v1"), 3, "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_is_one_line(agentic: Agentic, server: FakeVLLM, options: tuple[str, ...], code: int, why: str) -> None:
    done = agentic("bench", *(() if "--endpoint" in options else ("--endpoint", server.url)), *options)
    assert done.code == code and why in done.err


def test_requests_that_fail_are_counted_and_end_in_1(agentic: Agentic, server: FakeVLLM) -> None:
    count = iter(range(1000))
    server.otherwise = lambda request: words(request) if next(count) % 2 else error(500, "out of order")
    done = agentic("bench", "--endpoint", server.url, "--shape", "unshared", "--concurrency", "2", *QUICK)
    (step,) = steps(done.out)
    assert (step["requests"], step["failed"]) == (6, 6)
    assert done.code == 1 and "6 requests failed" in done.err and "out of order" in done.err


def step(concurrency: int, rate: float, **more: Any) -> Step:
    made = Step(("http://a/v1",), "agent", concurrency, 8, 0, "", 1.0, rate, 0.1, 0.2, 0.01, 900.0, 0.8, 0, 0.2, 0)
    return replace(made, **more)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (lambda each: each, ""),
        (lambda each: replace(each, cached=0.05), "--enable-prefix-caching"),
        (lambda each: replace(each, preemptions=3), "--kv-cache-dtype"),
        (lambda each: replace(each, kv=0.99), "--kv-cache-dtype"),
        (lambda each: replace(each, waiting=each.concurrency), "--max-num-seqs"),
        (lambda each: replace(each, ttft_p95=9.0), "--max-num-batched-tokens"),
    ],
)
def test_the_advice_is_where_it_no_longer_pays(change: Callable[[Step], Step], flag: str) -> None:
    said = advice([change(step(*each)) for each in ((1, 50.0), (2, 95.0), (4, 180.0), (8, 190.0), (16, 192.0))])
    assert said.settings["batching.batch_size"][0] == 4
    assert said.settings["sub_agents.max_concurrent"][0] == 4
    assert [each.split(" ")[0].rstrip(",") for each in said.flags] == ([flag] if flag else [])


def test_one_level_says_nothing() -> None:
    assert advice([step(1, 50.0)]).settings == {}
    assert advice([]).settings == {}
