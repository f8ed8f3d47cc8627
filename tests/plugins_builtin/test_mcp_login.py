"""Logging in to an MCP server over HTTP, with a whole authorization server, and a browser that says yes at once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic.testing import FakeVLLM, answer, tool_call
from tests.conftest import Agentic

NATIVE = ("-c", "tools.protocol=native", "--approve", "all", "--no-sandbox")
PROGRAM = """
import asyncio, secrets, socket, time
import uvicorn
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthToken

class Provider:
    def __init__(self):
        self.clients, self.codes, self.access, self.refresh = {}, {}, {}, {}
    async def get_client(self, name): return self.clients.get(name)
    async def register_client(self, client): self.clients[client.client_id] = client
    async def authorize(self, client, p):
        code = secrets.token_hex(8)
        self.codes[code] = AuthorizationCode(code=code, scopes=p.scopes or [], expires_at=time.time() + 60, client_id=client.client_id, code_challenge=p.code_challenge,
            redirect_uri=p.redirect_uri, redirect_uri_provided_explicitly=p.redirect_uri_provided_explicitly, resource=p.resource)
        return construct_redirect_uri(str(p.redirect_uri), code=code, state=p.state)
    async def load_authorization_code(self, client, code): return self.codes.get(code)
    def mint(self, client, scopes, resource):
        access, refresh = secrets.token_hex(8), secrets.token_hex(8)
        self.access[access] = AccessToken(token=access, client_id=client, scopes=scopes, expires_at=int(time.time() + 3600), resource=resource)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client, scopes=scopes, resource=resource)
        return OAuthToken(access_token=access, refresh_token=refresh, expires_in=3600, scope=" ".join(scopes))
    async def exchange_authorization_code(self, client, code):
        self.codes.pop(code.code)
        return self.mint(client.client_id, code.scopes, code.resource)
    async def load_refresh_token(self, client, token): return self.refresh.get(token)
    async def exchange_refresh_token(self, client, token, scopes):
        self.refresh.pop(token.token)
        print("refreshed", flush=True)
        return self.mint(client.client_id, scopes, token.resource)
    async def load_access_token(self, token): return self.access.get(token)
    async def revoke_token(self, token): pass

sock = socket.socket(); sock.bind(("127.0.0.1", 0)); base = f"http://127.0.0.1:{sock.getsockname()[1]}"
options = ClientRegistrationOptions(enabled=True, valid_scopes=["user"], default_scopes=["user"])
auth = AuthSettings(issuer_url=base, resource_server_url=base + "/mcp", required_scopes=["user"], validate_token_resource=False, client_registration_options=options)
server = MCPServer("secret", log_level="CRITICAL", auth_server_provider=Provider(), auth=auth)
@server.tool()
def hi() -> str:
    "Says hi."
    return "hi there"
print(base + "/mcp", flush=True)
asyncio.run(uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="error")).serve(sockets=[sock]))
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "server.py").write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, str(tmp_path / "server.py")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate()


def test_a_login_is_kept_used_and_renewed(agentic: Agentic, server: FakeVLLM, guarded: str, home: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1]).read(), file=sys.stderr)\n"
    )
    browser.chmod(0o755)
    assert agentic("mcp", "add", "mine", guarded).code == 0
    without = agentic("mcp", "test", "mine")
    assert without.code == 1 and "wants a login (HTTP 401)" in without.out and "agentic mcp login mine" in without.out
    done = agentic("mcp", "login", "mine", more={"BROWSER": f"{browser} %s"})
    assert done.code == 0 and done.out.endswith("mine: logged in\n"), done.err
    (kept,) = (home / ".local/state/agentic/mcp").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    server.script(answer(tool_calls=tool_call("call_tool", {"name": "mine/hi", "arguments": {}})), answer("ok"))
    agentic("run", "x", "--endpoint", server.url, *NATIVE)
    assert server.chats[-1].json["messages"][-1]["content"] == "hi there"

    tokens = json.loads(kept.read_text())
    kept.write_text(json.dumps(tokens | {"ends": 1.0}))  # long over: it is renewed, without a browser
    assert agentic("mcp", "test", "mine").code == 0
    assert json.loads(kept.read_text())["tokens"]["access_token"] != tokens["tokens"]["access_token"]

    kept.write_text(
        json.dumps({"client": tokens["client"], "ends": None, "tokens": {"access_token": "bad", "token_type": "Bearer"}})
    )
    again = agentic("mcp", "test", "mine")
    assert again.code == 1 and "the login to mine has ended" in again.out and "agentic mcp login mine" in again.out
