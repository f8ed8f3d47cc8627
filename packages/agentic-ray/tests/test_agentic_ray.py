"""Real clusters of Ray's on this machine, a fake vLLM, and agentic's own command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call

NAMES = ("one", "two", "three", "four")
OPTIONS = ("--approve", "all", "--no-sandbox", "--output", "jsonl", "-c", "tools.protocol=native", "-c", "sub_agents.runner=ray")
MACHINE: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]


def model(server: FakeVLLM, last: Callable[[str], ScriptedAnswer]) -> None:
    """An agent that delegates four files, once; each child writes its own, and then gives its `last` answer."""
    delegated: list[str] = []

    def reply(request: Request) -> ScriptedAnswer:
        messages = request.json["messages"]
        said = messages[-1]["role"] == "tool"
        if "You do one part of a larger task" in messages[1]["content"]:
            name = re.findall(r"put a line into (\w+)\.txt", messages[1]["content"])[0]
            return last(name) if said else answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}))
        tasks = [{"title": name, "objective": f"put a line into {name}.txt"} for name in NAMES]
        if delegated:
            return answer("That is what came of it.")
        delegated.append("")
        return answer(tool_calls=tool_call("delegate", {"tasks": tasks}))

    server.otherwise = reply


def long(words: int) -> ScriptedAnswer:
    return answer(" ".join(f"w{number}" for number in range(words)), pause=0.05)


@pytest.fixture
def server() -> Iterator[FakeVLLM]:
    with FakeVLLM(host=MACHINE) as fake:
        yield fake


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTIC_", "RAY_", "XDG_"))}
    return kept | {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class Nodes:
    """A head without room for work, and nodes with room for two sub-agents each."""

    cluster: Any
    workers: Sequence[Any]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield Nodes(cluster, [cluster.add_node(num_cpus=2) for _ in range(2)])
    cluster.shutdown()


def start(server: FakeVLLM, env: dict[str, str], work: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "agentic", "run", "four files", "--endpoint", server.url, *OPTIONS, *more]
    return subprocess.Popen(
        command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def at(nodes: Nodes) -> tuple[str, str]:
    return "-c", f"plugin.ray.address={nodes.cluster.address}"


def ended(process: "subprocess.Popen[str]") -> tuple[int, list[dict[str, Any]], str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def statuses(events: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(event["status"] for event in events if event["type"] == "sub_agent_finished")


def processes(words: bytes, file: str = "cmdline") -> list[str]:
    """The command lines of those that have these words in their command line, or their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if words in (entry / file).read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [each for each in found if each]


def soon(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_four_parts_on_a_cluster_of_its_own(server: FakeVLLM, env: dict[str, str], work: Path, tmp_path: Path) -> None:
    stale = tmp_path / "tmp" / "ray" / "ray_current_cluster"  # of a cluster that was killed
    stale.parent.mkdir(parents=True)
    stale.write_text(f"{MACHINE}:1")
    model(server, lambda name: answer(f"{name} is written"))
    own = env | {"RAY_TMPDIR": "/tmp"}
    code, events, err = ended(start(server, own, work))
    assert (code, statuses(events)) == (0, ["done"] * 4), err
    assert sorted(path.read_text() for path in work.glob("*.txt")) == sorted(NAMES)
    assert {event["agent"] for event in events if event["type"] == "llm_chunk"} >= {f"sub-{name}" for name in NAMES}
    session = next(event["session"] for event in events if event["type"] == "run_started")
    subprocess.run([sys.executable, "-m", "agentic", "sessions", "undo", session], cwd=work, env=env, check=True)
    assert list(work.iterdir()) == []
    mark = f"HOME={tmp_path}\0".encode()  # Ray's own agents look every few seconds whether their raylet is still there
    assert soon(lambda: not processes(mark, "environ"), 60), processes(mark, "environ")


def test_both_nodes_are_used(server: FakeVLLM, env: dict[str, str], work: Path, nodes: Nodes) -> None:
    model(server, lambda name: long(100))
    code, events, err = ended(start(server, env, work, *at(nodes)))
    assert (code, statuses(events)) == (0, ["done"] * 4), err
    assert server.most_running == 4  # two places on each
    assert len(list(work.glob("*.txt"))) == 4


def test_a_node_that_is_lost_costs_its_own_parts(server: FakeVLLM, env: dict[str, str], work: Path, nodes: Nodes) -> None:
    model(server, lambda name: long(200))
    process = start(server, env, work, *at(nodes))
    assert server.wait_for(lambda: server.running == 4, seconds=60)
    nodes.cluster.remove_node(nodes.workers[0], allow_graceful=False)
    _, events, err = ended(process)
    assert statuses(events) == ["done", "done", "failed", "failed"], err
    assert len(list(work.glob("*.txt"))) == 2
    results = [event["text"] for event in events if event["type"] == "tool_result" and event["name"] == "delegate"]
    assert results[0].count("Ray: NodeDiedError: ") == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_part_outlives_the_host(number: signal.Signals, server: FakeVLLM, env: dict[str, str], work: Path, nodes: Nodes) -> None:
    model(server, lambda name: long(2000))
    process = start(server, env, work, *at(nodes))
    assert server.wait_for(lambda: server.running == 4, seconds=60)
    assert len(processes(b"\0sub-agent\0")) == 4
    process.send_signal(number)
    code, _, _ = ended(process)
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert soon(lambda: server.running == 0 and not processes(b"\0sub-agent\0"), 2 if number == signal.SIGINT else 10)


def test_a_cluster_that_is_not_there_is_one_line(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    model(server, lambda name: answer("done"))
    _, events, err = ended(start(server, env, work, "-c", "plugin.ray.address=127.0.0.1:1"))
    assert set(statuses(events)) == {"failed"}, err
    results = [event["text"] for event in events if event["type"] == "tool_result" and event["name"] == "delegate"]
    assert "Ray: no cluster at 127.0.0.1:1" in results[0]


def test_an_endpoint_at_localhost_is_refused_on_a_cluster(env: dict[str, str], work: Path) -> None:
    with FakeVLLM() as here:
        code, _, err = ended(start(here, env, work, "-c", "plugin.ray.address=10.0.0.1:6379"))
    assert code == 2
    assert "another server on each machine" in err
