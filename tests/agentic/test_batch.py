"""`agentic batch`: every line answered once, in order, whatever happens in between."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic.errors import AgenticError
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer
from plugins_builtin.batch.jobs import Shard, ShardLines, read_job
from plugins_builtin.batch.results import Results
from tests.conftest import Agentic


def echo(request: Request) -> ScriptedAnswer:
    """The prompt's last word comes back; `slow` ones take their time."""
    text = request.json["messages"][-1]["content"]
    return answer(f"answer to {text}", pause=0.15 if "slow" in text else 0.0)


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def out(work: Path) -> Path:
    return work / "out.jsonl"


def test_results_come_in_input_order_with_usage(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    source = write(
        work / "in.jsonl", {"prompt": "slow 1"}, *({"prompt": str(number), "id": f"x{number}"} for number in range(2, 21))
    )
    done = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert (done.code, done.out) == (0, "")
    assert "20 lines in" in done.err
    results = read(out)
    assert [result["line"] for result in results] == list(range(1, 21))
    assert [result["text"] for result in results[:2]] == ["answer to slow 1", "answer to 2"]
    assert results[1]["id"] == "x2"
    assert results[0]["usage"]["completion_tokens"] == 4
    assert sorted(path.name for path in work.iterdir()) == ["in.jsonl", "out.jsonl"]


def test_parameters_go_along(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    line = {"messages": [{"role": "user", "content": "a"}], "system": "brief", "max_tokens": 7, "temperature": 0.5, "seed": 3}
    agentic("batch", str(write(work / "in.jsonl", line)), "-o", str(out), "--endpoint", server.url)
    body = server.chats[0].json
    assert [message["content"] for message in body["messages"]] == ["brief", "a"]
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (7, 0.5, 3)


def test_bad_lines_are_told_by_number_and_stop_nothing(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    source = write(
        work / "in.jsonl", {"prompt": "1"}, "{broken", "[]", {"prompt": "4", "max_tokesn": 3}, "", {"prompt": 6}, {"prompt": "7"}
    )
    done = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert done.code == 1
    assert "4 of them failed" in done.err
    results = read(out)
    assert [bool(result.get("error")) for result in results] == [False, True, True, True, True, False]
    assert "max_tokesn" in results[3]["error"]


def test_the_format_of_vllm_run_batch_is_answered_in_it(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    around = {"method": "POST", "url": "/v1/chat/completions"}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    source = write(
        work / "in.jsonl",
        around | {"custom_id": "a", "body": {"messages": [{"role": "user", "content": parts}], "max_completion_tokens": 9}},
        "",
        around | {"custom_id": "b", "body": {"messages": []}},
        around | {"custom_id": "c", "url": "/v1/embeddings", "body": {"input": "x"}},
    )
    done = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert done.code == 1
    assert "in the format of vllm run-batch" in done.err
    assert "3 lines in" in done.err
    assert server.chats[0].json["max_tokens"] == 9
    first, second, third = read(out)
    assert (first["custom_id"], first["error"], first["response"]["status_code"]) == ("a", None, 200)
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "answer to one\ntwo"
    assert first["response"]["body"]["usage"]["completion_tokens"] == 3
    assert (second["custom_id"], second["error"]["message"]) == ("b", "`messages` is empty")
    assert (third["custom_id"], third["response"]) == ("c", None)
    assert "/v1/embeddings" in third["error"]["message"]
    again = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert (again.code, len(server.chats)) == (1, 1), "what failed is told again, what is done is not asked again"


@pytest.mark.parametrize("line", ['{"promt": "a"}', "[]", '{"custom_id": "a", "url": "/v1/embeddings", "body": {"input": "x"}}'])
def test_a_file_that_is_none_is_refused_whole(agentic: Agentic, server: FakeVLLM, work: Path, out: Path, line: str) -> None:
    done = agentic("batch", str(write(work / "in.jsonl", line, line)), "-o", str(out), "--endpoint", server.url)
    assert done.code == 2
    assert "no line of in.jsonl can be used" in done.err
    assert (out.exists(), server.chats) == (False, [])


def test_a_line_that_the_server_rejects_is_only_its_own_failure(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    source = write(work / "in.jsonl", {"prompt": "x " * 40_000}, {"prompt": "2"})
    assert agentic("batch", str(source), "-o", str(out), "--endpoint", server.url).code == 1
    assert "does not fit" in read(out)[0]["error"]
    assert read(out)[1]["text"] == "answer to 2"


def test_an_id_that_stands_twice_is_told_with_its_lines(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    source = write(work / "in.jsonl", {"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x"}, {"id": "a", "prompt": "y"})
    done = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert done.code == 0 and [each["id"] for each in read(out)] == ["a", "b", "a"]
    assert 'the id "a" stands in the lines 1 and 3' in " ".join(done.err.split())


def test_when_nobody_answers_the_rest_waits_for_the_next_time(agentic: Agentic, work: Path, out: Path) -> None:
    source = write(work / "in.jsonl", *({"prompt": str(number)} for number in range(30)))
    with FakeVLLM() as server:
        asked: list[Request] = []

        def once(request: Request) -> ScriptedAnswer:
            asked.append(request)
            if len(asked) > 10:
                server.close()
            return echo(request)

        server.otherwise = once
        done = agentic("batch", str(source), "-o", str(out), "--endpoint", server.url)
    assert done.code == 3
    with FakeVLLM() as again:
        again.otherwise = echo
        assert agentic("batch", str(source), "-o", str(out), "--endpoint", again.url).code == 0
    assert [result["text"] for result in read(out)] == [f"answer to {number}" for number in range(30)]


def test_a_kill_loses_nothing_that_was_done(agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path, out: Path) -> None:
    server.otherwise = echo
    lines = 300
    source = write(
        work / "in.jsonl", *({"prompt": f"slow {number}" if number % 40 == 0 else str(number)} for number in range(lines))
    )
    command = [sys.executable, "-m", "agentic", "batch", str(source), "-o", str(out), "--endpoint", server.url]
    answered_before: list[str] = []
    for asked in (20, 90, 160):
        process = subprocess.Popen(command, cwd=work, env=env, stderr=subprocess.DEVNULL)
        server.wait_for(lambda asked=asked: len(server.chats) >= asked)  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        journal = out.with_name("out.jsonl.journal")
        kept = read_whole(out) + read_whole(journal)
        answered_before += [result["text"] for result in kept]
    at_most = Counter(request.json["messages"][-1]["content"] for request in server.chats)
    assert agentic("batch", str(source), "-o", str(out), "--endpoint", server.url).code == 0
    texts = [result["text"] for result in read(out)]
    assert [text.split()[-1] for text in texts] == [str(number) for number in range(lines)]
    after = Counter(request.json["messages"][-1]["content"] for request in server.chats)
    for text in set(answered_before):  # what was kept is not asked for again
        prompt = text.removeprefix("answer to ")
        assert after[prompt] == at_most[prompt]
    count = len(server.chats)
    assert agentic("batch", str(source), "-o", str(out), "--endpoint", server.url).code == 0
    assert len(server.chats) == count


def read_whole(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def test_results_of_another_input_are_not_mixed_in(agentic: Agentic, server: FakeVLLM, work: Path, out: Path) -> None:
    server.otherwise = echo
    agentic("batch", str(write(work / "a.jsonl", {"prompt": "1"})), "-o", str(out), "--endpoint", server.url)
    before = out.read_bytes()
    done = agentic("batch", str(write(work / "b.jsonl", {"prompt": "2"})), "-o", str(out), "--endpoint", server.url)
    assert done.code == 2
    assert "of another input" in done.err
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    "held",
    [
        "my notes\nmore\n",
        '{"a": 1}\n{"b": 2}\n',
        "no newline",
        "{",
        "\x00\x01\xff\n",
        '[{"line": 1}]',
        "{}\n",
        '{"line": 1, "note": "mine"}',
        '{"line": 1, "a": 2}\n',
    ],
)
@pytest.mark.parametrize("command", ["batch", "merge"])
def test_a_file_of_the_users_is_never_written_over(
    agentic: Agentic, server: FakeVLLM, work: Path, out: Path, held: str, command: str
) -> None:
    write(work / "in.jsonl", {"prompt": "a"})
    out.write_bytes(held.encode("latin-1"))
    (work / "part.jsonl").write_text('{"line": 1, "text": "ok", "input": ""}\n')
    arguments = ("batch", "merge", "part.jsonl") if command == "merge" else ("batch", "in.jsonl", "--endpoint", server.url)
    done = agentic(*arguments, "-o", str(out))
    assert done.code == 2 and "holds something else than results" in done.err and "name another file" in done.err
    assert out.read_bytes() == held.encode("latin-1") and not server.chats


@pytest.mark.parametrize("target", ["/dev/full", "/dev/stdout", "/dev/zero", "-"])
def test_results_go_to_a_file_alone(agentic: Agentic, server: FakeVLLM, work: Path, target: str) -> None:
    write(work / "in.jsonl", {"prompt": "a"})
    done = agentic("batch", "in.jsonl", "--endpoint", server.url, "-o", target)
    assert done.code == 2 and "results are kept in a file" in done.err and not (work / "-").exists()


def test_a_file_system_without_locks_is_told(work: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: object, kind: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with Results(out) as results:
        assert "cannot be locked (No locks available)" in results.unlocked
    assert out.exists()


def test_two_processes_do_not_share_a_file(work: Path, out: Path) -> None:
    with Results(out), pytest.raises(AgenticError, match="another process"), Results(out):
        pass


@given(order=st.permutations(range(1, 13)), cut=st.integers(0, 12), torn=st.integers(0, 40))
def test_any_order_and_any_cut_give_the_same_file(
    order: list[int], cut: int, torn: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("results")
    path, source = folder / "out", folder / "in"
    inputs = [f"line {number}\n".encode() for number in range(1, 13)]
    source.write_bytes(b"".join(inputs))

    def go_on(numbers: list[int]) -> None:
        with Results(path) as results, source.open("rb") as lines:
            results.check_against(ShardLines(lines, Shard()), lambda count: None)
            for number in numbers:
                if number > results.done and not results.has(number, inputs[number - 1]):
                    results.put(number, inputs[number - 1], {"text": f"result {number}"})
            results.settle()

    go_on(order[:cut])
    if path.stat().st_size > torn:  # the kill tore the last write
        os.truncate(path, path.stat().st_size - torn)
    go_on(order)
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == [f"result {number}" for number in range(1, 13)]


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["prompt", "messages", "role", "content", "max_tokens"]), inner)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_line_is_a_job_or_an_error(raw: bytes) -> None:
    try:
        assert read_job(raw).request.messages
    except AgenticError:
        return


def test_a_message_without_a_role_is_an_error_and_one_with_a_name_is_none() -> None:
    with pytest.raises(AgenticError, match="a message is"):
        read_job(b'{"messages": [{"content": "a"}]}')
    assert read_job(b'{"messages": [{"role": "user", "content": "a", "name": "ada"}]}').request.messages[0].text == "a"


@pytest.mark.parametrize(
    "url", ["/v1/chat/completions", "/v1/chat/completions/", "/chat/completions", "https://api.example/v1/chat/completions"]
)
def test_a_batchs_address_is_any_that_chats(url: str) -> None:
    body = {"messages": [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "a"}]}
    job = read_job(json.dumps({"custom_id": "1", "url": url, "body": body}).encode())
    assert [message.role for message in job.request.messages] == ["system", "user"]
    with pytest.raises(AgenticError, match="is not done here"):
        read_job(json.dumps({"custom_id": "1", "url": f"{url}/embeddings", "body": body}).encode())


def test_shards_do_every_line_once_and_are_merged_in_order(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.otherwise = echo
    source = write(work / "in.jsonl", *({"prompt": str(number)} for number in range(11)))
    parts = [work / f"part{number}.jsonl" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        for _ in range(2):  # the second time there is nothing left to do
            assert agentic("batch", str(source), "-o", str(part), "--shard", f"{number}/3", "--endpoint", server.url).code == 0
    assert [result["line"] for result in read(parts[1])] == [2, 5, 8, 11]
    assert len(server.chats) == 11
    done = agentic("batch", "merge", *map(str, reversed(parts)), "-o", str(work / "all.jsonl"))
    assert done.code == 0, done.err
    assert [(result["line"], result["text"]) for result in read(work / "all.jsonl")] == [
        (number + 1, f"answer to {number}") for number in range(11)
    ]
    lacking = agentic("batch", "merge", str(parts[0]), str(parts[2]), "-o", str(work / "some.jsonl"))
    assert lacking.code == 2 and "line 2 is not there" in lacking.err and not (work / "some.jsonl").exists()
    twice = agentic("batch", "merge", str(parts[0]), *map(str, parts), "-o", str(work / "some.jsonl"))
    assert (twice.code == 2 and "line 1 is there twice" in twice.err) or "twice" in twice.err
    assert agentic("batch", str(source), "-o", str(parts[0]), "--shard", "4/3", "--endpoint", server.url).code == 2
    assert agentic("batch", str(source), "-o", str(parts[0]), "--shard", "2/3", "--endpoint", server.url).code == 2  # another's
