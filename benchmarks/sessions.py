"""What keeping a session costs: an append, opening a large one, and what a page of the file system costs beside it.

python benchmarks/sessions.py
"""

import os
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from agentic.sessions import ConversationHistory, Session, SessionStore
from agentic.types import Message, ToolCall, ToolNote

RECORDS = 10_000
GIGABYTE = 1 << 30
TEXT = "a line of a tool's output, as long as such lines are\n" * 20


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        store = SessionStore(Path(folder))
        with closing(store.new(Path(folder))) as session:
            times = sorted(append_ms(session))
        print(f"{RECORDS} records: append p50 {statistics.median(times):.3f} ms, p99 {times[int(0.99 * RECORDS)]:.3f} ms (reach 5),"
              f" most {times[-1]:.2f} ms; a plain write and fsync {plain_ms(Path(folder)):.3f} ms")  # fmt: skip
        with closing(store.new(Path(folder))) as large:
            fill(large)
        size = large.path.stat().st_size / GIGABYTE
        opened = [open_ms(store, large.id) for _ in range(5)]
        print(f"{size:.2f} GiB session: {statistics.median(opened):.0f} ms from opening to its messages (reach 300)")
        listed = time.perf_counter()
        count = len(list(store.all()))
        print(f"listing {count} sessions: {1000 * (time.perf_counter() - listed):.0f} ms")


def append_ms(session: Session) -> list[float]:
    history = ConversationHistory(session)
    times = []
    for number in range(RECORDS):
        message = turn(number)
        started = time.perf_counter()
        history.add(message)
        times.append(1000 * (time.perf_counter() - started))
    return times


def turn(number: int) -> Message:
    if number % 2:
        return Message("tool", TEXT, tool_call_id=f"c{number - 1}", notes=(ToolNote("run make", False, 0),))
    return Message("assistant", "I look.", tool_calls=(ToolCall(f"c{number}", "run", '{"command": "make"}'),))


def plain_ms(folder: Path) -> float:
    """The disk's own price, for comparison."""
    times = []
    with open(folder / "plain", "wb") as file:
        for _ in range(200):
            started = time.perf_counter()
            file.write(TEXT.encode())
            file.flush()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def fill(session: Session) -> None:
    """A gigabyte of messages, outputs and pre-images, with a trim now and then as a real session has."""
    history = ConversationHistory(session)
    big = TEXT * 100
    for number in range(4_000):
        history.add(turn(2 * number))
        history.add(turn(2 * number + 1))
        session.keep_output(f"{number} {big}")
        session.keep(f"{number} pre-image {big}".encode())
        session.append("event", {"type": "tool_result", "id": f"c{number}", "text": big[:50_000]})
        if number % 10 == 9:
            history.rewrite(history.get_messages_for_llm()[-6:])


def open_ms(store: SessionStore, name: str) -> float:
    started = time.perf_counter()
    session, _ = store.open(name)
    assert ConversationHistory(session).get_messages_for_llm()
    elapsed = 1000 * (time.perf_counter() - started)
    session.close()
    return elapsed


if __name__ == "__main__":
    main()
