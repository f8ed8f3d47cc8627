"""MCP servers as files name them: the user's own, and the project's, which are used only where the user trusts them."""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from agentic import ConfigError
from agentic.folders import config_folder
from agentic.lib.files import project_top, read_regular, replace_file
from agentic.lib.record import record
from agentic.trust import Runnable, Trust, digest_of

PROJECT = (".mcp.json", ".agents/mcp.json")
MAX_BYTES = 1_000_000
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Which tools are meant, in the spellings of Claude Code, gemini, codex, cursor, opencode, qwen and crush.
ONLY = ("includeTools", "include_tools", "enabledTools", "enabled_tools", "allowedTools", "allowed_tools")
WITHOUT = ("excludeTools", "exclude_tools", "disabledTools", "disabled_tools", "disallowedTools", "disallowed_tools")
_KNOWN = {
    "type", "command", "args", "env", "environment", "url", "httpUrl", "headers", "cwd", "disabled", "enabled", "timeout",
    "startup_timeout_sec", "tool_timeout_sec", "description", "name", "trust", "alwaysAllow", "autoApprove", "oauth",
    "title", "version", "icon", "tags", "category", "note", "notes", "comment", "$schema", "transport", "display_name", "homepage",
    *ONLY, *WITHOUT,
}  # fmt: skip
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@record(frozen=True, slots=True)
class Definition:
    """A server: a `command` with its arguments, or a `url` that speaks streamable HTTP, with variables as they are written.

    `fault` says why it cannot be used, "" where it can.
    """

    name: str
    file: Path
    top: Path | None = None  # of the project that it is of, None for the user's own
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    timeout: float = 0.0
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    is_off: bool = False
    fault: str = ""

    def allows(self, tool: str) -> bool:
        """True if the file lets this tool be used; `*` in a name is anything."""
        listed = self.only is None or any(fnmatchcase(tool, each) for each in self.only)
        return listed and not any(fnmatchcase(tool, each) for each in self.without)

    @property
    def in_a_line(self) -> str:
        """Returns the command that would run, or the URL that would be asked and the headers it would be sent."""
        if self.url:
            sent = ", ".join(f"{name}: {value}" for name, value in self.headers.items())
            return f"{self.url} (sends {sent})" if sent else self.url
        where = f" (in {self.cwd})" if self.cwd else ""
        return " ".join([*(f"{name}={value}" for name, value in self.env.items()), shlex.join(self.command)]) + where

    def digest(self, root: Path) -> str:
        """Returns a digest of all that decides what the server does."""
        definition: list[Any] = [self.name, list(self.command), dict(self.env), self.url, dict(self.headers)]
        definition += [self.cwd] if self.cwd else []
        return digest_of(root, definition, [shlex.join(self.command)])

    def runnable(self, root: Path) -> Runnable:
        """Returns the runnable that is shown before the server is trusted."""
        assert self.top is not None
        return Runnable("MCP server", self.name, str(self.file.relative_to(self.top)), self.in_a_line, self.digest(root))

    def expanded(self) -> "Definition":
        """With the values of the variables. Raises ConfigError for one that is not set and has no default."""
        command = tuple(_expanded(word, self) for word in self.command)
        env, headers = ({name: _expanded(value, self) for name, value in table.items()} for table in (self.env, self.headers))
        return replace(
            self, command=command, env=env, url=_expanded(self.url, self), headers=headers, cwd=_expanded(self.cwd, self)
        )


def _expanded(text: str, of: Definition) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        found = os.environ.get(name) or default
        if found is None:
            raise ConfigError(f"the MCP server {of.name} needs the variable {name}, which is not set", f"export {name}=…")
        return found

    return _VARIABLE.sub(value, text)


def user_file() -> Path:
    return config_folder() / "mcp.json"


def project_file(root: Path) -> Path:
    return project_top(root.resolve()) / PROJECT[0]


def none_there(root: Path) -> str:
    """Returns the message for when no server is named."""
    return f"no MCP servers: they stand in {user_file()} and {project_file(root)}; `agentic mcp add` adds one"


def definitions(root: Path, more: str = "") -> list[Definition]:
    """All of them, also those that cannot be used; of several with one name the user's own counts. `more` are others, as JSON."""
    top = project_top(root.resolve())
    own = _of_text(more, Path("plugin.mcp.servers")) if more else []
    found: dict[str, Definition] = {each.name: each for each in own}
    for path, project in ((user_file(), None), *((top / name, top) for name in PROJECT)):
        for each in _read(path, project):
            found.setdefault(each.name, each)
    return list(found.values())


def usable(root: Path, more: str = "") -> list[Definition]:
    """Returns the servers that may be started now; `more` are further ones of the user's, as JSON."""
    return [each for each in definitions(root, more) if not hindrance(each, root)]


def hindrance(definition: Definition, root: Path) -> str:
    """Why it may not be started, "" where it may."""
    if definition.fault:
        return f"cannot be used: {definition.fault}"
    if definition.top is not None and not Trust(root).has(definition.runnable(root)):
        return "not trusted: `agentic trust`"
    return ""


def runnables(root: Path) -> list[Runnable]:
    """The project's, as far as they can be used at all."""
    return [each.runnable(root) for each in definitions(root) if each.top is not None and not each.fault]


def _read(path: Path, top: Path | None) -> Iterator[Definition]:
    if not path.is_file():
        return
    try:
        yield from _of_text(read_regular(path, MAX_BYTES) or b"{}", path, top)
    except (OSError, ConfigError) as error:
        yield Definition(path.name, path, top, fault=str(error))


def _of_text(text: str | bytes, path: Path, top: Path | None = None) -> list[Definition]:
    """Raises ConfigError."""
    content = _content(text, path)
    others = [name for name in ("servers", "mcp", "mcp_servers") if isinstance(content.get(name), dict)]
    if others and not content["mcpServers"]:
        raise ConfigError(f'{path} has its servers under "{others[0]}": they stand under "mcpServers" here')
    return [_definition(str(name), given, path, top) for name, given in content["mcpServers"].items()]


def _content(text: str | bytes, path: Path) -> dict[str, Any]:
    """With a table of servers in it, which may be empty. Raises ConfigError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "it has to be JSON") from error
    if not isinstance(content, dict) or not isinstance(content.setdefault("mcpServers", {}), dict):
        raise ConfigError(f'{path}: "mcpServers" is no table')
    return content


def _definition(name: str, given: Any, path: Path, top: Path | None) -> Definition:
    if not isinstance(given, dict):
        return Definition(name, path, top, fault="it is no table")
    url = given.get("url") or given.get("httpUrl") or ""
    kind = given.get("type") or ("http" if url else "stdio")
    kind = {"local": "stdio", "remote": "http"}.get(kind, kind) if isinstance(kind, str) else kind
    command, args = given.get("command", ""), given.get("args") or []
    command, args = (command[0], [*command[1:], *args]) if _texts(command) and command else (command, args)  # opencode's
    env, headers = _table(given.get("env") or given.get("environment") or {}), _table(given.get("headers") or {})
    is_off = given.get("disabled") is True or given.get("enabled") is False
    fault = ""
    if is_off:
        fault = "it is switched off in the file"
    elif not NAME.fullmatch(name):
        fault = "its name may have letters, digits, dots, - and _ only"
    elif kind not in ("stdio", "http", "streamable-http", "streamableHttp"):
        fault = f"the type {kind!r} is not supported: stdio and http (streamable HTTP) are"
    elif kind == "stdio" and not (isinstance(command, str) and command and _texts(args)):
        fault = 'it has no "command" with "args" that are texts'
    elif kind != "stdio" and not (isinstance(url, str) and url.startswith(("http://", "https://", "${"))):
        fault = 'it has no "url" that begins with http:// or https://'
    elif env is None or headers is None:
        fault = '"env" and "headers" have to be tables of texts'
    fault = fault or _limits_fault(given)
    if fault or env is None or headers is None:
        return Definition(name, path, top, is_off=is_off, fault=fault)
    only = [given[each] for each in ONLY if given.get(each) is not None]
    limits: dict[str, Any] = {
        "timeout": _seconds(given),
        "only": tuple(_own_name(each, name) for each in only[0] if all(each in other for other in only)) if only else None,
        "without": tuple(_own_name(each, name) for field_name in WITHOUT for each in given.get(field_name) or ()),
    }
    if kind == "stdio":
        return Definition(name, path, top, (command, *args), env, cwd=given.get("cwd") or "", **limits)
    return Definition(name, path, top, url=url, headers=headers, **limits)


def _limits_fault(given: Mapping[str, Any]) -> str:
    """Returns why a limit of the server is not understood, "" where all of them are: a limit is never dropped."""
    for name in (*ONLY, *WITHOUT):
        if given.get(name) is not None and not _texts(given[name]):
            return f'"{name}" has to be a list of names'
    if not isinstance(given.get("cwd") or "", str):
        return '"cwd" has to be a text'
    for name in ("disabled", "enabled"):
        if not isinstance(given.get(name, False), bool):
            return f'"{name}" has to be true or false'
    for name in ("timeout", "tool_timeout_sec"):
        if isinstance(given.get(name, 0), bool) or not isinstance(given.get(name, 0), int | float | None):
            return f'"{name}" has to be a number'
    if strange := sorted(str(name) for name in given if name not in _KNOWN):
        return f'what "{strange[0]}" limits is not known here'
    return ""


def _own_name(tool: str, server: str) -> str:
    """A tool as its server calls it, by what other agents call it: `mcp__SERVER__TOOL` and the like."""
    for prefix in (f"mcp__{server}__", f"{server}__", f"{server}/", f"mcp_{server}_"):
        if tool.startswith(prefix) and tool != prefix:
            return tool.removeprefix(prefix)
    return tool


def _seconds(given: Mapping[str, Any]) -> float:
    """For one call; gemini and opencode count in milliseconds, codex in seconds. 0 for none."""
    value = given.get("tool_timeout_sec") or given.get("timeout") or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return 0.0
    return value / 1000 if "tool_timeout_sec" not in given and value >= 1000 else float(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _table(value: Any) -> dict[str, str] | None:
    """A table of texts, numbers and truth values among them; None for what is none."""
    if not isinstance(value, dict) or not all(isinstance(each, str | int | float) for each in value.values()):
        return None
    return {str(name): each if isinstance(each, str) else json.dumps(each) for name, each in value.items()}


def write(path: Path, name: str, server: Mapping[str, Any] | None) -> None:
    """Adds a server to a file, or with None takes it out; the rest stays as it was. Raises ConfigError."""
    try:
        content = _content(read_regular(path, MAX_BYTES) if path.exists() else b"{}", path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    servers = content["mcpServers"]
    if server is None and name not in servers:
        raise ConfigError(f"{path} names no server {name!r}", "`agentic mcp list` shows where each stands")
    servers.pop(name, None)
    if server is not None:
        servers[name] = dict(server)
    try:
        replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
