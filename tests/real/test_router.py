"""A real router in front of the servers: what passes, what stays with one server, and who doctor says it is."""

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Agentic

QUICK = ("-c", "llm.max_tokens=24", "-c", "llm.temperature=0.0")


@pytest.fixture(scope="module")
def router(router_command: str, endpoints: list[str]) -> Iterator[str]:
    """Its URL, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    servers = " ".join(url.removesuffix("/v1") for url in endpoints)
    process = subprocess.Popen(shlex.split(router_command.format(port=port, urls=servers)), stdout=subprocess.DEVNULL)
    url, end = f"http://127.0.0.1:{port}/v1", time.monotonic() + 60
    try:
        while True:
            try:
                if httpx2.get(f"{url}/models", timeout=2).status_code == 200:
                    break
            except httpx2.HTTPError:
                assert process.poll() is None and time.monotonic() < end, "it does not start"
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def test_an_answer_streams_through_it(router: str, endpoints: list[str], agentic: Agentic) -> None:
    done = agentic("ask", "Count from one to twenty.", "--endpoint", router, "--output", "jsonl", *QUICK, seconds=120)
    assert done.code == 0, done.err
    assert len(done.of_type("llm_chunk")) > 5
    direct = agentic("ask", "Count from one to twenty.", "--endpoint", endpoints[0], *QUICK, seconds=120)
    assert "".join(chunk["text"] for chunk in done.of_type("llm_chunk")).split()[:8] == direct.out.split()[:8]


def test_a_batch_is_whole(router: str, agentic: Agentic, work: Path) -> None:
    (work / "in.jsonl").write_text("".join(json.dumps({"prompt": f"Say {number}."}) + "\n" for number in range(12)))
    done = agentic("batch", "in.jsonl", "-o", "out.jsonl", "--endpoint", router, *QUICK, seconds=300)
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (work / "out.jsonl").read_text().splitlines()]
    assert [line["line"] for line in lines] == list(range(1, 13)) and not any("error" in line for line in lines)


def test_doctor_names_it(router: str, endpoints: list[str], agentic: Agentic) -> None:
    done = agentic("doctor", "--endpoint", router, "--output", "jsonl", seconds=300)
    (found,) = [each for each in done.out.splitlines() if json.loads(each)["check"] == "router"]
    assert f"{len(endpoints)} servers" in json.loads(found)["text"]
