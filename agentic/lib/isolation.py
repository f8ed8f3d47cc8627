"""Calling somebody else's code: whatever it does, the caller goes on."""

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

BUDGET_SECONDS = 3.0


class CallFailure(Exception):
    """The failure of somebody else's code to return, with what it did instead."""


def call_isolated(function: Callable[[], Any], seconds: float = BUDGET_SECONDS) -> Any:
    """Returns the result of `function`. Raises CallFailure when it raises, exits or takes longer than `seconds`.

    It runs on a daemon thread, so one that never returns does not hold the process; what it prints goes to stderr.
    """
    result: list[Any] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            result.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    with redirect_stdout(sys.stderr):
        thread.start()
        thread.join(seconds)
    if thread.is_alive():
        raise CallFailure(f"took longer than {seconds:g} s")
    if errors:
        raise CallFailure(describe(errors[0])) from errors[0]
    return result[0]


def call_limited(function: Callable[[], Any], seconds: float = BUDGET_SECONDS) -> Any:
    """Returns the result of `function`, called on this thread, where that will be used. Its exceptions pass.

    On the main thread it is cut off with a CallFailure after `seconds`.
    """
    with redirect_stdout(sys.stderr), _alarm(seconds):
        return function()


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise CallFailure(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def describe(error: BaseException) -> str:
    """A line; a Failure is described already."""
    if isinstance(error, CallFailure):
        return str(error)
    return " ".join("".join(traceback.format_exception_only(error)).split())
