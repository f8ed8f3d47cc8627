"""Schemas that others wrote: nothing is fetched for them, nothing hangs in them, and none of them ends a run."""

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentic.errors import ToolError
from agentic.events import RunFinished, ToolResult
from agentic.lib.arguments import check, parse
from agentic.lib.schemas import UncheckableError, problems
from agentic.testing import answer, run_in_process, tool_call
from tests.conftest import put


def schema(field: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"f": field}, **more}


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """(the URL of a server that has a schema for whoever asks, what it was asked for)"""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"enum": ["from the network"]}')

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("form", ["{}", "{}#/a", '{{"$dynamicRef": "{}"}}'])
def test_no_reference_is_fetched(canary: tuple[str, list[str]], tmp_path: Path, form: str) -> None:
    url, asked = canary
    (tmp_path / "private.json").write_text('{"enum": ["a private word"]}')
    for place in (f"{url}/x", f"file://{tmp_path}/private.json", "ftp://127.0.0.1/x", "//127.0.0.1/x", "other.json"):
        text = form.format(place)
        field = json.loads(text) if text.startswith("{") else {"$ref": text}
        assert check({"f": "x"}, schema(field)) == {"f": "x"}
        assert check({"f": "x"}, {"$id": f"{url}/base", **schema({"$ref": "other"})}) == {"f": "x"}
        assert check({"f": "x"}, {"$schema": f"{url}/meta", **schema({"type": "string"})}) == {"f": "x"}
    assert asked == []


UNCHECKABLE: dict[str, Mapping[str, Any]] = {
    "a reference to nowhere": schema({"$ref": "#/definitions/Gone"}),
    "a reference to itself": schema({"$ref": "#/properties/f"}),
    "a type of its own": schema({"type": "any"}),
    "a misspelt type": schema({"type": "strng"}),
    "properties that are a list": {"type": "object", "properties": ["f"]},
    "required that is a word": schema({}, required="f"),
    "a minimum that is a word": schema({"minimum": "many"}),
    "a pattern that is a number": schema({"pattern": 7}),
    "an items that is a word": schema({"items": "string"}),
}


@pytest.mark.parametrize("name", UNCHECKABLE)
def test_what_cannot_be_checked_is_left_to_the_tool(name: str) -> None:
    for value in ("x", 3, [1], {"a": 1}):
        assert check({"f": value}, UNCHECKABLE[name]) == {"f": value}


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"), [("^\\p{L}+$", "한국어", "1"), ("^[a-z]+$", "abc", "ABC"), ("^(?<year>\\d{4})$", "2026", "x")]
)
def test_patterns_are_read_as_json_schema_means_them(pattern: str, right: str, wrong: str) -> None:
    field = {"type": "string", "pattern": pattern}
    assert check({"f": right}, schema(field)) == {"f": right}
    with pytest.raises(ToolError, match="does not match"):
        check({"f": wrong}, schema(field))


@pytest.mark.parametrize("where", ["pattern", "patternProperties", "additionalProperties"])
def test_an_expression_that_takes_for_ever_decides_nothing(where: str) -> None:
    slow, text = "^(a|a)*(a|a)*(a|a)*$", "a" * 200 + "!"
    by_name = {
        "type": "object",
        "patternProperties": {slow: {"type": "integer"}},
        "additionalProperties": where == "patternProperties",
    }
    field = {"type": "string", "pattern": slow} if where == "pattern" else by_name
    value = text if where == "pattern" else {text: "x"}
    begun = time.monotonic()
    assert check({"f": value}, schema(field)) == {"f": value}
    assert time.monotonic() - begun < 20, "it would take longer than anybody lives"


def test_what_can_be_checked_is_checked_as_before() -> None:
    whole = schema({"type": "string"}, required=["f"], additionalProperties=False)
    for value, said in (({}, "missing: f"), ({"f": 1}, "must be of type string"), ({"f": "x", "g": 1}, "unknown: g")):
        with pytest.raises(ToolError, match=said):
            check(dict(value), whole)
    nested = schema({"$ref": "#/$defs/F"}, **{"$defs": {"F": {"type": "string"}}})
    with pytest.raises(ToolError, match="must be of type string"):
        check({"f": 1}, nested)
    by_name = schema({"patternProperties": {"^n": {"type": "integer"}}, "additionalProperties": {"type": "string"}})
    with pytest.raises(ToolError, match="n1 must be of type integer"):
        check({"f": {"n1": "x"}}, by_name)
    with pytest.raises(ToolError, match="other must be of type string"):
        check({"f": {"other": 1}}, by_name)


def test_a_whole_float_is_an_integer_where_the_schema_says_so() -> None:
    fields = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"$ref": "#/$defs/M"}, "x": {"type": "number"}, "l": {"type": "array", "items": {"type": "integer"}}}, "$defs": {"M": {"type": ["integer", "null"]}}}  # fmt: skip
    found = check({"n": 2.0, "m": 3.0, "x": 4.0, "l": [5.0]}, fields)
    assert found == {"n": 2, "m": 3, "x": 4.0, "l": [5]}
    assert [type(found[name]) for name in ("n", "m", "x")] == [int, int, float] and type(found["l"][0]) is int
    with pytest.raises(ToolError, match="must be of type integer"):
        check({"n": 2.5}, fields)


def test_the_users_own_schema_says_why_it_cannot_be_checked() -> None:
    with pytest.raises(UncheckableError):
        problems({"f": 1}, schema({"$ref": "https://example.org/x"}))


PLUGIN = """
from agentic import Provider, Tool, ToolOutput, ToolSpec, hookimpl


class Shell:
    spec = ToolSpec("shell2", "Runs something.", {parameters}, "execute", runs="command")

    async def run(self, arguments, workspace):
        return ToolOutput("ran " + str(arguments.get("command")))


@hookimpl
def agentic_tools():
    yield Provider("shell2", "runs something", lambda setup: Shell())
"""


@pytest.mark.parametrize(
    "parameters", [{"type": "object", "properties": {"command": {"type": kind}}} for kind in ("string", "strng")]
)
@pytest.mark.parametrize("mode", ["all", "none"])
def test_a_plugins_tool_ends_no_run_whatever_its_schema_and_its_arguments(
    home: Path, parameters: dict[str, Any], mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(home / ".config" / "agentic" / "plugins" / "mine.py", PLUGIN.format(parameters=parameters))
    settings = {"approval.mode": mode, "sandbox.mode": "off"}
    misspelt = "strng" in str(parameters)
    arguments = {"command": "it"} if misspelt else {}
    events = run_in_process("go", [answer(tool_calls=tool_call("shell2", arguments)), "done"], settings, home=home)
    (result,) = [event for event in events if isinstance(event, ToolResult)]
    whose = "plugin mine (of your plugins folder): the schema of the tool shell2 cannot be checked"
    assert misspelt == (whose in " ".join(capsys.readouterr().err.split()))
    assert result.text.startswith(f"ran {arguments.get('command')}") if mode == "all" else "needs an approval" in result.text
    assert any(isinstance(event, RunFinished) for event in events)


def doubling(depth: int) -> dict[str, Any]:
    """Each definition is twice the next one."""
    defs = {f"d{number}": {"allOf": [{"$ref": f"#/$defs/d{number + 1}"}] * 2} for number in range(depth)}
    return {"type": "object", "$defs": defs | {f"d{depth}": {}}, "properties": {"x": {"$ref": "#/$defs/d0"}}}


LONG = {
    "definitions that double": (doubling(24), {"x": 1}),
    "many items": (schema({"type": "array", "uniqueItems": True}), {"x": [{"a": number} for number in range(4000)]}),
    "branches that recur": (
        {
            "$defs": {"t": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/t"}, "minItems": 9}] * 3}},
            "properties": {"x": {"$ref": "#/$defs/t"}},
        },
        {"x": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]},
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_no_schema_keeps_a_call_from_ending(name: str) -> None:
    """In a process of its own, which is ended where it does not end."""
    parameters, arguments = LONG[name]
    code = (
        "import json, sys; from agentic.lib.arguments import parse; given = json.load(sys.stdin); print(parse(*given) is not None)"
    )
    given = json.dumps([json.dumps(arguments), parameters])
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n" or "ToolError" in done.stderr, done.stderr


INTEGERS = [
    {"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"oneOf": [{"type": "integer"}]}, {"allOf": [{"type": "integer"}]},
    {"$ref": "#/$defs/n", "type": "integer"}, {"$ref": "#/$defs/a%20b"}, {"$ref": "#/$defs/list/oneOf/0"}, {"enum": [1, 2, 3]}, {"const": 2},
]  # fmt: skip
DEFS = {"n": {}, "a b": {"type": "integer"}, "list": {"oneOf": [{"type": "integer"}]}}


@pytest.mark.parametrize("kind", INTEGERS)
def test_a_whole_number_is_an_integer_wherever_the_schema_says_so(kind: dict[str, Any]) -> None:
    def parsed(parameters: dict[str, Any], value: Any) -> Any:
        return repr(parse(json.dumps({"x": value}), {"type": "object", "$defs": DEFS, **parameters})["x"])

    assert parsed({"properties": {"x": kind}}, 2.0) == "2"
    assert parsed({"additionalProperties": kind}, 2.0) == "2"
    assert parsed({"patternProperties": {"^x$": kind}}, 2.0) == "2"
    assert parsed({"properties": {"x": {"prefixItems": [kind]}}}, [2.0]) == "[2]"
    assert parsed({"properties": {"x": {"items": kind}}}, [2.0, 2.0]) == "[2, 2]"
    assert parsed({"properties": {"x": {"type": "number"}}}, 2.0) == "2.0"


def test_null_is_allowed_where_openapi_allows_it() -> None:
    for field in ({"type": "string", "nullable": True}, {"enum": ["a"], "nullable": True}):
        assert parse('{"x": null}', {"type": "object", "properties": {"x": field}, "required": ["x"]}) == {"x": None}
    with pytest.raises(ToolError):
        parse('{"x": null}', {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]})


@pytest.mark.parametrize(
    "parameters", [True, False, [], None, {"required": [1]}, {"required": True}, {"properties": ["f"]}, {"properties": {"f": None}}]
)
def test_what_is_no_schema_raises_nothing(parameters: Any) -> None:
    try:
        assert parse('{"f": 1}', parameters) == {"f": 1}
    except ToolError:
        assert parameters == {"required": [1]}, "it asks for a field that no object has"
