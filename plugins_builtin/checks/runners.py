"""Other ecosystems' runners and compilers. Their exit code is the verdict; the names of what failed come from their reports."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentic import Change, Check, CheckResult, Failure, Setup, ToolOutput, Workspace
from agentic.lib.patterns import late_pattern
from plugins_builtin.checks.common import MAX_MESSAGE, cannot_run, changed, touches, whole

MAX_BYTES = 1_000_000  # of a file that says how a project is run
_NOT_OK = late_pattern(r"^\s*(?:not ok \d+ -|[✕✗×●]) (.+?)(?: \(\d+(?:\.\d+)? ?m?s\))?$", re.MULTILINE)
_CARGO = late_pattern(r"^test (\S+) \.\.\. FAILED$", re.MULTILINE)
_CARGO_RUN = r"cargo (?:test|t)(?: (?:-q|--quiet|--no-fail-fast|--all|--workspace|--all-features|-v))*"
_NO_RULE = late_pattern(r"No rule to make target|does not contain recipe|No targets|Justfile does not")


class SuiteRunner:
    """A checker of one ecosystem. `tests` and `proofs` say what it runs; `failed` names what a failed run tells of."""

    def __init__(self, setup: Setup) -> None:
        self._configured = {name for name in ("test", "build") if getattr(setup.settings.checks, name)}

    def tests(self, workspace: Workspace) -> Iterable[Check]:
        return ()

    def proofs(self, workspace: Workspace, changes: Sequence[Change]) -> Iterable[Check]:
        return ()

    def failed(self, check: Check, text: str) -> Iterable[tuple[str, str]]:
        """(name, message) of each failure."""
        return ()

    def checks(self, task: str, workspace: Workspace, changes: Sequence[Change]) -> list[Check]:
        tests = [] if "test" in self._configured else [*self.tests(workspace)]
        return [*tests, *([] if "build" in self._configured else self.proofs(workspace, changes))]

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        if unable := cannot_run(output) or self.unable(output.text):
            return unable
        failed = dict(self.failed(check, output.text)) if output.failed else {}
        if not failed:
            return whole(check.name, output, changes)
        related = touches(output.text, changes)
        return CheckResult("fails", tuple(Failure(name, text[-MAX_MESSAGE:], related) for name, text in failed.items()))

    def unable(self, text: str) -> CheckResult | None:
        return None


class JavaScript(SuiteRunner):
    def tests(self, workspace: Workspace) -> Iterable[Check]:
        script = str(_scripts(workspace).get("test", "no test specified"))
        if "no test specified" not in script:
            yield Check("npm test", "The tests", f"{_manager(workspace)} test", also=r"(?:npm|pnpm|yarn)(?: run)? (?:test|t)")

    def proofs(self, workspace: Workspace, changes: Sequence[Change]) -> Iterable[Check]:
        if _has(workspace, "tsconfig.json") and _has(workspace, "node_modules/.bin/tsc"):
            if not changes or changed(changes, ".ts", ".tsx"):
                yield Check("tsc", "The types", "node_modules/.bin/tsc --noEmit", covers=False, form=True)
        elif paths := changed(changes, ".js", ".mjs", ".cjs"):
            words = " && ".join(f"node --check {path}" for path in paths)
            yield Check("node --check", "The syntax of the JavaScript files", words, covers=False, form=True)

    def failed(self, check: Check, text: str) -> Iterable[tuple[str, str]]:
        return [(name, f"{name}\n{text[-MAX_MESSAGE:]}") for name in dict.fromkeys(_NOT_OK.findall(text))][:1] or ()

    def unable(self, text: str) -> CheckResult | None:
        missing = re.search(r"Cannot find (?:module|package) '([^./'][^']*)'", text)
        return CheckResult("cannot_run", why=f"{missing[1]} is not installed here") if missing else None


class Rust(SuiteRunner):
    def tests(self, workspace: Workspace) -> Iterable[Check]:
        if _has(workspace, "Cargo.toml"):
            yield Check("cargo test", "The tests", "cargo test --quiet --no-fail-fast", "2>&1", also=_CARGO_RUN)

    def failed(self, check: Check, text: str) -> Iterable[tuple[str, str]]:
        names = dict.fromkeys([*_CARGO.findall(text), *re.findall(r"^---- (\S+) stdout ----$", text, re.MULTILINE)])
        for name in names:
            said = re.search(rf"^---- {re.escape(name)} stdout ----\n(.*?)(?=^---- |^failures:|\Z)", text, re.MULTILINE | re.DOTALL)
            yield name, f"{name}: {said[1].strip() if said else 'failed'}"

    def unable(self, text: str) -> CheckResult | None:
        if "rustup could not choose" in text or "no default is configured" in text:
            return CheckResult("cannot_run", why="no Rust toolchain is set up here")
        offline = re.search(r"failed to (?:download|get) `?([\w-]+)|no matching package named `([\w-]+)`", text)
        return CheckResult("cannot_run", why=f"{offline[1] or offline[2]} cannot be fetched here") if offline else None


class Go(SuiteRunner):
    def tests(self, workspace: Workspace) -> Iterable[Check]:
        if _has(workspace, "go.mod"):
            yield Check("go test", "The tests", "go test", "-json ./...", also=r"go test(?: -(?:v|race|count=\d+|json))* \./\.\.\.")

    def proofs(self, workspace: Workspace, changes: Sequence[Change]) -> Iterable[Check]:
        if _has(workspace, "go.mod") and changed(changes, ".go"):
            yield Check("go build", "The build", "go build ./...", covers=False, form=True)

    def failed(self, check: Check, text: str) -> Iterable[tuple[str, str]]:
        said: dict[str, str] = {}
        failing: list[str] = []
        for event in _objects(text):
            name = f"{event.get('Package', '')} {event.get('Test', '')}".strip()
            if event.get("Action") == "output":
                said[name] = said.get(name, "") + str(event.get("Output", ""))
            elif event.get("Action") == "fail" and event.get("Test"):
                failing.append(name)
        return [(name, f"{name}: {said.get(name, '').strip()}") for name in failing]

    def result(self, check: Check, output: ToolOutput, workspace: Workspace, changes: Sequence[Change]) -> CheckResult:
        if not output.failed and check.name == "go test" and "no test files" in output.text and '"Test"' not in output.text:
            return CheckResult("cannot_run", why="there are no tests")
        return super().result(check, output, workspace, changes)


class Make(SuiteRunner):
    def tests(self, workspace: Workspace) -> Iterable[Check]:
        for file, program in (("Makefile", "make"), ("makefile", "make"), ("justfile", "just"), ("Justfile", "just")):
            targets = re.findall(r"^(test|check)\s*:(?!=)", workspace.text(file, MAX_BYTES), re.MULTILINE)
            if targets and not _has_own_runner(workspace):
                target = "test" if "test" in targets else "check"
                yield Check(f"{program} {target}", "The tests", f"{program} {target}")
                return

    def unable(self, text: str) -> CheckResult | None:
        inner = re.search(r"(?:^|: )([\w./-]+): (?:command )?not found", text, re.MULTILINE)
        if inner or _NO_RULE.search(text):
            return CheckResult("cannot_run", why=f"{inner[1]} is not installed here" if inner else "it has no such target")
        return None


def _has_own_runner(workspace: Workspace) -> bool:
    """True if another checker knows how this folder's tests are run, so that they are not run twice."""
    return any(_has(workspace, name) for name in ("Cargo.toml", "go.mod")) or "test" in _scripts(workspace)


def _has(workspace: Workspace, name: str) -> bool:
    return (workspace.root / name).exists()


def _scripts(workspace: Workspace) -> dict[str, Any]:
    try:
        scripts = json.loads(workspace.text("package.json", MAX_BYTES) or "{}").get("scripts", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return scripts if isinstance(scripts, dict) else {}


def _manager(workspace: Workspace) -> str:
    locks = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
    return next((manager for lock, manager in locks.items() if _has(workspace, lock)), "npm")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found
