"""`agentic doctor`: what is wrong with the servers, and the words on their command lines that mend it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from agentic.api import load_settings
from agentic.config import Settings
from agentic.sanitize import sanitize
from plugins_builtin.vllm.capabilities import keep_capabilities
from plugins_builtin.vllm.findings import Examination, Finding
from plugins_builtin.vllm.transport import VllmTransport

_MARKS = {True: "ok", False: "WRONG", None: "-"}


@click.command("doctor")
@click.option("--endpoint", "endpoints", multiple=True, metavar="URL", help="An endpoint; repeatable.")
@click.option("--model", help="The model; without it, what the endpoint serves.")
@click.option("--output", type=click.Choice(["plain", "jsonl"]), default="plain", help="jsonl: for programs.")
@click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE")
def doctor(endpoints: tuple[str, ...], model: str | None, output: str, pairs: tuple[str, ...]) -> int:
    """Probes each endpoint and says what is wrong and which line mends it. What it finds out is used from then on."""
    given: dict[str, Any] = {"llm.endpoints": list(endpoints)} if endpoints else {}
    settings = load_settings(Path.cwd(), given | ({"llm.model": model} if model else {}), pairs)
    return asyncio.run(_examine(settings, output))


async def _examine(settings: Settings, output: str) -> int:
    """0: all is well; 1: something is wrong; 3: nobody answers."""
    transport = VllmTransport(settings.llm, settings.section("llm.vllm"))
    wrong = answered = 0
    try:
        for endpoint in transport.endpoints:
            if output == "plain":
                click.echo(endpoint)
            examination = Examination(transport, endpoint)
            async for finding in examination.findings():
                wrong += finding.ok is False
                answered += finding.name == "reachable" and bool(finding.ok)
                _show(endpoint, finding, output)
            if examination.can.version:
                keep_capabilities(endpoint, examination.can)
    finally:
        await transport.aclose()
    if not answered:
        return 3
    return 1 if wrong else 0


def _show(endpoint: str, finding: Finding, output: str) -> None:
    if output == "jsonl":
        values = {"endpoint": endpoint, "check": finding.name, "ok": finding.ok, "text": finding.text, "remedy": finding.remedy}
        click.echo(json.dumps(values, ensure_ascii=False))
        return
    click.echo(f"  {_MARKS[finding.ok]:<6}{finding.name:<22}{sanitize(finding.text)}")
    if finding.ok is False and finding.remedy:
        click.echo(f"        → {sanitize(finding.remedy)}")
