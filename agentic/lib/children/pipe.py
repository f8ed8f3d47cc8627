"""The output of commands, as it comes."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def reading(take: Callable[[bytes], None]) -> Iterator[tuple[int, asyncio.Event]]:
    """The write end of a pipe, whose bytes `take` gets, and the event of its end.

    asyncio's own pipe would make `wait` wait for whoever holds the pipe, also long after the command.
    """
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    def readable() -> None:
        with suppress(BlockingIOError):
            if chunk := os.read(read_end, 65536):
                take(chunk)
            else:
                loop.remove_reader(read_end)
                closed.set()

    loop.add_reader(read_end, readable)
    try:
        yield write_end, closed
    finally:
        loop.remove_reader(read_end)
        os.close(read_end)
