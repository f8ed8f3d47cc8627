import subprocess
import sys

FOLDER = sys.argv[1]


def run(*args):
    done = subprocess.run([sys.executable, *args], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.strip()


for name in ("store.py", "report.py", "main.py"):
    with open(f"{FOLDER}/{name}") as file:
        text = file.read()
    assert "get_data" not in text, name
    assert "load_records" in text, name
assert run("main.py") == (0, "3 records, total 60"), run("main.py")
