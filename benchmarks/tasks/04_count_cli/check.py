import subprocess
import sys

FOLDER = sys.argv[1]


def run(*args):
    done = subprocess.run([sys.executable, *args], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.strip()


with open(f"{FOLDER}/sample.txt", "w") as file:
    file.write("one two three\nfour five\n\nsix\n")
code, out = run("count.py", "sample.txt")
assert (code, out) == (0, "4 6"), (code, out)
code, out = run("count.py", "missing.txt")
assert code == 1, code
