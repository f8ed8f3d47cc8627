"""Skills and commands as the files of other agents have them; the shapes are our own copies of what is public."""

import json
import os
from pathlib import Path

import pytest

from agentic.core.kinds import refused
from agentic.testing import FakeVLLM, answer, tool_call
from agentic.trust import Trust
from agentic.types import ToolSpec
from plugins_builtin.imported.agents import kinds, unsupported
from plugins_builtin.imported.commands import chat_commands, filled, found_runnables
from plugins_builtin.imported.skills import catalogue, skills, skills_in_words
from tests.conftest import Agentic, put
from tests.terminal import terminal

NATIVE = ("-c", "tools.protocol=native")
SKILLS = {
    "plain": "---\nname: plain\ndescription: Does plain things.\n---\n\n# Plain\n\nDo it.\n",
    "no-name": "---\ndescription: Named by its folder.\n---\nBody.\n",
    "folded": "---\nname: folded\ndescription: >\n  A description\n  over two lines.\n---\nBody.\n",
    "colon": "---\nname: colon\ndescription: Use when: a colon stands in it\n---\nBody.\n",
    "quoted": '---\nname: "quoted"\ndescription: "Quoted: with a colon."\n---\nBody.\n',
    "tools": "---\nname: tools\ndescription: Has more fields.\nallowed-tools: Bash, Read\nlicense: MIT\n---\nBody.\n",
    "metadata": "---\nname: metadata\ndescription: Has a table.\nmetadata:\n  version: 1.2\n  author: somebody\n---\nBody.\n",
    "crlf": "---\r\nname: crlf\r\ndescription: Of Windows.\r\n---\r\nBody.\r\n",
    "long": f"---\nname: long\ndescription: {'many words ' * 60}\n---\nBody.\n",
    "korean": "---\nname: korean\ndescription: 한국어로 된 설명입니다.\n---\n본문.\n",
}
COMMANDS = {
    "plain.md": ("Explain the code.", "", "Explain the code."),
    "arguments.md": ("Fix issue $ARGUMENTS now.", "12 13", "Fix issue 12 13 now."),
    "numbered.md": ("From $1 to $2.", "a b c", "From a to b."),
    "missing.md": ("From $1 to $2.", "a", "From a to ."),
    "appended.md": ("Review this:", "src/x.py", "Review this:\n\nsrc/x.py"),
    "front.md": ("---\ndescription: With a head\nargument-hint: [FILE]\n---\nLook at $1", "a.py", "Look at a.py"),
    "shell.md": ("Status of $1: !`git log $1`", "main", "Status of main: git log main"),
    "mention.md": ("Look at @a.py", "", "Look at @a.py"),
    "model.md": ("---\nmodel: opus\nallowed-tools: Bash(git:*)\n---\nBody", "", "Body"),
    "git/commit.md": ("Commit it.", "", "Commit it."),
    "quoted.md": ("From $1 to $2.", "'a b' c", "From a b to c."),
    "apostrophe.md": ("From $1.", "it's", "From it's."),
    "price.md": ("It costs $5, for $1 and $2.", "a b", "It costs $5, for a and b."),
    "one_price.md": ("It costs $5.", "a", "It costs $5.\n\na"),
    "fields.md": ("Run `awk -F':' '{print $1}' $1`.", "x.txt", "Run `awk -F':' '{print $1}' x.txt`."),
    "money.md": ("It costs $5.00, $1,000 or $10; \\$1 in $1.", "euros", "It costs $5.00, $1,000 or $10; \\$1 in euros."),
    "awk.md": ("Run `awk -F: '{print $1}' $1`.", "/etc/passwd", "Run `awk -F: '{print $1}' /etc/passwd`."),
    "only_awk.md": ("Use awk '{print $2}'.", "on it", "Use awk '{print $2}'.\n\non it"),
}


def test_ten_shapes_of_skills_are_all_used(own: Path, home: Path) -> None:
    places = [own / ".agents/skills", own / ".claude/skills", home / ".agents/skills", home / ".claude/skills"]
    for number, (name, text) in enumerate(SKILLS.items()):
        put(places[number % 4] / name / "SKILL.md", text)
    found = {skill.name: skill for skill in skills(own)}
    assert sorted(found) == sorted(SKILLS) and not any(skill.fault for skill in found.values())
    assert found["folded"].description == "A description over two lines."
    assert found["colon"].description == "Use when: a colon stands in it"
    assert found["korean"].text.body == "본문."
    told = catalogue(own)
    assert "- plain: Does plain things." in told and len(told) < 2_500


def test_what_cannot_be_used_is_named(own: Path) -> None:
    put(own / ".agents/skills/bad/SKILL.md", "no frontmatter\n")
    put(own / ".agents/skills/list/SKILL.md", "---\n- a\n- b\n---\nBody\n")
    put(own / ".agents/skills/odd/SKILL.md", "---\nname: ../../etc\ndescription: x\n---\nBody\n")
    text = skills_in_words(own)
    assert "bad/SKILL.md: cannot be used: it has no description" in text
    assert "list/SKILL.md: cannot be used: its frontmatter is no table" in text and "odd/SKILL.md: cannot be used" in text
    assert catalogue(own) == ""


def test_the_nearest_counts_and_links_lead_nowhere(own: Path, home: Path, tmp_path: Path) -> None:
    inner = own / "pkg"
    put(home / ".claude/skills/same/SKILL.md", "---\ndescription: of the user\n---\nx")
    put(own / ".agents/skills/same/SKILL.md", "---\ndescription: of the top\n---\nx")
    put(inner / ".agents/skills/same/SKILL.md", "---\ndescription: of the folder\n---\nx")
    put(tmp_path / "outside" / "SKILL.md", "---\ndescription: SECRET\n---\nx")
    (own / ".agents/skills/link").symlink_to(tmp_path / "outside")
    os.mkfifo(own / ".agents/skills/SKILL.md")
    assert "of the folder" in catalogue(inner) and "of the top" in catalogue(own)
    assert "SECRET" not in catalogue(own)


def test_the_model_reads_a_skill_when_it_needs_it(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    put(own / ".agents/skills/release/SKILL.md", "---\ndescription: How to release.\n---\nRun scripts/tag.sh, then push.")
    put(own / ".agents/skills/release/scripts/tag.sh", "echo tagged")
    server.script(
        answer(tool_calls=tool_call("skill", {"name": "release"}, 0, "1")),
        answer(tool_calls=tool_call("skill", {"name": "nothing"}, 0, "2")),
        answer("done"),
    )
    agentic("trust", "add")
    agentic("run", "release it", "--endpoint", server.url, *NATIVE)
    messages = server.chats[-1].json["messages"]
    assert "- release: How to release." in messages[0]["content"]
    assert messages[3]["content"].startswith("Run scripts/tag.sh, then push.") and "scripts/tag.sh" in messages[3]["content"]
    assert "there is no skill 'nothing'; the skills are release" in messages[-1]["content"]
    assert "skill" in {tool["function"]["name"] for tool in server.chats[0].json["tools"]}


def test_without_skills_the_prompt_has_no_word_of_them(agentic: Agentic, server: FakeVLLM) -> None:
    server.say("hi")
    agentic("run", "hi", "--endpoint", server.url, *NATIVE)
    assert "kill" not in str(server.chats[0].json["tools"]) and "Skills" not in server.chats[0].json["messages"][0]["content"]


def test_a_command_that_is_run_keeps_its_own_dollars() -> None:
    assert filled("Names: !`awk '{print $1}' $1`", "a.txt") == ["Names: ", "awk '{print $1}' a.txt", ""]


def test_ten_shapes_of_commands_are_all_filled(own: Path, home: Path) -> None:
    places = [own / ".agents/commands", own / ".claude/commands", own / ".opencode/commands", home / ".claude/commands"]
    for number, (name, (text, _, _)) in enumerate(COMMANDS.items()):
        put(places[number % 4] / name, text)
    found = {command.name: command for command in chat_commands(own)}
    assert sorted(found) == sorted(name.removesuffix(".md").replace("/", ":") for name in COMMANDS if name != "shell.md")
    assert [(each.name, each.runs) for each in found_runnables(own)] == [("shell", "git log $1")]
    Trust(own).decide(found_runnables(own), trusted=True)
    assert "shell" in {command.name for command in chat_commands(own)}
    assert found["front"].summary == "With a head"
    for text, argument, expected in COMMANDS.values():
        body = text.rpartition("---\n")[2]
        assert "".join(filled(body, argument)) == expected


def test_in_chat_they_are_commands_and_run_nothing_unasked(
    agentic: Agentic, server: FakeVLLM, env: dict[str, str], own: Path
) -> None:
    put(own / ".agents/skills/tidy/SKILL.md", "---\ndescription: Tidies up.\n---\nTidy carefully.")
    put(own / ".claude/commands/whatsup.md", "---\ndescription: What is up\n---\nTell me of $1: !`touch CANARY`")
    agentic("trust", "add")
    put(own / ".claude/commands/help.md", "taken over")
    server.script(answer("it is tidy"), answer("all is well"))
    with terminal(["--endpoint", server.url, *NATIVE], env, own) as shown:
        shown.until(lambda: "›" in shown.text)
        shown.type("/skills\r")
        shown.until(lambda: "tidy: Tidies up." in shown.text)
        shown.type("/tidy the desk\r")
        shown.until(lambda: "it is tidy" in shown.text)
        assert "Tidy carefully." in str(server.chats[-1].json["messages"][-1]) and "the desk" in str(server.chats[-1].json)
        shown.type("/whatsup today\r")
        shown.until(lambda: "touch CANARY" in shown.text and shown.menu("No, and tell"))
        shown.type("n")
        shown.until(lambda: "why?" in shown.text)
        shown.type("\r")
        shown.until(lambda: "all is well" in shown.text)
        said = server.chats[-1].json["messages"][-1]["content"]
        assert "Tell me of today: " in said and "was not run: the user said no" in said
        shown.type("/help\r")
        shown.until(lambda: "What is up" in shown.text and "taken over" not in shown.text)
        shown.type("\x04")
        shown.until_ended()
    assert not (own / "CANARY").exists()


AGENTS = {
    "reviewer.md": "---\nname: reviewer\ndescription: Reviews code.\ntools: Read, Grep, Glob\nmodel: inherit\n---\nYou review.",
    "Test Runner.md": "---\ndescription: Runs tests.\ntools:\n  - Bash\n  - mcp__ci__status\nmodel: sonnet\ncolor: red\n---\nYou test.",
    "reader.md": "---\ndescription: Of opencode.\nmode: subagent\ntools:\n  write: false\n  edit: false\n  bash: false\n---\nYou read.",
    "guarded.md": "---\ndescription: Edits nothing.\npermission:\n  edit: deny\n  bash: deny\n---\nYou look.",
    "odd.md": "---\ndescription: Wants a browser.\ntools: Browser, Read\nemoji: x\n---\nYou browse.",
}


def test_five_shapes_of_agents_are_all_kinds(own: Path, home: Path) -> None:
    places = [own / ".agents/agents", own / ".claude/agents", own / ".opencode/agents", home / ".claude/agents"]
    for number, (name, text) in enumerate(AGENTS.items()):
        put(places[number % 4] / name, text)
    found = {kind.name: kind for kind in kinds(own)}
    assert sorted(found) == ["guarded", "odd", "reader", "reviewer", "test-runner"]
    always = ("recall", "share", "find_tools", "call_tool")
    assert found["reviewer"].tools == ("read_file", "search", "list_files", *always)
    assert found["test-runner"].tools == ("run", "job", "ci/status", *always)
    assert "run" in found["reader"].without and "edit_file" in found["reader"].without and "search" not in found["reader"].without
    assert found["guarded"].reads_only and not found["reviewer"].reads_only
    put(own / ".claude/agents/empty.md", "---\ndescription: x\n---\n")
    told = "\n".join(unsupported(own))
    assert "odd.md: not supported: the tool Browser, the field emoji" in told and "the model sonnet" in told
    assert "empty.md: cannot be used: it has no text" in told


def test_delegate_names_an_agent_which_may_do_no_more(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    put(own / ".claude/agents/reviewer.md", AGENTS["reviewer.md"])
    task = {"title": "look at it", "agent": "reviewer"}
    unknown = {"title": "look at it", "agent": "nobody"}
    write = tool_call("write_file", {"path": "a.txt", "content": "x"}, 0, "3")
    server.script(
        answer(tool_calls=tool_call("delegate", {"tasks": [unknown]}, 0, "1")),
        answer(tool_calls=tool_call("delegate", {"tasks": [task]}, 0, "2")),
        answer(tool_calls=write),
        answer("all is well"),
        answer("reviewed"),
    )
    agentic("run", "review it", "--endpoint", server.url, *NATIVE, "--approve", "edits")
    bodies = [chat.json["messages"] for chat in server.chats]
    assert "- reviewer: Reviews code." in bodies[0][0]["content"]
    assert "there is no agent 'nobody'; the agents are plan, reviewer" in bodies[1][-1]["content"]
    assert "You review.\n\n" in bodies[2][-1]["content"] and bodies[2][0] == bodies[0][0]
    assert "the agent reviewer has no write_file" in bodies[3][-1]["content"]
    assert not (own / "a.txt").exists()


def test_the_main_agent_is_one_by_an_option(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    server.script(answer(tool_calls=tool_call("write_file", {"path": "a.txt", "content": "x"}, 0, "1")), answer("1. write a.txt"))
    done = agentic("run", "write a", "--endpoint", server.url, *NATIVE, "--approve", "edits", "--agent", "plan")
    assert "1. write a.txt" in done.out and not (own / "a.txt").exists()
    assert "Plan this first" in server.chats[0].json["messages"][-1]["content"]
    wrong = agentic("run", "x", "--endpoint", server.url, "--agent", "nobody")
    assert wrong.code == 2 and "there is no agent 'nobody'" in wrong.err and "plan" in wrong.err


def test_an_agents_role_chooses_its_model(
    agentic: Agentic, server: FakeVLLM, second_server: FakeVLLM, own: Path, home: Path
) -> None:
    second_server.model = "small-model"
    put(home / ".config/agentic/config.toml", f'[llm.roles.small]\nendpoint = "{second_server.url}"\n')
    put(own / ".claude/agents/quick.md", "---\ndescription: Quick.\nmodel: small\n---\nYou are quick.")
    tasks = [{"title": "look at it", "agent": "quick"}]
    server.script(answer(tool_calls=tool_call("delegate", {"tasks": tasks}, 0, "1")), answer("done"))
    second_server.say("looked")
    agentic("run", "do it", "--endpoint", server.url, *NATIVE)
    assert len(server.chats) == 2 and len(second_server.chats) == 1
    assert "You are quick." in second_server.chats[0].json["messages"][-1]["content"]


def limited(own: Path, front: str, data: bytes = b"") -> Path:
    path = own / ".claude" / "agents" / "safe.md"
    put(path, "")
    path.write_bytes(data or f"---\n{front}\n---\nYou are safe.\n".encode())
    return path


LIMITS = {
    "a list beside a colon": "name: safe\ndescription: Use when: reviewing\ntools:\n  - Read\n  - Grep",
    "a list in one line beside a colon": "description: a: b\ntools: [Read]",
    "disallowedTools": "description: x\ndisallowedTools: Bash",
    "disallowedTools of some uses": "description: x\ndisallowedTools: Bash(rm:*), Bash(touch:*)",
    "everything is disallowed": "description: x\ndisallowedTools: '*'",
    "no tools": "description: x\ntools: []",
    "no tools as a text": "description: x\ntools: ''",
    "tools without a value": "description: x\ntools:",
    "tools that are a number": "description: x\ntools: 7",
    "allowedTools": "description: x\nallowedTools: [Read]",
    "both kinds": "description: x\ntools: Read, Bash\nallowedTools: Read",
    "opencode's wildcard": "description: x\ntools:\n  '*': false\n  read: true",
    "opencode's switch": "description: x\ntools:\n  bash: false",
    "a switch that is a word": "description: x\ntools:\n  bash: nope",
    "a permission": "description: x\npermission:\n  bash: deny",
    "a permission that asks": "description: x\npermission:\n  bash: ask",
    "a permission by patterns": "description: x\npermission:\n  bash:\n    '*': deny\n    'git diff*': allow",
    "a permission for all": "description: x\npermission: deny",
    "a permission that is a riddle": "description: x\npermission:\n  bash: sometimes",
    "a mode that plans": "description: x\npermissionMode: plan",
    "a mode that is a riddle": "description: x\npermissionMode: careful",
    "a limit of another agent's": "description: x\nrestrictedTo: [Read]",
    "switched off": "description: x\ndisabled: true",
    "YAML that is none": "description: x\ntools: [Read\nother: }",
    "the same with carriage returns": "description: x\r\ntools: Read\r",
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_limits_an_agent_is_kept_or_the_agent_is_not_used(agentic: Agentic, server: FakeVLLM, own: Path, name: str) -> None:
    limited(own, LIMITS[name])
    server.script(answer(tool_calls=tool_call("run", {"command": "touch ran"})), answer("ok"))
    agentic("run", "go", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox", "--agent", "safe")
    assert not (own / "ran").exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp949"])
def test_limits_are_read_in_the_encodings_that_people_write(agentic: Agentic, server: FakeVLLM, own: Path, encoding: str) -> None:
    text = "---\nname: safe\ndescription: 검토하는 사람\ntools: Read\n---\n너는 안전하다.\n"
    limited(own, "", text.encode(encoding))
    server.script(answer(tool_calls=tool_call("run", {"command": "touch ran"})), answer("ok"))
    done = agentic("run", "go", "--endpoint", server.url, *NATIVE, "--approve", "all", "--no-sandbox", "--agent", "safe")
    assert done.code == 0 and not (own / "ran").exists()
    assert "너는 안전하다." in str(server.chats[0].json["messages"])


def test_what_is_left_out_is_said_at_the_start_of_a_run_and_once(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    limited(own, "description: x\nrestrictedTo: [Read]")
    (own / "AGENTS.md").symlink_to("/etc/hostname")
    put(own / ".agents" / "skills" / "none" / "SKILL.md", "---\nname: none\n---\nx\n")
    server.say("ok")
    told = agentic("run", "go", "--endpoint", server.url, *NATIVE).err
    for words in ("safe.md: cannot be used: what the field restrictedTo limits", "it has no description", "AGENTS.md is not used"):
        assert told.count(words) == 1, told


def test_skills_for_the_user_or_the_model_alone(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    fields = {
        "mine": "disable-model-invocation: true",
        "its": "user-invocable: false",
        "odd": "paths: ['*.py']",
        "PDF Tools": "version: 1",
    }
    for name, field in fields.items():
        put(
            own / ".agents" / "skills" / name.lower().replace(" ", "") / "SKILL.md",
            f"---\nname: {name}\ndescription: D-{name}\n{field}\n---\nx\n",
        )
    server.say("ok")
    told = agentic("run", "go", "--endpoint", server.url, *NATIVE).err
    system = server.chats[0].json["messages"][0]["content"]
    assert "D-its" in system and "- PDF-Tools: D-PDF Tools" in system and "D-mine" not in system and "D-odd" not in system
    assert "what the field paths limits is not known here" in told


LIMITED = {
    "the writing tools of opencode": ("permission: {edit: deny, bash: deny}", "held"),
    "its older form": ("tools: {edit: false, bash: false}", "held"),
    "gemini's names": ("excludeTools: [run_shell_command, write_file, replace]", "held"),
    "codex's names": ("disallowedTools: [shell, exec_command, apply_patch]", "held"),
    "a server's tool, as opencode names it": ("disallowedTools: mymcp_delete", "not used"),
    "qwen's mode": ("approvalMode: plan", "held"),
    "a mode that nobody knows": ("approvalMode: careful", "not used"),
    "switched off": ("enabled: false", "not used"),
    "turns": ("maxTurns: 3", "not used"),
    "hooks": ("hooks: {PreToolUse: []}", "not used"),
    "paths": ("paths: ['src/**']", "not used"),
    "any other field": ("frobnicates: 7", "not used"),
    "a name in quotes behind a colon": ("description: Use when: x\n\"tools\": [Read]", "not used"),
    "an indented field": ("description: d\n  tools: [Read]", "not used"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITED)
def test_what_limits_an_agent_holds_or_it_is_not_used(own: Path, name: str) -> None:
    field, becomes = LIMITED[name]
    put(
        own / ".claude/agents/safe.md",
        f"---\nname: safe\n{'' if 'description' in field else 'description: d'}\n{field}\n---\nText.",
    )
    found = kinds(own)
    if becomes == "not used":
        assert not found and any("safe.md: cannot be used" in line for line in unsupported(own))
        return
    writing = [
        ToolSpec(tool, "", {}, effect) for tool, effect in (("run", "execute"), ("write_file", "write"), ("edit_file", "write"))
    ]
    assert all(refused(found[0], tool) for tool in writing)


FRONTS = [
    "\n---\nname: safe\ntools: Read\n---\nText.", "<!-- x -->\n---\nname: safe\ntools: Read\n---\nText.", "\ufeff\ufeff---\nname: safe\ntools: Read\n---\nText.",
    "---\nname: safe\ntools: Read\n...\nText.", "---\nname: safe\ntools: Read\n--- # end\nText.", "---\rname: safe\rtools: Read\r---\rText.",
    "\u200b---\nname: safe\ntools: Read\n---\nText.", "---\nname: safe\ntools: Read\nText.", "----\nname: safe\ntools: Read\n----\nText.",
    "+++\nname = 'safe'\ntools = ['Read']\n+++\nText.", "```yaml\nname: safe\ntools: Read\n```\nText.", "# Safe\n---\nname: safe\ntools: Read\n---\nText.",
    " ---\nname: safe\ntools: Read\n ---\nText.",
]  # fmt: skip


@pytest.mark.parametrize("front", FRONTS)
def test_a_frontmatter_that_is_nearly_one_drops_no_limit(own: Path, front: str) -> None:
    path = own / ".claude/agents/safe.md"
    path.parent.mkdir(parents=True)
    path.write_text(front, newline="")
    assert all(kind.tools and "run" not in kind.tools for kind in kinds(own))


def test_an_agent_that_cannot_be_used_is_replaced_by_no_other(own: Path, home: Path) -> None:
    put(own / ".claude/agents/safe.md", "---\nname: safe\ndescription: d\nreadonly: true\n---\nText.")
    put(home / ".claude/agents/safe.md", "---\nname: safe\ndescription: d\n---\nText.")
    assert not kinds(own)


def test_a_part_may_do_no_more_than_the_agent_that_has_it_done(agentic: Agentic, server: FakeVLLM, own: Path) -> None:
    put(own / ".claude/agents/safe.md", "---\nname: safe\ndescription: d\ndisallowedTools: Bash\n---\nText.")
    server.script(
        answer(tool_calls=tool_call("delegate", {"tasks": [{"title": "look at it"}]}, 0, "1")),
        answer(tool_calls=tool_call("run", {"command": "touch CANARY"}, 0, "2")),
        answer("it may not"),
        answer("so be it"),
    )
    agentic("run", "do it", "--endpoint", server.url, *NATIVE, "--approve", "all", "--agent", "safe")
    assert any("may not use run" in str(chat.json["messages"]) for chat in server.chats)
    assert not (own / "CANARY").exists()


FORBIDDING = {
    "Claude Code": (".claude/settings.json", {"permissions": {"deny": ["Bash(rm:*)"], "allow": ["Read"]}}, "permissions.deny"),
    "a mode": (".claude/settings.local.json", {"permissions": {"defaultMode": "plan"}}, "permissions.defaultMode"),
    "opencode": ("opencode.json", {"permission": {"bash": {"*": "ask"}}}, "permission"),
    "opencode's tools": (".opencode/opencode.json", {"tools": {"bash": False}}, "tools"),
    "gemini": (".gemini/settings.json", {"excludeTools": ["run_shell_command"]}, "excludeTools"),
    "qwen": (".qwen/settings.json", {"tools": {"exclude": ["shell"]}}, "tools.exclude"),
    "crush": ("crush.json", {"options": {"disabled_tools": ["bash"]}}, "options.disabled_tools"),
}


@pytest.mark.parametrize("name", FORBIDDING)
def test_what_settings_of_others_forbid_is_said_where_it_is_not_kept(
    agentic: Agentic, server: FakeVLLM, own: Path, name: str
) -> None:
    file, settings, field = FORBIDDING[name]
    put(own / file, "// ours\n" + json.dumps(settings))
    server.say("ok")
    said = " ".join(agentic("run", "do it", "--endpoint", server.url, "-c", "tools.protocol=native").err.split())
    assert f"what it says of {field} cannot be used" in said
    put(own / file, json.dumps({"permissions": {"allow": ["Read"]}, "permission": "allow", "tools": {"bash": True}}))
    server.say("ok")
    assert "cannot be used" not in agentic("run", "do it", "--endpoint", server.url, "-c", "tools.protocol=native").err
    put(own / file, "{ no")
    server.say("ok")
    assert "it is no JSON" in agentic("run", "do it", "--endpoint", server.url, "-c", "tools.protocol=native").err
