"""The same conversation in terminals of many kinds: no broken line, nothing left of what was drawn in between."""

import re
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.terminal import terminal

NATIVE = ("-c", "tools.protocol=native")
REPLY = """\
## 한국어 🙂

- **굵은** 글자와 `code` 그리고 긴 문장은 여러 줄에 걸쳐 이어집니다 여러 줄에 걸쳐 이어집니다
- a [link](http://example.org/x)

```python
def 더하기(a, b):
    return a + b  # 두 수의 합입니다
```

| name | 설명 |
|------|-----|
| add  | 두 수의 합 🙂 |

The end.
"""
KINDS = {
    "xterm": {"TERM": "xterm"},
    "tmux": {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"},
    "light": {"COLORFGBG": "0;15"},
    "no colour": {"NO_COLOR": "1"},
    "colour-blind": {"AGENTIC_UI_THEME": "colorblind"},
    "ASCII": {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def flat(text: str) -> str:
    """Without blanks and folds: what a line's width cannot change."""
    return re.sub(r"\s|[─│╭╮╰╯├┤┬┴┼|+-]", "", text)


def converse(server: FakeVLLM, env: dict[str, str], work: Path, columns: int) -> tuple[str, bytes]:
    """What stands on the screen after an edit that was asked about, a command and an answer."""
    (work / "a.py").write_text("x = 1\ny = 2\n")
    server.script(
        answer(tool_calls=tool_call("edit_file", {"path": "a.py", "old": "y = 2", "new": "y = '덧셈'"}, 0, "1")),
        answer(tool_calls=tool_call("run", {"command": "seq 20; sleep 0.4"}, 0, "2")),
        answer(REPLY, pause=0.004),
    )
    with terminal(["run", "go", "--endpoint", server.url, *NATIVE, "--no-sandbox"], env, work, columns) as shown:
        for number in (1, 2):
            shown.until(lambda number=number: shown.text.count("allow?") == number)  # type: ignore[misc]
            shown.type("y")
        assert shown.until_ended() == 0
        assert shown.restored()
        return shown.text, shown.raw


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_every_width_shows_the_same(server: FakeVLLM, env: dict[str, str], work: Path, columns: int) -> None:
    text, _ = converse(server, env, work, columns)
    shown = flat(text)
    for piece in ("2y=2", "2y='덧셈'", "runseq20;sleep0.4exit0in", "15morelines(CtrlO)"):
        assert piece in shown, text
    words = "한국어🙂•굵은글자와code그리고긴문장은여러줄에걸쳐이어집니다여러줄에걸쳐이어집니다•alink(http://example.org/x)"
    code = "```pythondef더하기(a,b):returnab#두수의합입니다```"
    assert f"{words}{code}name설명add두수의합🙂Theend.•unchecked" in shown, text
    status = [line for line in text.split("\n") if "context" in line or "waiting for" in line]
    assert status == []  # nothing of the status line is left
    assert len({line.find("│", 1) for line in text.split("\n") if line.startswith("│")}) == 1  # the table's lines stand in line


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_terminal(server: FakeVLLM, env: dict[str, str], work: Path, kind: str) -> None:
    text, raw = converse(server, env | KINDS[kind], work, 80)
    colours = set(re.findall(rb"\x1b\[([0-9;]*)m", raw))
    if kind == "no colour":
        assert all(code in (b"", b"0", b"1", b"2", b"4", b"22") for code in colours), colours
    if kind == "light":
        assert b"38;5;124" in colours and b"31" not in colours
    if kind == "colour-blind":
        assert b"38;5;166" in colours and not {b"31", b"32"} & colours
    if kind == "ASCII":
        assert "2 -y = 2" in text and "- unchecked" in text
        assert not re.search("[│╭✓●]", text)
    else:
        assert "Theend." in flat(text) and "• unchecked" in text
