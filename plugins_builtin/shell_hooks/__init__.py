"""Hooks as Claude Code, codex, qwen-code and crush have them: commands that look at a call, a prompt or an end, and may say no."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic import (
    Addition,
    BeforeEnd,
    ChatCommand,
    PluginInfo,
    RunnableFinder,
    Setup,
    ToolCall,
    ToolOutput,
    ToolSpec,
    Verdict,
    Workspace,
    hookimpl,
)
from agentic.events import ApprovalAsked, Event, SubAgentFinished
from agentic.hooks.chat import Chat

if TYPE_CHECKING:
    from agentic.trust import Runnable
    from plugins_builtin.shell_hooks.files import ShellHook
    from plugins_builtin.shell_hooks.running import HookAnswer

SECONDS = 700.0  # the commands' own timeouts are shorter
_sessions: dict[str, str] = {}  # by run
_begun: set[str] = set()  # sessions whose SessionStart hooks ran in this process


def _hooks(root: Path, event: str, subjects: Sequence[str] = ()) -> "Sequence[ShellHook]":
    """Returns the hooks that may run; what runs them is imported where there are any."""
    from plugins_builtin.shell_hooks.files import hooks_for

    return hooks_for(root, event, subjects)


@hookimpl
async def agentic_before_task(task: str, session: str, first: bool, setup: Setup) -> Addition | None:
    _sessions[setup.run] = session
    texts = []
    if session not in _begun:
        _begun.add(session)
        source = "startup" if first else "resume"
        if hooks := _hooks(setup.root, "SessionStart", [source]):
            texts.append((await _ran(setup, "SessionStart", hooks, {"source": source})).context)
    if hooks := _hooks(setup.root, "UserPromptSubmit"):
        answer = await _ran(setup, "UserPromptSubmit", hooks, {"prompt": task})
        if answer.blocked:
            return Addition(refused=answer.reason)
        texts.append(answer.context)
    return Addition("\n\n".join(filter(None, texts)))


@hookimpl
async def agentic_before_tool(
    call: ToolCall, arguments: Mapping[str, Any], tool: ToolSpec, agent: str, setup: Setup
) -> Verdict | None:
    from plugins_builtin.shell_hooks.names import names_of, own_arguments, shared_arguments

    names = names_of(tool)
    if not (hooks := _hooks(setup.root, "PreToolUse", names)):
        return None
    given = {"tool_name": names[0], "tool_input": shared_arguments(tool, arguments, setup.root), "tool_use_id": call.id}
    answer = await _ran(setup, "PreToolUse", hooks, given)
    updated = own_arguments(tool, arguments, answer.updated, setup.root) if answer.updated is not None else None
    if answer.blocked:
        return Verdict("deny", answer.reason)
    if answer.decision or updated is not None:
        return Verdict(answer.decision or "allow", answer.reason, updated)
    return None


@hookimpl
async def agentic_after_tool(
    call: ToolCall, arguments: Mapping[str, Any], tool: ToolSpec, output: ToolOutput, workspace: Workspace, setup: Setup
) -> ToolOutput | None:
    from plugins_builtin.shell_hooks.names import names_of, shared_arguments

    names = names_of(tool)
    if not (hooks := _hooks(setup.root, "PostToolUse", names)):
        return None
    given = {
        "tool_name": names[0],
        "tool_input": shared_arguments(tool, arguments, workspace.root),
        "tool_use_id": call.id,
        "tool_response": {"output": output.text, "success": not output.failed, "exit_code": output.exit_code},
    }
    return (await _ran(setup, "PostToolUse", hooks, given)).told_with(output)


async def _before_end(result: str, times: int, setup: Setup) -> str | None:
    if not (hooks := _hooks(setup.root, "Stop")):
        return None
    answer = await _ran(setup, "Stop", hooks, {"stop_hook_active": times > 0, "last_assistant_message": result})
    return answer.reason if answer.blocked else None


@hookimpl
def agentic_checkers() -> Iterable[BeforeEnd]:
    yield BeforeEnd("shell-hooks", "what the Stop hooks say", _before_end)


@hookimpl
async def agentic_on_event(event: Event, setup: Setup) -> None:
    given: dict[str, Any]
    if isinstance(event, ApprovalAsked):
        name, given = "Notification", {"message": f"agentic asks: {event.what}", "notification_type": "permission_prompt"}
    elif isinstance(event, SubAgentFinished):
        name, given = "SubagentStop", {"stop_hook_active": False, "agent_id": event.agent}
    else:
        return
    if hooks := _hooks(setup.root, name):
        await _ran(setup, name, hooks, given)


async def _ran(setup: Setup, event: str, hooks: "Sequence[ShellHook]", given: Mapping[str, Any]) -> "HookAnswer":
    from plugins_builtin.shell_hooks.running import run_all

    common = {"session_id": _sessions.get(setup.run, ""), "transcript_path": "", "cwd": str(setup.root), "hook_event_name": event}
    common["permission_mode"] = {"all": "bypassPermissions", "edits": "acceptEdits"}.get(setup.settings.approval.mode, "default")
    return await run_all(setup, hooks, common | dict(given))


def _find_hooks(root: Path) -> "Sequence[Runnable]":
    from plugins_builtin.shell_hooks.files import runnables

    return runnables(root)


@hookimpl
def agentic_plugin() -> PluginInfo:
    finder = RunnableFinder("shell-hooks", "commands that look at what the agent does", _find_hooks)
    return PluginInfo(runnables=(finder,), seconds=SECONDS)


async def _list(argument: str, chat: Chat) -> None:
    from plugins_builtin.shell_hooks.files import hooks_in_words

    chat.say(hooks_in_words(chat.root))


@hookimpl
def agentic_commands() -> Iterable[ChatCommand]:
    yield ChatCommand("hooks", "lists the hooks, and which of them are not used", _list, group="Project")
