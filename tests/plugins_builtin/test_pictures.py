"""Scenes of the chat, drawn by a terminal emulator and kept as pictures; their text is compared.

`AGENTIC_PICTURES=1 pytest tests/plugins_builtin/test_pictures.py` draws them anew.
"""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, Request, ScriptedAnswer, answer, tool_call
from plugins_builtin.terminal.codes import BEGIN_FRAME, END_FRAME
from tests.children import delegating, objects
from tests.pictures import svg_of, text_of
from tests.terminal import Terminal, terminal

FOLDER = Path(__file__).parent / "pictures"
CALC = 'def add(a, b):\n    """The sum."""\n    return a - b\n\n\nprint(add(2, 3))\n'
TABLE = """\
Two of them are **slow**, see `bench.py`:

| test | seconds | state |
|------|--------:|-------|
| reads | 12.5 | slow |
| writes | 0.3 | *quick* |

1. Look at `reads` first, because everything else waits for what it brings in.
2. Then run the rest.

```python
def reads(path):
    return open(path).read()  # all of it
```
"""
KOREAN = """\
## 결과

- 덧셈 함수가 **뺄셈**을 하고 있었습니다. 그래서 검사가 실패했습니다.
- `calc.py` 파일의 세 번째 줄을 고쳤습니다 🙂

이제 모든 검사가 통과합니다.
"""


def edits(request: Request) -> ScriptedAnswer:
    if request.json["messages"][-1]["role"] == "tool":
        return answer("`add` subtracts no more.")
    change = {"path": "calc.py", "old": "return a - b", "new": "return a + b"}
    return answer("The sign is wrong.", tool_calls=tool_call("edit_file", change))


def streams(request: Request) -> ScriptedAnswer:
    said = [f"Line {number} of the file is read before line {number + 1}, which is fine for small ones. " for number in range(60)]
    return answer([f"{word} " for word in "".join(said).split()], pause=0.02)


def parts(request: Request) -> ScriptedAnswer:
    return answer([f"word{number} " for number in range(400)], pause=0.05)


@dataclass(frozen=True)
class Scene:
    """`steps` are typed one after the other, each once its condition holds; the picture is taken once `until` does."""

    until: Callable[[Terminal], bool]
    reply: Callable[[Request], ScriptedAnswer] = lambda request: answer("ok")
    steps: tuple[tuple[str, Callable[[Terminal], bool]], ...] = ()
    columns: int = 80
    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    light: bool = False


def ready(shown: Terminal) -> bool:
    return shown.is_ready and "/ for commands" in shown.text


ASKS = (("add in calc.py subtracts: make it add\r", ready),)
SCENES = {
    "first screen": Scene(lambda shown: ready(shown) and "window 8,192 · ask" in shown.text),
    "streaming with a draft": Scene(
        lambda shown: shown.draft == "and the tests?" and "Line 2 of" in shown.text and "tok/s" in shown.text,
        streams, (("explain reads\r", ready), ("and the tests?", lambda shown: shown.works)),
    ),
    "a difference is asked about": Scene(lambda shown: shown.menu("No, and tell"), edits, ASKS),
    "after the edit": Scene(lambda shown: shown.is_ready and "unchecked" in shown.text, edits, (*ASKS, ("y", lambda shown: shown.menu("Allow once")))),
    "a table": Scene(lambda shown: shown.is_ready and "all of it" in shown.text, lambda request: answer(TABLE), (("which?\r", ready),)),
    "Korean at 40 columns": Scene(lambda shown: shown.is_ready and "통과합니다" in shown.text, lambda request: answer(KOREAN), (("무엇이 문제였어?\r", ready),), 40),
    "a picker": Scene(lambda shown: "(1 of" in shown.text and "› the" in shown.text, steps=(("\x10", ready), ("the", lambda shown: shown.menu("Commands")))),
    "slash commands": Scene(lambda shown: "/resume" in shown.text, steps=(("/re", ready),)),
    "light": Scene(lambda shown: shown.menu("No, and tell"), edits, ASKS, env={"COLORFGBG": "0;15"}, light=True),
    "no colour": Scene(lambda shown: shown.menu("No, and tell"), edits, ASKS, env={"NO_COLOR": "1"}),
    "ASCII": Scene(
        lambda shown: shown.menu("No, and tell"), edits, ASKS,
        env={"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "calculator"
    folder.mkdir(parents=True)
    (folder / "calc.py").write_text(CALC)
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def drawn(shown: Terminal, scene: Scene) -> None:
    for typed, condition in scene.steps:
        shown.until(lambda condition=condition: condition(shown))  # type: ignore[misc]
        shown.type(typed)
    shown.until(lambda: scene.until(shown) and shown.raw.rfind(BEGIN_FRAME.encode()) <= shown.raw.rfind(END_FRAME.encode()))


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_looks_as_it_did(name: str, server: FakeVLLM, env: dict[str, str], project: Path) -> None:
    scene = SCENES[name]
    server.model = "openai/gpt-oss-120b"
    server.otherwise = scene.reply
    own = env | {"HOME": str(project.parent), "COLORFGBG": "15;0", "COLORTERM": "truecolor"} | scene.env
    options = ["--endpoint", server.url, "-c", "tools.protocol=native", "--no-sandbox", "-c", "ui.notify=false", *scene.options]
    with terminal(options, own, project, scene.columns) as shown:
        drawn(shown, scene)
        text, picture = text_of(shown.screen), svg_of(shown.screen, scene.light)
    FOLDER.mkdir(exist_ok=True)
    kept = FOLDER / f"{name.replace(' ', '-').lower()}.txt"
    if os.environ.get("AGENTIC_PICTURES"):
        kept.write_text(text)
        kept.with_suffix(".svg").write_text(picture)
    if name != "streaming with a draft":  # of which another part is there each time
        assert text == kept.read_text()
    else:
        assert text.rstrip().split("\n")[-4:] == kept.read_text().rstrip().split("\n")[-4:]


def test_sub_agents_have_a_lane_each(server: FakeVLLM, env: dict[str, str], project: Path) -> None:
    delegating(server, objects(4), {f"t{number}": parts for number in range(4)})
    options = [
        "--endpoint",
        server.url,
        "-c",
        "tools.protocol=native",
        "--no-sandbox",
        "--approve",
        "all",
        "-c",
        "sub_agents.max_concurrent=4",
    ]
    with terminal(options, env | {"COLORFGBG": "15;0"}, project, 80) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type("go\r")
        shown.until(lambda: sum(f"▸ t{number}" in shown.text and "word" in shown.text for number in range(4)) == 4)
        shown.type("a draft")
        shown.until(lambda: shown.draft == "a draft" and "4 sub-agents" in shown.text)
        if os.environ.get("AGENTIC_PICTURES"):
            (FOLDER / "sub-agents.svg").write_text(svg_of(shown.screen))


def test_a_conversation_that_goes_on_is_shown_again(server: FakeVLLM, env: dict[str, str], project: Path) -> None:
    """With the difference, in the same words."""
    server.otherwise = edits
    options = ["--endpoint", server.url, "-c", "tools.protocol=native", "--no-sandbox", "--approve", "all"]
    own = env | {"COLORFGBG": "15;0", "COLORTERM": "truecolor"}
    with terminal(options, own, project, 80) as shown:
        shown.until(lambda: shown.is_ready)
        shown.type(ASKS[0][0])
        shown.until(lambda: shown.is_ready and "unchecked" in shown.text)
        shown.type("\x04")
        shown.until_ended()
    with terminal([*options, "--continue"], own, project, 80) as shown:
        shown.until(lambda: "going on with session" in shown.text and shown.is_ready)
        for piece in (
            "› add in calc.py subtracts: make it add",
            "The sign is wrong.",
            "● edit_file calc.py +1 -1",
            "`add`".strip("`"),
        ):
            assert piece in shown.text, shown.text
        if os.environ.get("AGENTIC_PICTURES"):
            (FOLDER / "goes-on.svg").write_text(svg_of(shown.screen))
