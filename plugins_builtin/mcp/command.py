"""`agentic mcp`: which servers there are, adding, removing and trying them, and agentic itself as one."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from agentic import AgenticError, ConfigError, Settings
from agentic.api import load_settings
from agentic.commands import common_options, list_output
from agentic.lib.children import Children
from agentic.lib.sanitize import sanitize
from plugins_builtin.mcp.connection import McpConnection, sdk
from plugins_builtin.mcp.definitions import (
    NAME,
    Definition,
    definitions,
    hindrance,
    none_there,
    project_file,
    usable,
    user_file,
    write,
)

_PROJECT = click.option("--project", is_flag=True, help="Change the project's .mcp.json, for everybody who works on it.")


@click.group("mcp", invoke_without_command=True, epilog="The manual: agentic docs imported")
@click.pass_context
def mcp(context: click.Context) -> None:
    """Manages MCP servers. The model finds and calls their tools, which do not appear in its prompt.

    For example: agentic mcp add time -- uvx mcp-server-time
    """
    if context.invoked_subcommand is None:
        context.invoke(list_)


@mcp.command("list")
@list_output
def list_(output: str = "plain") -> None:
    """Lists the servers, the file of each, and why one cannot be used. For example: agentic mcp list"""
    root = Path.cwd()
    found = definitions(root)
    for each in found:
        state = hindrance(each, root) or "usable"
        if output == "jsonl":
            values = {"name": each.name, "file": str(each.file), "runs": each.in_a_line, "state": state}
            click.echo(json.dumps({"type": "mcp_server"} | values))
        else:
            click.echo(sanitize(f"{each.name}: {state}: {each.in_a_line} ({each.file})".replace("\n", " ⏎ ")))
    if not found and output == "plain":
        click.echo(none_there(root))


@mcp.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("target", nargs=-1, required=True, metavar="COMMAND... | URL")
@click.option("--env", "-e", multiple=True, metavar="NAME=VALUE", help="For the command; ${NAME} comes from your environment.")
@click.option("--header", multiple=True, metavar="NAME: VALUE", help="For a URL; ${NAME} comes from your environment.")
@_PROJECT
def add(name: str, target: Sequence[str], env: Sequence[str], header: Sequence[str], project: bool) -> None:
    """Adds a server to your own file: a command, or a URL that speaks streamable HTTP.

    For example: agentic mcp add files -- npx -y @modelcontextprotocol/server-filesystem .
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be a server's name", "letters, digits, - and _")
    if target[0].startswith(("http://", "https://")):
        if len(target) > 1 or env:
            raise ConfigError("a URL has headers, and neither arguments nor variables", f"agentic mcp add {name} {target[0]}")
        server: dict[str, Any] = {"type": "http", "url": target[0]}
        server |= {"headers": _table(header, ":", "--header")} if header else {}
    else:
        server = {"command": target[0], "args": list(target[1:])}
        server |= {"env": _table(env, "=", "--env")} if env else {}
    path = project_file(Path.cwd()) if project else user_file()
    write(path, name, server)
    click.echo(f"{path}: {name} is added; `agentic mcp test {name}` tries it" + (", after `agentic trust`" if project else ""))


def _table(pairs: Sequence[str], sign: str, option: str) -> dict[str, str]:
    split = [pair.partition(sign) for pair in pairs]
    if wrong := [pair for pair, (name, found, _) in zip(pairs, split, strict=True) if not (name and found)]:
        raise ConfigError(f"{option} {wrong[0]!r}: NAME{sign}VALUE is expected")
    return {name.strip(): value.strip() if sign == ":" else value for name, _, value in split}


@mcp.command()
@click.argument("name")
@_PROJECT
def rm(name: str, project: bool) -> None:
    """Removes a server from your own file. For example: agentic mcp rm time"""
    path = project_file(Path.cwd()) if project else user_file()
    write(path, name, None)
    click.echo(f"{path}: {name} is removed")


@mcp.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def test(names: Sequence[str]) -> int:
    """Starts each server, or those called NAME, and shows what it offers. For example: agentic mcp test time"""
    root = Path.cwd()
    return asyncio.run(_test(root, _chosen(root, names), load_settings(root)))


async def _test(root: Path, chosen: Sequence[Definition], settings: Settings) -> int:
    failed = 0
    for definition in chosen:
        async with _connection(definition, root, settings) as connection:
            connection.changed = True
            try:
                manifest = await connection.offered()
            except AgenticError as error:
                failed += 1
                click.echo(sanitize(f"{definition.name}: {error.with_remedy}"))
                continue
            names = {"tools": manifest.tools, "prompts": manifest.prompts, "resources": manifest.resources}
            for what, each in names.items():
                if each or what == "tools":
                    named = ", ".join(str(one["name"]) for one in each)
                    click.echo(sanitize(f"{definition.name}: {len(each)} {what}: {named}"))
    return 1 if failed else 0


@asynccontextmanager
async def _connection(definition: Definition, root: Path, settings: Settings, login: Any = None) -> AsyncIterator[McpConnection]:
    children = Children()
    seconds = settings.section("plugin.mcp").start_seconds + (login.seconds if login else 0)
    connection = McpConnection(definition, root, children, seconds, login)
    try:
        yield connection
    finally:
        await connection.close()
        await children.aclose()


def _chosen(root: Path, names: Sequence[str]) -> list[Definition]:
    """Raises ConfigError for one that is not there, or may not be started."""
    found = {each.name: each for each in usable(root)}
    every = {each.name: each for each in definitions(root)}
    for name in names:
        if name not in every:
            raise ConfigError(f"there is no MCP server {name!r}", f"the servers are {', '.join(every) or 'none'}")
        if name not in found:
            raise ConfigError(f"the MCP server {name} is {hindrance(every[name], root)}")
    chosen = [found[name] for name in names] if names else list(found.values())
    if not chosen:
        raise ConfigError("there is no MCP server that could be used", "`agentic mcp list` shows why")
    return chosen


@mcp.command()
@click.argument("name")
def login(name: str) -> None:
    """Logs in to a server over HTTP, in the browser (OAuth). For example: agentic mcp login github"""
    root = Path.cwd()
    (definition,) = _chosen(root, [name])
    if not definition.url:
        raise ConfigError(f"the MCP server {name} is a command: there is nothing to log in to")
    asyncio.run(_login(definition, root, load_settings(root)))
    click.echo(f"{name}: logged in")


async def _login(definition: Definition, root: Path, settings: Settings) -> None:
    http, logins = sdk("plugins_builtin.mcp.http"), sdk("plugins_builtin.mcp.login")
    http.Tokens(definition.url).forget()
    async with logins.Login(click.echo) as login, _connection(definition, root, settings, login) as connection:
        connection.changed = True
        await connection.offered()


@mcp.command()
@common_options
def serve(root: Path, settings: Settings) -> None:
    """Runs agentic as an MCP server on standard input and output, with the tools run, ask and batch, in this folder.

    For example: agentic mcp serve --approve edits
    """
    sdk("plugins_builtin.mcp.serve").serve(root, settings)
