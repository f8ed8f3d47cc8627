"""`agentic serve`: how to start vLLM so that it fits this configuration."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from agentic.config import load

DEFAULT_MODEL = "openai/gpt-oss-120b"


@click.command("serve")
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE")
def command(pairs: tuple[str, ...]) -> None:
    """Prints the vllm serve lines for this configuration, one for each endpoint."""
    settings = load(Path.cwd(), pairs=pairs)
    for endpoint in settings["llm.endpoints"]:
        click.echo(serve_line(endpoint, settings))


def serve_line(endpoint: str, settings: Mapping[str, Any]) -> str:
    """One command. A pinned date keeps gpt-oss's prompt prefix cached over midnight; the rest is for agents (many short turns)."""
    address = urlsplit(endpoint)
    model = settings["llm.model"] or DEFAULT_MODEL
    words = ["vllm", "serve", model, "--host", address.hostname or "127.0.0.1", "--port", str(address.port or 8000)]
    if settings["context.context_window"]:
        words += ["--max-model-len", str(settings["context.context_window"])]
    words += ["--enable-prefix-caching" if settings["llm.vllm.enable_prefix_caching"] else "--no-enable-prefix-caching"]
    if "gpt-oss" in model:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", "openai", "--prefix-cache-retention-interval", "256"]
    words += ["--stream-interval", "1", "--enable-prompt-tokens-details"]
    return f"VLLM_SYSTEM_START_DATE=2026-01-01 VLLM_HTTP_TIMEOUT_KEEP_ALIVE=300 {shlex.join(words)}"
