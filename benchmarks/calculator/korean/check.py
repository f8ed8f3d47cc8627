"""A working calculator: some Python file has functions or methods that add, subtract, multiply and divide two numbers,
compute correctly, and refuse to divide by zero (an exception, or anything that is no number)."""

import ast
import io
import sys
from pathlib import Path

OPERATIONS = {
    "add": (("add", "sum", "plus", "더하"), 8.0),
    "subtract": (("sub", "minus", "diff", "빼"), 4.0),
    "multiply": (("mul", "times", "product", "곱"), 12.0),
    "divide": (("div", "quot", "나누"), 3.0),
}


def definitions(path):
    """Everything of a module but what would run at import: imports, functions and classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))]
    scope = {"__name__": "calculator"}
    exec(compile(tree, str(path), "exec"), scope)
    return scope


def functions(scope):
    for name, value in list(scope.items()):
        if callable(value) and not isinstance(value, type):
            yield name, value
        elif isinstance(value, type):
            try:
                instance = value()
            except Exception:
                continue
            for method in dir(instance):
                if not method.startswith("__") and callable(getattr(instance, method)):
                    yield method, getattr(instance, method)


def works(found):
    for names, expected in OPERATIONS.values():
        candidates = [f for name, f in found if any(part in name.lower() for part in names)]
        if not any(call(f, 6, 2) == expected for f in candidates):
            return False
    dividers = [f for name, f in found if any(part in name.lower() for part in OPERATIONS["divide"][0])]
    return all(not isinstance(call(f, 6, 0), (int, float)) for f in dividers)


def call(function, a, b):
    try:
        return function(a, b)
    except Exception as error:
        return error


sys.stdin = io.StringIO("")
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    try:
        if works(list(functions(definitions(path)))):
            print("works:", path.name)
            raise SystemExit(0)
    except (SyntaxError, ImportError) as error:
        print(path.name, error)
raise SystemExit(1)
