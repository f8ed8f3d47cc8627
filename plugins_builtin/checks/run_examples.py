"""Runs the examples of docstrings with the project's own Python: `python run_examples.py doctests|calls FILE...`, in its folder.

A program of its own, for any Python 3.9 or newer. It prints one JSON object for each example that fails: file, function, example,
wanted, got; or file and error where a file cannot be imported.
"""

import ast
import doctest
import importlib
import inspect
import json
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any

SECONDS = 10
# A line that is nothing but a call of the documented function and what comes of it.
_CALL = re.compile(r"^\s*(\w+\(.*\))\s*(?:==|=>|->|=|→|➞|#=>|# returns|returns|should return)\s*(.+?)\s*$", re.MULTILINE)


class Late(Exception):
    """An example takes too long."""


def _ring(number: int, frame: object) -> None:
    raise Late


def _tell(**found: str) -> None:
    print(json.dumps(found), file=sys.__stdout__, flush=True)


def same(wanted: str, got: str) -> bool:
    """True if both texts say one value, however it is written: people write examples by hand."""
    try:
        one, other = (ast.literal_eval(text.partition(" #")[0].strip()) for text in (wanted, got))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return wanted.split() == got.split()
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other), 1.0)
    return bool(one == other and type(one) is type(other))


class _Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(want, got, optionflags) or (bool(want) and same(want, got))


class _Runner(doctest.DocTestRunner):
    def __init__(self, file: str) -> None:
        super().__init__(_Checker(), verbose=False)
        self._file = file

    def _failed(self, test: Any, example: Any, got: str) -> None:
        function = test.name.partition(".")[2]
        _tell(file=self._file, function=function, example=example.source.strip(), wanted=example.want.strip(), got=got.strip())

    def report_failure(self, out: Any, test: Any, example: Any, got: str) -> None:
        self._failed(test, example, got)

    def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
        self._failed(test, example, "takes too long" if exc_info[0] is Late else f"{exc_info[0].__name__}: {exc_info[1]}")


def _doctests(module: Any, file: str) -> None:
    for test in doctest.DocTestFinder().find(module, module.__name__.rpartition(".")[2]):
        signal.alarm(SECONDS)
        _Runner(file).run(test, out=lambda text: None)


def _calls(module: Any, file: str) -> None:
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ != module.__name__ or ">>> " in (function.__doc__ or ""):
            continue
        for call, value in examples(function.__doc__ or "", name):
            signal.alarm(SECONDS)
            try:
                got = repr(eval(call, dict(vars(module))))  # noqa: S307 - what it is for
            except Exception as error:
                got = "takes too long" if isinstance(error, Late) else f"{type(error).__name__}: {error}"
            if not same(value, got):
                _tell(file=file, function=name, example=call, wanted=value, got=got)


def examples(text: str, name: str) -> Iterator[tuple[str, str]]:
    """(call, value) of the lines that say what a call of `name` with plain values gives."""
    for call, value in _CALL.findall(text):
        try:
            node: Any = ast.parse(call, mode="eval").body
            wanted = repr(ast.literal_eval(value.partition(" #")[0].strip()))
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                ast.literal_eval(argument)
        except (SyntaxError, ValueError, AttributeError, MemoryError, RecursionError):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == name:
            yield call, wanted


def main(kind: str, files: Iterable[str]) -> None:
    sys.path.insert(0, "")
    signal.signal(signal.SIGALRM, _ring)
    sys.stdout = sys.stderr
    for file in files:
        signal.alarm(SECONDS)
        try:
            module = importlib.import_module(file[: -len(".py")].replace("/", "."))
        except BaseException as error:
            _tell(file=file, error=f"{type(error).__name__}: {error}")
            continue
        {"doctests": _doctests, "calls": _calls}[kind](module, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
