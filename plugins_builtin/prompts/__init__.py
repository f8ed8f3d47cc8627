"""The texts that models are told: a file for each purpose, in `texts`."""

from collections.abc import Iterable
from pathlib import Path

from agentic import PromptTemplate, hookimpl

_TEXTS = Path(__file__).parent / "texts"


@hookimpl
def agentic_prompts() -> Iterable[PromptTemplate]:
    for path in sorted(_TEXTS.glob("*.txt")):
        yield PromptTemplate(path.stem, path.read_text(encoding="utf-8").rstrip("\n"))
