"""Sessions: nothing acknowledged is lost, whatever a file looks like it gives a valid history, undo touches nobody else's work."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agentic.errors import ConfigError, ToolError
from agentic.lib.messages import LOST, flattened, from_record, to_record, valid
from agentic.lib.workspace import Workspace
from agentic.sessions import Blackboard, ConversationHistory, Session, SessionStore
from agentic.sessions.undo import ChangedSince, Journal, last_turn, undo
from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from agentic.types import Message, ToolCall, ToolNote
from tests.conftest import Agentic
from tests.sweeps import LONG

NATIVE = ("-c", "tools.protocol=native", "--output", "jsonl")


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "sessions")


@pytest.fixture
def session(store: SessionStore, tmp_path: Path) -> Iterator[Session]:
    with closing(store.new(tmp_path)) as session:
        yield session


WRITER = """
import sys
from pathlib import Path
from agentic.sessions import ConversationHistory, SessionStore
from agentic.types import Message, ToolCall, ToolNote
store = SessionStore(Path(sys.argv[1]))
session = store.open(sys.argv[2])[0] if len(sys.argv) > 2 else store.new(Path("/"))
history = ConversationHistory(session)
print(session.id, len(history), flush=True)
for number in range(len(history), 10_000):
    if number % 3 == 1:
        history.add(Message("assistant", f"{number}", tool_calls=(ToolCall(f"c{number}", "run", '{"command": "x"}'),)))
    elif number % 3 == 2:
        history.add(Message("tool", f"{number} " + "y" * 2000, tool_call_id=f"c{number - 1}", notes=(ToolNote("run x"),)))
    else:
        history.add(Message("user", f"{number}"))
    if number % 50 == 49:
        history.rewrite(history.get_messages_for_llm())
    print(number, flush=True)
"""


def assert_accepted(history: list[Message]) -> None:
    """As strict as the strictest server: every call is answered at once, nothing answers what was not called."""
    waiting: list[str] = []
    for message in history:
        if message.role == "tool":
            assert message.tool_call_id in waiting
            waiting.remove(message.tool_call_id)
        else:
            assert not waiting
            waiting = [call.id for call in message.tool_calls]
        for call in message.tool_calls:
            assert isinstance(json.loads(call.arguments), dict)
        message.text.encode()
    assert not waiting


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5 if LONG else 1))
def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """In a process of its own: forking the one that runs all tests takes far longer."""
    code = f"import pathlib, sys; from {__name__} import kill_a_writer as k; k(pathlib.Path(sys.argv[1]), {seed})"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2], check=True)


def kill_a_writer(tmp_path: Path, seed: int) -> None:
    """SIGKILLs at random points of a writer that says which records are down."""
    chance = random.Random(seed)
    folder, name, acknowledged = tmp_path / "sessions", "", -1
    for _ in range(100 if LONG else 40):
        reads, writes = os.pipe()
        process = os.fork()
        if process == 0:
            _write_until_killed(folder, name, writes)
        os.close(writes)
        with open(reads) as told:
            said = [told.readline() for _ in range(chance.randrange(2, 30))]
            os.kill(process, signal.SIGKILL)
            said += told.readlines()
        os.waitpid(process, 0)
        name, acknowledged = said[0].split()[0], max(acknowledged, *(int(number) for number in said[1:] if number.endswith("\n")))
        with closing(SessionStore(folder).open(name)[0]) as session:
            history = ConversationHistory(session).get_messages_for_llm()
        assert_accepted(history)
        numbers = [i if message.content == LOST else int(message.content.split()[0]) for i, message in enumerate(history)]
        assert numbers == list(range(len(numbers)))
        assert numbers[-1] >= acknowledged


def _write_until_killed(folder: Path, name: str, out: int) -> None:
    try:
        sys.stdout = os.fdopen(out, "w")
        sys.argv = ["writer", str(folder), *([name] if name else [])]
        exec(compile(WRITER, "writer", "exec"), {})
    finally:
        os._exit(1)


def test_the_second_process_on_a_session_is_told_so(store: SessionStore, session: Session) -> None:
    with pytest.raises(ConfigError, match=f"session {session.id} is in use by process {os.getpid()}"):
        store.open(session.id)


def test_a_session_in_use_can_be_read(store: SessionStore, session: Session) -> None:
    session.append("message", to_record(Message("user", "hi")))
    with closing(store.read(session.id)) as reader:
        assert [record.data["content"] for record in reader.records("message")] == ["hi"]


# What may have happened to a file, and what then has to be.
def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    match how:
        case "torn tail":
            path.write_bytes(data[: len(data) * 2 // 3])
        case "NUL block":
            path.write_bytes(data[:8192] + bytes(4096) + data[12288:])
        case "no database":
            path.write_bytes(b"hello\n" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "header gone":
            path.write_bytes(bytes(100) + data[100:])


@pytest.mark.parametrize("how", ["torn tail", "NUL block", "no database", "empty", "header gone"])
def test_a_damaged_file_opens_with_what_is_readable_or_empty(store: SessionStore, tmp_path: Path, how: str) -> None:
    with closing(store.new(tmp_path)) as session:
        history = ConversationHistory(session)
        for number in range(200):
            history.add(Message("user" if number % 2 else "assistant", f"{number} " + "x" * 300))
        session._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other = store.new(tmp_path)
    other.close()
    damage(session.path, how)
    assert {summary.id for summary in store.all()} == {session.id, other.id}
    opened, notice = store.open(session.id)
    with closing(opened):
        restored = ConversationHistory(opened).get_messages_for_llm()
        assert_accepted(restored)
        assert bool(notice) == (how != "empty")
        ConversationHistory(opened).add_message("user", "and on it goes")
        assert ConversationHistory(opened).get_messages_for_llm()[-1].content == "and on it goes"
    if how == "torn tail":
        assert restored
    if notice:
        assert list(session.path.parent.glob(f"{session.path.name}.corrupt-*"))


def test_a_file_that_cannot_be_opened_is_said(store: SessionStore, session: Session) -> None:
    folder = session.path.parent / "20200101-000000-aaaa.db"
    folder.mkdir()
    with pytest.raises(ConfigError, match="cannot be opened"):
        store.open("20200101-000000-aaaa")
    assert folder.is_dir()


def test_rows_that_make_no_sense_are_left_out(session: Session) -> None:
    add = session._database.execute
    session.append("message", to_record(Message("user", "first")))
    add("INSERT INTO records VALUES (100, 0, 'message', 'main', 'not json')")
    add("INSERT INTO records VALUES (101, 0, 'message', 'main', ?)", (b"\xff\xfe\x00",))
    add("INSERT INTO records VALUES (102, 'when', 'message', 'main', '{\"role\": \"emperor\"}')")
    add("INSERT INTO records VALUES (103, 0, 'from the future', 'main', '{}')")
    add("INSERT INTO records VALUES (104, 0, NULL, NULL, NULL)")
    session.append(
        "message", {"role": "assistant", "content": "\ud800 lone", "tool_calls": [{"id": "a", "name": "run", "arguments": "{"}]}
    )
    session.append("message", {"role": "tool", "content": "orphan", "tool_call_id": "nobody"})
    history = ConversationHistory(session).get_messages_for_llm()
    assert_accepted(history)
    assert [message.role for message in history] == ["user", "assistant", "tool"]
    assert history[-1].content == LOST


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda c: st.lists(c, max_size=3), max_leaves=5
)
_RECORDS = st.dictionaries(
    st.sampled_from(["role", "content", "reasoning", "tool_calls", "tool_call_id", "notes"]),
    _ANYTHING
    | st.sampled_from(["user", "assistant", "tool"])
    | st.lists(st.dictionaries(st.sampled_from(["id", "name", "arguments"]), _ANYTHING)),
)


@given(st.lists(_RECORDS, max_size=12))
def test_any_records_give_a_valid_history(records: list[dict[str, object]]) -> None:
    messages = [message for record in records if (message := from_record(record))]
    assert_accepted(valid(messages, {}))


@given(st.lists(_RECORDS, max_size=12))
def test_a_history_as_text_has_no_calls_and_no_results(records: list[dict[str, object]]) -> None:
    messages = valid([message for record in records if (message := from_record(record))], {})
    assert all(message.role != "tool" and not message.tool_calls for message in flattened(messages))


def test_a_result_that_came_but_was_not_kept_as_a_message_is_found(session: Session) -> None:
    call = ToolCall("c1", "run", '{"command": "make"}')
    session.append("message", to_record(Message("user", "go")))
    session.append("message", to_record(Message("assistant", "", tool_calls=(call,))))
    session.append("event", {"type": "tool_result", "id": "c1", "text": "made"})
    assert ConversationHistory(session).get_messages_for_llm()[-1] == Message(
        "tool", "made", tool_call_id="c1", notes=(ToolNote("run"),)
    )


def test_the_plans_interface(session: Session) -> None:
    history = ConversationHistory(session)
    history.add_message("user", "hello")
    history.share_context("api", "GET /items")
    assert history.get_messages_for_llm() == [Message("user", "hello")]
    assert ConversationHistory(session).get_shared_context("api") == "GET /items"
    assert history.get_shared_context("nothing") is None


def test_a_trim_is_remembered_and_nothing_is_gone(session: Session) -> None:
    history = ConversationHistory(session)
    for number in range(6):
        history.add_message("user" if number % 2 else "assistant", str(number))
    history.rewrite(history.get_messages_for_llm()[4:])
    history.add_message("assistant", "6")
    again = ConversationHistory(session)
    assert [message.content for message in again.get_messages_for_llm()] == ["4", "5", "6"]
    assert [record.data["content"] for record in session.records("message")] == list("0123456")


def test_the_blackboard_is_limited_and_says_who(session: Session) -> None:
    board = Blackboard(session)
    board.share("api", "GET /items", "backend")
    assert board.section(but_by="backend") == ""
    assert board.section(but_by="frontend") == "Shared context:\n- api (by backend): GET /items"
    assert Blackboard(session).section() == board.section()
    with pytest.raises(ToolError, match="at most"):
        board.share("api", "x" * 5000)
    for number in range(31):
        board.share(f"k{number}", "v")
    with pytest.raises(ToolError, match="32 values"):
        board.share("one more", "v")
    board.share("api", "")
    assert board.get("api") is None


def test_undo_brings_back_what_was_and_refuses_what_changed_since(session: Session, tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    (root / "old.bin").write_bytes(b"\x00\xffold\r\n")
    (root / "old.bin").chmod(0o750)
    space = Workspace(root)
    space.journal = Journal(session)
    session.append("turn", {"task": "one"})
    space.write("old.bin", b"new")
    space.write("made/new.txt", b"hello")
    space.write("old.bin", b"newer")
    (root / "made/new.txt").write_text("the user's own words")
    with pytest.raises(ChangedSince, match=r"made/new\.txt changed since"):
        undo(session, Workspace(root))
    assert (root / "old.bin").read_bytes() == b"newer"
    (root / "made/new.txt").write_text("hello")
    assert undo(session, Workspace(root)) == ["old.bin", "made/new.txt"]
    assert (root / "old.bin").read_bytes() == b"\x00\xffold\r\n"
    assert (root / "old.bin").stat().st_mode & 0o777 == 0o750
    assert not (root / "made/new.txt").exists()
    assert undo(session, Workspace(root)) == []


def test_undo_brings_back_what_was_removed(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    space = Workspace(tmp_path)
    space.journal = Journal(session)
    session.append("turn", {"task": "one"})
    space.remove("a.txt")
    assert undo(session, space) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_undo_of_the_last_turn_only(session: Session, tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    space.journal = Journal(session)
    for turn in ("one", "two"):
        session.append("turn", {"task": turn})
        space.write("a.txt", turn.encode())
    session.append("turn", {"task": "a question"})
    assert undo(session, space, last_turn(session)) == ["a.txt"]  # as the chat does, with the journal that the tools have
    assert (tmp_path / "a.txt").read_text() == "one"
    undo(session, space, last_turn(session))
    assert not (tmp_path / "a.txt").exists()
    assert last_turn(session) == 0


def test_a_full_disk_costs_no_run(session: Session) -> None:
    session._database.execute("PRAGMA max_page_count = 30")
    for _ in range(100):
        session.append("message", to_record(Message("user", "x" * 4000)))
    assert "cannot be written" in session.fault


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    session = SessionStore(tmp_path / "file" / "sessions").new(tmp_path)
    assert "no session is kept" in session.fault
    ConversationHistory(session).add_message("user", "hi")


# From outside.


def test_run_goes_on_where_it_stopped(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer("The answer is 42."), answer("I said 42."))
    first = agentic("run", "what is the answer", "--endpoint", server.url, *NATIVE)
    done = agentic("run", "what did you say?", "--continue", "--endpoint", server.url, *NATIVE)
    assert done.code == 0
    before, after = (request.json["messages"] for request in server.chats)
    assert after[: len(before)] == before
    said, asked = (message["content"] for message in after[len(before) :])
    assert said == "The answer is 42."
    assert asked.endswith("what did you say?")
    assert first.of_type("run_started")[0]["session"] == done.of_type("run_started")[0]["session"] != ""


def test_ask_goes_on_where_it_stopped(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("Ada.", "You asked who.")
    agentic("ask", "who wrote the first program?", "--endpoint", server.url)
    agentic("ask", "what did I ask?", "--continue", "--endpoint", server.url)
    said = [message["content"] for message in server.chats[1].json["messages"]]
    assert said == ["who wrote the first program?", "Ada.", "what did I ask?"]


def test_nothing_to_continue_is_said(agentic: Agentic, server: FakeVLLM) -> None:
    done = agentic("run", "go on", "--continue", "--endpoint", server.url)
    assert done.code == 2
    assert "no session of" in done.err


def test_a_run_killed_in_the_middle_of_an_answer_goes_on(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], work: Path
) -> None:
    server.script(
        answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "hello"})),
        answer([f"word{i} " for i in range(1000)], pause=0.02),
    )
    arguments = ["run", "write a", "--endpoint", server.url, "--approve", "all", *NATIVE]
    process = subprocess.Popen([sys.executable, "-m", "agentic", *arguments], cwd=work, env=env, stdout=subprocess.PIPE)
    assert process.stdout is not None
    chunks = 0
    for line in process.stdout:
        chunks += b"llm_chunk" in line
        if chunks > 100:
            process.kill()
            break
    process.communicate()
    server.script(answer("done"))
    agentic("run", "go on", "--continue", "--endpoint", server.url, *NATIVE)
    messages = server.chats[-1].json["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert messages[4]["content"].startswith("word0 word1 ")
    assert messages[4]["content"].endswith("(interrupted)")


def test_an_interrupted_answer_stays_however_often_one_goes_on(session: Session) -> None:
    history = ConversationHistory(session)
    history.add_message("user", "explain")
    history.partial("It begins")
    for _ in range(2):
        history = ConversationHistory(session)
        assert [m.content for m in history.get_messages_for_llm()][:2] == ["explain", "It begins\n(interrupted)"]
        history.add_message("user", "go on")
        history.add_message("assistant", "It ends")
    assert [record.data["content"] for record in session.records("message")].count("It begins\n(interrupted)") == 1


def test_a_session_of_another_protocol_goes_on_as_text(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer(tool_calls=tool_call("list_files", {})), answer("empty"), answer("still empty"))
    agentic("run", "look", "--endpoint", server.url, *NATIVE)
    agentic("run", "again", "--continue", "--endpoint", server.url, "-c", "tools.protocol=fenced", "--output", "jsonl")
    messages = server.chats[-1].json["messages"]
    assert {message["role"] for message in messages} == {"system", "user", "assistant"}
    assert "(calls list_files {})" in messages[2]["content"]


def test_sessions_on_the_command_line(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "hello"})), answer("done\x1b[31m"))
    agentic("run", "write a", "--endpoint", server.url, "--approve", "all", *NATIVE)
    listed = [json.loads(line) for line in agentic("sessions", "list", "--output", "jsonl").out.splitlines()]
    assert [(entry["root"], entry["title"]) for entry in listed] == [(str(work), "write a")]
    name = listed[0]["id"]
    assert "write a" in agentic("sessions").out
    shown = agentic("sessions", "show", name).out
    assert "write_file" in shown
    assert "\x1b" not in shown
    records = [json.loads(line) for line in agentic("sessions", "export", name[-4:]).out.splitlines()]
    kinds = {record["kind"] for record in records}
    assert {"message", "event", "file", "turn"} <= kinds
    assert {"usage", "tool_call", "tool_result", "llm_request"} <= {r["data"].get("type") for r in records if r["kind"] == "event"}
    assert agentic("sessions", "export", name, "--format", "markdown", "-o", "out.md").code == 0
    assert "## assistant" in (work / "out.md").read_text()
    assert agentic("sessions", "undo").out == "taken back: a.txt\n"
    assert not (work / "a.txt").exists()
    assert agentic("sessions", "rm", name).out == f"removed {name}\n"
    assert agentic("sessions", "show", name).code == 2


def test_recall_gives_an_output_that_was_left_out(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    text = "".join(f"line {i}\n" for i in range(2000))
    (work / "big.txt").write_text(text)
    server.window = 4096
    server.script(answer(tool_calls=tool_call("read_file", {"path": "big.txt"})), answer("long"))
    agentic("run", "read it", "--endpoint", server.url, *NATIVE)
    result = server.chats[1].json["messages"][-1]["content"]
    assert len(result) < 4000
    name = result.partition("recall ")[2][:8]
    server.script(answer(tool_calls=tool_call("recall", {"id": name, "line_start": 1500, "line_end": 1501})), answer("found"))
    agentic("run", "the middle", "--continue", "--endpoint", server.url, *NATIVE)
    assert server.chats[-1].json["messages"][-1]["content"] == "line 1499\nline 1500\n(lines 1500 to 1501 of 2000)"


def test_what_is_shared_is_kept_and_told_in_the_newest_message(agentic: Agentic, server: FakeVLLM) -> None:
    server.script(answer(tool_calls=tool_call("share", {"key": "port", "value": "8080"})), answer("shared"), answer("8080"))
    agentic("run", "decide on a port", "--endpoint", server.url, *NATIVE)
    agentic("run", "which port?", "--continue", "--endpoint", server.url, *NATIVE)
    assert "port (by main): 8080" in server.chats[-1].json["messages"][-1]["content"]


def test_a_1000_page_file_is_no_reason_to_read_it_all(session: Session) -> None:
    """Opening asks the index for what comes after the last trim."""
    history = ConversationHistory(session)
    for number in range(50):
        history.add_message("user" if number % 2 else "assistant", "x" * 100)
    history.rewrite(history.get_messages_for_llm()[-2:])
    plan = session._database.execute(
        "EXPLAIN QUERY PLAN SELECT seq FROM records WHERE seq > ? AND kind IN (?, ?) ORDER BY seq", (40, "message", "amended")
    ).fetchall()
    assert "SEARCH" in str(plan)
    assert sqlite3.sqlite_version


def test_an_interrupted_answer_is_not_said_twice(agentic: Agentic, server: FakeVLLM) -> None:
    broken = answer("half of it")
    server.script(ScriptedAnswer(broken.pieces[:-3]), answer("whole"))
    agentic("ask", "say it", "--endpoint", server.url)
    server.say("more")
    agentic("ask", "more", "--continue", "--endpoint", server.url)
    assert "interrupted" not in json.dumps(server.chats[-1].json["messages"])


def test_looking_at_sessions_makes_none_of_them_newer(agentic: Agentic, server: FakeVLLM, work: Path) -> None:
    """Undo takes back what the latest one wrote, however often the list was looked at."""
    for name in ("one.txt", "two.txt"):
        server.script(answer(tool_calls=tool_call("write_file", {"path": name, "content": "x"})), answer("done"))
        agentic("run", name, "--endpoint", server.url, "--approve", "all", "-c", "tools.protocol=native")
    before = agentic("sessions").out
    assert agentic("sessions").out.splitlines() == before.splitlines()
    assert agentic("sessions", "undo").out == "taken back: two.txt\n"
    assert (work / "one.txt").exists()


def test_a_session_that_is_taken_up_elsewhere_says_where(agentic: Agentic, server: FakeVLLM, work: Path, tmp_path: Path) -> None:
    server.say("one", "two", "three")
    assert agentic("ask", "hi", "--endpoint", server.url).code == 0
    name = agentic("sessions", "list").out.split()[0]
    assert "began in" not in agentic("ask", "more", "--endpoint", server.url, "--resume", name).err
    other = tmp_path / "other"
    other.mkdir()
    done = agentic("ask", "more", "--endpoint", server.url, "--resume", name, "-C", str(other))
    assert f"began in {work.resolve()}; it goes on in {other.resolve()}" in " ".join(done.err.split())


def test_without_an_id_this_folders_latest_session_is_shown(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("the answer")
    assert agentic("ask", "the question", "--endpoint", server.url).code == 0
    assert "the answer" in agentic("sessions", "show").out
    assert "the answer" in agentic("sessions", "export", "--format", "markdown").out
