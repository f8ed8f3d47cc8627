import subprocess
import sys

FOLDER = sys.argv[1]


def run(*args):
    done = subprocess.run([sys.executable, *args], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.strip()


assert run("todo.py", "add", "buy milk")[0] == 0
assert run("todo.py", "add", "call Bo")[0] == 0
assert run("todo.py", "list") == (0, "1. buy milk\n2. call Bo"), run("todo.py", "list")
assert run("todo.py", "done", "1")[0] == 0
assert run("todo.py", "list") == (0, "1. call Bo"), run("todo.py", "list")
