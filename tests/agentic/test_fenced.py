"""Fenced text as small models write it."""

import json

import pytest
from hypothesis import given, strategies as st

from agentic.testing.in_process import make_setup
from agentic.types import Message, ToolSpec
from plugins_builtin.small_models.fenced import Fenced, blocks

TOOLS = [ToolSpec("write_file", "", {}, "write", writes=("path", "content")), ToolSpec("run", "", {}, "execute", runs="command")]
CODE = "```python\nprint(1)\n```"


def calls(text: str, expected: str = "", cut_off: bool = False) -> list[tuple[str, dict[str, str]]]:
    protocol = Fenced(make_setup())
    protocol.begin("", [expected] if expected else [])
    turn = protocol.read(Message("assistant", text), TOOLS, cut_off)
    return [(call.name, json.loads(call.arguments)) for call in turn.calls]


@pytest.mark.parametrize(
    "text",
    [
        f"a.py\n{CODE}",
        f"a.py\n\n{CODE}",
        f"**a.py**\n{CODE}",
        f"`a.py`:\n{CODE}",
        f"### a.py\n{CODE}",
        f"File: `./a.py`\n{CODE}",
        "```python a.py\nprint(1)\n```",
        "```python:a.py\nprint(1)\n```",
        "```a.py\nprint(1)\n```",
        '```python title="a.py"\nprint(1)\n```',
        f"Sure, here it is!\n\na.py\n{CODE}\n\nThat prints 1.",
        "a.py\n~~~\nprint(1)\n~~~",
    ],
)
def test_the_file_is_found_however_its_name_is_dressed(text: str) -> None:
    assert calls(text) == [("write_file", {"path": "a.py", "content": "print(1)\n"})]


def test_a_name_in_the_first_comment() -> None:
    assert calls("```python\n# a.py\nprint(1)\n```") == [("write_file", {"path": "a.py", "content": "# a.py\nprint(1)\n"})]


def test_commands_lose_their_prompt() -> None:
    assert calls("```bash\n$ ls\n$ pwd\n```") == [("run", {"command": "ls\npwd"})]


def test_a_script_is_a_file_and_no_command() -> None:
    assert calls("go.sh\n```bash\nls\n```") == [("write_file", {"path": "go.sh", "content": "ls\n"})]


def test_output_is_neither() -> None:
    assert calls("It prints:\n```\n1\n```\nand\n```text\na.b\n```") == []


def test_code_without_a_name_is_for_the_expected_file_and_its_examples_are_not() -> None:
    text = f"{CODE}\n\nUse it so:\n```python\nimport a\n```"
    assert calls(text, expected="a.py") == [("write_file", {"path": "a.py", "content": "print(1)\n"})]


def test_markdown_may_hold_fences() -> None:
    inner = "# Title\n```python\nprint(1)\n```\nend"
    assert calls(f"README.md\n```markdown\n{inner}\n```") == [("write_file", {"path": "README.md", "content": inner + "\n"})]


def test_a_block_that_was_cut_off_is_not_written() -> None:
    assert calls("a.py\n```python\nprint(1", cut_off=True) == []


def test_prose_that_names_a_file_is_no_name() -> None:
    assert [block.path for block in blocks(f"I changed a.py and b.py.\n{CODE}")] == [""]


@given(st.text(alphabet=st.sampled_from("`~ab.py/\n $#*:"), max_size=120))
def test_no_text_upsets_the_reader(text: str) -> None:
    for _, arguments in calls(text):
        assert isinstance(arguments, dict)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r`~"), max_size=20), max_size=6))
def test_a_files_content_comes_through_exactly(lines: list[str]) -> None:
    content = "\n".join(lines)
    assert calls(f"a.py\n```python\n{content}\n```") == [("write_file", {"path": "a.py", "content": content + "\n"})]
