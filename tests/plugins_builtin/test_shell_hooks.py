"""Hooks in the shared schema, from the user's files and, once trusted, from the project's; our own copies of public shapes."""

import json
from pathlib import Path

from agentic.testing import FakeVLLM, answer, tool_call
from plugins_builtin.shell_hooks.files import hooks_for, hooks_in_words, runnables
from tests.conftest import Agentic, put
from tests.processes import sleepers

NATIVE = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")


def script(path: Path, text: str) -> str:
    put(path, f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def hooks(**events: object) -> dict[str, object]:
    return {"hooks": {name: [{"matcher": matcher, "hooks": [{"type": "command", "command": command}]}] for name, (matcher, command) in events.items()}}  # type: ignore[misc]  # fmt: skip


def run_calls(agentic: Agentic, server: FakeVLLM, *commands: str) -> list[str]:
    """What the model was told of each command."""
    server.script(
        *(answer(tool_calls=tool_call("run", {"command": each}, 0, str(n))) for n, each in enumerate(commands)), answer("ok")
    )
    agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    return [message["content"] for message in server.chats[-1].json["messages"] if message["role"] == "tool"]


FIVE = {  # file → what it holds, as the agents have it
    ".agents/hooks.json": hooks(PreToolUse=("Bash", "a")),
    ".claude/settings.json": {"permissions": {"allow": []}, **hooks(PostToolUse=("Edit|Write", "b"))},
    ".codex/hooks.json": {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "c", "timeout": 5}]}]}},
    ".qwen/settings.json": {
        "hooks": {"UserPromptSubmit": [{"matcher": "*", "hooks": [{"type": "command", "command": "d", "name": "n"}]}]}
    },
    "crush.json": {"hooks": {"PreToolUse": [{"matcher": "^bash$", "command": "e"}]}},
}


def test_five_shapes_of_files_are_all_read(own: Path) -> None:
    for name, content in FIVE.items():
        put(own / name, content)
    assert sorted(each.runs for each in runnables(own)) == ["a", "b", "c", "d", "e"]
    assert {each.file for each in runnables(own)} == set(FIVE)
    assert "crush.json): not used: not trusted" in hooks_in_words(own)
    assert hooks_for(own, "PreToolUse", ["Bash"]) == []


def test_what_is_not_supported_is_named(own: Path) -> None:
    put(
        own / ".claude/settings.json",
        {
            "hooks": {
                "PreCompact": [{"hooks": [{"type": "command", "command": "x"}]}],
                "Stop": [{"hooks": [{"type": "prompt", "prompt": "y"}]}, 7],
            }
        },
    )
    put(own / ".codex/hooks.json", "{no json")
    text = hooks_in_words(own)
    assert "PreCompact: x" in text and "agentic has no PreCompact" in text
    assert (
        "Stop: y" in text
        and "a hook of type 'prompt' is not supported" in text
        and "hooks.json): not used: it cannot be read" in text
    )
    assert runnables(own) == []


def test_a_users_hook_says_no_and_the_model_reads_why(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    seen = home / "seen.json"
    no = script(home / "no.sh", f'cat > {seen}; echo "no rm here, use trash" >&2; exit 2')
    put(home / ".claude/settings.json", hooks(PreToolUse=("Bash", no)))
    (told,) = run_calls(agentic, server, "touch a")
    assert "no rm here, use trash" in told and "denied by plugin shell_hooks" in told
    assert not (own / "a").exists()
    given = json.loads(seen.read_text())
    assert given["tool_name"] == "Bash" and given["tool_input"]["command"] == "touch a" and given["cwd"] == str(own)
    assert given["hook_event_name"] == "PreToolUse" and given["session_id"]


def test_json_on_stdout_changes_the_command(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    changed = json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", "updatedInput": {"command": "touch b"}}})
    put(home / ".claude/settings.json", hooks(PreToolUse=("", script(home / "x.sh", f"echo '{changed}'"))))
    run_calls(agentic, server, "touch a")
    assert (own / "b").exists() and not (own / "a").exists()


def test_json_on_stdout_denies(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    denied = json.dumps({"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "not on Fridays"}})
    put(home / ".config/agentic/hooks.json", hooks(PreToolUse=("Bash|Edit", script(home / "x.sh", f"echo '{denied}'"))))
    (told,) = run_calls(agentic, server, "touch a")
    assert "not on Fridays" in told and not (own / "a").exists()


def test_what_follows_a_tool_reaches_the_model(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    put(
        home / ".claude/settings.json",
        hooks(PostToolUse=("Bash", script(home / "x.sh", "cat > /dev/null; echo 'the build is stale' >&2; exit 2"))),
    )
    (told,) = run_calls(agentic, server, "echo made")
    assert "made" in told and told.endswith("the build is stale")


def test_prompts_get_more_and_sessions_a_beginning(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    put(
        home / ".claude/settings.json",
        hooks(
            UserPromptSubmit=("", script(home / "p.sh", "echo 'the sprint ends today'")),
            SessionStart=("startup", script(home / "s.sh", "echo 'the branch is frozen'")),
        ),
    )
    server.say("ok")
    agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    last = server.chats[0].json["messages"][-1]["content"]
    assert last.index("do it") < last.index("the branch is frozen") < last.index("the sprint ends today")


def test_a_prompt_that_is_refused_reaches_no_model(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    put(
        home / ".claude/settings.json", hooks(UserPromptSubmit=("", script(home / "p.sh", "echo 'no keys in prompts' >&2; exit 2")))
    )
    done = agentic("run", "my key is 123", "--endpoint", server.url, *NATIVE)
    assert done.code == 4 and "no keys in prompts" in done.out + done.err and server.chats == []


def test_a_stop_hook_sends_the_model_on_until_it_is_content(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    stop = script(home / "s.sh", f"test -e {own}/CHANGES && exit 0; echo 'write CHANGES first' >&2; exit 2")
    put(home / ".claude/settings.json", hooks(Stop=("", stop)))
    server.script(answer("done"), answer(tool_calls=tool_call("run", {"command": "touch CHANGES"}, 0, "1")), answer("really done"))
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert done.code == 0 and "really done" in done.out
    assert server.chats[1].json["messages"][-1]["content"].endswith("write CHANGES first")


def test_one_that_fails_has_no_say_and_is_told_of(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    put(home / ".claude/settings.json", hooks(PreToolUse=("Bash", script(home / "x.sh", "echo broken >&2; exit 1"))))
    server.script(answer(tool_calls=tool_call("run", {"command": "touch a"}, 0, "1")), answer("ok"))
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert (own / "a").exists() and "x.sh failed: exit code 1: broken" in done.out + done.err


def test_one_that_hangs_is_ended_with_what_it_started(agentic: Agentic, server: FakeVLLM, own: Path, home: Path) -> None:
    slow = script(home / "x.sh", "sleep 6183 & wait")
    put(
        home / ".claude/settings.json", {"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": slow, "timeout": 1}]}]}}
    )
    run_calls(agentic, server, "touch a")
    assert (own / "a").exists()
    assert sleepers("6183") == []


def test_a_projects_hook_runs_after_trust_and_not_when_its_script_changes(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    script(own / "check.sh", "touch RAN")
    put(own / ".claude/settings.json", hooks(PreToolUse=("Bash", '"$CLAUDE_PROJECT_DIR"/check.sh')))
    server.script(answer(tool_calls=tool_call("run", {"command": "true"}, 0, "1")), answer("ok"))
    done = agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert not (own / "RAN").exists() and "hook PreToolUse Bash (.claude/settings.json)" in done.out + done.err
    assert "check.sh" in agentic("trust", "add").out
    run_calls(agentic, server, "true")
    assert (own / "RAN").exists()
    (own / "RAN").unlink()
    script(own / "check.sh", "touch RAN; touch EVIL")
    run_calls(agentic, server, "true")
    assert not (own / "RAN").exists() and not (own / "EVIL").exists()


def test_a_projects_hook_may_say_no_and_never_yes(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    yes = json.dumps({"hookSpecificOutput": {"permissionDecision": "allow"}})
    script(own / "yes.sh", f"echo '{yes}'")
    put(own / ".claude/settings.json", hooks(PreToolUse=("Bash", "./yes.sh")))
    agentic("trust", "add")
    server.script(answer(tool_calls=tool_call("run", {"command": "touch a"}, 0, "1")), answer("ok"))
    agentic("run", "do it", "--endpoint", server.url, "-c", "tools.protocol=native", "-c", "plugins.may_grant=shell_hooks")
    assert not (own / "a").exists()
