"""`agentic run` from outside: a scripted model, real files, real commands."""

import fcntl
import json
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

import pytest

from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.conftest import Agentic
from tests.processes import sleepers

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl")


def call(name: str, call_id: str = "call_1", **arguments: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call(name, arguments, call_id=call_id))


def fenced(*blocks: str) -> ScriptedAnswer:
    return answer("\n\n".join(blocks))


def test_files_are_written_commands_run_and_the_outcome_told(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(
        call("write_file", path="src/hello.py", content="print('hello')\n"),
        call("run", command="python3 src/hello.py"),
        answer("It prints hello."),
    )
    done = agentic("run", "say hello", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 0
    assert (work / "src/hello.py").read_text() == "print('hello')\n"
    assert [event["node"] for event in done.of_type("workflow_event")] == ["plan", "check_complexity", "execute", "reflect"]
    assert [result["exit_code"] for result in done.of_type("tool_result")] == [None, 0]
    finished = done.of_type("run_finished")[0]
    assert (finished["status"], finished["result"], finished["files"]) == (
        "unchecked",
        "It prints hello.\nEdited src/hello.py; nothing here tests it.",
        ["src/hello.py"],
    )


def test_history_goes_on_growing_and_echoes_arguments_byte_for_byte(agentic: Agentic, server: FakeVLLM) -> None:
    arguments = '{"path":  "a.txt",\n "content": "x"}'
    server.script(answer(reasoning="hm", tool_calls=tool_call("write_file", arguments)), answer("done"))
    agentic("run", "write a", "--endpoint", server.url, "--approve", "all", *NATIVE)
    first, second = (request.json["messages"] for request in server.chats)
    assert second[: len(first)] == first
    assert second[len(first)]["tool_calls"][0]["function"]["arguments"] == arguments
    assert second[len(first)]["reasoning"] == "hm"
    assert second[len(first) + 1]["role"] == "tool"


def test_the_folders_tests_decide_whatever_the_model_says(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "test_a.py").write_text(
        "import unittest, a\nclass T(unittest.TestCase):\n def test_a(self): self.assertEqual(a.x, 2)\n"
    )
    wrong, right = (call("write_file", path="a.py", content=f"x = {x}\n") for x in (1, 2))
    server.script(wrong, answer("all done"), right, answer("done now"))
    done = agentic("run", "write a", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 0
    told = server.chats[2].json["messages"][-1]["content"]
    assert "1 != 2" in told
    assert (work / "a.py").read_text() == "x = 2\n"


def test_a_task_that_stays_broken_is_not_reported_as_done(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "test_a.py").write_text("import unittest, a\nclass T(unittest.TestCase):\n def test_a(self): self.fail('never')\n")
    server.otherwise = lambda request: (
        answer("all done") if len(server.chats) % 2 == 0 else call("write_file", path="a.py", content=f"x = {len(server.chats)}\n")
    )
    done = agentic("run", "write a", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 1
    assert done.of_type("run_finished")[0]["result"].endswith("Not done: `python3 -m unittest` fails (test_a.T.test_a).")


def test_examples_in_docstrings_are_checked(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    twice = 'def twice(x):\n    """\n    >>> twice(5)\n    10\n    """\n    return x {} 2\n'
    wrong, right = (call("write_file", path="twice.py", content=twice.format(sign)) for sign in "+*")
    server.script(wrong, answer("done"), right, answer("done"))
    done = agentic("run", "Write twice.py.", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 0
    assert "`twice(5)` must give 10, but it gives 7" in server.chats[2].json["messages"][-1]["content"]


def test_the_same_call_with_the_same_result_three_times_ends_the_loop(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: call("list_files")
    done = agentic("run", "look", "--endpoint", server.url, *NATIVE)
    assert done.code == 1
    assert len(server.chats) == 3
    assert "3 times" in done.of_type("warning")[0]["message"]


def test_the_limit_of_iterations(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: call("run", command=f"echo {len(server.chats)}")
    done = agentic("run", "count", "--endpoint", server.url, "--approve", "all", "--max-iterations", "4", *NATIVE)
    assert done.code == 1
    assert len(server.chats) == 4
    assert done.of_type("run_finished")[0]["status"] == "limit"


def test_the_time_limit(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("a", fault="stall", fault_after=2))
    done = agentic("run", "wait", "--endpoint", server.url, "-c", "workflow.timeout_seconds=1", *NATIVE)
    assert (done.code, done.of_type("run_finished")[0]["status"]) == (1, "timeout")


@pytest.mark.parametrize(
    ("mode", "tool", "allowed"),
    [
        ("none", "write_file", False),
        ("edits", "write_file", True),
        ("edits", "run", False),
        ("all", "run", True),
        ("ask", "run", False),
    ],
)
def test_without_a_terminal_nothing_is_asked_and_a_refusal_goes_back_to_the_model(
    agentic: Agentic, server: FakeVLLM, work: Path, mode: str, tool: str, allowed: bool
) -> None:
    arguments = {"command": "touch made"} if tool == "run" else {"path": "made", "content": "x"}
    server.script(call(tool, **arguments), answer("ok"))
    done = agentic("run", "make it", "--endpoint", server.url, "--approve", mode, *NATIVE)
    assert (work / "made").exists() == allowed
    assert done.code == (0 if allowed else 4)
    if not allowed:
        assert "needs an approval" in done.of_type("tool_result")[0]["text"]


def test_a_model_that_finds_another_way_after_a_refusal_goes_on(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a").write_text("A")
    server.script(call("run", command="cat a"), call("read_file", path="a"), answer("It says A."))
    done = agentic("run", "what does a say?", "--endpoint", server.url, *NATIVE)
    assert "needs an approval" in server.chats[1].json["messages"][-1]["content"]
    assert (done.code, done.of_type("run_finished")[0]["result"]) == (0, "It says A.")


def test_none_is_the_default_without_a_terminal(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(call("write_file", path="made", content="x"), answer("ok"))
    assert agentic("run", "make it", "--endpoint", server.url, *NATIVE).code == 4
    assert not (work / "made").exists()


BAD_CALLS = {
    "unknown tool": ("nosuch", "{}", "there is no tool"),
    "no JSON": ("read_file", '{"path": ', "not valid JSON"),
    "an array": ("read_file", "[1]", "must be a JSON object, not [1]"),
    "null": ("read_file", "null", "must be a JSON object, not null"),
    "empty": ("read_file", "", "missing: path"),
    "NaN": ("read_file", '{"path": NaN}', "NaN is not JSON"),
    "deep": ("read_file", '{"path": ' + "[" * 100_000, "nested more than 100 deep"),
    "wrong type": ("read_file", '{"path": 3}', "must be of type string"),
    "missing": ("write_file", '{"path": "a"}', "missing: content"),
    "unknown argument": ("read_file", '{"path": "a", "mode": "r"}', "unknown: mode"),
    "trailing junk": ("read_file", '{"path": "a"} and more', "Extra data at character 14"),
    "a missing quote": ("write_file", '{"path": "a.py, "content": "x"}', "not valid JSON: Expecting"),
    "surrogate": ("read_file", '{"path": "\\ud800"}', "does not exist"),
    "leaked channel": ("functions.list_files<|channel|>commentary", "{}", "(no files)"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_call_goes_back_to_the_model_and_history_stays_valid(agentic: Agentic, server: FakeVLLM, name: str) -> None:
    tool, arguments, cause = BAD_CALLS[name]
    server.script(answer(tool_calls=tool_call(tool, arguments)), answer("sorry"))
    done = agentic("run", "look", "--endpoint", server.url, *NATIVE)
    assert done.code == 0
    text = done.of_type("tool_result")[0]["text"]
    assert cause in text
    for message in server.chats[1].json["messages"]:
        for echoed in message.get("tool_calls", ()):
            assert isinstance(json.loads(echoed["function"]["arguments"]), dict)


def test_two_interleaved_calls_with_late_ids_and_gaps(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "a").write_text("A")
    (work / "b").write_text("B")
    pieces = [
        {"index": 0, "function": {"name": "read_"}},
        {"index": 3, "function": {"name": "read_file", "arguments": '{"path"'}},
        {"index": 0, "function": {"name": "file", "arguments": '{"path": "a"}'}},
        {"index": 3, "id": "late", "function": {"arguments": ': "b"}'}},
    ]
    server.script(answer(tool_calls=pieces), answer("both"))
    done = agentic("run", "read", "--endpoint", server.url, *NATIVE)
    assert [(result["id"], result["text"]) for result in done.of_type("tool_result")] == [("call_0", "A"), ("late", "B")]


def test_a_call_from_a_stream_without_an_end_is_never_run(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    whole = call("run", command="touch made")
    server.otherwise = lambda request: ScriptedAnswer(whole.pieces[:-3])
    done = agentic("run", "make", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert done.code == 3
    assert not (work / "made").exists()


def test_a_cut_off_call_is_not_run(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    cut = answer(tool_calls=tool_call("write_file", '{"path": "made", "content": "half'), finish="length")
    server.script(cut, answer("sorry"))
    agentic("run", "make", "--endpoint", server.url, "--approve", "all", *NATIVE)
    assert not (work / "made").exists()
    assert "cut off" in server.chats[1].json["messages"][-1]["content"]


def test_an_overflow_shrinks_the_prompt_once(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    from agentic.testing import error

    overflow = error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens")
    reads = [call("read_file", call_id=f"c{i}", path="big", line_start=i + 1, line_end=i + 1) for i in range(6)]
    (work / "big").write_text(("word " * 600 + "\n") * 6)
    server.script(*reads, overflow, answer("fine"))
    done = agentic("run", "look", "--endpoint", server.url, *NATIVE)
    assert done.code == 0
    bodies = [request.body for request in server.chats]
    assert len(bodies[-1]) < len(bodies[-2])


def test_a_repair_keeps_what_was_said_before_its_task(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "test_a.py").write_text(
        "import unittest, a\nclass T(unittest.TestCase):\n def test_a(self): self.assertEqual(a.x(), 2)\n"
    )
    wrong, right = (fenced(f"a.py\n```python\ndef x():\n    return {x}\n```") for x in (1, 2))
    more = ("--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=fenced", "--output", "jsonl")
    server.say("I like small functions.")
    agentic("run", "What do you like?", *more)
    server.script(wrong, right)
    done = agentic("run", "Write a.py", "--continue", *more)
    assert done.code == 0
    said = [message["content"] for message in server.chats[-1].json["messages"]]
    assert "I like small functions." in said
    assert not any("return 1" in text for text in said[:-1])


def test_fenced_text(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(
        fenced("Here it is.", "**hello.py**\n```python\nprint('hello')\n```", "```bash\n$ python3 hello.py\n```"),
        answer("It works."),
    )
    done = agentic(
        "run", "say hello", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=fenced", "--output", "jsonl"
    )
    assert done.code == 0
    assert (work / "hello.py").read_text() == "print('hello')\n"
    assert "$ python3 hello.py\nhello\n(exit code 0)" in server.chats[1].json["messages"][-1]["content"]


def test_code_without_a_file_name_is_asked_for_its_name_only(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(fenced("```python\nprint(1)\n```"), answer("`one.py`"), answer("done"))
    done = agentic(
        "run", "print one", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=fenced", "--output", "jsonl"
    )
    assert (work / "one.py").read_text() == "print(1)\n"
    assert done.code == 0


def test_json_actions(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    write = {"tool": "write_file", "arguments": {"path": "a.txt", "content": "```\nx\n```"}}
    finish = {"tool": "finish", "arguments": {"message": "wrote it"}}
    server.script(answer(json.dumps(write)), answer("junk"), answer(json.dumps(finish)))
    done = agentic("run", "write", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=json", "--output", "jsonl")
    assert (work / "a.txt").read_text() == "x\n"
    assert done.of_type("run_finished")[0]["result"] == "wrote it\nEdited a.txt; nothing here tests it."
    assert server.chats[0].json["response_format"]["type"] == "json_schema"


def test_the_protocol_is_probed_once_and_remembered(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer(tool_calls=tool_call("report", {"word": "ready"})), answer("hello"))
    first = agentic("run", "say hello", "--endpoint", server.url, "--output", "jsonl")
    assert first.of_type("run_finished")[0]["result"] == "hello"
    assert "tools" in server.chats[1].json
    server.say("again")
    agentic("run", "say hello", "--endpoint", server.url)
    assert len(server.chats) == 3


def test_a_server_without_a_tool_parser_is_asked_in_another_way(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    from agentic.testing import error

    no_parser = error(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set')
    server.script(no_parser, fenced("ready.py\n```python\nprint('ready')\n```"), fenced("a.py\n```python\nprint(1)\n```"))
    agentic("run", "print one", "--endpoint", server.url, "--approve", "all")
    assert (work / "a.py").exists()


def test_sub_agents_can_be_switched_off(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("one agent did it")
    task = "Build a full stack web application with React frontend, FastAPI backend, PostgreSQL database, and unit tests"
    done = agentic("run", task, "--endpoint", server.url, "--no-sub-agents", *NATIVE)
    assert not done.of_type("plan")


def test_ctrl_c_keeps_the_partial_text_and_leaves_no_child(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(call("run", command="sleep 987654 & sleep 987654"))
    command = [sys.executable, "-m", "agentic", "run", "wait", "--endpoint", server.url, "--approve", "all", *NATIVE]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "tool_call":
            break
    wait_until(lambda: len(sleepers("987654")) >= 2)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(rest.splitlines()[-1])["status"] == "interrupted"
    assert sleepers("987654") == []


def wait_until(condition: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_ctrl_c_while_streaming_closes_the_request(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("some words then silence", fault="stall", fault_after=3))
    command = [sys.executable, "-m", "agentic", "ask", "hi", "--endpoint", server.url, "--output", "jsonl"]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "llm_chunk":
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "some" in json.loads(rest.splitlines()[-1])["result"]
    assert server.wait_for(lambda: server.running == 0)


def waiting_in(pipe: IO[bytes] | None) -> int:
    """The bytes that nobody read yet."""
    assert pipe is not None
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_program_that_nobody_reads(
    server: FakeVLLM, env: dict[str, str], work: Path, number: signal.Signals, code: int
) -> None:
    server.say(" ".join(map(str, range(60_000))))
    command = [sys.executable, "-m", "agentic", "ask", "hi", "--endpoint", server.url]
    process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    wait_until(lambda: waiting_in(process.stdout) > 61_000)  # it writes, and waits for a reader who never comes
    process.send_signal(number)
    try:
        assert process.wait(20) == code
    finally:
        process.kill()
        process.stdout.close()


def test_of_several_attempts_the_best_stays(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """A model that is restarted reads the same again, begins from the files as they were, and leaves its best attempt."""
    (work / "test_twice.py").write_text(
        "import unittest\nfrom twice import twice\n\n\nclass T(unittest.TestCase):\n"
        + "".join(f"    def test_{n}(self): self.assertEqual(twice({x!r}), {x!r} * 2)\n" for n, x in enumerate((1, 5, "a")))
    )
    versions = ["0", "x * 2 if x == 5 else 0", "x + 1", "1", "2"]
    server.script(*(fenced(f"twice.py\n```python\ndef twice(x):\n    return {body}\n```") for body in versions))
    options = ("--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=fenced", "--output", "jsonl")
    done = agentic("run", "Write twice.py.", *options)
    assert done.code == 1
    assert "x * 2 if x == 5" in (work / "twice.py").read_text()
    asked = [request.json for request in server.chats]
    assert len(asked) == 5
    assert asked[2]["messages"] == asked[4]["messages"] == asked[0]["messages"]
    assert "return 0" in asked[1]["messages"][-1]["content"]
    assert asked[2]["temperature"] > asked[1]["temperature"] >= 0.7


def test_a_fresh_start_asks_as_the_first_time(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """The whole request but its temperature, with what the protocol adds for the file that is to be corrected."""
    (work / "twice.py").write_text("def twice(x):\n    return x\n")
    (work / "test_twice.py").write_text(
        "import unittest\nfrom twice import twice\n\n\nclass T(unittest.TestCase):\n    def test_it(self): self.assertEqual(twice(2), 4)\n"
    )
    server.otherwise = lambda request: fenced(f"twice.py\n```python\ndef twice(x):\n    return {len(server.chats) * 10}\n```")
    agentic("run", "Mend it.", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=fenced")
    first, _, fresh = (request.json | {"temperature": None} for request in server.chats[:3])
    assert "stop" in first
    assert fresh == first


def test_the_task_may_come_from_the_standard_input(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("done")
    options = ("--endpoint", server.url, "-c", "tools.protocol=native")
    assert agentic("run", "-", *options, stdin="fix it,\nand say so\n").code == 0
    assert server.chats[0].json["messages"][-1]["content"].rstrip().endswith("fix it,\nand say so")
    assert agentic("run", "-", *options, stdin=" \n").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(agentic: Agentic, shell: str) -> None:
    assert "_AGENTIC_COMPLETE" in agentic("completions", shell).out

    def completed(*words: str) -> str:
        place = words[-1] if shell == "fish" else str(len(words) - 1)
        return agentic(more={"_AGENTIC_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": place}).out

    shown = completed("agentic", "se")
    assert "sessions" in shown and "serve" in shown and "batch" not in shown
    assert "--approve" in completed("agentic", "run", "--app")


SCHEMA = {"type": "object", "properties": {"files": {"type": "integer"}}, "required": ["files"], "additionalProperties": False}


def test_the_result_is_held_to_a_schema(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "schema.json").write_text(json.dumps(SCHEMA))
    options = ("--endpoint", server.url, "-c", "tools.protocol=native", "--schema", "schema.json")
    server.script(answer("two files"), answer('{"files": 2}'))
    done = agentic("run", "count", *options)
    assert (done.code, json.loads(done.out)) == (0, {"files": 2})
    asked = server.chats[-1].json
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA and "tools" not in asked
    assert "two files" in str(asked["messages"])


def test_a_result_that_the_schema_forbids_is_asked_for_once_more(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    (work / "schema.json").write_text(json.dumps(SCHEMA))
    options = ("--endpoint", server.url, "-c", "tools.protocol=native", "--schema", "schema.json")
    server.script(answer("two"), answer('{"files": "two"}'), answer('{"files": 2}'))
    assert json.loads(agentic("run", "count", *options).out) == {"files": 2}
    assert "'two' is not of type 'integer'" in server.chats[-1].json["messages"][-1]["content"]
    server.script(answer("two"), answer("two!"), answer("two!!"))
    done = agentic("run", "count", *options)
    assert done.code != 0 and "not what the schema allows: it was no JSON" in done.err


@pytest.mark.parametrize(
    ("content", "said"), [("{", "is no JSON schema"), ('{"type": 7}', "is no JSON schema"), ("[]", "no JSON schema")]
)
def test_what_is_no_schema_is_one_line(agentic: Agentic, server: FakeVLLM, work: Path, content: str, said: str) -> None:
    (work / "schema.json").write_text(content)
    done = agentic("run", "count", "--endpoint", server.url, "--schema", "schema.json")
    assert done.code == 2 and said in done.err and not server.chats
    assert agentic("run", "count", "--endpoint", server.url, "--schema", "nowhere.json").code == 2
