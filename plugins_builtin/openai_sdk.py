"""Any other OpenAI-compatible service, through the official SDK."""

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentic import ChatRequest, Delta, EndpointInfo, EndpointUnavailable, Provider, Setup, Transport, hookimpl
from agentic.lib.wire import ChunkDecoder, encode_request, error_from_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAiTransport:
    def __init__(self, setup: Setup) -> None:
        self._settings = setup.settings.llm
        self.endpoints = tuple(url.rstrip("/") for url in self._settings.endpoints)
        self._clients: dict[str, AsyncOpenAI] = {}

    def _client(self, endpoint: str) -> "AsyncOpenAI":
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        if endpoint not in self._clients:
            known = self._settings.authorization(endpoint)
            self._clients[endpoint] = AsyncOpenAI(
                base_url=endpoint.replace("://***@", "://"),  # which stands for a login that goes as a header
                api_key="none",
                default_headers={"Authorization": known} if known else {},
                timeout=Timeout(
                    self._settings.total_timeout,
                    connect=self._settings.connect_timeout,
                    read=self._settings.first_token_timeout,
                ),
                max_retries=0,  # another endpoint is the batcher's business
                http_client=DefaultAsyncHttpxClient(
                    trust_env=False, follow_redirects=self._settings.follow_redirects, proxy=self._settings.proxy or None
                ),
            )
        return self._clients[endpoint]

    async def probe(self, endpoint: str) -> EndpointInfo:
        model = self._settings.model
        if not model:
            page = await self._guard(endpoint, self._client(endpoint).models.list())
            if not page.data:
                raise EndpointUnavailable(f"{endpoint} serves no model")
            model = page.data[0].id
        return EndpointInfo(endpoint, model)

    async def _guard(self, endpoint: str, call: Any) -> Any:
        """Awaits an SDK call; its errors become ours."""
        from openai import APIConnectionError, APIStatusError

        try:
            return await call
        except APIConnectionError as error:
            raise EndpointUnavailable(f"{endpoint}: {error.__cause__ or error}") from error
        except APIStatusError as error:
            raise error_from_body(error.status_code, error.response.content) from error

    async def stream(self, request: ChatRequest, endpoint: str) -> AsyncIterator[Delta]:
        from openai import APIError

        info = await self.probe(endpoint)
        body = encode_request(replace(request, priority=0, token_ids=False, extra={}), info.model)  # those are vLLM's
        body["extra_body"], body["extra_headers"] = dict(request.extra), dict(request.headers)
        response = await self._guard(endpoint, self._client(endpoint).chat.completions.create(**body))
        decoder = ChunkDecoder()
        try:
            async with aclosing(response):
                async for chunk in response:
                    delta = decoder.feed(chunk.model_dump(exclude_none=True))
                    if delta is not None:
                        yield delta
        except (APIError, ValueError, OSError) as error:
            raise EndpointUnavailable(f"{endpoint}: the answer broke off ({error})") from error
        decoder.end()

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.close()


@hookimpl
def agentic_transports() -> Iterable[Provider[Transport]]:
    yield Provider("openai", "any OpenAI-compatible service, through the official SDK", OpenAiTransport)
