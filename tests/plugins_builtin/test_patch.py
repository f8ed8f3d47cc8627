"""V4A patches: a corpus with what the reference implementation (gpt-oss's `apply_patch.py`) makes of each, and atomicity."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentic import AgenticError, ToolCall, ToolError, Workspace
from agentic.sessions.store import SessionStore
from agentic.sessions.undo import Journal, undo
from plugins_builtin.protocols.names import translated
from plugins_builtin.tools.apply_patch import ApplyPatch, updated
from plugins_builtin.tools.patch_format import parse
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
    "sentinels-begin-missing": "its sections' heads say what it is",
    "sentinels-both-missing": "likewise",
    "sentinels-end-indented": "white space around a patch",
    "empty-line-between-sections": "it says nothing",
    "empty-line-behind-begin": "likewise",
    "update-path-with-trailing-space": "blanks around a name",
    "unified-diff": "models hand it to what is called a patch",
    "unified-diff-inside": "likewise",
    "junk-before-begin": "words around a patch",
    "junk-behind-end": "words around a patch",
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
    elif case["becomes"] is None and case["name"] in LENIENT:
        assert there(tmp_path) != case["files"]
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


AS_COMMANDS = {
    "a here-document": "apply_patch <<'EOF'\n{}\nEOF", "with tabs": 'apply_patch <<-"PATCH"\n{}\nPATCH\n', "bare": "apply_patch << EOF\n{}\nEOF",
    "escaped": "apply_patch <<\\EOF\n{}\nEOF", "not ended": "apply_patch <<'EOF'\n{}", "handed on": "cat <<'EOF' | apply_patch\n{}\nEOF",
    "an argument": "apply_patch '{}'", "behind --": "apply_patch -- '{}'", "a here-string": "apply_patch <<< '{}'", "joined": "apply_patch <<<'{}'",
    "echo": "echo '{}' | apply_patch", "printf": "printf '%s\\n' '{}' | apply_patch", "a substitution": "apply_patch \"$(cat <<'EOF'\n{}\nEOF\n)\"",
    "the text itself": "{}", "in a fence": "```\n{}\n```", "a command in a fence": "```bash\napply_patch <<'EOF'\n{}\nEOF\n```",
    "another spelling": "applypatch <<'EOF'\n{}\nEOF", "a program": "apply_patch.py <<'EOF'\n{}\nEOF", "here": "./apply_patch <<'EOF'\n{}\nEOF",
    "an option": "apply_patch -p0 <<'EOF'\n{}\nEOF", "a module": "python3 -m apply_patch <<'EOF'\n{}\nEOF", "sudo": "sudo apply_patch <<'EOF'\n{}\nEOF",
    "a variable": "X=1 apply_patch <<'EOF'\n{}\nEOF", "time": "time apply_patch <<'EOF'\n{}\nEOF", "a comment": "# fix\napply_patch <<'EOF'\n{}\nEOF",
    "set": "set -euo pipefail\napply_patch <<'EOF'\n{}\nEOF", "this folder": "cd . && apply_patch <<'EOF'\n{}\nEOF",
    "a shell's input": "bash <<'X'\napply_patch <<'EOF'\n{}\nEOF\nX", "a shell": "bash -lc \"apply_patch <<'EOF'\n{}\nEOF\"",
    "a shell with options": "sh -e -c \"apply_patch <<'EOF'\n{}\nEOF\"",
}  # fmt: skip


@pytest.mark.parametrize("name", AS_COMMANDS)
def test_a_patch_for_the_shell_is_one_for_the_tool(name: str) -> None:
    command = AS_COMMANDS[name].format(ONE_FILE)
    for written in (command, command.replace("\n", "\r\n")):
        assert patch_of("run", {"command": written}) == ONE_FILE
    assert patch_of("apply_patch", {"patch": command}) in (ONE_FILE, command)  # what stands around it is left out by the tool
    kept = translated(ToolCall("c", "run", json.dumps({"command": command})), [Run.spec])
    assert kept.name == "run"


ESCAPED = ONE_FILE.replace("\n", "\\n")


def patch_of(name: str, arguments: Any) -> str:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = translated(ToolCall("c", name, text), [Run.spec, ApplyPatch.spec])
    assert call.name == "apply_patch"
    patch: str = json.loads(call.arguments)["patch"]
    return patch


@pytest.mark.parametrize(
    "command",
    [f"apply_patch $'{ESCAPED}'", f"bash -lc $'apply_patch <<EOF\\n{ESCAPED}\\nEOF'", f"echo -e '{ESCAPED}' | apply_patch"],
)
def test_a_patch_with_written_line_ends_is_one(command: str) -> None:
    assert patch_of("run", {"command": command}) == ONE_FILE


@pytest.mark.parametrize(
    "arguments",
    [
        ONE_FILE,
        json.dumps(ONE_FILE),
        {"patch": ONE_FILE.split("\n")},
        {"patch": ESCAPED},
        {"input": ONE_FILE},
        {"command": ["apply_patch", ONE_FILE]},
    ],
)
def test_a_patch_is_the_tools_argument_whatever_it_is_wrapped_in(arguments: Any) -> None:
    assert patch_of("apply_patch", arguments) == ONE_FILE


@pytest.mark.parametrize("before", ["cd sub && ", "cd sub; ", "cd sub\n", "cd ./sub/ &&\n", 'cd "sub" && '])
def test_a_patch_in_another_folder_names_its_files_there(before: str) -> None:
    for path in ("new.txt", "a b/new.txt", "../new.txt"):
        patch = ONE_FILE.replace("new.txt", path)
        assert patch_of("run", {"command": f"{before}apply_patch <<'EOF'\n{patch}\nEOF"}) == ONE_FILE.replace(
            "new.txt", os.path.normpath(f"sub/{path}")
        )
    absolute = ONE_FILE.replace("new.txt", "/x/new.txt")
    assert patch_of("run", {"command": f"{before}apply_patch <<'EOF'\n{absolute}\nEOF"}) == absolute
    there = translated(
        ToolCall("c", "shell", json.dumps({"command": ["apply_patch", ONE_FILE], "workdir": "sub"})), [Run.spec, ApplyPatch.spec]
    )
    assert json.loads(there.arguments) == {"patch": ONE_FILE.replace("new.txt", "sub/new.txt")}


@pytest.mark.parametrize(
    "command",
    [
        f"apply_patch <<'EOF'\n{ONE_FILE}\nEOF\nrm -rf build",
        f"apply_patch <<'EOF' && cat new.txt\n{ONE_FILE}\nEOF",
        f"make && apply_patch {shlex.quote(ONE_FILE)}",
        f"cd $X && apply_patch {shlex.quote(ONE_FILE)}",
        f"cd ~ && apply_patch {shlex.quote(ONE_FILE)}",
        f"X=$(rm -rf build) apply_patch {shlex.quote(ONE_FILE)}",
        f"rm x | apply_patch {shlex.quote(ONE_FILE)}",
        f"echo {shlex.quote(ONE_FILE)} | apply_patch; rm -rf build",
        f"echo {shlex.quote(ONE_FILE)} > patch.txt",
        f"cat <<'EOF' > patch.txt\n{ONE_FILE}\nEOF",
        "apply_patch",
        "apply_patch 'nothing'",
        "echo '*** Begin Patch",
    ],
)
def test_a_command_that_does_more_stays_a_command(command: str) -> None:
    assert translated(ToolCall("c", "run", json.dumps({"command": command})), [Run.spec, ApplyPatch.spec]).name == "run"


AROUND = [
    "```\n{}\n```", "```diff\n{}", "<<'EOF-1'\n{}\nEOF-1", 'apply_patch <<"END"\n{}\nEND', "Here it is:\n{}", "{}\nDone.", "\n\n{}\n\n",
    "```\n{}\nDone.", "apply_patch\n{}",
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
def test_what_stands_around_a_patch_is_left_out(tmp_path: Path, around: str) -> None:
    assert apply(around.format(ONE_FILE), laid_out(tmp_path, {}))
    assert there(tmp_path) == {"new.txt": "one\n"}


TWO_FILES = "*** Begin Patch\n*** Update File: a b.txt\n@@\n one\n-two\n+2\n*** Add File: new.txt\n+x\n+\n+y\n*** Delete File: gone.txt\n*** End Patch"
GIT = """diff --git a/a b.txt b/a b.txt
index 814f4a4..c8d0e1f 100644
--- a/a b.txt\t
+++ b/a b.txt\t
@@ -1,2 +1,2 @@ def f():
 one
-two
+2
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1,3 @@
+x
+
+y
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone
\\ No newline at end of file
"""
WRITTEN = {
    "as it should be": TWO_FILES,
    "without its first line": TWO_FILES.partition("\n")[2],
    "without its last line": TWO_FILES.rpartition("\n")[0],
    "without both": TWO_FILES.partition("\n")[2].rpartition("\n")[0],
    "with stars at its end": TWO_FILES + " ***",
    "with blanks at its ends": TWO_FILES.replace("Begin Patch", "Begin Patch  ").replace("End Patch", "End Patch \t"),
    "with empty lines": TWO_FILES.replace("\n***", "\n\n***"),
    "in small letters": TWO_FILES.replace(" File:", " file:"),
    "without a blank": TWO_FILES.replace("File: ", "File:"),
    "with other words": TWO_FILES.replace("Add", "Create").replace("Delete", "Remove").replace("Update", "Modify"),
    "with quoted names": TWO_FILES.replace("a b.txt", '"a b.txt"').replace("new.txt", "`new.txt`"),
    "moved to the right": "\n".join(f"    {line}" for line in TWO_FILES.split("\n")),
    "with the system's line ends": TWO_FILES.replace("\n", "\r\n"),
    "as two patches": TWO_FILES.replace("*** Add", "*** End Patch\n*** Begin Patch\n*** Add"),
    "as git says it": GIT,
    "as git says it, in a fence": f"```diff\n{GIT}```",
    "as git says it, in a patch": f"*** Begin Patch\n{GIT}*** End Patch",
    "as diff says it": "\n".join(line for line in GIT.split("\n") if line[:4] in ("--- ", "+++ ") or line[:1] in ("@", " ", "+", "-")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_patch_is_read_however_it_is_written(tmp_path: Path, name: str) -> None:
    assert apply(WRITTEN[name], laid_out(tmp_path, {"a b.txt": "one\ntwo\n", "gone.txt": "gone"}))
    assert there(tmp_path) == {"a b.txt": "one\n2\n", "new.txt": "x\n\ny\n"}


LONG = [
    "echo " + "-n " * 50_000,
    "A=1 " * 20_000,
    "apply_patch " + "'" * 50_000,
    "cd a && " * 20_000,
    "apply_patch <<'EOF'\n" + "| \n" * 50_000,
]


def test_no_command_is_looked_at_for_long() -> None:
    """In a process of its own, which is ended where it does not end."""
    code = "import json, sys; from plugins_builtin.protocols.patches import patch_in; print([patch_in(each) for each in json.load(sys.stdin)])"
    given = json.dumps([f"{command}*** Begin Patch\n" for command in LONG])
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
