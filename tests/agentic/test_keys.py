"""Every row of the tables in docs/chat.md, in a terminal: the keys, and what must be on the screen then."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, ScriptedAnswer, answer, tool_call
from tests.children import delegating, objects
from tests.terminal import Terminal, terminal

DOCS = Path(__file__).parents[2] / "docs" / "chat.md"
ENTER, ESC, UP, DOWN, TAB, SHIFT_TAB = "\r", "\x1b", "\x1b[A", "\x1b[B", "\t", "\x1b[Z"
ALT_ENTER, SHIFT_ENTER = "\x1b\r", "\x1b[27;2;13~"
CTRL = {letter: chr(ord(letter) - 64) for letter in "ACDEGOPRUVWX"}
PICTURE = b"\x89PNG\r\n\x1a\n a picture"


@dataclass
class Chat:
    """One chat, and the server behind it."""

    shown: Terminal
    server: FakeVLLM
    work: Path
    home: Path

    def type(self, text: str) -> None:
        self.shown.type(text)

    def see(self, text: str, count: int = 1) -> None:
        """Waits until it was on the screen so often; where lines are folded does not matter."""
        wanted = "".join(text.split())
        self.shown.until(lambda: "".join(self.shown.text.split()).count(wanted) >= count)

    def line(self, text: str) -> None:
        """Waits until this is what stands in the line."""
        self.shown.until(lambda: self.shown.draft.startswith(text))

    def script(self, *answers: ScriptedAnswer) -> None:
        self.server.script(*answers)

    def ask(self, text: str, said: str) -> None:
        """One turn: the model says this."""
        self.script(answer(said))
        self.type(text + ENTER)
        self.see(said)
        self.ready()

    def ready(self) -> None:
        """Waits until nothing goes on, and the line is empty."""
        self.shown.until(lambda: self.shown.is_ready)

    def refuse(self) -> None:
        """No, without a word."""
        self.shown.until(lambda: self.shown.menu("No, and tell"))
        self.type("n")
        self.see("why?")
        self.type(ENTER)

    def works(self) -> bool:
        return any("Esc stops" in row for row in self.shown.screen.display)

    def told(self) -> str:
        """The end of what the model was told last."""
        content = self.server.chats[-1].json["messages"][-1]["content"]
        return content if isinstance(content, str) else json.dumps(content)


Row = Callable[[Chat], None]
GROUPS: dict[str, dict[str, Row]] = {}
OPTIONS: dict[str, tuple[str, ...]] = {}


def row(group: str, keys: str) -> Callable[[Row], Row]:
    def add(function: Row) -> Row:
        GROUPS.setdefault(group, {})[keys] = function
        return function

    return add


def run(command: str, number: str = "1", **more: object) -> ScriptedAnswer:
    return answer(tool_calls=tool_call("run", {"command": command, **more}, 0, number))


def write(path: str, content: str, number: str = "1") -> ScriptedAnswer:
    return answer(tool_calls=tool_call("write_file", {"path": path, "content": content}, 0, number))


def slow(*words: str) -> ScriptedAnswer:
    return answer([f"{word} " for word in words], pause=0.15)


# The line.
@row("line", "Enter")
def _(chat: Chat) -> None:
    chat.ask("hello", "hello to you")
    assert chat.told().endswith("hello")


@row("line", "Alt-Enter")
def _(chat: Chat) -> None:
    chat.type("one" + ALT_ENTER)
    chat.ask("two", "both lines")
    assert chat.told().endswith("one\ntwo")


@row("line", "Shift-Enter")
def _(chat: Chat) -> None:
    chat.type("three" + SHIFT_ENTER)
    chat.ask("four", "again two")
    assert chat.told().endswith("three\nfour")


@row("line", "`\\` Enter")
def _(chat: Chat) -> None:
    chat.type("five\\" + ENTER)
    chat.ask("six", "and two more")
    assert chat.told().endswith("five\nsix")


@row("line", "Tab")
def _(chat: Chat) -> None:
    chat.type("/cont" + TAB)
    chat.line("/context")
    chat.type(CTRL["U"] + "see a_long_na" + TAB)
    chat.line("see a_long_name.py")
    chat.type(CTRL["U"])


@row("line", "Shift-Tab")
def _(chat: Chat) -> None:
    chat.type(SHIFT_TAB)
    chat.see("· ask ·")
    chat.type(SHIFT_TAB)
    chat.see("· edits ·")
    chat.type(SHIFT_TAB)
    chat.see("· plan ·")
    chat.type(SHIFT_TAB)
    chat.see("· all ·")


@row("line", "`?`")
def _(chat: Chat) -> None:
    chat.type("?")
    chat.see("goes through the approval modes")
    chat.type("why ?" + CTRL["U"])
    chat.ready()


@row("line", "Ctrl-P")
def _(chat: Chat) -> None:
    chat.type(CTRL["P"])
    chat.see("Commands")
    chat.type("contx" + ENTER)
    chat.line("/context")
    chat.type(CTRL["U"])


@row("line", "`/`")
def _(chat: Chat) -> None:
    chat.type("/re")
    chat.see("does the last /undo over")
    chat.type("do" + TAB + ENTER)
    chat.see("there is nothing to do over")
    chat.ready()


@row("line", "`@`")
def _(chat: Chat) -> None:
    chat.type("@lngnm")
    chat.see("a_long_name.py")
    assert "ignored_file" not in chat.shown.text
    chat.type(TAB)
    chat.line("@a_long_name.py")
    chat.type(CTRL["U"])


@row("line", "Arrow-Up")
def _(chat: Chat) -> None:
    chat.type(UP)
    chat.line("/redo")
    chat.type(UP)
    chat.line("five")
    chat.type(CTRL["C"])
    chat.ready()


@row("line", "Ctrl-R")
def _(chat: Chat) -> None:
    chat.type(CTRL["R"] + "hell")
    chat.see("hello", 3)
    chat.type(ESC)
    chat.line("hello")
    chat.type(CTRL["C"])
    chat.ready()


@row("line", "Ctrl-G")
def _(chat: Chat) -> None:
    chat.type("draft" + CTRL["G"])
    chat.line("draft, edited")
    chat.type(CTRL["U"])


@row("line", "Ctrl-X Ctrl-E")
def _(chat: Chat) -> None:
    chat.type("second" + CTRL["X"] + CTRL["E"])
    chat.line("second, edited")
    chat.type(CTRL["U"])


@row("line", "Ctrl-C")
def _(chat: Chat) -> None:
    chat.type("not yet" + CTRL["C"])
    chat.ready()
    chat.type(UP)
    chat.line("not yet")
    chat.type(CTRL["U"])


@row("line", "Ctrl-U")
def _(chat: Chat) -> None:
    chat.type("gone" + CTRL["U"] + "here")
    chat.line("here")
    assert "gone" not in chat.shown.draft
    chat.type(CTRL["U"])


@row("line", "Ctrl-W")
def _(chat: Chat) -> None:
    chat.type("one word" + CTRL["W"] + "tree")
    chat.line("one tree")
    chat.type(CTRL["U"])


@row("line", "Ctrl-A")
def _(chat: Chat) -> None:
    chat.type("middle" + CTRL["A"] + "begin " + CTRL["E"] + " end")
    chat.line("begin middle end")
    chat.type(CTRL["U"])


@row("line", "a long paste")
def _(chat: Chat) -> None:
    pasted = "\n".join(f"line {number}" for number in range(63))
    chat.script(answer("long indeed"))
    chat.type(f"\x1b[200~{pasted}\x1b[201~ what is it?")
    chat.line("[paste 1: 63 lines,")
    chat.type(ENTER)
    chat.see("long indeed")
    assert chat.told().endswith(f"{pasted} what is it?")
    chat.ready()


@row("line", "Ctrl-V")
def _(chat: Chat) -> None:
    chat.type(CTRL["V"])
    chat.line("[picture 1: 1 KiB]")
    chat.type(f" and \x1b[200~{chat.work}/picture.png\x1b[201~")
    chat.line("[picture 1: 1 KiB] and [picture 2: 1 KiB]")
    chat.script(answer("two pictures"))
    chat.type(ENTER)
    chat.see("two pictures")
    assert chat.told().count("image_url") == 4  # twice for each
    chat.ready()


@row("line", "Ctrl-O")
def _(chat: Chat) -> None:
    chat.script(run("for i in $(seq 30); do echo number $i; done"), answer("counted"))
    chat.type("count" + ENTER)
    chat.see("counted")
    chat.see("25 more lines (Ctrl-O)")
    assert "number 12" not in chat.shown.text
    chat.ready()
    chat.type(CTRL["O"])
    chat.see("number 12")


@row("line", "Esc Esc")
def _(chat: Chat) -> None:
    chat.script(write("e.txt", "e"), answer("written e"))
    chat.type("write e" + ENTER)
    chat.see("written e")
    chat.ready()
    chat.type(ESC + ESC)
    chat.see("taken back: e.txt")
    chat.line("write e")
    assert not (chat.work / "e.txt").exists()
    chat.type(CTRL["U"])


@row("line", "Ctrl-D")
def _(chat: Chat) -> None:
    chat.type(CTRL["D"])
    assert chat.shown.until_ended() == 0
    assert chat.shown.restored()


OPTIONS["line"] = ("--approve", "all")
OPTIONS["vi"] = ("-c", "ui.editing=vi")


@row("vi", 'Esc, with `ui.editing = "vi"`')
def _(chat: Chat) -> None:
    chat.type("one two" + ESC)
    chat.type("bcwthree" + ESC)
    chat.line("one three")
    chat.type("ddi")
    chat.ready()


# What a message may have.
@row("message", "`@file`")
def _(chat: Chat) -> None:
    chat.ask("hi", "hi there")
    chat.ask("what is in @a_long_name.py ?", "a name")
    assert "a_long_name.py\n```\nNAME = 1\n```" in chat.told()


@row("message", "`@folder`")
def _(chat: Chat) -> None:
    chat.ask("look at @sub", "two files")
    assert "Files in sub/:\nsub/one.py\nsub/two.py" in chat.told()


@row("message", "`@picture.png`")
def _(chat: Chat) -> None:
    chat.ask("see @picture.png", "a picture")
    assert "image_url" in chat.told()


@row("message", "`!command`")
def _(chat: Chat) -> None:
    token = "ghp_" + "a1B2" * 9
    chat.type(f"!echo from the shell; : {token}" + ENTER)
    chat.see("(exit code 0)")
    chat.ready()
    chat.ask("what did I run?", "an echo")
    assert "$ echo from the shell; : [masked: GitHub token]\nfrom the shell" in chat.told()


@row("message", "`!!command`")
def _(chat: Chat) -> None:
    chat.type("!!echo a secret; exit 3" + ENTER)
    chat.see("(exit code 3)")
    chat.ready()
    chat.ask("and now?", "nothing known")
    assert "a secret" not in chat.told()


@row("message", "`#note`")
def _(chat: Chat) -> None:
    chat.type("#use tabs" + ENTER)
    chat.see("+- use tabs")
    chat.shown.until(lambda: chat.shown.menu("Yes (y)"))
    chat.type("y")
    chat.see("noted in AGENTS.md")
    assert (chat.work / "AGENTS.md").read_text() == "- use tabs\n"


# While the agent works.
@row("working", "any text")
def _(chat: Chat) -> None:
    chat.script(slow("aha", *"bcdef"))
    chat.type("go" + ENTER)
    chat.see("aha b c")
    chat.type("my next")
    chat.see("› my next")
    chat.see("done")
    chat.line("my next")
    chat.type(CTRL["U"])


@row("working", "Enter")
def _(chat: Chat) -> None:
    chat.script(run("sleep 0.8"), answer("as you wish"))
    chat.type("work" + ENTER)
    chat.see("run sleep 0.8")
    chat.type("do Y instead" + ENTER)
    chat.see("queued: do Y instead")
    chat.see("as you wish")
    roles = [message["role"] for message in chat.server.chats[-1].json["messages"]]
    assert roles[-2:] == ["tool", "user"] and chat.told() == "do Y instead"
    chat.see("› do Y instead")
    chat.ready()


@row("working", "Alt-Enter")
def _(chat: Chat) -> None:
    chat.script(run("sleep 0.8", "2"), answer("first over"), answer("second over"))
    chat.type("first" + ENTER)
    chat.see("run sleep 0.8", 2)
    chat.type("then this" + ALT_ENTER)
    chat.see("after this turn: then this")
    chat.see("second over")
    assert chat.told() == "then this"
    chat.ready()


@row("working", "Arrow-Up")
def _(chat: Chat) -> None:
    chat.script(slow("gee", *"hijklmn"))
    chat.type("again" + ENTER)
    chat.see("gee h")
    chat.type("not that" + ENTER)
    chat.see("queued: not that")
    chat.type(UP)
    chat.see("n ✓ done")
    chat.line("not that")
    chat.type(CTRL["U"])


@row("working", "Backspace")
def _(chat: Chat) -> None:
    chat.script(slow("ohh", *"pqrstu"))
    chat.type("more" + ENTER)
    chat.see("ohh p")
    chat.type("abc\x7fd one two" + CTRL["W"] + "three")
    chat.see("› abd one three")
    chat.type(CTRL["U"])
    chat.see("u ✓ done")
    chat.ready()


@row("working", "Esc")
def _(chat: Chat) -> None:
    chat.script(slow(*(f"w{number}" for number in range(200))))
    chat.type("long" + ENTER)
    chat.see("w3")
    chat.type("instead" + ENTER)
    chat.see("queued: instead")
    chat.type(ESC)
    chat.see("interrupted")
    chat.line("instead")
    assert chat.server.wait_for(lambda: chat.server.running == 0)
    chat.type(CTRL["U"])


@row("working", "Ctrl-C")
def _(chat: Chat) -> None:
    chat.script(slow(*(f"x{number}" for number in range(200))))
    chat.type("longer" + ENTER)
    chat.see("x3")
    chat.type(CTRL["C"])
    chat.see("interrupted", 2)
    chat.ready()


@row("working", "Ctrl-O")
def _(chat: Chat) -> None:
    chat.script(run("for i in $(seq 30); do echo number $i; done", "3"), slow(*"yzyzyzyzyz"))
    chat.type("count" + ENTER)
    chat.see("y z")
    chat.type(CTRL["O"])
    chat.see("number 12")
    chat.see("done", 2)
    chat.ready()


@row("working", "Ctrl-D")
def _(chat: Chat) -> None:
    chat.script(slow(*"ABCDEF"))
    chat.type("last" + ENTER)
    chat.see("A B")
    chat.type(CTRL["D"])
    assert chat.shown.until_ended() == 0
    assert "F" in chat.shown.text


OPTIONS["working"] = ("--approve", "all")


# Questions.
def asked(chat: Chat, command: str, number: str = "1") -> None:
    chat.script(run(command, number), answer(f"after {command}"))
    chat.type("please" + ENTER)
    chat.shown.until(lambda: chat.shown.menu("Allow once"))


def answered(chat: Chat, command: str) -> None:
    chat.see(f"after {command}")
    chat.ready()


@row("question", "y")
def _(chat: Chat) -> None:
    asked(chat, "touch y.txt")
    assert not (chat.work / "y.txt").exists()
    chat.type("y")
    answered(chat, "touch y.txt")
    assert (chat.work / "y.txt").exists()


@row("question", "n")
def _(chat: Chat) -> None:
    asked(chat, "touch n.txt")
    chat.type("n")
    chat.see("why?")
    chat.type("not here" + ENTER)
    answered(chat, "touch n.txt")
    assert "the user said no: not here" in chat.told() and not (chat.work / "n.txt").exists()


@row("question", "Enter")
def _(chat: Chat) -> None:
    asked(chat, "touch enter.txt")
    chat.type(ENTER)
    answered(chat, "touch enter.txt")
    assert not (chat.work / "enter.txt").exists()


@row("question", "Arrow-Down Arrow-Up")
def _(chat: Chat) -> None:
    asked(chat, "touch arrows.txt")
    chat.type(DOWN + UP + UP + UP + UP)
    chat.see("❯ Allow once")
    chat.type(ENTER)
    answered(chat, "touch arrows.txt")
    assert (chat.work / "arrows.txt").exists()


@row("question", "Esc")
def _(chat: Chat) -> None:
    asked(chat, "touch esc.txt")
    chat.type(ESC)
    answered(chat, "touch esc.txt")
    assert not (chat.work / "esc.txt").exists()


@row("question", "a")
def _(chat: Chat) -> None:
    asked(chat, "printf always")
    chat.type("a")
    chat.see("always: run(printf always)")
    chat.type("\x7f" * len("always)") + "*)" + ENTER)
    chat.see("in this session")
    chat.type("s")
    answered(chat, "printf always")
    chat.script(run("printf other", "9"), answer("not asked"))
    chat.type("again" + ENTER)
    chat.see("not asked")
    chat.ready()


@row("question", "e")
def _(chat: Chat) -> None:
    asked(chat, "touch theirs.txt")
    chat.type("e")
    chat.see("touch theirs.txt, edited")
    chat.refuse()
    answered(chat, "touch theirs.txt")


@row("question", "v")
def _(chat: Chat) -> None:
    lines = "\n".join(f"echo {number}" for number in range(100))
    chat.script(run(lines), answer("after all of it"))
    chat.type("much" + ENTER)
    chat.see("more lines: v shows them")
    chat.shown.until(lambda: chat.shown.menu("Show all of it"))
    assert "echo 99" not in chat.shown.text
    chat.type("v")
    chat.see("echo 99")
    chat.refuse()
    chat.see("after all of it")
    chat.ready()


@row("question", "a choice's number")
def _(chat: Chat) -> None:
    question = {"question": "Which colour?", "choices": ["red", "blue"]}
    chat.script(answer(tool_calls=tool_call("ask_user", question, 0, "7")), answer("then blue"))
    chat.type("paint" + ENTER)
    chat.see("Other words")
    chat.type("2")
    chat.see("then blue")
    assert chat.told() == "The user says: blue"
    chat.ready()


@row("others", "1 to 9")
def _(chat: Chat) -> None:
    tasks = objects(2)
    behave = {f"t{number}": asking_to_write(number) for number in range(2)}
    delegating(chat.server, tasks, behave)
    chat.type("go" + ENTER)
    chat.see("First: ")
    first = re.findall(r"\? (t\d):", chat.shown.text)[-1]
    other = "t1" if first == "t0" else "t0"
    chat.type("1")
    chat.shown.until(lambda: re.findall(r"\? (t\d):", chat.shown.text)[-1] == other and chat.shown.menu("First: "))
    chat.type("y")
    chat.shown.until(lambda: re.findall(r"\? (t\d):", chat.shown.text)[-1] == first and chat.shown.menu("Allow once"))
    assert not chat.shown.menu("First: ")
    assert [path.stem for path in chat.work.glob("t?.txt")] == [other]
    chat.refuse()
    chat.ready()


@row("others", "`/agents`")
def _(chat: Chat) -> None:
    chat.type("/agents" + ENTER)
    chat.see("t0: ")
    written = next(chat.work.glob("t?.txt")).stem
    chat.see(f"{written}: done ({written}.txt)")
    chat.ready()


def asking_to_write(number: int) -> Callable[..., ScriptedAnswer]:
    def reply(request: object) -> ScriptedAnswer:
        if request.json["messages"][-1]["role"] == "tool":  # type: ignore[attr-defined]
            return answer(f"t{number} is over")
        return write(f"t{number}.txt", "x")

    return reply


# Commands.
@row("commands", "`/help`")
def _(chat: Chat) -> None:
    chat.type("/help" + ENTER)
    chat.see("Conversation /help this list")
    chat.see("Ctrl-R searches")
    chat.ready()


@row("commands", "`/context`")
def _(chat: Chat) -> None:
    chat.type("/context" + ENTER)
    chat.see("together")
    chat.ready()


@row("commands", "`/model [NAME]`")
def _(chat: Chat) -> None:
    chat.type("/model" + ENTER)
    chat.see(f"{chat.server.url}: fake, 8,192 tokens")
    chat.ready()


@row("commands", "`/effort [LEVEL]`")
def _(chat: Chat) -> None:
    chat.type("/effort nonsense" + ENTER)
    chat.see("choose from none, minimal, low, medium, high, xhigh, max")
    chat.type("/effort high" + ENTER)
    chat.see("agentic 0.1.0", 2)
    chat.ready()
    chat.ask("think", "thought")
    assert chat.server.chats[-1].json["reasoning_effort"] == "high"


@row("commands", "`/approve [MODE]`")
def _(chat: Chat) -> None:
    chat.type("/approve edits" + ENTER)
    chat.see("approval: edits")
    chat.ready()


@row("commands", "`/permissions`")
def _(chat: Chat) -> None:
    chat.type("/permissions" + ENTER)
    chat.see("else as the mode says: edits")
    chat.ready()


@row("commands", "`/diff [N]`")
def _(chat: Chat) -> None:
    (chat.work / "d.txt").write_text("one\ntwo\n")
    chat.script(answer(tool_calls=tool_call("edit_file", {"path": "d.txt", "old": "two", "new": "2"}, 0, "d")), answer("edited d"))
    chat.type("edit d" + ENTER)
    chat.see("edited d")
    chat.ready()
    before = chat.shown.text.count("2 +2")
    chat.type("/diff" + ENTER)
    chat.shown.until(lambda: chat.shown.text.count("2 +2") == before + 1)
    chat.ready()


@row("commands", "`/add-dir [DIR]`")
def _(chat: Chat) -> None:
    other = chat.home / "other"
    other.mkdir()
    chat.type(f"/add-dir {other}" + ENTER)
    chat.see(f"agents work in {other}, too, with the same rules")
    chat.ready()


@row("commands", "`/undo`")
def _(chat: Chat) -> None:
    chat.type("/undo" + ENTER)
    chat.see("taken back: d.txt")
    assert (chat.work / "d.txt").read_text() == "one\ntwo\n"
    chat.ready()


@row("commands", "`/redo`")
def _(chat: Chat) -> None:
    chat.type("/redo" + ENTER)
    chat.see("done over: d.txt")
    assert (chat.work / "d.txt").read_text() == "one\n2\n"
    chat.ready()


@row("commands", "`/rewind [N]`")
def _(chat: Chat) -> None:
    chat.type("/rewind 1" + ENTER)
    chat.see("back by 1")
    assert (chat.work / "d.txt").read_text() == "one\ntwo\n"
    chat.ready()


@row("commands", "`/btw QUESTION`")
def _(chat: Chat) -> None:
    chat.ask("remember", "remembered")
    messages = chat.server.chats[-1].json["messages"]
    chat.script(write("b.txt", "never"), answer("an aside"))
    chat.type("/btw what is it?" + ENTER)
    chat.see("an aside")
    chat.ready()
    assert not (chat.work / "b.txt").exists()
    chat.ask("and now", "gone on")
    now = chat.server.chats[-1].json["messages"]
    assert now[: len(messages)] == messages and "what is it?" not in str(now)


@row("commands", "`/plan TASK`")
def _(chat: Chat) -> None:
    chat.script(write("p.txt", "too early"), answer("1. write p.txt"), write("p.txt", "planned"), answer("carried out"))
    chat.type("/plan write p" + ENTER)
    chat.see("carry this plan out")
    assert not (chat.work / "p.txt").exists()
    chat.shown.until(lambda: chat.shown.menu("Allow once"))
    chat.type("y")
    chat.see("carried out")
    assert (chat.work / "p.txt").read_text() == "planned"
    chat.ready()


@row("commands", "`/agent [NAME]`")
def _(chat: Chat) -> None:
    chat.type("/agent" + ENTER)
    chat.see("plan: reads, changes nothing")
    chat.type("/agent plan" + ENTER)
    chat.see("the next task is for the agent plan")
    chat.script(write("q.txt", "too early"), answer("only a plan"))
    chat.type("write q" + ENTER)
    chat.see("only a plan")
    assert not (chat.work / "q.txt").exists() and "the agent plan only reads" in json.dumps(chat.server.chats[-1].json)
    chat.type("/agent main" + ENTER)
    chat.see("no special agent")
    chat.ready()


@row("commands", "`/review [WHAT]`")
def _(chat: Chat) -> None:
    chat.script(answer("nothing is wrong"))
    chat.type("/review the names" + ENTER)
    chat.see("nothing is wrong")
    assert "Look at the names" in chat.told() and "+planned" in chat.told()
    chat.ready()


@row("commands", "`/status`")
def _(chat: Chat) -> None:
    chat.type("/status" + ENTER)
    chat.see(f"fake at {chat.server.url}, window 8,192")
    chat.see("0 running")
    chat.ready()


@row("commands", "`/theme [NAME]`")
def _(chat: Chat) -> None:
    chat.type("/theme" + ENTER)
    chat.see("Which theme?")
    chat.type("mono" + ENTER)
    chat.see("agentic 0.1.0", 3)
    chat.ready()


@row("commands", "`/attempts N TASK`")
def _(chat: Chat) -> None:
    chat.type("/attempts 1 x" + ENTER)
    chat.see("a number from 2 to 16 and a task")
    chat.ready()


@row("commands", "`/take N`")
def _(chat: Chat) -> None:
    chat.type("/take 2" + ENTER)
    chat.see("this session has no attempts")
    chat.ready()


@row("commands", "`/copy`")
def _(chat: Chat) -> None:
    chat.type("/copy" + ENTER)
    chat.see("copied 16 characters")
    assert b"\x1b]52;c;bm90aGluZyBpcyB3cm9uZw==\x07" in chat.shown.raw
    chat.ready()


@row("commands", "`/jobs [N]`")
def _(chat: Chat) -> None:
    chat.type("/jobs" + ENTER)
    chat.see("nothing runs in the background")
    chat.ready()


@row("commands", "`/rename NAME`")
def _(chat: Chat) -> None:
    chat.type("/rename the first one" + ENTER)
    chat.see("called 'the first one' now")
    chat.ready()


@row("commands", "`/sessions [WORDS]`")
def _(chat: Chat) -> None:
    chat.type("/sessions first" + ENTER)
    chat.see("the first one", 3)
    chat.type("/sessions nosuchword" + ENTER)
    chat.see("no such sessions here")
    chat.ready()


@row("commands", "`/export [FILE]`")
def _(chat: Chat) -> None:
    chat.type("/export out.html" + ENTER)
    chat.see("written:")
    assert "<h1>the first one</h1>" in (chat.work / "out.html").read_text()
    chat.ready()


@row("commands", "`/compact [FOCUS]`")
def _(chat: Chat) -> None:
    chat.script(answer("we planned p.txt"))
    chat.type("/compact the plan" + ENTER)
    chat.see("tokens now instead of")
    assert "Put the weight on the plan" in chat.told()
    chat.ready()
    chat.ask("go on", "gladly")
    assert "we planned p.txt" in chat.told() and len(chat.server.chats[-1].json["messages"]) == 2


@row("commands", "`/fork`")
def _(chat: Chat) -> None:
    chat.type("/fork" + ENTER)
    chat.see("going on with session")
    chat.ready()
    chat.ask("are you a copy?", "I am")
    assert "we planned p.txt" in str(chat.server.chats[-1].json["messages"])


@row("commands", "`/clear`")
def _(chat: Chat) -> None:
    before = chat.shown.text.count("/ for commands, @ for files")
    chat.type("/clear" + ENTER)
    chat.see("/ for commands, @ for files", before + 1)
    chat.ready()


@row("commands", "`/resume [ID]`")
def _(chat: Chat) -> None:
    before = chat.shown.text.count("going on with session")
    chat.type("/resume" + ENTER)
    chat.see("Go on with which session?")
    chat.type("first one ·" + ENTER)
    chat.see("going on with session", before + 1)
    chat.ready()


@row("commands", "`/endpoint [URL]`")
def _(chat: Chat) -> None:
    with FakeVLLM() as other:
        other.model = "other"
        chat.type(f"/endpoint {other.url}" + ENTER)
        chat.see("agentic 0.1.0 · other")
        chat.ready()


@row("left", "`/detach`")
def _(chat: Chat) -> None:
    chat.ask("a word", "said")
    chat.type("/detach" + ENTER)
    chat.see("agentic attach")
    assert chat.shown.until_ended() == 0
    name = re.findall(r"agentic attach (\w+)", chat.shown.text)[0]
    subprocess.run([sys.executable, "-m", "agentic", "stop", name], env={**os.environ, "HOME": str(chat.home)}, check=True)


@row("commands", "`/quit`")
def _(chat: Chat) -> None:
    chat.type("/nosuch" + ENTER)
    chat.see("there is no command /nosuch")
    chat.type("/contxt" + ENTER)
    chat.see("did you mean /context?")
    chat.type("/quit" + ENTER)
    assert chat.shown.until_ended() == 0


def rows() -> list[str]:
    """The first cells of the tables, but of the one about keys of the configuration."""
    text = DOCS.read_text().partition("## The screen")[0]
    cells = re.findall(r"^\| (.+?) \| .+ \|$", text, re.MULTILINE)
    return [cell for cell in cells if cell not in ("keys", "text", "command")]


def test_every_row_of_the_page_is_tried_and_there_are_sixty() -> None:
    tried = [keys for group in GROUPS.values() for keys in group]
    assert sorted(rows()) == sorted(tried)
    assert len(tried) >= 60


@pytest.fixture
def folder(work: Path) -> Path:
    (work / "a_long_name.py").write_text("NAME = 1\n")
    (work / "ignored_file_a_long_name").write_text("x")
    (work / ".gitignore").write_text("ignored*\n")
    (work / "sub").mkdir()
    (work / "sub" / "one.py").write_text("")
    (work / "sub" / "two.py").write_text("")
    (work / "picture.png").write_bytes(PICTURE)
    return work


@pytest.fixture
def chatting(env: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\nfor file; do printf "%s, edited" "$(cat "$file")" > "$file.new" && mv "$file.new" "$file"; done\n'
    )
    editor.chmod(0o755)
    (tmp_path / "bin").mkdir()
    clipboard = tmp_path / "bin" / "wl-paste"
    clipboard.write_text('#!/bin/sh\nprintf "\\211PNG\\r\\n a picture"\n')
    clipboard.chmod(0o755)
    found = f"{tmp_path / 'bin'}:{env['PATH']}"
    yield env | {"EDITOR": str(editor), "VISUAL": "", "SHELL": "/bin/sh", "PATH": found}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_keys(group: str, server: FakeVLLM, chatting: dict[str, str], folder: Path, home: Path) -> None:
    if os.geteuid() == 0:
        chatting["AGENTIC_SANDBOX_MODE"] = "off"
    arguments = ["--endpoint", server.url, "-c", "tools.protocol=native", "-c", "ui.notify=false", *OPTIONS.get(group, ())]
    with terminal(arguments, chatting, folder) as shown:
        chat = Chat(shown, server, folder, home)
        chat.ready()
        for keys, try_it in GROUPS[group].items():
            try:
                try_it(chat)
            except AssertionError as error:
                raise AssertionError(f"the row {keys!r}: {error}") from error
