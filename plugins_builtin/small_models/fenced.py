"""Fenced text: a path on its own line and the whole file in a fenced block; commands in `bash` blocks.

What small models do best: code inside JSON strings costs them quality and twice the time.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from agentic import Asks, ChatRequest, EndpointInfo, Message, ModelProfile, Setup, ToolCall, ToolOutput, ToolSpec, Turn
from agentic.lib.record import record

SHELLS = {"bash", "sh", "shell", "console", "zsh"}
OUTPUTS = {"", "text", "plaintext", "output", "txt", "log", "diff"}
_OPEN = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[ \t]*([^`]*)$")
_PATH = re.compile(r"(?:[\w.@+-]+/)*(?:[\w@+-][\w.@+-]*\.[A-Za-z0-9_]+|\.[A-Za-z][\w.-]*|Makefile|Dockerfile|LICENSE|README)")
_NOT_A_PATH_ENDING = (".", ":")


@record(frozen=True, slots=True)
class Block:
    """A fenced block: the path named for it ("" for none), its info word, its content, whether it was closed."""

    path: str
    language: str
    content: str
    closed: bool = True


_WHICH_FILE = "What is the name of the file for that code? Answer with the file name only."
_END = "\n```\n"
_NAMED = re.compile(r"[\w./-]+\.[A-Za-z]\w{0,4}\b")
_FILE = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
    "required": ["path", "content"],
}
_WRITE = ToolSpec("write_file", "Creates a file.", _FILE, "write", writes=("path", "content"))


class Fenced:
    """Remembers code that came without a file name until the model, asked for it, gives the name."""

    profile = ModelProfile(brief=True, failures_first=True, restarts=4, says_and_does=True)

    def __init__(self, setup: Setup) -> None:
        self._prompt = setup.prompt
        self._nameless = ""
        self._expected = ""
        self._one_file = False

    async def fits(self, model: Asks, info: EndpointInfo) -> bool:
        system = Message("system", self.instructions([_WRITE]))
        task = Message("user", "Create the file ready.py with one line that prints the word ready.")
        answer = await model.ask(ChatRequest((system, task), max_tokens=120))
        calls = self.read(answer.message, [_WRITE], cut_off=False).calls if answer is not None else ()
        self._nameless = ""
        return any(json.loads(call.arguments).get("path") == "ready.py" for call in calls)

    def instructions(self, tools: Sequence[ToolSpec]) -> str:
        names = [
            name
            for capability, name in (("writes", "tools.fenced.write"), ("runs", "tools.fenced.run"))
            if _that(capability, tools)
        ]
        return "\n\n".join(map(self._prompt, names))

    def begin(self, task: str, files: Sequence[str]) -> str:
        """Code that comes without a name is for the one file to correct, or the one that the task names."""
        named = list(files) or list(dict.fromkeys(_NAMED.findall(task)))
        self._expected = named[0] if len(named) == 1 else ""
        self._one_file = len(files) == 1
        return "" if files else self._prompt("tools.fenced.reminder")

    def request(self, request: ChatRequest, tools: Sequence[ToolSpec]) -> ChatRequest:
        """An answer that is to be one file ends with it: what would be said about it is not worth the wait."""
        return replace(request, extra={**request.extra, "stop": [_END]}) if self._one_file else request

    def read(self, answer: Message, tools: Sequence[ToolSpec], cut_off: bool) -> Turn:
        writer, runner = _that("writes", tools), _that("runs", tools)
        calls: list[ToolCall] = []
        found = [block for block in blocks(answer.text) if not _only_a_name(block)]
        waiting, self._nameless = self._nameless, ""
        if waiting and writer and not found and (path := _path_in(answer.text.strip())):
            return Turn(answer, (_write(0, writer, path, waiting),))
        for block in found:
            if not block.closed and cut_off:
                return Turn(answer, tuple(calls), problem="Your answer was cut off. Write shorter files, one at a time.")
            language = block.language.lower()
            if block.path and writer:
                calls.append(_write(len(calls), writer, block.path, block.content))
            elif language in SHELLS and runner:
                calls.append(_call(len(calls), runner.name, {runner.runs: _commands(block.content)}))
            elif language not in SHELLS | OUTPUTS and writer and not self._nameless:
                self._nameless = block.content  # the first one: what follows are examples of its use
        if self._nameless and writer and not any(call.name == writer.name for call in calls):
            if not self._expected:
                return Turn(answer, tuple(calls), problem=_WHICH_FILE)
            calls.insert(0, _write(len(calls), writer, self._expected, self._nameless))
        self._nameless = ""
        return Turn(answer, tuple(calls), text=without_blocks(answer.text))

    def results(self, done: Sequence[tuple[ToolCall, ToolOutput]]) -> list[Message]:
        return [Message("user", "\n\n".join(_as_terminal(call, output) for call, output in done))]


def _only_a_name(block: Block) -> bool:
    """True if a file's name is all that the block holds: that is no content."""
    content = block.content.strip()
    return content == block.path if block.path else bool(_path_in(content))


def _that(capability: str, tools: Sequence[ToolSpec]) -> ToolSpec | None:
    return next((tool for tool in tools if getattr(tool, capability)), None)


def _write(number: int, writer: ToolSpec, path: str, content: str) -> ToolCall:
    return _call(number, writer.name, dict(zip(writer.writes, (path, content), strict=True)))


def _call(number: int, name: str, arguments: Mapping[str, str]) -> ToolCall:
    return ToolCall(f"block_{number}", name, json.dumps(arguments, ensure_ascii=False))


def _as_terminal(call: ToolCall, output: ToolOutput) -> str:
    """A command with its output, as a terminal shows it; of other tools the output alone."""
    arguments = json.loads(call.arguments)
    if output.exit_code is None or len(arguments) != 1:
        return output.for_model
    return f"$ {''.join(map(str, arguments.values())).strip()}\n{output.for_model}"


def _commands(content: str) -> str:
    """A shell block as a script: prompts taken off."""
    return "\n".join(re.sub(r"^\s*[$>] ", "", line) for line in content.strip().splitlines())


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of an answer, with the path that the line before, the info line or the first comment names."""
    lines = text.split("\n")
    number, before = 0, ""
    while number < len(lines):
        opened = _OPEN.match(lines[number])
        if not opened:
            before = lines[number] if lines[number].strip() else before
            number += 1
            continue
        fence, language, info = opened[1], opened[2], opened[3]
        end = _end_of_block(lines, number + 1, fence, language)
        body = lines[number + 1 : end]
        path = _path_in(before) or _path_of_info(language, info) or _path_in_comment(body)
        language = "" if _PATH.fullmatch(language) and "." in language else language.partition(":")[0]
        if language.lower() in SHELLS and not path.endswith((".sh", ".bash")):
            path = ""
        yield Block(path, language, "\n".join(body) + "\n" if body else "", end < len(lines))
        number, before = end + 1, ""


def _end_of_block(lines: Sequence[str], start: int, fence: str, language: str) -> int:
    """The closing line's number, len(lines) without one. Only Markdown is taken to hold fenced blocks of its own."""
    depth = 0
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if set(line) == {fence[0]} and len(line) >= len(fence):
            if not depth:
                return number
            depth -= 1
        elif language in ("markdown", "md") and line.startswith(fence) and line != fence:
            depth += 1
    return len(lines)


def _path_in(line: str) -> str:
    """The path that a line names and nothing else, however the model dressed it: **a.py**, `a.py`:, ### File: a.py"""
    bare = re.sub(r"^[\s#>*`'\"-]+|[\s*`'\":]+$", "", line)
    bare = re.sub(r"^(file(name)?|path|create|update|new file)\b[\s:*`'\"]*", "", bare, flags=re.IGNORECASE)
    bare = bare.removeprefix("./")
    return bare if _PATH.fullmatch(bare) and not bare.endswith(_NOT_A_PATH_ENDING) else ""


def _path_of_info(language: str, info: str) -> str:
    """```python a.py, ```python:a.py, ```a.py and ```python title="a.py"."""
    for text in (language.partition(":")[2], info.partition("=")[2] or info, language if "." in language else ""):
        if path := _path_in(text):
            return path
    return ""


def _path_in_comment(body: Sequence[str]) -> str:
    first = body[0].strip() if body else ""
    match = re.match(r"^(?:#|//|--|;|/\*|<!--)\s*(\S+)\s*(?:\*/|-->)?$", first)
    return _path_in(match[1]) if match else ""


def without_blocks(text: str) -> str:
    """The prose around the blocks."""
    kept: list[str] = []
    inside = ""
    for line in text.split("\n"):
        opened = _OPEN.match(line)
        if inside:
            inside = "" if line.strip() == inside else inside
        elif opened:
            inside = opened[1]
            while kept and (not kept[-1].strip() or _path_in(kept[-1])):  # the block's name goes with it
                kept.pop()
        else:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
