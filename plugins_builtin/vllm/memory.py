"""True if models fit on the cards (sizes: the published checkpoints, and the KV layout of vLLM 0.32)."""

import re
import shutil
import subprocess

from agentic.lib.record import record

GIB = 1024**3
OVERHEAD_GIB = 3.0  # activations, CUDA graphs and the like, for each instance
LEAST_KV_GIB = 1.0
UTILIZATION = 0.92
SHARED_UTILIZATION = 0.95


@record(frozen=True, slots=True)
class Weights:
    """`kv_kib` for each token, `fixed_mib` for each sequence (sliding windows)."""

    gib: float
    kv_kib: float
    fixed_mib: float = 0.0


KNOWN = {"gpt-oss-120b": Weights(60.8, 36, 4.5), "gpt-oss-20b": Weights(12.8, 24, 3.0)}


@record(frozen=True, slots=True)
class Card:
    name: str
    gib: float


@record(frozen=True, slots=True)
class MemoryPlace:
    """The place of an instance: cards by number (several: tensor parallel), its share of their memory, and both in words."""

    cards: tuple[int, ...]
    share: float
    words: str


def weights_of(model: str) -> Weights | None:
    """None for a model whose size is not known here."""
    return next((weights for name, weights in KNOWN.items() if name in model.lower()), None)


def cards_here() -> list[Card]:
    """The machine's NVIDIA cards, none where there is no nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [Card(match[1], int(match[2]) / 1024) for match in re.finditer(r"^(.+), (\d+)$", text, re.MULTILINE)]


def placed(models: list[str], cards: list[Card]) -> tuple[list[MemoryPlace | None], str]:
    """(each instance's place, None where it is not known; why it cannot be, "" where it can)."""
    sizes = [weights_of(model) for model in models]
    if not cards or not all(sizes):
        return [None] * len(models), ""
    known = [size for size in sizes if size is not None]
    if len(cards) >= len(models):
        alone = [_alone(size, card, number) for number, (size, card) in enumerate(zip(known, cards, strict=False))]
        if all(alone):
            return list(alone), ""
    elif len(cards) == 1 and (together := _together(known, cards[0])):
        return list(together), ""
    return [None] * len(models), _why_not(models, known, cards)


def _alone(size: Weights, card: Card, number: int) -> MemoryPlace | None:
    left = card.gib * UTILIZATION - size.gib - OVERHEAD_GIB
    if left < LEAST_KV_GIB:
        return None
    return MemoryPlace((number,), UTILIZATION, f"{size.gib:g} of {card.gib:.1f} GiB are weights, {_kv(size, left)}")


def _together(sizes: list[Weights], card: Card) -> list[MemoryPlace]:
    """Several on one card, what is left shared out evenly; none where they do not fit."""
    left = card.gib * SHARED_UTILIZATION - sum(size.gib + OVERHEAD_GIB for size in sizes)
    if left < LEAST_KV_GIB * len(sizes):
        return []
    each = left / len(sizes)
    return [
        MemoryPlace(
            (0,), int((size.gib + OVERHEAD_GIB + each) / card.gib * 100) / 100, f"{size.gib:g} GiB of weights, {_kv(size, each)}"
        )
        for size in sizes
    ]


def _kv(size: Weights, left: float) -> str:
    tokens = left * GIB / (size.kv_kib * 1024)
    return f"{left:.1f} GiB are left for the KV cache: {tokens / 1000:,.0f} thousand tokens"


def _why_not(models: list[str], sizes: list[Weights], cards: list[Card]) -> str:
    short = [model.rpartition("/")[2] for model in models]
    need = sum(size.gib for size in sizes)
    what = f"{len(models)} × {short[0]}" if len(set(short)) == 1 else " and ".join(short)
    have = ", ".join(f"{card.name} ({card.gib:.1f} GiB)" for card in cards)
    return f"{what} need {need:.1f} GiB for their weights alone and do not fit on {have}"
