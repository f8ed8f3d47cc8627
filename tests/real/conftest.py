"""Real servers: skipped, loudly, where there are none."""

import os

import pytest


@pytest.fixture(scope="session")
def endpoints() -> list[str]:
    """Base URLs of real vLLM servers."""
    how = "NO REAL vLLM: set AGENTIC_TEST_ENDPOINTS=http://localhost:8001/v1,... (CONTRIBUTING.md says how to start one)"
    return [url for url in needed("AGENTIC_TEST_ENDPOINTS", how).split(",") if url]


@pytest.fixture(scope="session")
def serve_command() -> str:
    """Starts a real server on `{port}`."""
    how = "NO SERVER TO START: set AGENTIC_TEST_SERVE='vllm serve MODEL --port {port}' (it is killed and started again)"
    return needed("AGENTIC_TEST_SERVE", how)


@pytest.fixture(scope="session")
def router_command() -> str:
    """Starts a real router on `{port}` in front of `{urls}`."""
    how = "NO ROUTER: set AGENTIC_TEST_ROUTER='vllm-router --worker-urls {urls} --port {port} --host 127.0.0.1'"
    return needed("AGENTIC_TEST_ROUTER", how)


def needed(name: str, how: str) -> str:
    """What stands in the environment; without it the test is skipped, which says how to set it."""
    value = os.environ.get(name, "")
    if not value:
        pytest.skip(how)
    return value


@pytest.fixture(scope="session")
def gguf() -> str:
    """A model for the embedded engine."""
    how = "NO REAL MODEL: set AGENTIC_TEST_GGUF=FILE.gguf (`agentic local pull smollm2-135m` fetches a small one)"
    return needed("AGENTIC_TEST_GGUF", how)
