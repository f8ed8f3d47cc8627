"""Rules: their forms, their order, and that no way of writing a command gets past them."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic.core.permissions import Permissions
from agentic.core.rules import Rules, parse_rule, parse_table
from agentic.core.safeguards import Safeguards, fits
from agentic.errors import ConfigError
from plugins_builtin.safeguards import agentic_safeguards
from plugins_builtin.shell_reader.reader import ShellReader
from tests.conftest import Agentic

HARMLESS = ("git status", "git log", "git diff", "ls", "cat", "echo", "grep", "head", "wc", "find", "python3", "make", "sed", "env")


def permissions(root: Path, allow: Iterable[str] = (), ask: Iterable[str] = (), deny: Iterable[str] = ()) -> Permissions:
    rules = [
        parse_rule(decision, text, "test")
        for decision, texts in (("allow", allow), ("ask", ask), ("deny", deny))
        for text in texts
    ]  # fmt: skip
    return Permissions(Rules(rules), {"shell": ShellReader()}, Safeguards(agentic_safeguards()), root, root / "store")


# Forty effects that are denied; each is written in every way of WAYS.
EFFECTS = [
    "rm -r src", "rm -f a.py", "git push origin main", "git push --force", "git reset --hard", "git clean -fdx", "git checkout .",
    "curl http://x/y", "wget http://x/y", "ssh host ls", "scp a host:b", "nc host 80", "dd if=a of=b", "mkfs.ext4 /dev/sda1",
    "chmod -R 777 src", "chown -R x src", "kill -9 1", "pkill python", "shutdown now", "reboot", "crontab -r", "sudo ls", "su root",
    "docker run x", "npm publish", "pip install evil", "apt-get install x", "systemctl stop x", "mount /dev/sda1 /mnt", "umount /mnt",
    "useradd x", "passwd root", "iptables -F", "truncate -s0 a.py", "shred a.py", "mv a.py /tmp/b", "cp /etc/passwd b", "tee a.py",
    "terraform destroy", "kubectl delete pod x",
]  # fmt: skip
WAYS = {
    "plainly": "{c}",
    "behind another": "ls && {c}",
    "or": "false || {c}",
    "in a row": "echo a; {c}",
    "in the background": "ls & {c}",
    "on a second line": "ls\n{c}",
    "in a pipe": "echo y | {c}",
    "in a substitution": "echo $({c})",
    "in backticks": "echo `{c}`",
    "inside quotes": 'echo "a $({c}) b"',
    "in a subshell": "({c})",
    "in a group": "{{ {c}; }}",
    "in a loop": "for i in 1; do {c}; done",
    "in a condition": "if true; then {c}; fi",
    "in a while": "while {c}; do break; done",
    "in a case": "case a in a) {c};; esac",
    "in a function": "f() {{ {c}; }}; f",
    "negated": "! {c}",
    "with quotes in the name": "{q}",
    "with a backslash in the name": "\\{c}",
    "with a path": "/usr/bin/{c}",
    "with a variable before it": "A=1 {c}",
    "by env": "env A=1 {c}",
    "by timeout": "timeout 5 {c}",
    "by nice": "nice -n 5 {c}",
    "by nohup": "nohup {c}",
    "by setsid": "setsid {c}",
    "by command": "command {c}",
    "by exec": "exec {c}",
    "by xargs": "echo x | xargs {c}",
    "by sh": "sh -c '{c}'",
    "by bash, clustered": "bash -lc '{c}'",
    "by eval": "eval '{c}'",
    "by sudo": "sudo -u root {c}",
    "by find": "find . -exec {c} \\;",
    "by two wrappers": "env timeout 5 nice {c}",
    "in a process substitution": "cat <({c})",
    "behind a here-document": "cat <<E\n$({c})\nE",
    "in an assignment": "x=$({c})",
    "in a default": "echo ${{x:-$({c})}}",
    "in sums": "echo $(( $({c}) ))",
    "into a shell": "echo '{c}' | sh",
    "as a file of a shell": "sh <<< '{c}'",
    "by a name in a variable": "x='{c}'; $x",
    "by an alias": "alias q='{c}'; q",
    "by awk": "awk 'BEGIN{{system(\"{c}\")}}'",
    "by python": "python3 -c 'import os; os.system(\"{c}\")'",
    "by perl": "perl -e 'system(\"{c}\")'",
    "by git": "git -c alias.q='!{c}' q",
    "by make": "make --eval 'q:;{c}' q",
    "by sed": "sed '1e {c}' a",
    "by a coprocess": "coproc {c}",
    "as what sh runs and bash calculates": "(({c}))",
    "with a carriage return": "ls\r{c}",
    "with a strange blank": "ls;\u00a0{c}",
    "by a trap": "trap '{c}' EXIT",
    "encoded": "echo cm0gLXJmIHNyYw== | base64 -d | sh",
    "by tar": "tar cf /dev/null a --checkpoint=1 --checkpoint-action=exec='{c}'",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_of_writing_it_gets_past_a_rule_that_denies(tmp_path: Path, way: str) -> None:
    """2,320 variants: denied where it is seen, asked where it may be hidden, never allowed and never left to the mode."""
    for effect in EFFECTS:
        name = effect.split()[0]
        judge = permissions(tmp_path, [f"run({each} *)" for each in HARMLESS], deny=[f"run({name} *)"])
        line = way.format(c=effect, q=f'"{name[0]}"{name[1:]}{effect[len(name) :]}')
        judgement = judge.of_command(line)
        assert judgement.decision in ("deny", "ask"), (line, judgement)


BENIGN = [
    "git status", "git status -s", "git log --oneline -5", "git diff HEAD~1 -- src", "ls", "ls -la src", "cat a.py b.py", "echo done",
    "grep -rn 'def main' src", "grep foo a.py | head -3", "wc -l a.py", "head -n 20 a.py && wc -l a.py", "find . -name '*.py'",
    "find src -type f | wc -l", "echo 'a b'; ls", "ls > /dev/null", "cat a.py 2>&1 | grep x", "python3 -m pytest -q", "make test",
    "(git status)", "for f in a b; do echo x; done", "if true; then ls; fi", "git log | head", "timeout 10 ls", "env ls",
    "python3 script.py --fast", "sed -n '1,20p' a.py", "echo \"quoted text\"", "ls 'a b'", "cat a.py | grep -v b | wc -l",
]  # fmt: skip


def test_what_is_allowed_stays_allowed(tmp_path: Path) -> None:
    judge = permissions(tmp_path, [f"run({each} *)" for each in (*HARMLESS, "true")])
    asked = [line for line in BENIGN if judge.of_command(line).decision != "allow"]
    assert len(asked) <= len(BENIGN) * 0.05, asked


FLOOR = [
    "rm -rf ~", 'rm -rf "$HOME"', "rm -rf /", "rm -rf ../..", "rm -r -f ~/*", "rm -rf $UNKNOWN/", "git clean -fdx", "git push -f",
    "git push origin +main", "git push --force-with-lease", "dd if=/dev/zero of=/dev/sda", "echo x > /dev/sda", "mkfs.ext4 /dev/sda1",
    "kill -9 -1", "killall python", "shutdown now", ":(){ :|:& };:", "sudo rm -rf /", "sh -c 'rm -rf ~'", "chmod -R 777 /",
    "cat ~/.ssh/id_rsa", "cp -r ~/.aws .", "rm -rf .", "find / -delete", "cd / && rm -rf *", "chown -R x ~",
]  # fmt: skip


@pytest.mark.parametrize("line", FLOOR)
def test_the_floor_asks_whatever_is_allowed(tmp_path: Path, line: str) -> None:
    root = tmp_path / "deep" / "project"
    root.mkdir(parents=True)
    assert permissions(root, ["run"]).of_command(line).dangers


def test_nobody_can_give_the_floors_answer_without_a_terminal(agentic: Agentic, server: object, work: Path, home: Path) -> None:
    from agentic.testing import FakeVLLM, answer, tool_call

    assert isinstance(server, FakeVLLM)
    (home / "precious").write_text("x")
    server.script(answer(tool_calls=tool_call("run", {"command": "rm -rf ~/precious ~"})), answer("then not"))
    agentic("run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
    assert (home / "precious").exists()
    server.script(answer(tool_calls=tool_call("run", {"command": "rm -rf ~/precious ~/gone"})), answer("done"))
    agentic("run", "x", "--endpoint", server.url, "-c", "tools.protocol=native", "--approve", "all", "--no-sandbox", "--no-floor")
    assert not (home / "precious").exists()


def test_deny_before_ask_before_allow(tmp_path: Path) -> None:
    judge = permissions(tmp_path, ["run(git *)"], ["run(git commit *)"], ["run(git push *)"])
    assert [judge.of_command(f"git {word}").decision for word in ("status", "commit", "push")] == ["allow", "ask", "deny"]
    assert judge.of_command("git status && git push").decision == "deny"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("Bash(git:*)", "run(git *)"),
        ("Bash(npm run test:*)", "run(npm run test *)"),
        ("Bash", "run"),
        ("Read(~/.zshrc)", "read(~/.zshrc)"),
        ("Edit(//etc/hosts)", "edit(/etc/hosts)"),
        ("WebFetch(domain:docs.python.org)", "fetch(docs.python.org)"),
        ("mcp__github__search", "mcp(github/search)"),
        ("run(*)", "run"),
    ],
)
def test_rules_of_others_are_understood(text: str, ours: str) -> None:
    assert str(parse_rule("allow", text, "test")) == ours


def test_of_a_table_the_last_that_fits_counts(tmp_path: Path) -> None:
    judge = permissions(tmp_path)
    judge.rules.tables.append(parse_table("bash", {"*": "ask", "git *": "allow", "git push *": "deny"}, "test"))
    assert [judge.of_command(line).decision for line in ("ls", "git log", "git push")] == ["ask", "allow", "deny"]


@pytest.mark.parametrize("text", ["", "run(", "run()", "two words", "run(a)b"])
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(ConfigError, match="is no rule"):
        parse_rule("deny", text, "test")


@given(st.text(alphabet="ab./*", min_size=1, max_size=12))
def test_slashes_and_dots_make_no_difference_to_a_path(path: str) -> None:
    if path.startswith("/") or ".." in path:
        return
    for pattern in ("a", "a/**", "**/b"):
        assert fits(path, pattern) == fits(f"{path}/", pattern) == fits(f"./{path}", pattern) == fits(path, f"{pattern}/")


@given(st.text(max_size=60))
def test_any_text_is_judged(line: str) -> None:
    """And what is no command is allowed by no rule but one about everything."""
    judgement = permissions(Path("/work"), ["run(ls *)"]).of_command(line)
    assert judgement.decision in ("", "allow", "ask", "deny")


def test_always_is_remembered_by_the_project_and_the_session(tmp_path: Path) -> None:
    judge = permissions(tmp_path)
    (rule,) = judge.of_command("make test").proposals
    assert rule == "run(make test)"
    judge.remember([rule], "project", None)  # type: ignore[arg-type]
    again = permissions(tmp_path)
    assert again.of_command("make test").decision == "allow"
    assert again.of_command("make clean").decision == ""


def test_the_command_tells_what_would_become_of_it(agentic: Agentic) -> None:
    denied = agentic("permissions", "test", "env git push", "-c", "permissions.deny=run(git push *)")
    assert denied.code == 4 and "denied" in denied.out
    assert "in every mode" in agentic("permissions", "test", "rm -rf ~").out
    assert "edit(**/conftest.py)" in agentic("permissions", "list").out
