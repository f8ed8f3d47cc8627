"""Rules: their forms, their order, and that no way of writing a command gets past them."""

import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from agentic.errors import ConfigError
from agentic.lib.safeguards import Safeguards, fits
from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.permissions.judging import RulesGuard, Where
from plugins_builtin.permissions.rules import Rules, parse_rule, parse_table
from plugins_builtin.safeguards import agentic_safeguards
from plugins_builtin.shell_reader.reader import ShellReader
from tests.conftest import Agentic

HARMLESS = ("git status", "git log", "git diff", "ls", "cat", "echo", "grep", "head", "wc", "find", "python3", "make", "sed", "env")


def permissions(root: Path, allow: Iterable[str] = (), ask: Iterable[str] = (), deny: Iterable[str] = ()) -> RulesGuard:
    rules = [
        parse_rule(decision, text, "test")
        for decision, texts in (("allow", allow), ("ask", ask), ("deny", deny))
        for text in texts
    ]  # fmt: skip
    return RulesGuard(Rules(rules), {"shell": ShellReader()}, Safeguards(agentic_safeguards()), Where(root, root / "store"))


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
    "by a test that dash splits": "[ x || {c} ]",
    "by a test of bash that dash splits": "[[ x && {c} ]]",
    "by backticks within backticks": "echo `echo \\`{c}\\``",
    "by backticks in a here-document": "cat <<E\n`{c}`\nE",
    "by backticks in a default": "echo ${{x:-`{c}`}}",
    "by a quote in a default": 'echo "${{x:-\'}}"; {c}; echo "\'}}"',
    "by a name that is calculated": "test -v 'a[$({c})]'",
    "by the environment of git": "env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=alias.q GIT_CONFIG_VALUE_0='!{c}' git q",
    "by a loop over PATH": "for PATH in .; do {c}; done",
    "by a trap with dashes": "trap -- '{c}' EXIT",
    "by sh with dashes": "sh -c -- '{c}'",
    "by sh with another option": "sh -o errexit -c '{c}'",
    "by flock": "flock lock -c '{c}'",
    "by env, joined": "env -vS'{c}'",
    "by strace with an option": "strace -P /x {c}",
    "by watch": "watch '{c}'",
    "by unshare": "unshare --propagation private {c}",
    "by a wrapper that nobody knows": "prlimit --nofile=99 {c}",
    "by choom": "choom -n 0 -- {c}",
    "by the loader": "/lib64/ld-linux-x86-64.so.2 /bin/{c}",
    "by another group": "sg root -c '{c}'",
    "by a terminal's keeper": "tmux new -d '{c}'",
    "by git, abbreviated": "git ls-remote --upload-pa='{c};' .",
    "by git, a pager": "git grep -O'{c}' x",
    "by git, a rebase": "git rebase --exe='{c}' HEAD~1",
    "by git, another protocol": "git ls-remote 'ext::{c}'",
    "by tar, abbreviated": "tar cf /dev/null --checkpoint=1 --checkpoint-act=exec='{c}' a",
    "by tar, bundled": "tar cfI x '{c};' a",
    "by sort": "sort --compress-prog='{c}' a",
    "by sed's flag": "sed 's|.*|{c}|e' a",
    "by sed, later": "sed -n 's/a/b/;1e {c}' a",
    "by awk's variable": 'awk \'BEGIN{{c="{c}"; print "x" | c}}\'',
    "by a module of Python": "python3 -m timeit 'import os; os.system(\"{c}\")'",
    "by Python's input": "echo 'import os; os.system(\"{c}\")' | python3 /dev/stdin",
    "by uv": "uv run --with x {c}",
    "by npx": "npx -c '{c}'",
    "by a file of the project": "./script.sh",
    "by find, on a folder": "find . -maxdepth 0 -exec {c} \\;",
    "by split": "split --filter='{c}' a",
    "by a callback": "mapfile -C '{c};' -c 1 x < a",
    "by make's variable": "make 'SHELL=sh -c \"{c}\"' x",
    "by the end of a here-document": "cat <<E''\nE\n{c}\nE''",
    "by a number in a test": "x='a[$({c})]'; [[ $x -eq 0 ]]",
    "by a name in a test": "x='a[$({c})]'; [[ x -gt 1 ]]",
    "by a test for a variable": "x='a[$({c})]'; [ -v \"$x\" ]",
    "by a place in a list": "x='a[$({c})]'; y+=([x]=1)",
    "by a job's words": "jobs -x {c}",
    "by the name of a job": "sleep 0 & wait -n -p 'a[$({c})]'",
    "by what is written into perl": "perl - x <<'E'\nsystem(\"{c}\");\nE",
    "by what is written into node": 'node /dev/stdin <<\'E\'\nrequire("child_process").execSync("{c}")\nE',
    "by Python, asked to go on": "python3 -i x.py <<'E'\nimport os; os.system(\"{c}\")\nE",
    "by Python's input, in other words": "python3 ../../../../../dev//stdin <<'E'\nimport os; os.system(\"{c}\")\nE",
    "by a database's shell, abbreviated": "sqlite3 x.db '.she {c}'",
    "by what is written into a database": "echo '.shell {c}' | sqlite3 x.db",
    "by the last of two lines": "script -qc ls -c '{c}' /dev/null",
    "by the last of two lines, as another": "su root -c ls --session-command='{c}'",
    "by the pipe of a tracer": "strace -o '|{c}' ls",
    "by a file of options": "gcc @args -c x.c",
    "by sed, behind a text": "sed 'a\ne {c}' a",
    "by sed, behind a label": "sed 't\ne {c}' a",
    "by hatch's shell": "hatch run ls '&&' {c}",
    "by a library": "openssl engine ./evil.so",
    "by the interpreter of an environment": "uv venv --python ./evil",
    "by the interpreter of a project": "poetry env use ./evil",
    "behind an option's value": "kubectl -n get exec pod -- {c}",
    "by a database's editor": "sqlite3 x.db \"select edit/**/('x', '{c}')\"",
    "by node's loader": "node --experimental-loader 'data:text/javascript,x(\"{c}\")' x.js",
    "by node's reporter": "node --test --test-reporter 'data:text/javascript,x(\"{c}\")'",
    "by a compiler of cmake's": "cmake -S . -B b -DCMAKE_C_COMPILER=/bin/x -DCMAKE_C_FLAGS='{c}'",
    "by the shell of a framework": "flask shell <<'E'\nimport os; os.system(\"{c}\")\nE",
    "by the name of a worker": "gunicorn 'os:system(\"{c}\")'",
    "by tox": "tox exec -- {c}",
    "by yarn": "yarn run {c}",
    "by what git is handed": "gh repo clone a/b -- -u '{c}'",
    "by a shell of the framework": "python3 manage.py x; manage.py shell --command='{c}'",
    "by tar": "tar cf /dev/null a --checkpoint=1 --checkpoint-action=exec='{c}'",
}


@cache
def judge_that_denies(name: str) -> RulesGuard:
    return permissions(Path("/folder"), [f"run({each} *)" for each in HARMLESS], deny=[f"run({name} *)"])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_way_of_writing_it_gets_past_a_rule_that_denies(way: str) -> None:
    """3,960 variants: denied where it is seen, asked where it may be hidden, never allowed and never left to the mode."""
    for effect in EFFECTS:
        name = effect.split()[0]
        judge = judge_that_denies(name)
        line = way.format(c=effect, q=f'"{name[0]}"{name[1:]}{effect[len(name) :]}')
        judgement = judge.of_command(line)
        assert judgement.decision in ("deny", "ask"), (line, judgement)


# As people's and models' sessions have them; their programs are all allowed.
BENIGN = r"""
git status
git status -s
git status --short --branch
git log --oneline -5
git log --oneline --graph --all -20
git log -p -- src/a.py
git log --since='2 weeks ago' --pretty=format:'%h %s'
git log -S'def main' --oneline
git log | head
git diff
git diff --stat
git diff HEAD~1 -- src
git diff --cached --name-only
git diff main...HEAD -- '*.py'
git diff | cat
git diff | grep '^+' | wc -l
git status && git diff
git status; git log -1
git log -1 --format=%H
git diff HEAD -- a.py b.py
git diff --word-diff a.py
git status | grep modified
git log --follow a.py | head -40
git diff HEAD^ HEAD
git diff --check && echo clean
ls
ls -la
ls -la src
ls -lah src/ tests/
ls -R src | head -50
ls *.py
ls src/*.py tests/*.py
ls 'a b'
ls "with space"/*.txt
ls -t | head -1
ls -1 | wc -l
ls -d */
ls src && ls tests
ls nosuch || echo none
ls -la | grep '\.py$'
cat a.py
cat a.py b.py
cat -n a.py
cat a.py | head -100
cat a.py | grep -v b | wc -l
cat src/a.py | sed -n '10,20p'
cat a.py 2>&1 | grep x
cat package.json | grep version
cat README.md
cat *.md | wc -w
cat -A a.py | head
cat src/{a,b}.py
cat pyproject.toml setup.cfg 2>/dev/null
cat requirements.txt | grep -i numpy
cat Makefile && cat README.md
echo done
echo "quoted text"
echo 'a b'; ls
echo a && echo b
echo -e "a\nb"
echo "PATH is set"
echo $HOME
echo "$USER"
echo "exit: $?"
echo a | cat
echo "a" | wc -c
echo {1..5}
echo "tests:" && ls tests
echo one; echo two; echo three
echo 'it is "quoted"'
echo "it's fine"
grep -rn 'def main' src
grep foo a.py
grep foo a.py | head -3
grep -rn "TODO" --include='*.py' .
grep -c '^import' src/a.py
grep -E '(foo|bar)' a.py
grep -A5 -B5 'class X' src/a.py
grep -rl 'import os' src | head
grep -i error log.txt | tail -20 | head -5
grep -n "a\.b" a.py
grep -v '^#' a.py | grep -v '^$'
grep -rn 'x = \[' .
grep -rn '\$HOME' scripts
grep -w foo -r src
grep -P '\d+' a.py
grep -rnE "def (setUp|tearDown)" tests
grep -q foo a.py && echo yes
grep -q foo a.py || echo no
grep -F '[a]' a.py
grep -rn foo src tests docs
grep -o 'v[0-9.]*' README.md
grep 'a' < a.py
head -n 20 a.py
head -n 20 a.py && wc -l a.py
head -50 src/a.py
head -c 100 a.bin
head -1 data.csv
head -n 5 *.csv
head a.py b.py
head -n 100 a.py | grep def
wc -l a.py
wc -l src/*.py
wc -l a.py b.py | head -1
wc -c < a.py
wc -w README.md
wc -l $(git diff --name-only)
find . -name '*.py'
find src -type f | wc -l
find . -name '*.py' -not -path './.venv/*'
find . -type f -name '*.ts' | head -20
find . -maxdepth 2 -type d
find src -name 'a*' -o -name 'b*'
find . -name '*.py' -size +10k
find . -newer a.py -name '*.py'
find . -name package.json -not -path '*/node_modules/*'
find . -type f -mtime -1
find . -iname '*readme*'
find src tests -name '__init__.py'
find . -empty -type d
find . -name '*.py' | grep test
find . -name '*.c' -o -name '*.h' | wc -l
find . -path ./build -prune -o -name '*.py' -print
find . -type l
find . -name '*.log' | head -3
find src -name '*.py' | xargs grep -n foo
find . -name '*.py' | xargs wc -l
find . -name '*.py' -exec grep -l foo {} +
find . -name '*.py' -exec head -1 {} \;
python3 -m pytest -q
python3 -m pytest -x tests/test_a.py
python3 -m pytest -k 'a and not b'
python3 -m pytest tests/test_a.py::test_x -vv
python3 -m pytest -q 2>&1 | head -50
python3 -m unittest discover -s tests
python3 -m mypy src
python3 -m ruff check .
python3 -m compileall -q src
python3 script.py --fast
python3 script.py < input.txt
python3 -c 'print(1)'
python3 -c "import sys; print(sys.version)"
python3 --version
python3 -m json.tool a.json
python3 -m timeit 'x = 1'
python3 -m pytest -q && echo ok
python3 -m pytest -q || echo failed
python3 manage.py check
python3 -W error -m pytest -q
python3 -m doctest a.py
python3 a.py 1 2 3 | head
python3 - < a.py
python3 -m pytest --co -q | wc -l
python3 -m pip --version
make
make test
make -j4 test
make -n build
make lint && make test
make -C sub test
make test 2>&1 | head -100
make clean test
make VERBOSE=1
make help | grep test
sed -n '1,20p' a.py
sed -n '10,$p' src/a.py | head -5
sed 's/a/b/' a.py | head
sed -n '/def main/,/return/p' a.py
sed -e 's/x/y/g' -e 's/a/b/' a.txt
sed -n 5p a.py
sed '/^$/d' a.py | wc -l
sed -n "3,7p" "a file.txt"
env ls
env FOO=1 make test
env
env | grep PATH
timeout 10 ls
timeout 60 python3 -m pytest -q
timeout 5s make test
time make test
nice make test
nohup make test
(git status)
{ ls; echo x; }
for f in a b; do echo x; done
for f in *.py; do wc -l "$f"; done
for i in 1 2 3; do python3 a.py; done
if true; then ls; fi
if grep -q foo a.py; then echo yes; else echo no; fi
while true; do echo x; done
! grep -q foo a.py
ls > /dev/null
ls 2>/dev/null
ls >/dev/null 2>&1
make test > /dev/null && echo ok
wc -l < a.py
cat <<< "text"
git log --oneline | wc -l && git status -s
ls src | grep -v test | head -3 | wc -l
cd src && ls
cd tests; python3 -m pytest -q
FOO=1 make test
PYTHONPATH=src python3 -m pytest -q
DEBUG=1 python3 a.py
ls; pwd
pwd && ls
true && ls
test -f a.py && cat a.py
[ -f a.py ] && cat a.py
ls &
python3 -m http.server --help
git diff -- "a b.py"
git log --author='A B' -3
git log --grep="fix: .*" -2
find . -name "a[0-9].py"
grep -rn "a|b" src | head -n 3
cat a.py | python3 -m json.tool
""".strip().splitlines()


# Code, words that are made up only when it runs, another folder, other variables.
ASKED_ABOUT = [
    "PYTHONPATH=src python3 -m pytest -q", "cat src/{a,b}.py", "find . -name '*.py' -exec grep -l foo {} +", "make VERBOSE=1",
    "find . -name '*.py' -exec head -1 {} \\;", "find src -name '*.py' | xargs grep -n foo", "make -C sub test", "python3 - < a.py",
    "python3 -c 'print(1)'", 'python3 -c "import sys; print(sys.version)"',
]  # fmt: skip


def test_what_is_allowed_stays_allowed(tmp_path: Path) -> None:
    judge = permissions(tmp_path, [f"run({each} *)" for each in (*HARMLESS, "true", "cd", "pwd", "test", "tail")])
    assert len(set(BENIGN)) >= 200
    asked = [line for line in BENIGN if judge.of_command(line).decision != "allow" and line not in ASKED_ABOUT]
    assert len(asked) <= len(BENIGN) * 0.05, asked
    assert all(judge.of_command(line).decision == "" for line in ASKED_ABOUT)


CHECKS = [
    "python3 -m pytest -q -pno:cacheprovider -ojunit_family=xunit1 --junit-xml=/tmp/a/report-1.xml", "python3 -m unittest discover -s tests -t .",
    "npm test", "pnpm test", "yarn test", "node_modules/.bin/tsc --noEmit", "node --check a.js", "cargo test --quiet --no-fail-fast 2>&1",
    "go test -json ./...", "go build ./...", "make test", "just test",
]  # fmt: skip


@pytest.mark.parametrize("line", CHECKS)
def test_the_programs_own_checks_are_allowed_by_a_rule_about_them(tmp_path: Path, line: str) -> None:
    head = " ".join(line.split()[: 3 if " -m " in line else 1])
    assert permissions(tmp_path, [f"run({head} *)"]).of_command(line).decision == "allow"


@pytest.mark.parametrize("allow", ["run(./a.sh *)", "run(./a.sh -x)"])
def test_a_program_of_the_project_is_allowed_by_a_rule_with_its_path(tmp_path: Path, allow: str) -> None:
    def decided(line: str, **rules: Iterable[str]) -> str:
        return permissions(tmp_path, [allow], **rules).of_command(line).decision

    assert [decided(line) for line in ("./a.sh -x", "a.sh -x", "b/a.sh -x")] == ["allow", "", ""]
    assert decided("./a.sh -x", deny=["run(a.sh *)"]) == decided("./a.sh -x", deny=["run(./a.sh -x)"]) == "deny"
    (proposal,) = permissions(tmp_path).of_command("./a.sh -x").proposals
    assert permissions(tmp_path, [proposal]).of_command("./a.sh -x").decision == "allow"


def test_a_module_that_the_tests_are_to_load_is_asked_about(tmp_path: Path) -> None:
    assert permissions(tmp_path, ["run(pytest *)"]).of_command("pytest -p evil").decision == ""


@pytest.mark.parametrize("line", ["ls $(echo secret)", 'ls "$X"', "xargs ls < names"])
def test_a_word_that_is_made_up_when_it_runs_is_asked_about_where_a_rule_is_about_words(tmp_path: Path, line: str) -> None:
    assert permissions(tmp_path, ["run(*)"], deny=["run(ls secret*)"]).of_command(line).decision == "ask"


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
    judge._rules.tables.append(parse_table("bash", {"*": "ask", "git *": "allow", "git push *": "deny"}, "test"))
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


@pytest.mark.parametrize(
    "line", ["\u00d3{\U000f0d95.\u00c9", "\U0001b793{\U0009a3f2iB", "echo {\U0010ffff..9}", "{한..국}", "a{\ud800"]
)
def test_a_brace_before_a_character_of_any_plane_crashes_nothing(line: str) -> None:
    """The parser's own tables end at Latin-1."""
    code = f"from tests.agentic.test_rules import judge_often as judge; judge({line.encode('utf-8', 'surrogatepass')!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "judged\n"), done.stderr


def judge_often(data: bytes) -> None:
    """Where the tables lie, and what lies behind them, differs from one memory to the next."""
    line, judge = data.decode("utf-8", "surrogatepass"), permissions(Path("/folder"), ["run(ls *)"])
    for number in range(200):
        judge.of_command(line + "{" + chr(0x10000 + number * 4096))
    print("judged")


def test_words_beyond_ascii_are_read_as_they_are() -> None:
    judge = permissions(Path("/folder"), ["run(cat 설계.md)", "run(echo \U0001f642*)"])
    assert judge.of_command("cat 설계.md").decision == "allow"
    assert judge.of_command("echo \U0001f642 À é").decision == "allow"
    assert judge.of_command("cat 다른.md").decision == ""
    assert ShellReader().read("echo x > 결과.txt", Path("/folder")).writes == ("/folder/결과.txt",)


@given(st.text(max_size=60))
def test_any_text_is_judged(line: str) -> None:
    """And what is no command is allowed by no rule but one about everything."""
    judgement = permissions(Path("/folder"), ["run(ls *)"]).of_command(line)
    assert judgement.decision in ("", "allow", "ask", "deny")


def test_always_is_remembered_by_the_project_and_the_session(tmp_path: Path) -> None:
    judge = permissions(tmp_path)
    (rule,) = judge.of_command("make test").proposals
    assert rule == "run(make test)"
    judge.remember([rule], "project")
    again = permissions(tmp_path)
    assert again.of_command("make test").decision == "allow"
    assert again.of_command("make clean").decision == ""


def test_the_command_tells_what_would_become_of_it(agentic: Agentic) -> None:
    denied = agentic("permissions", "test", "env git push", "-c", "permissions.deny=run(git push *)")
    assert denied.code == 4 and "denied" in denied.out
    assert "in every mode" in agentic("permissions", "test", "rm -rf ~").out
    assert "edit(**/conftest.py)" in agentic("permissions", "list").out


@pytest.mark.parametrize(
    ("allow", "granted"),
    [
        (["run(git *)"], set()),
        (["run(git commit -m x)"], {"protected"}),
        (["run(git *)", "protected(git commit *)"], {"protected"}),
        (["run(git *)", "network(git *)"], set()),
    ],
)
def test_a_rule_about_a_name_gives_nothing_beyond_the_sandbox(tmp_path: Path, allow: list[str], granted: set[str]) -> None:
    """What it takes is asked about by itself: a rule about `git` says nothing of the network, or of a `.git` that can be written."""
    judgement = permissions(tmp_path, allow).of_command("git commit -m x")
    assert (judgement.decision, set(judgement.granted)) == ("allow", granted)
    assert judgement.proposals == (() if granted else ("protected(git commit -m x)",))


def test_a_program_that_nobody_knows_is_allowed_by_its_own_name(tmp_path: Path) -> None:
    """And where some rule forbids, only word by word: it may start what that is about."""
    for allow, deny, decision in (
        (["run(mytool *)"], [], "allow"),
        (["run(*)"], [], "allow"),
        (["run(my*)"], [], ""),
        (["run(mytool *)"], ["run(rm *)"], "ask"),
        (["run(mytool --fast rm)"], ["run(rm *)"], "allow"),
    ):
        assert permissions(tmp_path, allow, deny=deny).of_command("mytool --fast rm").decision == decision


RUN = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
WRITE = answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x"}))


@pytest.mark.parametrize("rule", ["write_file", "edit(a.txt)", "Write(a.txt)", "write_file, run(x)"])
def test_a_tool_that_is_denied_changes_nothing(agentic: Agentic, server: FakeVLLM, work: Path, rule: str) -> None:
    """By its own name, or by what it does."""
    server.script(WRITE, answer("ok"))
    done = agentic("run", "do it", "--endpoint", server.url, *RUN, "-c", f"permissions.deny={rule}")
    assert not (work / "a.txt").exists() and "says deny" in done.err, done.err


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("write_file(a.txt)", "edit(PATH)"),
        ("read_file(*.key)", "read(PATH)"),
        ("wriet_file", "did you mean write_file"),
        ("raed(a)", "did you mean read"),
    ],
)
def test_a_rule_that_would_never_hold_is_a_mistake(agentic: Agentic, server: FakeVLLM, rule: str, remedy: str) -> None:
    for decision in ("deny", "ask"):
        done = agentic("run", "do it", "--endpoint", server.url, *RUN, "-c", f"permissions.{decision}={rule}")
        assert (done.code, server.chats) == (2, []) and "never holds" in done.err and remedy in done.err, done.err


def test_a_tool_that_is_gone_may_still_be_allowed(agentic: Agentic, server: FakeVLLM) -> None:
    """What was kept with "always" outlives the plugin."""
    server.say("ok")
    assert agentic("run", "do it", "--endpoint", server.url, *RUN, "-c", "permissions.allow=sql").code == 0
