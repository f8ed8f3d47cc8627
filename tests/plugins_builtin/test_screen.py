"""The screen, in a pseudo-terminal read by a terminal emulator; and text that would like to own it."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len

from agentic.events import (
    ComplexityEstimated,
    EndpointSeen,
    Event,
    Failover,
    LlmChunk,
    LlmRequest,
    ReasoningChunk,
    SubAgentFinished,
    SubAgentStarted,
    ToolCalled,
    Unfolded,
    UsageReported,
    Warned,
)
from agentic.lib.palette import palette_for
from agentic.lib.sanitize import sanitize
from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, settings_with, tool_call
from plugins_builtin.terminal.below import Below
from plugins_builtin.terminal.footer import Footer
from plugins_builtin.terminal.highlight import Highlighter
from plugins_builtin.terminal.lanes import Lanes
from plugins_builtin.terminal.screen import TerminalScreen
from plugins_builtin.terminal.status import Status
from tests.children import PARTS, TASK, Model, delegating, objects
from tests.conftest import Agentic
from tests.terminal import terminal


def test_a_long_wide_answer_is_shown_whole_and_once(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    lines = [f"{number:03} 한국어 🙂 " + "word " * (number % 17) for number in range(60)]
    server.script(answer("\n".join(lines)))
    with terminal(["ask", "hi", "--endpoint", server.url], env, work) as shown:
        assert shown.until_ended() == 0
        flat = shown.text.replace(" ", "").replace("\n", "")
        assert flat.count("한국어🙂") == 60
        assert "".join(lines).replace(" ", "") in flat
        assert shown.restored()


def test_the_status_line_says_where_things_are_and_goes_away(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("a b c d e f", pause=0.15))
    with terminal(["run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: "tok/s" in shown.text and "% of 6,144" in shown.text and f"{server.port} " in shown.text)
        assert shown.until_ended() == 0
        assert "% of 6,144" not in shown.text
        assert "a b c d e f" in shown.text


def seen(**values: Any) -> EndpointSeen:
    known: dict[str, Any] = {
        "endpoint": "http://localhost:8001/v1", "running": 3, "waiting": 0, "kv_usage": 0.12, "hit_rate": 0.93, "ttft": 0.21,
        "tokens_per_second": 240.4, "places": 8, "lanes": {"interactive": 1, "sub-agent": 2},
    }  # fmt: skip
    return EndpointSeen(**known | values)


def test_the_status_line_tells_what_a_long_prompt_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("plugins_builtin.terminal.status.time.monotonic", lambda: now[0])
    status = Status()
    request = LlmRequest(endpoint="http://localhost:8001/v1", prompt_tokens=1_000, budget=30_000)
    status.note(request)
    now[0] += 2
    status.note(LlmChunk(text="a"))
    status.note(UsageReported(prompt_tokens=1_000, completion_tokens=10, cached_tokens=0))
    status.note(LlmRequest(endpoint="http://localhost:8001/v1", prompt_tokens=19_000, budget=30_000))
    status.note(seen(waiting=2))
    assert "waiting for the first token, 2 waiting" in status.line()
    now[0] += 6
    assert "prefilling 18,000 tokens, 2 waiting, about 30 s" in status.line()
    status.note(LlmChunk(text="b"))
    assert "prefilling" not in status.line()


def test_each_sub_agent_has_a_lane_until_it_ends() -> None:
    lanes = Lanes()
    for number in range(16):
        lanes.note(SubAgentStarted(task="x", title=f"part {number}", agent=f"sub-{number}"))
        for _ in range(50):
            lanes.note(LlmChunk(text=f"word{number} ", agent=f"sub-{number}"))
    lanes.note(ToolCalled(id="1", name="run", arguments={"command": "pytest -q"}, agent="sub-3"))
    lines = lanes.lines(80, 20)
    assert len(lines) == 16
    assert all(
        f"part {number} " in line and ("pytest -q" if number == 3 else f"word{number}") in line for number, line in enumerate(lines)
    )
    assert len(lanes.lines(80, 5)) == 5
    for number in range(16):
        lanes.note(SubAgentFinished(status="done", files=(f"{number}.py",), agent=f"sub-{number}"))
    assert not lanes
    assert re.fullmatch(r"part 3: done · \d\.\d s · 50 tokens · 3\.py", lanes.ended["sub-3"])


@given(st.text(), st.text(), st.integers(1, 200))
def test_a_lane_fits_any_terminal(title: str, text: str, width: int) -> None:
    lanes = Lanes()
    lanes.note(SubAgentStarted(task="x", title=title, agent="sub-a"))
    lanes.note(LlmChunk(text=text, agent="sub-a"))
    (line,) = lanes.lines(width, 5)
    assert cell_len(line) <= width
    assert line == sanitize(line)
    assert "\n" not in line


def writing(name: str, pause: float = 0.0) -> Any:
    """A sub-agent that writes its file and then says so, slowly."""

    def reply(request: Request) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":
            return answer(f"now {name} says some words more", pause=pause)
        return answer(tool_calls=tool_call("write_file", {"path": f"{name}.txt", "content": name}))

    return reply


def test_sub_agents_at_work_are_lanes_and_one_line_each_when_done(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    delegating(server, objects(4), {f"t{number}": writing(f"t{number}", 0.2) for number in range(4)})
    with terminal(["run", "go", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: len(re.findall(r"▸ t\d .* says", shown.text)) == 4)
        assert "4 sub-agents" in shown.text
        assert shown.until_ended() == 0
        assert "▸" not in shown.text
        assert all(len(re.findall(rf"^t{number}: done · .* t{number}\.txt$", shown.text, re.MULTILINE)) == 1 for number in range(4))
        assert shown.restored()


def test_a_user_who_thinks_costs_no_agent_its_time(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    delegating(server, objects(2), {f"t{number}": writing(f"t{number}") for number in range(2)})
    limits = ["-c", "tools.protocol=native", "-c", "sub_agents.timeout_seconds=2", "-c", "workflow.timeout_seconds=3"]
    with terminal(["run", "go", "--endpoint", server.url, *limits], env, work) as shown:
        for number in (1, 2):
            shown.until(lambda number=number: shown.text.count("allow? [y/N") == number)  # type: ignore[misc]
            time.sleep(2.2)  # longer than the sub-agent has; together longer than all have
            shown.type("y\n")
        assert shown.until_ended() == 0
        assert sorted(path.name for path in work.glob("*.txt")) == ["t0.txt", "t1.txt"]


def test_the_report_of_a_split_task_is_shown_once(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    Model(server, PARTS, {"tests": lambda request: ScriptedAnswer([b'{"error": "no"}'], 400, "application/json", chunked=False)})
    with terminal(["run", TASK, "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native"], env, work) as shown:
        assert shown.until_ended() == 1
        assert shown.text.count("Not done: tests.") == 1
        assert "✗ gave up" in shown.text.rpartition("Not done: tests.")[2]


def test_of_several_that_ask_each_answer_goes_to_the_question_that_is_shown(
    server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    """First in, first out; what the others do meanwhile waits, and keys typed before a question was there answer none."""
    behave = {f"t{number}": writing(f"t{number}") for number in range(4)} | {
        "t4": lambda request: answer("I only talk", pause=0.05)
    }
    delegating(server, objects(5), behave)
    limits = ["-c", "tools.protocol=native", "-c", "sub_agents.max_concurrent=5", "-c", "batching.batch_size=5"]
    with terminal(["run", "go", "--endpoint", server.url, *limits], env, work) as shown:
        asked: list[str] = []
        for number in range(4):
            shown.until(lambda number=number: shown.text.count("allow? [y/N") == number + 1)  # type: ignore[misc]
            if not number:
                assert server.wait_for(lambda: len(server.chats) >= 6 and server.running == 0)
            assert shown.text.rstrip().endswith("]")
            asked.append(re.findall(r"\? (t\d): write_file (t\d)\.txt", shown.text.replace("\n", ""))[-1][1])
            shown.type("n\n" if number % 2 else "y\n")
        shown.until_ended()
        assert sorted(asked) == ["t0", "t1", "t2", "t3"]
        assert sorted(path.stem for path in work.glob("*.txt")) == sorted(asked[::2])
        assert "t4: done" in shown.text
        assert shown.restored()


def test_a_tool_call_is_one_line_with_its_result(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer(tool_calls=tool_call("run", {"command": "echo out; exit 3"})), answer("ended"))
    with terminal(["run", "hi", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native"], env, work) as shown:
        assert shown.until_ended() == 0
        (line,) = [line for line in shown.text.splitlines() if "run echo out" in line]
        assert "exit 3" in line


@pytest.mark.parametrize(("key", "made"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_an_approval_shows_the_whole_command_and_waits(
    server: FakeVLLM, env: dict[str, str], work: Path, key: str, made: bool
) -> None:
    command = "touch made #" + " padding" * 60 + " the end"
    server.script(answer(tool_calls=tool_call("run", {"command": command})), answer("ended"))
    with terminal(["run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: "allow? [y/N" in shown.text)
        assert "theend" in shown.text.replace(" ", "").replace("\n", "")
        shown.type(key)
        assert shown.until_ended() == (0 if made else 4)
        assert (work / "made").exists() == made
        assert shown.restored()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("phase", ["streaming", "waiting", "asking", "running a command"])
def test_the_terminal_is_restored_on_every_way_out(
    server: FakeVLLM, env: dict[str, str], work: Path, number: signal.Signals, code: int, phase: str
) -> None:
    scripts = {
        "streaming": (answer("some words and more", fault="stall", fault_after=3), "words"),
        "waiting": (answer("", fault="stall", fault_after=0), "waiting for"),
        "asking": (answer(tool_calls=tool_call("run", {"command": "true"})), "allow?"),
        "running a command": (answer(tool_calls=tool_call("run", {"command": "sleep 60"})), "run sleep 60"),
    }
    scripted, sign = scripts[phase]
    server.script(scripted)
    mode = "ask" if phase == "asking" else "all"
    with terminal(["run", "hi", "--endpoint", server.url, "--approve", mode, "-c", "tools.protocol=native"], env, work) as shown:
        shown.until(lambda: sign in shown.text)
        started = time.monotonic()
        shown.process.send_signal(number)
        assert shown.until_ended() == code
        assert time.monotonic() - started < 5
        assert shown.restored()


ATTACKS = {
    "clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "title": "\x1b]0;owned\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "link": "\x1b]8;;http://evil\x1b\\ok\x1b]8;;\x1b\\",
    "DCS": "\x1bPq\x1b\\",
    "C1": "\x9b2J",
    "bidi": "\u202egnp.exe",
    "tags": "\U000e0041",
    "markup": "[/bold] [link=x]y[/link] [/]",
    "carriage return": "safe\rrm -rf",
    "bell": "\x07\x08\x7f",
}


@pytest.mark.parametrize("output", ["rich", "plain", "jsonl"])
def test_no_text_of_a_model_or_tool_reaches_the_terminal_raw(
    server: FakeVLLM, env: dict[str, str], work: Path, output: str
) -> None:
    """All attacks in one text: what one of them would hide of another is none of its own bytes."""
    evil = " and ".join(ATTACKS.values())
    (work / "evil").write_text(evil)
    server.script(
        answer(f"text {evil} text", reasoning=f"think {evil}", tool_calls=tool_call("read_file", {"path": "evil"})),
        answer(tool_calls=tool_call("run", {"command": f"cat evil #{evil}"})),
        answer(f"last {evil} words"),
    )
    arguments = ["run", f"task {evil}", "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native"]
    with terminal([*arguments, "--output", output], env, work) as shown:
        assert shown.until_ended() == 0
        raw = shown.raw.decode()
    for escape in ("\x1b]", "\x1bP", "\x1b[2J", "\x1b[H", "\x9b", "\u202e", "\U000e0041", "\x07", "\x08"):
        assert escape not in raw


@given(st.text())
def test_sanitised_text_has_no_control_and_stays_the_same_the_second_time(text: str) -> None:
    safe = sanitize(text)
    assert all(c in "\n\t" or not (ord(c) < 32 or 127 <= ord(c) < 160) for c in safe)
    assert sanitize(safe) == safe
    assert sanitize("plain text, 한국어, 👩‍💻\n\tcode()") == "plain text, 한국어, 👩‍💻\n\tcode()"


BLANK = "\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe00\ufe0e\ufe0f\uffa0\U00013430\U0001bca0\U0001d173\U000e0100\U000e01ef"


@pytest.mark.parametrize("character", BLANK, ids=[f"U+{ord(c):04X}" for c in BLANK])
def test_what_shows_nothing_is_spelled_out_where_it_is_no_part_of_an_emoji(character: str) -> None:
    assert sanitize(f"rm a{character}b 1{character}") == f"rm a\\u{{{ord(character):x}}}b 1\\u{{{ord(character):x}}}"
    emoji = "❤\ufe0f ☎\ufe0e 1\ufe0f\u20e3 👩‍❤\ufe0f‍👩"
    assert sanitize(emoji) == emoji


def bare(text: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def test_code_is_coloured_with_what_it_began_in() -> None:
    colours = palette_for("dark", "utf-8", environment={"TERM": "xterm"})
    code = Highlighter("python", colours)
    first, second, third = (code.line(line) for line in ('x = """one', "two if", 'three""" if y else 1'))
    assert colours.string in first and colours.keyword not in second and second.startswith(colours.string)
    assert f"{colours.keyword}if" in third


@given(st.sampled_from(["python", "yaml", "json", "html", "console", "diff", "rust", "nonsense", "c++"]), st.lists(st.text()))
def test_highlighting_changes_no_character(language: str, lines: list[str]) -> None:
    code = Highlighter(language, palette_for("dark", "utf-8", environment={"TERM": "xterm"}))
    for line in lines:
        line = " ".join(line.splitlines())
        assert bare(code.line(line)) == line


def test_plain_output_has_no_escape(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("# Title\n**bold** `code`")
    done = agentic("ask", "hi", "--endpoint", server.url, "--output", "plain")
    assert done.out == "# Title\n**bold** `code`\n"


def test_jsonl_is_one_object_a_line_with_the_fields_that_were_promised(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("hi\n\u2028there"))
    done = agentic("run", "say hi", "--endpoint", server.url, "--output", "jsonl", "-c", "tools.protocol=native")
    for line in done.out.splitlines():
        event = json.loads(line)
        assert {"type", "time", "run", "agent"} <= event.keys()
    kinds = [event["type"] for event in done.events]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_finished"
    assert {"workflow_event", "complexity", "llm_request", "llm_chunk", "usage"} <= set(kinds)
    assert {"endpoint", "prompt_tokens", "budget"} <= done.of_type("llm_request")[0].keys()


def test_jsonl_of_a_failed_run_ends_with_run_finished(agentic: Agentic, server: FakeVLLM) -> None:
    server.otherwise = lambda request: answer("half", fault="reset", fault_after=2)
    done = agentic("ask", "hi", "--endpoint", server.url, "--output", "jsonl", "-c", "llm.transport=vllm")
    assert done.code == 3
    assert done.of_type("run_finished")[0]["status"] == "failed"


@pytest.mark.parametrize(
    "more",
    [
        {"COLUMNS": "1"},
        {"TERM": ""},
        {"LANG": "C"},
        {"NO_COLOR": "1"},
        {"PYTHONIOENCODING": "utf-8"},
        {"HOME": "/proc/nonexistent"},
    ],
)
def test_odd_surroundings(fresh_agentic: Agentic, server: FakeVLLM, more: dict[str, str]) -> None:
    server.say("안녕")
    done = fresh_agentic("run", "hi", "--endpoint", server.url, "-c", "tools.protocol=native", more=more)
    assert done.code == 0
    assert "안녕" in done.out


def test_an_output_that_lacks_the_character(fresh_agentic: Agentic, server: FakeVLLM) -> None:
    server.say("안녕")
    done = fresh_agentic("ask", "hi", "--endpoint", server.url, more={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.out) == (0, "\\uc548\\ub155\n")


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-"])
def test_a_closed_standard_stream(server: FakeVLLM, env: dict[str, str], work: Path, closing: str) -> None:
    command = f"{sys.executable} -m agentic ask hi --endpoint {server.url} {closing}"
    done = subprocess.run(command, shell=True, cwd=work, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_gone(env: dict[str, str], work: Path) -> None:
    command = f"rmdir {work}; {sys.executable} -m agentic ask hi"
    done = subprocess.run(command, shell=True, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert "does not exist any more" in done.stderr


def test_a_closed_pipe_is_no_traceback(server: FakeVLLM, env: dict[str, str], work: Path) -> None:
    server.script(answer("word " * 5000))
    command = f"{sys.executable} -m agentic ask hi --endpoint {server.url} | head -c 5"
    done = subprocess.run(command, shell=True, cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.stdout == "word "


def shown_by(*events: Event, **values: Any) -> str:
    """What a terminal shows of these events."""
    out = io.StringIO()
    palette = palette_for("dark", "utf-8", environment={"TERM": "xterm"})
    seen = TerminalScreen(settings_with(values), Path("/"), palette, Below(out))
    for event in events:
        seen.handle(event)
    seen.close()
    emulated = pyte.Screen(80, 30)
    pyte.ByteStream(emulated).feed(out.getvalue().encode())
    return "\n".join(line.rstrip() for line in emulated.display).strip()


THOUGHTS = (ReasoningChunk(text="first I look\nthen "), ReasoningChunk(text="I act"), LlmChunk(text="Done."))


def test_thoughts_are_shown_dim_or_folded_into_a_line() -> None:
    assert shown_by(*THOUGHTS, **{"ui.reasoning": "show"}) == "first I look\nthen I act\n\nDone."
    assert shown_by(*THOUGHTS) == "(thought 6 words: Ctrl-O)\n\nDone."
    assert shown_by(ReasoningChunk(text="Short."), LlmChunk(text="Done.")).startswith("(thought 1 word: Ctrl-O)")
    unfolded = shown_by(*THOUGHTS, Unfolded(), Unfolded())
    assert unfolded == "(thought 6 words: Ctrl-O)\n\nDone.\n\nfirst I look\nthen I act\n\n(nothing is folded)"


BROKE = {"from_": "http://a/v1", "to": "http://b/v1", "why": "the connection broke"}


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_a_remark_parts_no_line_of_an_answer(cut: int) -> None:
    """The other server goes on in the middle of a span of code: what follows is prose and code as it was meant."""
    before, after = "So `add(0.1", ", 0.2)` is wrong.\n\nPrint `it`.\n```\ncode\n"
    rest = [LlmChunk(text=after[at : at + cut]) for at in range(0, len(after), cut)]
    shown = shown_by(LlmChunk(text=before), Failover(**BROKE, resumed=len(before)), *rest)
    said, remark, *more = shown.split("\n\n")
    assert said == "So add(0.1, 0.2) is wrong."
    assert (
        " ".join(remark.split())
        == "http://a/v1 failed: the connection broke; going on with http://b/v1 (in the middle of the answer)"
    )
    assert "\n\n".join(more) == "Print it.\n```\ncode"


def test_a_remark_in_code_waits_for_its_end_and_one_at_the_end_is_shown() -> None:
    shown = shown_by(LlmChunk(text="```\na = 1\nb"), Warned(message="busy"), LlmChunk(text=" = 2\n```\n"), LlmChunk(text="So."))
    assert shown == "```\na = 1\nb = 2\n```\n\nwarning: busy\n\nSo."
    assert shown_by(LlmChunk(text="So it"), Warned(message="busy")) == "So it\n\nwarning: busy"


def test_what_is_void_ends_where_it_is() -> None:
    shown = shown_by(LlmChunk(text="So it"), Failover(**BROKE, partial=5), LlmChunk(text="It is"))
    assert shown.startswith("So it\n\nhttp://a/v1 failed") and shown.endswith("\n\nIt is")


def test_what_only_a_developer_understands_is_for_debug() -> None:
    estimated = ComplexityEstimated(score=0.15, separable=False, reasons=("names no component",))
    assert shown_by(estimated) == ""
    assert "complexity" in shown_by(estimated, **{"ui.debug": True})


def footer(*events: Event, width: int = 100, **values: Any) -> str:
    made = Footer(settings_with(values), Path("/srv/project"), palette_for("dark", "utf-8", environment={"TERM": "xterm"}))
    for event in events:
        made.note(event)
    return made.line(width)


TWO = {"llm.endpoints": ["http://localhost:8001/v1", "http://localhost:8002/v1"], "llm.model": "openai/gpt-oss-120b"}


def test_the_footer_says_where_what_how_full_and_how_busy() -> None:
    events = [
        LlmRequest(endpoint="http://localhost:8001/v1", prompt_tokens=3_000, budget=30_000),
        UsageReported(prompt_tokens=3_000, completion_tokens=5, cached_tokens=2_820),
        seen(running=8, waiting=3),
        seen(endpoint="http://localhost:8002/v1", running=0),
    ]
    assert footer(**TWO) == "/srv/project · gpt-oss-120b · ask · 8001 8002"
    assert footer(*events, **TWO) == "/srv/project · gpt-oss-120b · 10% of 30k · ask · 8001 █ +3 8002 ▁ · 94% cached"
    assert footer(*events, width=60, **TWO) == "gpt-oss-120b · 10% of 30k · ask · 8001 █ +3 8002 ▁"


def test_the_footer_has_the_parts_that_the_user_wants_by_their_old_names_too() -> None:
    assert footer(**TWO, **{"ui.status": ["servers", "model"]}) == "gpt-oss-120b · 8001 8002"


def test_an_endpoint_that_failed_is_marked_until_it_answers() -> None:
    broken = Failover(from_="http://localhost:8001/v1", to="http://localhost:8002/v1", why="gone")
    assert footer(broken, **TWO).endswith("8001 ✗ 8002")
    assert footer(broken, seen(), **TWO).endswith("8001 ▃ 8002")
    usage = UsageReported(prompt_tokens=10, completion_tokens=1)
    asked = LlmRequest(endpoint="http://localhost:8001/v1", prompt_tokens=10, budget=100, purpose="turn")
    assert "8001 ✗ 8002" in footer(asked, broken, usage, **TWO)  # the other one answered
    assert "8001 8002" in footer(asked, broken, usage, asked, usage, **TWO)


def test_a_turn_ends_with_time_tokens_speed_and_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("plugins_builtin.terminal.status.time.monotonic", lambda: now[0])
    status = Status()
    status.note(LlmRequest(endpoint="e", prompt_tokens=1_000, budget=2_000))
    for _ in range(2):
        now[0] += 1
        status.note(LlmChunk(text="a"))
    now[0] += 1
    status.note(UsageReported(prompt_tokens=1_000, completion_tokens=60, cached_tokens=900))
    assert status.summary() == " · 3.0 s · 60 tokens · 30 tok/s · 90 % from the cache"
