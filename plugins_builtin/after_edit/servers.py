"""Language servers: what they say of a file before and after an edit, and what of it is new."""

import asyncio
import json
import os
import shlex
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agentic.errors import ToolError
from agentic.events import Event, Warned
from agentic.lib.children import Children
from agentic.lib.children.talk import Talk, talking
from agentic.lib.record import record
from plugins_builtin.after_edit.formatters import QUIET, installed

START_SECONDS, ANSWER_SECONDS, QUIET_SECONDS = 20.0, 8.0, 0.4
MAX_SHOWN = 5  # of the errors that an edit added
MAX_MESSAGE = 200  # characters of one
MAX_BYTES = 20_000_000  # of one message
ERROR, WARNING = 1, 2  # severities
_RUST = {"checkOnSave": False, "cargo": {"buildScripts": {"enable": False}}, "procMacro": {"enable": False}}
_KNOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Any]]] = {
    "ruff": (("*.py", "*.pyi"), ("ruff", "server"), {}),
    "pyright": (("*.py", "*.pyi"), ("pyright-langserver", "--stdio"), {}),
    "gopls": (("*.go",), ("gopls",), {}),
    "rust-analyzer": (("*.rs",), ("rust-analyzer",), _RUST),
    "typescript": (("*.ts", "*.tsx", "*.js", "*.jsx"), ("typescript-language-server", "--stdio"), {}),
}
_LANGUAGES = {".py": "python", ".pyi": "python", ".rs": "rust", ".ts": "typescript", ".tsx": "typescriptreact", ".js": "javascript"}
_OPEN: "dict[tuple[int, Path, str], Server]" = {}


@record(slots=True)
class Document:
    """A file as the server has it: `said` is what it said of that version, None until it says anything."""

    version: int
    text: bytes
    said: list[dict[str, Any]] | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)


def servers_for(path: str, root: Path, names: Sequence[str]) -> "list[Server]":
    """Returns the servers of the user's choice that know such files and are installed; each is started once in a process."""
    found = []
    for name in names:
        patterns, words, options = _server_named(name)
        if not any(fnmatchcase(os.path.basename(path), pattern) for pattern in patterns):
            continue
        program = words[0] if os.path.isabs(words[0]) else installed(words[0], root)
        if program:
            key = (id(asyncio.get_running_loop()), root, name)
            if key not in _OPEN:
                _OPEN[key] = Server(name, (program, *words[1:]), root, options)
            found.append(_OPEN[key])
    return found


def _server_named(name: str) -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Any]]:
    if name in _KNOWN:
        return _KNOWN[name]
    pattern, _, command = name.partition("=")
    words = tuple(shlex.split(command))
    return ((pattern.strip(),), words, {}) if words else ((), ("",), {})


class Server:
    """A language server of a folder, from the first file on to the end of the process. One that fails is not asked again."""

    def __init__(self, name: str, command: Sequence[str], root: Path, options: Mapping[str, Any]) -> None:
        self._name = name
        self._command = command
        self._root = root
        self._options = options
        self._documents: dict[str, Document] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._talk: Talk | None = None
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    async def added(self, path: str, before: bytes | None, after: bytes, emit: Callable[[Event], Awaitable[None]]) -> list[str]:
        """The errors that are new since the file was looked at last, or since `before`; a line each."""
        async with self._turn:
            if self._failed:
                return []
            try:
                old = await self._problems_before(path, before)
                new = await self._look(path, after)
            except (ToolError, ConnectionError, TimeoutError, ValueError) as error:
                self._failed = True
                await emit(Warned(message=f"the language server {self._name} is not used: {error or 'it gave no answer'}"))
                return []
            return _new_problems(path, self._name, old, new)

    async def _problems_before(self, path: str, before: bytes | None) -> list[dict[str, Any]]:
        if path in self._documents:
            return self._documents[path].said or []
        return await self._look(path, before) if before is not None else []

    async def _look(self, path: str, text: bytes) -> list[dict[str, Any]]:
        """Returns what the server says of the file with this text."""
        await self._start()
        uri = (self._root / path).as_uri()
        document = self._documents.get(path)
        content = text.decode("utf-8", "replace")
        if document is None:
            document = self._documents[path] = Document(1, text)
            language = _LANGUAGES.get(Path(path).suffix, Path(path).suffix.lstrip("."))
            given = {"uri": uri, "languageId": language, "version": 1, "text": content}
            await self._send({"method": "textDocument/didOpen", "params": {"textDocument": given}})
        elif document.text == text:
            return document.said or []
        else:
            document.version, document.text, document.said = document.version + 1, text, None
            document.heard.clear()
            given = {"uri": uri, "version": document.version}
            changes = {"textDocument": given, "contentChanges": [{"text": content}]}
            await self._send({"method": "textDocument/didChange", "params": changes})
        await self._wait_for_silence(document)
        if self._task is None or self._task.done():
            raise ToolError("it ended")
        return document.said or []

    async def _wait_for_silence(self, document: Document) -> None:
        """Until it has said something of this version, and nothing else for a moment. Silence is no error."""
        try:
            await asyncio.wait_for(document.heard.wait(), ANSWER_SECONDS)
            while document.heard.is_set():
                document.heard.clear()
                await asyncio.wait_for(document.heard.wait(), QUIET_SECONDS)
        except TimeoutError:
            return

    async def _start(self) -> None:
        """Raises ToolError, TimeoutError."""
        if self._task is None:
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._task = asyncio.ensure_future(self._run(ready))
            await ready
            root = self._root.as_uri()
            capabilities = {"textDocument": {"publishDiagnostics": {"versionSupport": True}}, "workspace": {"configuration": True}}
            params = {"processId": os.getpid(), "rootUri": root, "capabilities": capabilities}
            params |= {"workspaceFolders": [{"uri": root, "name": self._root.name}], "initializationOptions": dict(self._options)}
            async with asyncio.timeout(START_SECONDS):
                await self._ask("initialize", params)
            await self._send({"method": "initialized", "params": {}})
        elif self._task.done():
            raise ToolError("it ended")

    async def _run(self, ready: "asyncio.Future[None]") -> None:
        """Holds the server, and hears what it says."""
        children = Children()
        try:
            with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230 - nothing blocks there
                async with talking(children, self._command, QUIET, self._root, nowhere.fileno()) as self._talk:
                    ready.set_result(None)
                    while (message := await _message(self._talk.reader)) is not None:
                        await self._hear(message)
        except (ToolError, OSError) as error:
            if not ready.done():
                ready.set_exception(ToolError(str(error)))
        finally:
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ToolError("it ended"))
            await children.aclose()
            for document in self._documents.values():
                document.heard.set()

    async def _hear(self, message: Mapping[str, Any]) -> None:
        if "method" in message and "id" in message:  # what it asks of an editor: there is none
            items = message.get("params", {}).get("items", []) if message["method"] == "workspace/configuration" else []
            await self._send({"id": message["id"], "result": [None for _ in items] or None})
        elif message.get("method") == "textDocument/publishDiagnostics":
            self._diagnosed(message.get("params", {}))
        elif (waiting := self._answers.pop(message.get("id", -1), None)) is not None and not waiting.done():
            if isinstance(error := message.get("error"), dict):
                waiting.set_exception(ToolError(" ".join(str(error.get("message")).split())[:MAX_MESSAGE]))
            else:
                waiting.set_result(message.get("result"))

    def _diagnosed(self, params: Mapping[str, Any]) -> None:
        for path, document in self._documents.items():
            if params.get("uri") == (self._root / path).as_uri() and params.get("version", document.version) == document.version:
                said = params.get("diagnostics")
                document.said = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
                document.heard.set()

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        self._number += 1
        self._answers[self._number] = answer = asyncio.get_running_loop().create_future()
        await self._send({"id": self._number, "method": method, "params": dict(params)})
        return await answer

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._talk is not None
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._talk.writer.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        await self._talk.writer.drain()


async def _message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next one, None at the end, also where what comes is none."""
    size = 0
    try:
        while line := (await reader.readline()).strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        if not 0 < size <= MAX_BYTES:
            return None
        found = json.loads(await reader.readexactly(size))
    except (ValueError, asyncio.IncompleteReadError, RecursionError):
        return None
    return found if isinstance(found, dict) else {}


def _new_problems(path: str, server: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lists the problems in `new` that were not in `old`, whatever line they moved to."""
    left = Counter(_key(each) for each in old)
    added = []
    for each in sorted(new, key=_line):
        if left[_key(each)] > 0:
            left[_key(each)] -= 1
        elif each.get("severity", ERROR) in (ERROR, WARNING):
            code = f" {each['code']}" if isinstance(each.get("code"), str) else ""
            message = " ".join(str(each.get("message", "")).split())[:MAX_MESSAGE]
            added.append(f"{path}:{_line(each) + 1}: {message} ({server}{code})")
    more = [f"(and {len(added) - MAX_SHOWN} more)"] if len(added) > MAX_SHOWN else []
    return [*added[:MAX_SHOWN], *more]


def _key(diagnostic: Mapping[str, Any]) -> tuple[str, str]:
    return str(diagnostic.get("code")), str(diagnostic.get("message"))


def _line(diagnostic: Mapping[str, Any]) -> int:
    try:
        return int(diagnostic["range"]["start"]["line"])
    except (KeyError, TypeError, ValueError):
        return 0
