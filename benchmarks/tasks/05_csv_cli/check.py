import subprocess
import sys

FOLDER = sys.argv[1]


def run(*args):
    done = subprocess.run([sys.executable, *args], cwd=FOLDER, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.strip()


with open(f"{FOLDER}/sample.csv", "w") as file:
    file.write('name,price,count\n"Tea, green",2.50,3\nCoffee,10,1\n')
assert run("csvsum.py", "sample.csv", "price") == (0, "12.50"), run("csvsum.py", "sample.csv", "price")
assert run("csvsum.py", "sample.csv", "count") == (0, "4.00")
assert run("csvsum.py", "sample.csv", "weight")[0] == 1
