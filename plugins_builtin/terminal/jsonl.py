"""A JSON object a line."""

import json
from typing import TextIO

from agentic.events import Event


class Jsonl:
    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def handle(self, event: Event) -> None:
        self._stdout.write(json.dumps(event.as_dict()) + "\n")  # ASCII only, so no character can reach a terminal raw
        self._stdout.flush()

    def close(self) -> None:
        pass
