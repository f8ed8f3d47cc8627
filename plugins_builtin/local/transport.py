"""llama.cpp in the process. Its chunks have the shape of the wire, so the wire codec reads them."""

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from typing import Any

from agentic import AgenticError, ChatRequest, ConfigError, Delta, EndpointInfo, EndpointUnavailable, TokenCount
from agentic.extras import pip_install
from agentic.lib.threads import on_daemon_thread
from agentic.lib.wire import ChunkDecoder, encode_request
from plugins_builtin.local.models import MODELS, fetch_with_bar, require_gguf, resolve
from plugins_builtin.local.options import LocalOptions

MAX_CHUNKS_AHEAD = 64


class LocalTransport:
    def __init__(self, options: LocalOptions) -> None:
        self._options = options
        self.endpoints = (f"local:{options.model}",)
        self._loading: asyncio.Task[Any] | None = None
        self._key = secrets.token_urlsafe(32)

    async def probe(self, endpoint: str) -> EndpointInfo:
        if find_spec("xllamacpp") is None:
            raise EndpointUnavailable(f"{endpoint}: the engine is not installed", pip_install("local"))
        name = self._options.model
        resolve(name)
        return EndpointInfo(endpoint, name, self._options.context, places=self._options.parallel)

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        info = await self.probe(endpoint)
        server = await self._loaded()
        body = {"temperature": 0.0} | encode_request(request, info.model)  # small models do their best when they do not guess
        decoder = ChunkDecoder()
        answer = _Answer(lambda callback: server.handle_chat_completions(body, callback))
        try:
            async for chunk in answer:
                for piece in chunk if isinstance(chunk, list) else [chunk]:
                    delta = decoder.feed(piece)
                    if delta is not None:
                        yield delta
        finally:
            await answer.stop()
        decoder.end()

    async def count_tokens(self, request: ChatRequest, endpoint: str) -> TokenCount:
        """Asked through its listener, the only way to its tokenizer."""
        import httpx2

        info = await self.probe(endpoint)
        server = await self._loaded()
        encoded = encode_request(request, info.model)
        body = {name: encoded[name] for name in ("messages", "tools") if name in encoded}
        try:
            async with httpx2.AsyncClient(
                base_url=server.listening_address, headers={"Authorization": f"Bearer {self._key}"}, trust_env=False, verify=False
            ) as client:
                prompt = (await client.post("/apply-template", json=body)).json()["prompt"]
                ids = (await client.post("/tokenize", json={"content": prompt, "parse_special": True})).json()["tokens"]
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise AgenticError(f"{endpoint}: the engine counts no tokens ({type(error).__name__})") from error
        return TokenCount(len(ids), "/tokenize")

    async def _loaded(self) -> Any:
        if self._loading is None:
            self._loading = asyncio.ensure_future(on_daemon_thread(self._load))
        return await asyncio.shield(self._loading)

    def _load(self) -> Any:
        import xllamacpp

        name = self._options.model
        path = fetch_with_bar(MODELS[name]) if name in MODELS else resolve(name)
        require_gguf(path)
        try:
            return xllamacpp.Server(self._parameters(xllamacpp.CommonParams(), str(path)))
        except RuntimeError as error:
            raise ConfigError(
                f"llama.cpp cannot load {path}: {error}", "is the file whole? `agentic local rm` and pull again"
            ) from error

    def _parameters(self, params: Any, path: str) -> Any:
        params.model.path = path
        params.n_ctx = self._options.context
        params.n_parallel = self._options.parallel
        params.kv_unified = True  # one request may use the whole window while it is alone
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._options.threads or os.cpu_count() or 1
        params.use_jinja = True
        params.verbosity = -1
        params.warmup = False
        # Its HTTP listener cannot be switched off: a key that nobody knows, no web page as origin, no web interface.
        params.api_keys = [self._key]
        params.cors_origins = "null"
        params.ui = params.endpoint_slots = False
        return params

    async def aclose(self) -> None:
        if self._loading is not None and self._loading.done() and not self._loading.cancelled() and not self._loading.exception():
            self._loading = None


class _Answer:
    """A callback-driven answer as an async iterator, never more than MAX_CHUNKS_AHEAD chunks ahead of its reader."""

    def __init__(self, generate: Callable[[Callable[[Any], bool]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[Any] = asyncio.Queue()
        self._places = threading.Semaphore(MAX_CHUNKS_AHEAD)
        self._stopped = threading.Event()
        self._thread = asyncio.ensure_future(on_daemon_thread(lambda: generate(self._receive)))
        self._thread.add_done_callback(lambda _: self._chunks.put_nowait(None))

    def _receive(self, chunk: Any) -> bool:
        """Called on the engine's thread; True ends the generation."""
        while not self._places.acquire(timeout=0.1):
            if self._stopped.is_set():
                break
        if not self._stopped.is_set():
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, chunk)
        return self._stopped.is_set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (chunk := await self._chunks.get()) is not None:
            self._places.release()
            yield chunk
        self._thread.result()

    async def stop(self) -> None:
        """Ends the generation; the engine notices with its next token."""
        self._stopped.set()
        await asyncio.wait([self._thread], timeout=1.0)
