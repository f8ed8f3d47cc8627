"""Calling a user who looks elsewhere, and nobody else."""

import pytest

from agentic.lib.terminal.attention import LONG_SECONDS, TELL_FOCUS, TELL_NO_FOCUS, Attention


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("has_focus", "waited", "called"),
    [(False, 0.0, True), (True, 100.0, False), (None, 1.0, False), (None, LONG_SECONDS + 1, True)],
)
def test_who_looks_elsewhere_is_called(
    written: list[str], monkeypatch: pytest.MonkeyPatch, has_focus: bool | None, waited: float, called: bool
) -> None:
    now = [100.0]
    monkeypatch.setattr("agentic.lib.terminal.attention.time.monotonic", lambda: now[0])
    attention = Attention(written.append)
    attention.begin()
    attention.has_focus = has_focus
    now[0] += waited
    attention.call("agentic asks:\n\x1b]0;owned\x07 run it")
    attention.end()
    assert (written[0], written[-1]) == (TELL_FOCUS, TELL_NO_FOCUS)
    assert (len(written) == 3) == called
    if called:
        assert written[1].startswith("\x1b]9;agentic asks: ") and written[1].endswith("\x07\x07") and written[1].count("\x1b") == 1


def test_who_does_not_want_it_is_left_alone(written: list[str]) -> None:
    attention = Attention(written.append, wanted=False)
    attention.begin()
    attention.has_focus = False
    attention.call("done")
    attention.end()
    assert written == []
