"""A raw-socket server on loopback that speaks vLLM 0.32's wire. Shapes are held to the real server by tests/real/."""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, TypedDict, Unpack

from agentic.testing import token_ids
from agentic.testing.answers import (
    Fault,
    Filled,
    Request,
    ScriptedAnswer,
    answer,
    count_tokens,
    error,
    is_canary,
    json_answer,
    read_request,
    warms,
)


class ServerOptions(TypedDict, total=False):
    """The options of a server, besides its model and its window; `FakeVLLM` says what each does."""

    api_key: str
    port: int
    host: str
    queue_limit: int
    missing: Sequence[str]
    resumes: bool
    idle_seconds: float


class FakeVLLM:
    """Serves scripted answers in order, one for each chat request; `otherwise` when the script is over.

    `requests` holds what came; `running` says how many chat requests are being answered now, `most_running` how many at most.
    `queue_limit` is `--max-num-queued-reqs`. `missing` are paths that this server does not have, `pages` further answers by path,
    as JSON; `resumes` False is one that ignores token numbers, `tells_of_itself` one whose script also answers what clients ask by
    themselves about what it can do; where it `numbers_tokens` they have numbers of its own, else the script's. `accepted` counts
    connections. `idle_seconds` is when one without requests is closed, 0 for never.
    """

    def __init__(self, model: str = "fake", window: int = 8192, **options: "Unpack[ServerOptions]") -> None:
        self._idle_seconds = options.get("idle_seconds") or None
        self.model = model
        self.window = window
        self.queue_limit = options.get("queue_limit", 0)
        self.missing = tuple(options.get("missing", ()))
        self.resumes = options.get("resumes", True)
        self.most_running = 0
        self.accepted = 0
        self.version = "0.32.0"
        self.tells_of_itself = False
        self.numbers_tokens = True
        self.metrics: dict[str, int] = {}
        self.cache: dict[str, str] = {}
        self.requests: list[Request] = []
        self.running = 0
        self.otherwise: Callable[[Request], ScriptedAnswer] = lambda request: answer("ok")
        self.models: ScriptedAnswer | None = None
        self.pages: dict[str, Any] = {}
        self._api_key = options.get("api_key", "")
        self._script: deque[ScriptedAnswer] = deque()
        self._changed = threading.Condition()
        self._socket = socket.create_server((options.get("host", "127.0.0.1"), options.get("port", 0)))
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://{self._socket.getsockname()[0]}:{self.port}/v1"

    def say(self, *texts: str) -> None:
        """Scripts one plain answer for each text."""
        self.script(*map(answer, texts))

    def script(self, *answers: ScriptedAnswer) -> None:
        self._script.extend(answers)

    @property
    def chats(self) -> list[Request]:
        """The chat requests that came, those apart that only warm the cache or ask what the server can do."""
        every = self.requests_to("/v1/chat/completions")
        return [each for each in every if not warms(each) and (self.tells_of_itself or not is_canary(each))]

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Waits until `condition` holds; checked whenever a request starts or ends."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def __enter__(self) -> "FakeVLLM":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stops listening and resets what is open: the server was killed."""
        self._closing.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() would take one more
        self._socket.close()
        for connection in list(self._open):
            _reset(connection)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(connection)
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as file:
                connection.settimeout(self._idle_seconds)
                while (request := read_request(file)) is not None and not self._closing.is_set():
                    connection.settimeout(None)
                    if not self._respond(connection, request):
                        break
                    connection.settimeout(self._idle_seconds)
        except OSError:
            return
        finally:
            self._open.discard(connection)

    def _respond(self, connection: socket.socket, request: Request) -> bool:
        chat = request.path in ("/v1/chat/completions", "/v1/completions")
        with self._changed:
            self.requests.append(request)
            full = chat and 0 < self.queue_limit <= self.running
            counts = chat and not full
            self.running += counts
            self.most_running = max(self.most_running, self.running)
            self._changed.notify_all()
        left = [counts]

        def over() -> None:
            with self._changed:
                self.running -= left.pop() if left else 0
                self._changed.notify_all()

        try:
            if full:
                busy = error(503, "The engine is currently busy. Please try again later.", "ServiceUnavailableError")
                return self._send(connection, busy, over)
            return self._send(connection, self._choose(request), over)
        finally:
            over()

    def _choose(self, request: Request) -> ScriptedAnswer:
        if self._api_key and request.path.startswith("/v1") and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return ScriptedAnswer([b'{"error":"Unauthorized"}'], 401, "application/json", chunked=False)
        if request.path in self.missing:
            return ScriptedAnswer([b'{"detail":"Not Found"}'], 404, "application/json", chunked=False)
        if request.path in self.pages:
            return json_answer(self.pages[request.path])
        match request.path:
            case "/v1/completions":
                return self._answer(request)
            case "/v1/chat/completions/batch":
                return self._batch(request)
            case "/v1/models":
                return self.models or json_answer(self._model_list())
            case "/v1/chat/completions":
                return self._answer(request)
            case "/tokenize":
                count = count_tokens(request)
                return json_answer({"count": count, "max_model_len": self.window, "tokens": list(range(count)), "token_strs": None})
            case "/health":
                return ScriptedAnswer([b""], content_type="text/plain", chunked=False)
            case "/version":
                return json_answer({"version": self.version})
            case "/metrics":
                labels = f'{{engine="0",model_name="{self.model}"}}'
                values = {"num_requests_running": self.running, "num_requests_waiting": 0, **self.metrics}
                lines = [f"vllm:{name}{labels} {value}.0" for name, value in values.items()]
                if self.cache:
                    facts = ",".join(f'{name}="{value}"' for name, value in self.cache.items())
                    lines.append(f"vllm:cache_config_info{{{facts}}} 1.0")
                return ScriptedAnswer(["\n".join(lines).encode() + b"\n"], content_type="text/plain; version=0.0.4", chunked=False)
        return ScriptedAnswer([b'{"detail":"Not Found"}'], 404, "application/json", chunked=False)

    def _answer(self, request: Request) -> ScriptedAnswer:
        """The next of the script; without a prompt that fits, what vLLM says then."""
        count = count_tokens(request)
        if count > self.window:
            limit = f"This model's maximum context length is {self.window} tokens. However, your prompt contains at least"
            return error(400, f"{limit} {self.window + 1} input tokens", param="input_tokens")
        if warms(request) or (is_canary(request) and not self.tells_of_itself):
            scripted = answer("ok")
        else:
            scripted = self._script.popleft() if self._script else self.otherwise(request)
        body = request.json
        known = b'"prompt_tokens": %d,' % count, b'"completion_tokens": %d,' % (body.get("max_tokens") or 1)
        pieces = Filled(scripted.pieces, known)
        if body.get("return_token_ids") and scripted.status == 200 and self.numbers_tokens:
            given = token_ids.resumes_at(body) if self.resumes else []
            prompt, words = token_ids.split(given or range(count))
            sent = token_ids.numbered(pieces, given or prompt, len(words), request.path == "/v1/completions")
            return replace(scripted, pieces=sent)
        return replace(scripted, pieces=pieces)

    def _batch(self, request: Request) -> ScriptedAnswer:
        """Returns the text of `otherwise` for each of the conversations."""
        choices = []
        for index, messages in enumerate(request.json["messages"]):
            alone = replace(request, body=json.dumps(request.json | {"messages": messages}).encode())
            deltas = [json.loads(piece[6:])["choices"] for piece in self.otherwise(alone).pieces if piece.startswith(b"data: {")]
            text = "".join(choice[0]["delta"].get("content") or "" for choice in deltas if choice)
            message: dict[str, Any] = {"role": "assistant", "content": text, "reasoning": None, "tool_calls": []}
            choices.append({"index": index, "message": message, "finish_reason": "stop"})
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return json_answer(
            {"id": "chatcmpl-fake", "object": "chat.completion", "model": self.model, "choices": choices, "usage": usage}
        )

    def _model_list(self) -> dict[str, Any]:
        model = {"id": self.model, "object": "model", "created": 0, "owned_by": "vllm", "root": self.model, "parent": None}
        return {"object": "list", "data": [model | {"max_model_len": self.window, "permission": []}]}

    def _send(self, connection: socket.socket, scripted: ScriptedAnswer, over: Callable[[], None]) -> bool:
        """True if the connection goes on. `over` is called before the client can know that the answer is whole, as the engine's
        count goes down before its last event is sent."""
        if scripted.fault and scripted.fault_after < 0:
            return self._break(connection, scripted.fault)
        connection.sendall(_head(scripted))
        for number, piece in enumerate(scripted.pieces):
            if scripted.fault and number == scripted.fault_after:
                return self._break(connection, scripted.fault)
            if scripted.pause:
                time.sleep(scripted.pause)
            if piece.startswith(_LAST):
                over()
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if scripted.chunked else piece)
        if scripted.fault:
            return self._break(connection, scripted.fault)
        if scripted.chunked:
            connection.sendall(b"0\r\n\r\n")
        return True

    def _break(self, connection: socket.socket, fault: Fault) -> bool:
        if fault == "stall":
            connection.settimeout(0.05)
            while not self._closing.is_set():  # until the client gives up
                try:
                    if not connection.recv(1024):
                        break
                except TimeoutError:
                    continue
        elif fault == "reset":
            _reset(connection)
        return False


_LAST = b"data: [DONE]"


def _head(scripted: ScriptedAnswer) -> bytes:
    length = {} if scripted.chunked else {"content-length": str(sum(map(len, scripted.pieces)))}
    framing = {"transfer-encoding": "chunked"} if scripted.chunked else length
    headers = {"server": "uvicorn", "content-type": scripted.content_type, **framing, **scripted.headers}
    lines = [f"HTTP/1.1 {scripted.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _reset(connection: socket.socket) -> None:
    """Closes with RST, as a killed process's machine does for data that still comes."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        return
