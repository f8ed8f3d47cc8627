import subprocess
import sys

FOLDER = sys.argv[1]


def run(*args):
    done = subprocess.run([sys.executable, *args], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.strip()


assert run("greet.py", "Ada") == (0, "Hello, Ada!")
assert run("greet.py", "Ada", "--shout") == (0, "HELLO, ADA!"), run("greet.py", "Ada", "--shout")
assert run("greet.py", "Ada", "--times", "2") == (0, "Hello, Ada!\nHello, Ada!")
assert run("greet.py", "--shout", "--times", "2", "Bo") == (0, "HELLO, BO!\nHELLO, BO!")
