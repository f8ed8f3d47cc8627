"""Blocking calls beside the event loop."""

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Any

_threads: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


def running() -> bool:
    """True if a call that was begun here has not come back."""
    return any(thread.is_alive() for thread in _threads)


async def on_daemon_thread(function: Callable[[], Any]) -> Any:
    """Like asyncio.to_thread, on a thread that holds neither the loop nor the process when it never returns."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(action: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            action(value)

    def work() -> None:
        try:
            outcome = (future.set_result, function())
        except Exception as error:
            outcome = (future.set_exception, error)
        except BaseException as error:  # SystemExit on a thread would vanish without a word
            outcome = (future.set_exception, RuntimeError(repr(error)))
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    thread = threading.Thread(target=work, daemon=True)
    _threads.add(thread)
    thread.start()
    return await future
