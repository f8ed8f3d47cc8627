"""Real servers: skipped, loudly, where there are none."""

import os

import pytest


@pytest.fixture(scope="session")
def endpoints() -> list[str]:
    """Base URLs of real vLLM servers."""
    found = [url for url in os.environ.get("AGENTIC_TEST_ENDPOINTS", "").split(",") if url]
    if not found:
        pytest.skip("NO REAL vLLM: set AGENTIC_TEST_ENDPOINTS=http://localhost:8001/v1,... (CONTRIBUTING.md says how to start one)")
    return found


@pytest.fixture(scope="session")
def gguf() -> str:
    """A model for the embedded engine."""
    path = os.environ.get("AGENTIC_TEST_GGUF", "")
    if not path:
        pytest.skip("NO REAL MODEL: set AGENTIC_TEST_GGUF=FILE.gguf (`agentic local pull smollm2-135m` fetches a small one)")
    return path
