"""V4A patches: a corpus with what the reference implementation (gpt-oss's `apply_patch.py`) makes of each, and atomicity."""

import asyncio
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic import AgenticError, ToolCall, ToolError, Workspace
from agentic.sessions.store import SessionStore
from agentic.sessions.undo import Journal, undo
from plugins_builtin.protocols.names import translated
from plugins_builtin.tools.apply_patch import ApplyPatch, parse, updated
from plugins_builtin.tools.shell import Run

CORPUS = json.loads((Path(__file__).parent / "patches.json").read_text(encoding="utf-8"))
# Where we differ on purpose: what could lose a file is refused, and what is only odd is accepted.
STRICTER = {
    "move-onto-existing-file": "the reference overwrites the other file",
    "move-onto-itself": "the reference deletes the file; here it stays, changed",
    "move-chain-in-one-patch": "the second move would overwrite what the first one left",
    "move-chain-in-the-other-order": "the reference loses a file",
    "sentinels-end-twice": "the reference ignores what stands between",
    "sentinels-begin-with-words-behind": "the reference looks at the beginning of the line only",
}
LENIENT = {
    "anchor-empty-with-space-second": "an empty anchor is none",
    "unicode-line-separator-in-a-hunk": "it is a character of a line, in Python as in other languages",
    "form-feed-in-a-hunk": "likewise",
    "sentinels-empty-lines-before": "white space around a patch",
    "sentinels-empty-lines-behind": "white space around a patch",
    "sentinels-end-missing": "models leave it out; the call itself says where the patch ends",
}


def laid_out(folder: Path, files: dict[str, str]) -> Workspace:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode())
    return Workspace(folder)


def there(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()}


def apply(patch: str, workspace: Workspace) -> bool:
    try:
        asyncio.run(ApplyPatch().run({"patch": patch}, workspace))
    except AgenticError:
        return False
    return True


def with_final_newlines(case: dict[str, Any]) -> dict[str, str]:
    """An added file ends with a line break here, as with its makers' later tools; the reference leaves it out."""
    added = case["becomes"].keys() - case["files"].keys()
    moved = {line.removeprefix("*** Move to: ") for line in case["patch"].splitlines() if line.startswith("*** Move to: ")}
    return {
        name: f"{content}\n" if name in added - moved and f"*** Add File: {name}\n+" in case["patch"] else content
        for name, content in case["becomes"].items()
    }


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["name"])
def test_a_patch_does_what_the_reference_does_or_nothing(tmp_path: Path, case: dict[str, Any]) -> None:
    workspace = laid_out(tmp_path, case["files"])
    applied = apply(case["patch"], workspace)
    if not applied:
        assert there(tmp_path) == case["files"], "refused, so nothing may have changed"
        assert case["becomes"] is None or case["name"] in STRICTER
    elif case["name"] not in {**STRICTER, **LENIENT}:
        assert case["becomes"] is not None
        assert there(tmp_path) == with_final_newlines(case)


def test_the_corpus_is_of_some_size() -> None:
    assert len(CORPUS) >= 75
    assert sum(case["becomes"] is not None for case in CORPUS) >= 50
    names = {case["name"] for case in CORPUS}
    assert {*STRICTER, *LENIENT} <= names


def test_what_cannot_be_written_is_put_back(tmp_path: Path) -> None:
    workspace = laid_out(tmp_path, {"a.txt": "one\n", "b.txt": "two\n"})
    (tmp_path / "b.txt").chmod(0o444)
    patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+1\n*** Update File: b.txt\n@@\n-two\n+2\n*** End Patch"
    with pytest.raises(ToolError, match="read-only"):
        asyncio.run(ApplyPatch().run({"patch": patch}, workspace))
    assert there(tmp_path) == {"a.txt": "one\n", "b.txt": "two\n"}


def test_line_ends_and_what_is_not_touched_stay(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\nthree\n")
    patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+2\n*** End Patch"
    assert apply(patch, Workspace(tmp_path))
    assert (tmp_path / "a.txt").read_bytes() == b"one\r\n2\r\nthree\n"


def test_undo_brings_back_what_a_patch_deleted_and_moved(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    workspace = laid_out(root, {"a.txt": "one\n", "b.txt": "two\n"})
    session = SessionStore(tmp_path / "sessions").new(root)
    workspace.journal = Journal(session)
    patch = "*** Begin Patch\n*** Delete File: a.txt\n*** Update File: b.txt\n*** Move to: c/d.txt\n@@\n-two\n+2\n*** End Patch"
    assert apply(patch, workspace)
    assert there(root) == {"c/d.txt": "2\n"}
    undo(session, workspace)
    assert there(root) == {"a.txt": "one\n", "b.txt": "two\n"}
    session.close()


LINES = st.lists(st.sampled_from(["a", "b", "  a", "", "c d"]), min_size=1, max_size=12)


@given(LINES, st.integers(0, 11), st.sampled_from(["x", "", "  y"]))
def test_a_hunk_with_all_lines_as_context_replaces_just_one(lines: list[str], place: int, new: str) -> None:
    place %= len(lines)
    old = "".join(f"-{line}\n+{new}\n" if number == place else f" {line}\n" for number, line in enumerate(lines))
    (section,) = parse(f"*** Begin Patch\n*** Update File: a\n@@\n{old}*** End Patch")
    assert section.hunks is not None
    made = updated("\n".join(lines), section.hunks)
    assert made.split("\n") == [*lines[:place], new, *lines[place + 1 :]]


@given(st.text(alphabet="*@+- abBeginPtchEdUpFl:\n", max_size=200))
def test_any_text_is_a_patch_or_a_tool_error(text: str) -> None:
    for patch in (text, f"*** Begin Patch\n{text}\n*** End Patch"):
        try:
            parse(patch)
        except ToolError:
            continue


ONE_FILE = "*** Begin Patch\n*** Add File: new.txt\n+one\n*** End Patch"


@pytest.mark.parametrize(
    "command",
    [
        f"apply_patch <<'EOF'\n{ONE_FILE}\nEOF",
        f'apply_patch <<-"PATCH"\n{ONE_FILE}\nPATCH\n',
        f"cat <<'EOF' | apply_patch\n{ONE_FILE}\nEOF",
        f"apply_patch {shlex.quote(ONE_FILE)}",
        f"bash -lc {shlex.quote(f'apply_patch <<EOF{chr(10)}{ONE_FILE}{chr(10)}EOF')}",
        ONE_FILE,
    ],
)
def test_a_patch_for_the_shell_is_one_for_the_tool(command: str) -> None:
    call = translated(ToolCall("c", "run", json.dumps({"command": command})), [Run.spec, ApplyPatch.spec])
    assert (call.name, json.loads(call.arguments)) == ("apply_patch", {"patch": ONE_FILE})
    kept = translated(ToolCall("c", "run", json.dumps({"command": command})), [Run.spec])
    assert kept.name == "run"


@pytest.mark.parametrize(
    "command",
    [
        f"apply_patch <<'EOF'\n{ONE_FILE}\nEOF\nrm -rf build",
        f"make && apply_patch {shlex.quote(ONE_FILE)}",
        f"cat <<'EOF' > patch.txt\n{ONE_FILE}\nEOF",
        "apply_patch",
        "apply_patch 'nothing'",
        "echo '*** Begin Patch",
    ],
)
def test_a_command_that_does_more_stays_a_command(command: str) -> None:
    assert translated(ToolCall("c", "run", json.dumps({"command": command})), [Run.spec, ApplyPatch.spec]).name == "run"


@pytest.mark.parametrize("around", ["```\n{}\n```", "```diff\n{}", "<<'EOF-1'\n{}\nEOF-1", 'apply_patch <<"END"\n{}\nEND'])
def test_what_stands_around_a_patch_is_left_out(tmp_path: Path, around: str) -> None:
    assert apply(around.format(ONE_FILE), laid_out(tmp_path, {}))
    assert there(tmp_path) == {"new.txt": "one\n"}


@pytest.mark.parametrize("around", ["Here it is:\n{}", "{}\nDone.", "```\n{}\nDone.", "<<EOF\n{}\nEND"])
def test_words_around_a_patch_are_refused(tmp_path: Path, around: str) -> None:
    assert not apply(around.format(ONE_FILE), laid_out(tmp_path, {}))
    assert there(tmp_path) == {}
