"""MCP servers as files name them: the user's own, and the project's, which are used only where the user trusts them."""

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic import ConfigError
from agentic.files import project_top, read_regular, replace_file
from agentic.folders import config_folder
from agentic.trust import Runnable, Trust, digest_of

PROJECT = (".mcp.json", ".agents/mcp.json")
MAX_BYTES = 1_000_000
NAME = re.compile(r"[A-Za-z0-9_-]{1,48}")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Definition:
    """One server: a `command` with its arguments, or a `url` that speaks streamable HTTP, with variables as they are written.

    `fault` says why it cannot be used, "" where it can.
    """

    name: str
    file: Path
    top: Path | None = None  # of the project that it is of, None for the user's own
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def shown(self) -> str:
        """What would run, or what would be asked and what it would be sent."""
        if self.url:
            sent = ", ".join(f"{name}: {value}" for name, value in self.headers.items())
            return f"{self.url} (sends {sent})" if sent else self.url
        return " ".join([*(f"{name}={value}" for name, value in self.env.items()), shlex.join(self.command)])

    def digest(self, root: Path) -> str:
        """Of all that decides what it does."""
        definition = [self.name, list(self.command), dict(self.env), self.url, dict(self.headers)]
        return digest_of(root, definition, [shlex.join(self.command)])

    def runnable(self, root: Path) -> Runnable:
        """As it is shown before it is trusted."""
        assert self.top is not None
        return Runnable("MCP server", self.name, str(self.file.relative_to(self.top)), self.shown, self.digest(root))

    def expanded(self) -> "Definition":
        """With the values of the variables. Raises ConfigError for one that is not set and has no default."""
        command = tuple(_expanded(word, self) for word in self.command)
        env, headers = ({name: _expanded(value, self) for name, value in table.items()} for table in (self.env, self.headers))
        return Definition(self.name, self.file, self.top, command, env, _expanded(self.url, self), headers)


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
    """What is said where no server is named."""
    return f"no MCP servers: they stand in {user_file()} and {project_file(root)}; `agentic mcp add` adds one"


def definitions(root: Path) -> list[Definition]:
    """All of them, also those that cannot be used; of several with one name the user's own counts."""
    top = project_top(root.resolve())
    found: dict[str, Definition] = {}
    for path, project in ((user_file(), None), *((top / name, top) for name in PROJECT)):
        for each in _read(path, project):
            found.setdefault(each.name, each)
    return list(found.values())


def usable(root: Path, more: str = "") -> list[Definition]:
    """Those that may be started now; `more` are further ones of the user's, as JSON."""
    own = _of_text(more, Path("plugin.mcp.servers")) if more else []
    others = [each for each in definitions(root) if each.name not in {one.name for one in own}]
    return [each for each in (*own, *others) if not hindrance(each, root)]


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
    return [_definition(str(name), given, path, top) for name, given in _content(text, path)["mcpServers"].items()]


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
    kind = given.get("type") or ("http" if "url" in given else "stdio")
    command, args, url = given.get("command", ""), given.get("args", []), given.get("url", "")
    env, headers = given.get("env", {}), given.get("headers", {})
    fault = ""
    if not NAME.fullmatch(name):
        fault = "its name may have letters, digits, - and _ only"
    elif given.get("disabled") is True or given.get("enabled") is False:
        fault = "it is switched off in the file"
    elif kind not in ("stdio", "http", "streamable-http", "streamableHttp"):
        fault = f"the type {kind!r} is not supported: stdio and http (streamable HTTP) are"
    elif kind == "stdio" and not (isinstance(command, str) and command and _texts(args)):
        fault = 'it has no "command" with "args" that are texts'
    elif kind != "stdio" and not (isinstance(url, str) and url.startswith(("http://", "https://", "${"))):
        fault = 'it has no "url" that begins with http:// or https://'
    elif not (_table(env) and _table(headers)):
        fault = '"env" and "headers" have to be tables of texts'
    if fault:
        return Definition(name, path, top, fault=fault)
    if kind == "stdio":
        return Definition(name, path, top, (command, *args), env)
    return Definition(name, path, top, url=url, headers=headers)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


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
