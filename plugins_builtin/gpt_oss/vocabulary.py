"""A vocabulary for the models that tiktoken knows, if it is on this disk: it is never fetched."""

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from agentic import AgenticError

# tiktoken's own name for the file in its cache folder, and what the file must hash to (a wrong one would be fetched anew).
_O200K_NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"
_O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def tokens_for(model: str) -> Callable[[str], int] | None:
    """Counts a text's tokens for models of the gpt family, None for others. Raises AgenticError without the vocabulary."""
    if "gpt-" not in model.lower():
        return None
    if not _on_disk():
        raise AgenticError("tiktoken's o200k_base is not on this disk (TIKTOKEN_CACHE_DIR)")
    import tiktoken

    encoding = tiktoken.get_encoding("o200k_base")

    @lru_cache(maxsize=4096)
    def tokens(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    return tokens


def _on_disk() -> bool:
    import tempfile

    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    path = Path(folder or os.path.join(tempfile.gettempdir(), "data-gym-cache")) / _O200K_NAME
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == _O200K_SHA256
    except OSError:
        return False
