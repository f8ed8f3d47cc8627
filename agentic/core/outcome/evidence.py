"""What really happened: files written and commands run, in order. Verdicts rest on this, never on the model's word."""

import re
from dataclasses import dataclass, field

from agentic.types import ToolOutput

_CRASH = re.compile(
    r"must print .+, but it prints|Traceback \(most recent call last\)|SyntaxError"
    r"|command not found|No module named|Permission denied"
)
# A program that wants input or arguments ends so when it gets none: no mistake of its own.
_WANTS_MORE = re.compile(r"EOFError: EOF when reading a line|sys\.argv[^\n]*\n(?:[^\n]*\^[^\n]*\n)?IndexError|\nusage: ")
_TESTS = re.compile(r"\b(pytest|unittest|tox|nox|npm (run )?test|go test|cargo test|make (test|check)|ctest)\b")
CODE = (".py", ".js", ".ts", ".go", ".rs", ".c", ".cc", ".cpp", ".java", ".rb", ".sh", ".php", ".pl", ".lua", ".kt", ".swift")


@dataclass(slots=True)
class Evidence:
    """`checks` holds what was run since the last code was written; `authoritative` the commands whose failure is never on purpose.

    `not_done` are delegated tasks that are not done, until the agent does something itself; `write_failed` whether a write failed.
    """

    written: dict[str, None] = field(default_factory=dict)
    checks: list[tuple[str, ToolOutput]] = field(default_factory=list)
    unchecked_code: bool = False
    authoritative: set[str] = field(default_factory=set)
    not_done: tuple[str, ...] = ()
    write_failed: bool = False

    def wrote(self, path: str) -> None:
        self.written[path] = None
        if path.endswith(CODE):
            self.unchecked_code = True
            self.checks.clear()

    def ran(self, command: str, output: ToolOutput) -> None:
        self.unchecked_code = False
        self.checks.append((command, output))

    def forget(self, command: str) -> None:
        """It showed nothing."""
        self.authoritative.discard(command)
        self.checks = [check for check in self.checks if check[0] != command]

    def failed_check(self) -> tuple[str, ToolOutput] | None:
        """The last command, where it shows that the code is broken.

        A program may end with a code of its own on purpose; a crash or a failing test suite is never on purpose.
        """
        latest = dict(self.checks)
        failing = [(command, output) for command, output in latest.items() if command in self.authoritative and output.failed]
        if failing or not self.checks:
            return failing[0] if failing else None
        command, output = self.checks[-1]
        if not output.failed or _WANTS_MORE.search(f"\n{output.text}"):
            return None
        return (command, output) if _TESTS.search(command) or _CRASH.search(output.text) or output.exit_code == 124 else None

    def summary(self) -> str:
        """What was done, in one line."""
        done = [f"Wrote {', '.join(self.written)}."] if self.written else []
        for command, output in self.checks[-1:]:
            wants_more = output.failed and _WANTS_MORE.search(f"\n{output.text}")
            how = "ran until it wanted input" if wants_more else f"ended with exit code {output.exit_code}"
            done += [f"`{command}` {how}."] if len(command) < 80 else []
        return " ".join(done)
