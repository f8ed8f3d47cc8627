"""Servers that speak Chat Completions without being vLLM, and their own names for what vLLM is told."""

from collections.abc import Mapping
from typing import Any

LLAMA_CPP, SGLANG = "llamacpp", "sglang"  # as their lists of models have it under `owned_by`
_BUDGET = "thinking_token_budget"


def in_dialect(body: Mapping[str, Any], software: str) -> dict[str, Any]:
    """The body of a request for vLLM as that software reads it.

    SGLang bounds thoughts where it runs with --enable-strict-thinking, and ignores the field elsewhere (docs.sglang.io, 2026-11).
    """
    said = dict(body)
    if software == LLAMA_CPP:
        budget = said.pop(_BUDGET, 0)
        return said | {"return_progress": True} | ({"thinking_budget_tokens": budget} if budget else {})
    if software == SGLANG and (budget := said.pop(_BUDGET, 0)):
        return said | {"custom_params": {"thinking_budget": budget, **(said.get("custom_params") or {})}}
    return said
