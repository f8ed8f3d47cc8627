"""For pipes and dumb terminals: the answer on stdout, everything else on stderr, no escape sequence anywhere."""

import sys
from functools import partial
from pathlib import Path
from typing import TextIO

from agentic import Settings
from agentic.events import ApprovalAsked, ComplexityEstimated, Event, Failover, LlmChunk, RunFinished, RunStarted, Warned
from agentic.lib.sanitize import sanitize
from plugins_builtin.terminal.questions import Questions
from plugins_builtin.terminal.starting import next_steps
from plugins_builtin.terminal.words import describe, one_line, speaker


class Plain:
    """`ask` streams its answer to stdout; `run` streams to stderr and puts the result on stdout at the end."""

    def __init__(self, stdout: TextIO, root: Path, settings: Settings) -> None:
        self._stdout = stdout
        self._next_steps = partial(next_steps, root, settings, False)
        self._debug = settings.ui.debug
        self._streams_to = stdout
        self._open = False
        self._unfinished: dict[str, str] = {}
        self._questions = Questions()

    def handle(self, event: Event) -> None:
        for each in self._questions.in_turn(event):
            self._show(each)

    def _show(self, event: Event) -> None:
        if isinstance(event, ComplexityEstimated) and not self._debug:
            return
        if name := speaker(event):
            self._sub_agent(name, event)
            return
        if isinstance(event, LlmChunk):
            self._streams_to.write(sanitize(event.text))
            self._streams_to.flush()
            self._open = not event.text.endswith("\n")
            return
        if isinstance(event, ApprovalAsked):
            self._end_line()  # the host asks
        if isinstance(event, RunStarted) and event.command == "run":
            self._streams_to = sys.stderr
        if isinstance(event, Failover) and event.partial and self._streams_to is self._stdout:
            self._end_line()
            self._stdout.write("[the answer starts again]\n")
        if isinstance(event, RunFinished):
            self._end_line()
            if self._streams_to is not self._stdout and event.status != "failed":  # the command says why
                self._stdout.write(sanitize(event.result).rstrip() + "\n")
                self._stdout.flush()
                for step in self._next_steps(event):
                    print(f"[{sanitize(step)}]", file=sys.stderr)
        elif line := describe(event):
            if self._streams_to is not self._stdout or self._stdout.isatty():  # a notice adds nothing to an answer in a pipe
                self._end_line()
            print(f"[{sanitize(line) if isinstance(event, Warned) else one_line(line)}]", file=sys.stderr)

    def _sub_agent(self, name: str, event: Event) -> None:
        """Several write at once: whole lines, each with its agent's name in front."""
        if isinstance(event, LlmChunk):
            *lines, self._unfinished[name] = (self._unfinished.get(name, "") + event.text).split("\n")
        else:
            line = describe(event)
            rest = self._unfinished.pop(name, "") if line else ""
            lines = [*([rest] if rest else []), *([f"[{one_line(line)}]"] if line else [])]
        for line in lines:
            self._end_line()
            print(f"{name} | {sanitize(line)}", file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._open:
            self._streams_to.write("\n")
            self._streams_to.flush()
            self._open = False

    def close(self) -> None:
        self._end_line()
