"""Running hooks: JSON on the standard input, and an answer by exit code 2, or as JSON on the standard output."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentic import Setup, ToolOutput
from agentic.events import Warned
from agentic.hooks.events import Decision
from agentic.lib.children.once import outputs_of
from agentic.lib.files import project_top
from agentic.lib.record import record
from agentic.trust import PROJECT_VARIABLES
from plugins_builtin.shell_hooks.files import ShellHook

BLOCKS = 2  # the exit code
MAX_OUTPUT = 100_000  # bytes of one answer
_TOLD = ("SessionStart", "UserPromptSubmit")  # what these write, the model reads
_STRICTNESS: Mapping[str, int] = {"": 0, "allow": 1, "ask": 2, "deny": 3}
_DECISIONS: Mapping[str, Decision] = {"allow": "allow", "ask": "ask", "deny": "deny", "approve": "allow", "block": "deny"}


@record(frozen=True, slots=True)
class HookAnswer:
    """The answer of one hook, or of all. `context` is for the model, `updated` are a call's arguments as a hook wants them."""

    decision: Decision | None = None
    reason: str = ""
    context: str = ""
    updated: Mapping[str, Any] | None = None

    @property
    def blocked(self) -> bool:
        return self.decision == "deny"

    def told_with(self, output: ToolOutput) -> ToolOutput | None:
        """Returns a tool's output followed by the reason for a block and the context; None where there is neither."""
        more = "\n".join(filter(None, (self.reason if self.blocked else "", self.context)))
        return replace(output, text=f"{output.text}\n{more}".strip()) if more else None

    def and_also(self, other: "HookAnswer") -> "HookAnswer":
        """The stricter of both decides."""
        first, second = sorted((self, other), key=lambda each: -_STRICTNESS[each.decision or ""])
        context = "\n".join(filter(None, (self.context, other.context)))
        updated = other.updated if other.updated is not None else self.updated
        return HookAnswer(first.decision, first.reason or (second.reason if not first.decision else ""), context, updated)


async def run_all(setup: Setup, hooks: Sequence[ShellHook], given: Mapping[str, Any]) -> HookAnswer:
    """All of them at once."""
    answers = await asyncio.gather(*(_run(setup, hook, given) for hook in hooks))
    result = HookAnswer()
    for answer in answers:
        result = result.and_also(answer)
    return result


async def _run(setup: Setup, hook: ShellHook, given: Mapping[str, Any]) -> HookAnswer:
    top = str(project_top(setup.root.resolve()))
    env = {**os.environ, **dict.fromkeys(PROJECT_VARIABLES, top)}
    try:
        command = ("/bin/sh", "-c", hook.command)
        code, out, errors = await outputs_of(command, json.dumps(given).encode(), setup.root, env, hook.seconds)
    except TimeoutError:
        return await _failed(setup, hook, f"it took longer than {hook.seconds:g} s")
    except OSError as error:
        return await _failed(setup, hook, str(error))
    said = errors[:MAX_OUTPUT].decode("utf-8", "replace").strip()
    if code == BLOCKS:
        return HookAnswer("deny", said or f"the hook {hook.command} says no")
    if code:
        return await _failed(setup, hook, f"exit code {code}: {said}".removesuffix(": "))
    return _read(hook, out[:MAX_OUTPUT].decode("utf-8", "replace").strip())


async def _failed(setup: Setup, hook: ShellHook, why: str) -> HookAnswer:
    """It is told and has no say, as in the agents that hooks are from."""
    await setup.emit(Warned(message=f"the {hook.event} hook {hook.command} failed: {why}"))
    return HookAnswer()


def _read(hook: ShellHook, text: str) -> HookAnswer:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return HookAnswer(context=text if hook.event in _TOLD else "")
    own = found.get("hookSpecificOutput")
    own = own if isinstance(own, dict) else {}
    wanted = own.get("permissionDecision") or found.get("decision") or ("deny" if found.get("continue") is False else "")
    decision = _DECISIONS.get(str(wanted).lower())
    reason = own.get("permissionDecisionReason") or found.get("reason") or found.get("stopReason") or ""
    updated = own.get("updatedInput", found.get("updatedInput"))
    if decision == "allow" and hook.is_projects:
        decision = None  # a project may say no, and never yes
    return HookAnswer(
        decision,
        str(reason) or (f"the hook {hook.command} says no" if decision == "deny" else ""),
        str(own.get("additionalContext") or found.get("additionalContext") or ""),
        updated if isinstance(updated, dict) else None,
    )
