"""`agentic permissions`: which rules count here, and what would become of a command."""

import json
from pathlib import Path

import click

from agentic import api
from agentic.commands import list_output
from agentic.hooks.permissions import Judgement
from agentic.lib.sanitize import sanitize

_DECISIONS = {"": "as the mode says (--approve)", "allow": "allowed", "ask": "asked", "deny": "denied"}
_PAIRS = click.option("-c", "pairs", multiple=True, metavar="KEY=VALUE", help="Any configuration key (repeatable).")


@click.group("permissions", invoke_without_command=True, epilog="The manual: agentic docs security")
@click.pass_context
def command(context: click.Context) -> None:
    """Shows the rules, the protected names, and whether a command may run.

    For example: agentic permissions test "git push"
    """
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command("list")
@list_output
@_PAIRS
def list_(output: str = "plain", pairs: tuple[str, ...] = ()) -> None:
    """Lists the rules and where each is defined, and the names that are protected whatever the rules say.

    For example: agentic permissions list
    """
    policy = api.policy(Path.cwd(), api.load_settings(Path.cwd(), pairs=pairs))
    for decision, rule, origin in policy.rules():
        if output == "jsonl":
            click.echo(json.dumps({"type": "rule", "decision": decision, "rule": rule, "origin": origin}))
        else:
            click.echo(sanitize(f"{decision:<6} {rule}  # {origin}"))
    for each in policy.safeguards().records:
        if each.kind not in ("protected", "private") or each.pattern.startswith("!"):
            continue
        if output == "jsonl":
            click.echo(json.dumps({"type": each.kind, "pattern": each.pattern, "why": each.why}))
        else:
            click.echo(sanitize(f"{'ask':<6} {'edit' if each.kind == 'protected' else 'read'}({each.pattern})  # {each.why}"))


@command.command()
@click.argument("line", metavar="COMMAND")
@list_output
@_PAIRS
def test(line: str, output: str, pairs: tuple[str, ...]) -> int:
    """Says whether a command would be allowed, asked about or denied, and why, without running it. Exit code: 4 if denied, else 0.

    For example: agentic permissions test "git push"
    """
    judgement = api.policy(Path.cwd(), api.load_settings(Path.cwd(), pairs=pairs)).of_command(line)
    if output == "jsonl":
        values = {"decision": judgement.decision, "why": judgement.why, "dangers": list(judgement.dangers)}
        click.echo(
            json.dumps({"type": "judgement"} | values | {"needs": sorted(judgement.needs), "proposals": list(judgement.proposals)})
        )
    else:
        click.echo("\n".join(map(sanitize, _lines_of(judgement))))
    return 4 if judgement.decision == "deny" else 0


def _lines_of(judgement: Judgement) -> list[str]:
    decision = "ask" if judgement.dangers and judgement.decision != "deny" else judgement.decision
    lines = [_DECISIONS[decision]]
    lines += [f"  {judgement.why}"] if judgement.why else []
    lines += [f"  in every mode: {danger}" for danger in judgement.dangers]
    lines += [f"  it may need: {need}" for need in sorted(judgement.needs)]
    lines += [f"  `always` would add: {rule}" for rule in judgement.proposals]
    return lines
